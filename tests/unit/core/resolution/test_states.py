"""When two states say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import equal
from shared.core.merge.clock import CLOCK_FIELDS, clock, instant
from shared.core.resolution.states import same_content

values = st.sampled_from(
    [0, 0.0, 1, True, "a", "2026-01-01T00:00:00Z", "20260101T000000Z", "2026-01-02T00:00:00Z", None]
)
bodies = st.dictionaries(st.sampled_from(["a", *CLOCK_FIELDS]), values)


@given(bodies, bodies)
def test_law_it_is_equality_but_for_times_where_the_clocks_differ(a: Any, b: Any) -> None:
    def timeless(body: Any) -> Any:
        return {k: v for k, v in body.items() if k not in CLOCK_FIELDS or instant(v) is None}

    wanted = equal(a, b) if clock(a) == clock(b) else equal(timeless(a), timeless(b))
    assert same_content(a, b) == wanted


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ({"a": 1, "modified": "2026-01-01T00:00:00Z"}, {"a": 1.0, "modified": "2026-01-02T00:00:00Z"}, True),
        ({"a": 1, "modified": "2026-01-01T00:00:00Z"}, {"a": 1, "modified": "20260101T000000Z"}, False),
        ({"a": 1, "modified": "2026-01-01T00:00:00Z"}, {"a": 2, "modified": "2026-01-02T00:00:00Z"}, False),
        ({"a": 1, "modified": "soon"}, {"a": 1, "modified": "late"}, False),
    ],
)
def test_same_content(a: Any, b: Any, same: bool) -> None:
    assert same_content(a, b) == same_content(b, a) == same
