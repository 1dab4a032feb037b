"""Whether a state differs from others where it differs from a third one: what is plain is compared by itself, and
tells the same as all places at which they differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.values import Keys
from shared.core.merge.paths import Difference, around, differences, is_member
from shared.core.resolution.doubts import _Compared
from shared.testing import strategies


def differs(compared: _Compared, number: int, at: Difference) -> bool:
    """As `_Compared` says, from all places."""
    places, outer = compared._compared_with(number)
    if compared._name(at) in places or any((above, None) in places for above in around(at.path)):
        return True
    return not is_member(at.path) and at.path in outer


@given(strategies.histories(), st.data())
def test_it_differs_where_all_places_say_so(history: tuple[Any, Any, Any], data: st.DataObject) -> None:
    state, third, other = (value if isinstance(value, dict) else {"id": value} for value in history)
    others = [other, {**state, **dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(state) or ["x"]))), 1)}]
    compared = _Compared(state, others, Keys())
    for at in differences(state, third):
        told = [differs(compared, number, at) for number in range(len(others))]
        assert (compared.any_differs(at), compared.all_differ(at)) == (any(told), all(told))


@pytest.mark.parametrize(
    ("here", "there"), [(1, 1), (1, 1.0), (1, True), (None, 0), ("a", "b"), ("a", ["a"]), ([1, 2], [2, 1]), ({}, [])]
)
@pytest.mark.parametrize("name", ["n", "", "-", "a~b", "a/b"])
def test_what_is_plain_tells_the_same(name: str, here: Any, there: Any) -> None:
    for state, other in (({name: here}, {name: there}), ({name: here}, {}), ({}, {name: here})):
        compared = _Compared(state, [other], Keys())
        for at in differences({name: "before"}, {name: "after"}):
            assert compared.any_differs(at) == differs(compared, 0, at)
