"""What states show of where they come from."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import equal
from shared.core.resolution import base_inference as near
from shared.testing import strategies

LONG = "long enough to be strong"


def test_strong_values_are_told_by_place_and_neither_id_nor_clock_is_one() -> None:
    body = {
        "id": "document-1",
        "title": LONG,
        "updated_at": "2026-01-01T00:00:00Z",
        "tags": ["a", 1.0],
        "n": 12345678,
    }
    assert near.strong(body) == {("/title", LONG), ("/tags/-", "a"), ("/tags/-", b"1")}
    assert near.gone(body, {**body, "title": "short"}) == {near.key_of(("/title", LONG))}
    assert near.gone(body, {**body, "tags": ["a"]}) == {near.key_of(("/tags/-", b"1"))}
    assert near.gone(body, {**body, "tags": [1, "a"]}) == frozenset()


@given(strategies.histories())
def test_law_gone_is_what_the_one_has_and_the_other_has_not(history: Any) -> None:
    for before, after in pairwise(history):
        assert near.gone(before, after) == frozenset(map(near.key_of, near.strong(before) - near.strong(after)))
        assert near.gone(before, None) == frozenset(map(near.key_of, near.strong(before)))
    assert near.gone(history[0], history[0]) == frozenset()


@given(strategies.histories(), st.integers(0, 4))
def test_law_new_strong_values_are_those_that_no_base_has(history: Any, count: int) -> None:
    state, *bases = history
    bases = bases[:count]
    assert near.new_strong(state, bases) == near.strong(state).difference(*map(near.strong, bases))
    for body in bases:
        new = near.new_strong(state, [body])
        assert new & near.strong(body) == new & near.strong_at(body, new) == frozenset()
        shared = near.strong(state) & near.strong(body)
        assert shared & near.strong_at(body, shared) == shared


@given(strategies.histories())
def test_law_pick_leaves_those_that_have_not_less_in_common_with_the_state(history: Any) -> None:
    state, *candidates = history
    strong_values = [near.strong(body) for body in candidates]
    common = frozenset.intersection(*strong_values) if strong_values else frozenset()
    matches = [near.strong(state) & values - common for values in strong_values]
    expected = [
        c for c, match in zip(candidates, matches, strict=True) if not any(match < other for other in matches)
    ]
    assert [id(body) for body in near.pick(candidates, state)] == list(map(id, expected))


@given(strategies.histories(), st.randoms())
def test_law_the_order_of_states_does_not_matter(history: Any, chance: Any) -> None:
    state, *others = history
    mixed = list(others)
    chance.shuffle(mixed)
    for find in (near.pick, lambda bodies, body: near.nearest(body, bodies)):
        found, again = find(others, state), find(mixed, state)
        assert sorted(map(id, found)) == sorted(map(id, again))


@given(strategies.histories())
def test_law_pick_leaves_one_at_least_and_all_where_nothing_is_shown(history: Any) -> None:
    state, *others = history
    assert near.pick(others, state)
    assert near.pick(others, {"id": state["id"]}) == others


@given(strategies.histories())
def test_law_nearest_is_the_state_itself_or_shares_something_with_it(history: Any) -> None:
    state, *others = history
    found = near.nearest(state, [*others, state])
    if near.strong(state):
        assert found
        assert all(near.distance(state, body) == 0 for body in found)
        assert any(equal(state, body) for body in found)
    for body in near.nearest(state, others):
        assert near.strong(body) & near.strong(state)


@given(strategies.histories())
def test_law_a_state_was_made_after_itself_and_what_lacks_its_strong_values_was_not(history: Any) -> None:
    other, *before = history
    if near.new_strong(other, before):
        assert near.was_made_after(other, other, before)
        assert not near.was_made_after({"id": other["id"]}, other, before)
