"""Values that one side had and replaced: they are no edits of the other side."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.values import ABSENT
from shared.core.merge.conflicts import Conflict
from shared.core.resolution.superseded import with_superseded

OLD, NEW, BASE = {"due": "v9"}, {"due": "v5"}, {"due": "v1"}


def test_what_the_other_side_has_seen_and_replaced_is_taken_for_the_ancestor() -> None:
    found = with_superseded([BASE], NEW, OLD, [OLD], [])
    assert found.bases == (OLD,)
    assert found.dropped == (Conflict("/due", "v5", "v9", "seen"),)
    assert with_superseded([BASE], OLD, NEW, [], [OLD]).bases == (OLD,)


def test_without_an_ancestor_there_is_one_of_the_replaced_values() -> None:
    assert with_superseded([], {**NEW, "a": 1}, {**OLD, "b": 1}, [OLD], []).bases == (OLD,)


@pytest.mark.parametrize(
    ("bases", "ours", "theirs", "ours_past", "theirs_past"),
    [
        pytest.param([BASE], NEW, BASE, [BASE], [], id="the ancestor tells who edited"),
        pytest.param([BASE], OLD, NEW, [], [], id="nothing is known"),
        pytest.param([BASE], OLD, NEW, [NEW], [OLD], id="each had seen the other one's value"),
        pytest.param([BASE], {}, NEW, [], [{}], id="that it was missing once shows nothing"),
        pytest.param([], {"updated_at": "a"}, {"updated_at": "b"}, [{"updated_at": "b"}], [], id="a clock"),
        pytest.param([BASE], NEW, NEW, [OLD], [OLD], id="both the same"),
    ],
)
def test_the_ancestors_stay_as_they_are(
    bases: list[Any], ours: Any, theirs: Any, ours_past: list[Any], theirs_past: list[Any]
) -> None:
    found = with_superseded(bases, ours, theirs, ours_past, theirs_past)
    assert found.bases == (tuple(bases) or (ABSENT,)) and found.dropped == ()


def test_inside_of_objects_and_of_whole_arrays() -> None:
    ours = {"a": {"x": 2, "y": [1, 2]}, "b": 1}
    theirs = {"a": {"x": 1, "y": [1]}, "b": 2}
    found = with_superseded([{"b": 0}], ours, theirs, [{"a": {"x": 1, "y": [1]}}], [])
    assert found.bases == ({"a": {"x": 1, "y": [1]}, "b": 0},)
    assert [conflict.path for conflict in found.dropped] == ["/a/x", "/a/y"]


def test_of_two_ancestors_that_each_have_one_of_the_values() -> None:
    assert with_superseded([OLD, NEW], NEW, OLD, [OLD], []).bases == (OLD, OLD)


VALUES = st.recursive(
    st.sampled_from([0, 1, 2, "a", True, None]),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
PASTS = st.lists(BODIES, max_size=3)


@given(PASTS, BODIES, BODIES, PASTS, PASTS)
def test_laws(bases: list[Any], ours: Any, theirs: Any, ours_past: list[Any], theirs_past: list[Any]) -> None:
    found = with_superseded(bases, ours, theirs, ours_past, theirs_past)
    other = with_superseded(bases, theirs, ours, theirs_past, ours_past)
    assert found.bases == other.bases and {c.path for c in found.dropped} == {c.path for c in other.dropped}
    assert with_superseded(bases, ours, theirs, [], []).bases == (tuple(bases) or (ABSENT,))
    if len(bases) == 1:
        assert with_superseded(bases, ours, bases[0], ours_past, theirs_past).bases == tuple(bases)
