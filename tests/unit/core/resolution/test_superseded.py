"""Values that were written over: they are no edits, whoever brings them back late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.values import ABSENT
from shared.core.merge.conflicts import Conflict
from shared.core.merge.policies import parse
from shared.core.resolution.superseded import with_superseded
from shared.core.version_vectors import Source, Version
from tests.steps import counted_steps


def v(**sources: int) -> Version:
    return {Source(name): number for name, number in sources.items()}


OLD, NEW, BASE = {"due": "v9"}, {"due": "v5"}, {"due": "v1"}


def test_a_value_that_was_seen_and_written_over_is_taken_for_the_ancestor() -> None:
    known = [(v(a=1, x=1), OLD), (v(a=2, x=1), NEW), (v(a=1, b=1), OLD)]
    found = with_superseded([BASE], NEW, OLD, known)
    assert found.bases == (OLD,)
    assert found.dropped == (Conflict("/due", "v5", "v9", "seen"),)
    assert with_superseded([BASE], OLD, NEW, known).bases == (OLD,)


def test_without_an_ancestor_there_is_one_of_the_values_that_were_written_over() -> None:
    ours, theirs = {**NEW, "a": 1}, {**OLD, "b": 1}
    known = [(v(a=1), OLD), (v(a=2), ours), (v(b=1), theirs)]
    assert with_superseded([], ours, theirs, known).bases == (OLD,)


def test_a_value_that_a_third_one_wrote_over_is_dropped_too() -> None:
    """A merge elsewhere preferred `other` to what wrote over OLD; here OLD was preferred to it, unknowing."""
    other = {"due": "v7"}
    known = [(v(a=1), OLD), (v(a=2), NEW), (v(b=1), other), (v(a=1, b=1), OLD), (v(a=2, b=1), other)]
    assert with_superseded([other, OLD], OLD, other, known).bases == (OLD, OLD)


def test_what_a_merge_preferred_wrote_over_nothing() -> None:
    known = [(v(a=1), OLD), (v(b=1), NEW), (v(a=1, b=1), NEW), (v(a=1, c=1), OLD)]
    assert with_superseded([BASE], NEW, OLD, known).bases == (BASE,)


def test_what_was_set_back_is_no_value_of_old() -> None:
    known = [(v(a=1), OLD), (v(a=1, b=1), NEW), (v(a=1, b=2), OLD), (v(a=1, b=1, c=1), NEW)]
    assert with_superseded([BASE], OLD, NEW, known).bases == (BASE,)


def test_a_value_of_an_edit_that_both_sides_contain_was_decided_otherwise_by_one_of_them() -> None:
    """What edit it is of is not known, but that it is of no other than these: the state of c has no such value."""
    ours, theirs = {"due": "v7", "c": 1}, {"due": "v17", "d": 1}
    versions = (v(a=1, b=1, c=1), v(a=1, b=2, d=1))
    known: list[tuple[Version, Any]] = [(versions[0], ours), (versions[1], theirs), (v(c=1), {"c": 1})]
    assert with_superseded([], ours, theirs, known[:2], versions).bases == (ABSENT,)
    found = with_superseded([], ours, theirs, known, versions)
    assert found.bases == ({"due": "v7"},) and found.dropped == (Conflict("/due", "v17", "v7", "seen"),)
    assert with_superseded([], theirs, ours, known, versions[::-1]).bases == found.bases
    both = [*known, (v(a=1, b=2), {}), (v(d=1), {"d": 1})]
    assert with_superseded([], ours, theirs, both, versions).bases == (ABSENT,), "each knows better"


def test_a_version_that_may_leave_out_edits_does_not_tell_where_a_value_is_from() -> None:
    ours, theirs = {"due": "v7", "c": 1}, {"due": "v17"}
    others = {f"s{number}": 1 for number in range(31)}
    versions = (v(c=1, **others), v(b=1, **others))
    known: list[tuple[Version, Any]] = [(versions[0], ours), (versions[1], theirs), (v(c=1), {"c": 1})]
    assert with_superseded([], ours, theirs, known, versions).bases == (ABSENT,)


def test_what_was_removed_does_not_come_back() -> None:
    known: list[tuple[Version, Any]] = [(v(a=1), OLD), (v(a=2), {}), (v(a=1, b=1), OLD)]
    assert with_superseded([], {}, OLD, known).bases == (OLD,)


def both_written_over(*more: tuple[Version, Any]) -> list[tuple[Version, Any]]:
    """Two merges, each of which preferred a value that the other side had written over."""
    first = [(v(a=1), {"due": "v4"}), (v(b=1), {"due": "v7"})]
    return [*first, *more, (v(a=1, b=2), {"due": "v4", "b": 2}), (v(a=2, b=1), {"due": "v7", "a": 2})]


@pytest.mark.parametrize(
    ("over_a", "over_b", "stands", "dropped"),
    [
        pytest.param("v22", "v24", "v24", {("v4", "seen"), ("v7", "seen"), ("v22", "greater")}, id="two values"),
        pytest.param("v24", "v22", "v24", {("v4", "seen"), ("v7", "seen"), ("v22", "greater")}, id="the other way"),
        pytest.param("v9", "v9", "v9", {("v4", "seen"), ("v7", "seen")}, id="the same value"),
        pytest.param(ABSENT, "v1", "v1", {("v4", "seen"), ("v7", "seen")}, id="one was removed"),
        pytest.param(ABSENT, ABSENT, ABSENT, {("v4", "seen"), ("v7", "seen")}, id="both were removed"),
    ],
)
def test_of_two_values_that_were_written_over_what_wrote_over_them_stands(
    over_a: Any, over_b: Any, stands: Any, dropped: set[tuple[str, str]]
) -> None:
    written = [{} if value is ABSENT else {"due": value} for value in (over_a, over_b)]
    known = both_written_over((v(a=2), {**written[0], "a": 2}), (v(b=2), {**written[1], "b": 2}))
    (our_version, ours), (their_version, theirs) = known[-2:]
    found = with_superseded([], ours, theirs, known, (our_version, their_version))
    due = {} if stands is ABSENT else {"due": stands}
    assert (found.ours, found.theirs) == ({"b": 2, **due}, {"a": 2, **due})
    assert {(conflict.dropped, conflict.rule) for conflict in found.dropped} == dropped
    assert {conflict.kept for conflict in found.dropped} == {stands}
    other = with_superseded([], theirs, ours, known[::-1], (their_version, our_version))
    assert (other.theirs, other.ours) == (found.ours, found.theirs)


def test_what_was_written_over_in_turn_does_not_stand() -> None:
    written = ((v(a=2), {"due": "v22"}), (v(b=2), {"due": "v94"}), (v(b=3), {"due": "v10"}))
    known = both_written_over(*written)
    known[-2] = (v(a=1, b=3), {"due": "v4"})
    found = with_superseded([], known[-2][1], known[-1][1], known)
    assert (found.ours, found.theirs) == ({"due": "v22"}, {"due": "v22", "a": 2})


def test_values_that_took_turns_are_left_to_the_merge() -> None:
    """Each wrote one of them over the other: nothing is newer than both."""
    ours, theirs = {"due": "v4"}, {"due": "v7"}
    known: list[tuple[Version, Any]] = [(v(a=1), theirs), (v(a=2), ours), (v(b=1), ours), (v(b=2), theirs)]
    found = with_superseded([BASE], ours, theirs, known)
    assert (found.bases, found.ours, found.theirs, found.dropped) == ((BASE,), ours, theirs, ())


def test_a_counter_that_has_been_at_the_number_is_counted_on_all_the_same() -> None:
    """Both sides counted: that one of them passed the number where the other is shows nothing."""
    known: list[tuple[Version, Any]] = [(v(a=1), {"n": 6}), (v(a=2), {"n": 7}), (v(b=1), {"n": 6})]
    policies = parse({"/n": "counter"})
    found = with_superseded([{"n": 5}], {"n": 7}, {"n": 6}, known, policies=policies)
    assert found.bases == ({"n": 5},) and found.dropped == ()


@pytest.mark.parametrize(
    ("bases", "ours", "theirs", "known"),
    [
        pytest.param([BASE], NEW, BASE, [(v(a=1), BASE), (v(a=2), NEW)], id="the ancestor tells who edited"),
        pytest.param([BASE], OLD, NEW, [], id="nothing is known"),
        pytest.param([BASE], OLD, NEW, [(v(a=1, b=1), OLD), (v(a=1, b=1), NEW)], id="the same edits"),
        pytest.param(
            [BASE], {}, NEW, [(v(a=1), {}), (v(a=1, b=1), NEW)], id="that it was missing once shows nothing"
        ),
        pytest.param([], {"updated_at": "a"}, {"updated_at": "b"}, [(v(a=1), {"updated_at": "b"})], id="a clock"),
        pytest.param([BASE], NEW, NEW, [(v(a=1), OLD)], id="both the same"),
    ],
)
def test_the_ancestors_stay_as_they_are(bases: list[Any], ours: Any, theirs: Any, known: list[Any]) -> None:
    found = with_superseded(bases, ours, theirs, known)
    assert found.bases == (tuple(bases) or (ABSENT,)) and found.dropped == ()


def test_inside_of_objects_and_of_whole_arrays() -> None:
    ours = {"a": {"x": 2, "y": [1, 2]}, "b": 1}
    theirs = {"a": {"x": 1, "y": [1]}, "b": 2}
    known = [(v(a=1), {"a": {"x": 1, "y": [1]}}), (v(a=2), ours), (v(b=1), theirs)]
    found = with_superseded([{"b": 0}], ours, theirs, known)
    assert found.bases == ({"a": {"x": 1, "y": [1]}, "b": 0},)
    assert [conflict.path for conflict in found.dropped] == ["/a/x", "/a/y"]


def test_many_states_and_many_fields_take_few_steps() -> None:
    """Twice as many as they take now."""
    states = [(v(**{f"s{n % 30}": n}), {f"k{i}": f"{n}-{i}" for i in range(300)}) for n in range(1, 70)]
    with counted_steps() as steps:
        with_superseded([], states[0][1], states[1][1], states)
    assert 0 < steps.count < 5_000_000


VALUES = st.recursive(
    st.sampled_from([0, 1, 2, "a", True, None]),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
VERSIONS = st.dictionaries(st.sampled_from([Source("s"), Source("t")]), st.integers(1, 3), min_size=1)


@given(st.lists(BODIES, max_size=3), BODIES, BODIES, st.lists(st.tuples(VERSIONS, BODIES), max_size=4))
def test_laws(bases: list[Any], ours: Any, theirs: Any, known: list[Any]) -> None:
    found = with_superseded(bases, ours, theirs, known)
    other = with_superseded(bases, theirs, ours, known[::-1])
    assert found.bases == other.bases and {c.path for c in found.dropped} == {c.path for c in other.dropped}
    assert (found.ours, found.theirs) == (other.theirs, other.ours)
    alone = with_superseded(bases, ours, theirs, [])
    assert (alone.bases, alone.ours, alone.theirs) == ((tuple(bases) or (ABSENT,)), ours, theirs)
    versions = v(s=2, t=1), v(s=1, t=2)
    found = with_superseded(bases, ours, theirs, known, versions)
    assert found.bases == with_superseded(bases, theirs, ours, known[::-1], versions[::-1]).bases
    if len(bases) == 1:
        assert with_superseded(bases, ours, bases[0], known).bases == tuple(bases)
