"""Arrays whose elements have no names: merging again changes nothing, with repeats and moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from shared.core.json.canonical import canonical, equal
from shared.core.merge.array_run import MAX_COMPARED
from shared.core.merge.conflicts import Conflict
from shared.core.merge.objects import ABSENT, Side, Value, merge
from shared.core.merge.policies import NO_POLICIES, Policies, parse

DELETE_WINS = parse({"/**": "delete-wins"})


def content(value: Any) -> Any:
    """The value without the order of its arrays."""
    if isinstance(value, dict):
        return {key: content(child) for key, child in value.items()}
    if isinstance(value, list):
        return sorted(map(content, value), key=json.dumps)
    return value


def always(side: Side) -> Callable[[str, Value, Value], tuple[Side, str]]:
    return lambda _pointer, _ours, _theirs: (side, "test")


A, B, C, D, B2 = ({"text": text} for text in ("a", "b", "c", "d", "b, edited"))


@pytest.mark.parametrize("policies", [NO_POLICIES, DELETE_WINS], ids=["default", "delete-wins"])
@pytest.mark.parametrize(
    ("base", "ours", "theirs", "wanted"),
    [
        # What both sides inserted, in two orders, is there once.
        ([A], [A, B, C], [A, C, B], [A, B, C]),
        ([[1], [1]], [[1], [1], [2], [3]], [[1], [1], [3], [2]], [[1], [1], [2], [3]]),
        ([A], [B, A], [A, B], [B, A]),
        # One side reordered, the other edited, in place or with its own order.
        ([A, B, C, D], [C, B, A, D], [A, B2, C, D], [C, B2, A, D]),
        ([A, B, C, D], [D, A, B, C], [A, B2, C, D], [D, A, B2, C]),
        ([A, B, C], [C, A, B], [A, B], [A, B]),
        # An edit, and an insertion beside it.
        (
            [{"n": 9}, {"n": 11}],
            [{"n": 9}, {"n": 2}, {"n": 11}],
            [{"n": 9}, {"n": 9}],
            [{"n": 9}, {"n": 2}, {"n": 9}],
        ),
        # Each removed another one of two equal elements.
        ([A, B, A], [B, A], [A, B], [A, B]),
    ],
)
def test_arrays_without_names(base: Any, ours: Any, theirs: Any, wanted: Any, policies: Policies) -> None:
    for left, right in ((ours, theirs), (theirs, ours)):
        result = merge([base], left, right, policies=policies).value
        assert content(result) == content(wanted)
        assert equal(merge([base], left, result, policies=policies).value, result)
        assert equal(merge([base], result, right, policies=policies).value, result)


@st.composite
def edited(draw: DrawFn, array: list[Any], elements: st.SearchStrategy[Any]) -> list[Any]:
    """Up to three insertions, removals, moves and edits."""
    changed = [*array]
    for _ in range(draw(st.integers(0, 3))):
        size = len(changed)
        what = draw(st.sampled_from(("insert", "remove", "move", "edit"))) if size else "insert"
        index = draw(st.integers(0, max(size - 1, 0)))
        if what == "insert":
            changed.insert(draw(st.integers(0, size)), draw(elements))
        elif what == "remove":
            del changed[index]
        elif what == "move":
            changed.insert(draw(st.integers(0, size - 1)), changed.pop(index))
        else:
            old = changed[index]
            changed[index] = {**old, draw(st.sampled_from("abc")): 7} if isinstance(old, dict) else draw(elements)
    return changed


few = st.integers(0, 3)
records = st.fixed_dictionaries({"a": few, "b": few, "c": st.integers(0, 1), "d": st.just(1)})
small = st.lists(st.integers(0, 1), max_size=3)
texts = st.sampled_from(("a string that is strong", "another strong string", "b", "c"))


@st.composite
def arrays(draw: DrawFn) -> tuple[list[Any], list[Any], list[Any]]:
    """A base and two sides, with repeats and moves."""
    elements = draw(st.sampled_from((few, records, small, texts, st.integers(0, 12), few.map(lambda n: {"x": n}))))
    base = draw(st.lists(elements, max_size=6))
    return base, draw(edited(base, elements)), draw(edited(base, elements))


def crowded(arrays: int) -> tuple[Any, Any, Any]:
    """So many arrays that both sides changed, at either end; one of them inside of another one."""
    names = [f"k{number}" for number in range(arrays - 2)]
    base, ours, theirs = (
        {"outer": [[1, 1], [2, 2, *inner]], **{name: [*start, 1, 1, *end] for name in names}}
        for start, inner, end in (([], [], []), ([0, 0], [3, 3], []), ([], [4, 4], [2, 2]))
    )
    return base, {**ours, "due": "ours"}, {**theirs, "due": "theirs", "new": 1}


def test_of_very_many_arrays_that_both_sides_changed_each_is_one_value() -> None:
    base, ours, theirs = crowded(MAX_COMPARED)
    merged = merge([base], ours, theirs)
    assert merged.value["k0"] == merged.value["k9"] == [0, 0, 1, 1, 2, 2]  # type: ignore[index]
    base, ours, theirs = crowded(MAX_COMPARED + 1)
    merged = merge([base], ours, theirs)
    assert equal(merged.value, {**ours, **theirs}), "what does not lie in arrays is merged as ever"
    paths = {conflict.path: conflict for conflict in merged.conflicts}
    assert len(paths) == MAX_COMPARED + 1
    assert paths["/k0"] == Conflict("/k0", theirs["k0"], ours["k0"], "arriving")
    assert "/outer" in paths, "the one inside of another one is a part of that"


@pytest.mark.parametrize("newer", Side)
def test_law_merging_very_many_arrays_again_gives_the_result(newer: Side) -> None:
    def decide(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
        """Of single values another side than of the document."""
        other = Side.THEIRS if newer is Side.OURS else Side.OURS
        return (newer if pointer == "" else other), "test"

    base, ours, theirs = crowded(MAX_COMPARED + 1)
    result = merge([base], ours, theirs, decide=decide).value
    kept = ours if newer is Side.OURS else theirs
    assert all(equal(result[name], kept[name]) for name in ("k0", "k500", "outer"))  # type: ignore[index]
    again = [merge([base], ours, result, decide=always(newer)), merge([base], result, theirs, decide=always(newer))]
    for one in again:
        assert all(equal(one.value[name], kept[name]) for name in ("k0", "k500", "outer"))  # type: ignore[index]


@given(arrays(), st.sampled_from((NO_POLICIES, DELETE_WINS)), st.sampled_from(Side))
def test_law_merging_again_gives_the_result(sides: Any, policies: Policies, newer: Side) -> None:
    base, ours, theirs = sides
    result = merge([base], ours, theirs, policies=policies, decide=always(newer)).value
    assert equal(merge([base], ours, result, policies=policies, decide=always(newer)).value, result)
    assert equal(merge([base], result, theirs, policies=policies, decide=always(newer)).value, result)


@given(arrays(), st.sampled_from((NO_POLICIES, DELETE_WINS)), st.sampled_from(Side))
def test_law_the_sides_may_change_places(sides: Any, policies: Policies, newer: Side) -> None:
    base, ours, theirs = sides
    other = Side.THEIRS if newer is Side.OURS else Side.OURS
    result = merge([base], ours, theirs, policies=policies, decide=always(newer)).value
    assert equal(merge([base], theirs, ours, policies=policies, decide=always(other)).value, result)


@given(st.lists(st.integers(0, 9), unique=True), st.data())
def test_law_sets_too(base: list[int], data: st.DataObject) -> None:
    ours, theirs = (data.draw(st.lists(st.integers(0, 9), unique=True)) for _ in range(2))
    result = merge([base], ours, theirs).value
    assert canonical(merge([base], ours, result).value) == canonical(result)
    assert canonical(merge([base], result, theirs).value) == canonical(result)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ([0, 1, 2], [1, 2, 0, 5], [2, 3, 0, 4]),
        ([0, 7, 5], [7, 0, 5], [0, 6, 5]),
        ([1, 0, 7, 5], [0, 1, 5, 7], [0, 1, 6, 5]),
        ([0, 7], [7, 0, 3, 4], [0, 6, 4, 3]),
    ],
)
def test_what_takes_the_place_of_an_element_does_not_leave_its_neighbours(
    base: list[int], ours: list[int], theirs: list[int]
) -> None:
    """The other side had moved the element that it takes the place of, and moved nothing else."""
    for one, two in ((ours, theirs), (theirs, ours)):
        result = merge([base], one, two).value
        assert merge([base], one, result).value == result
        assert merge([base], result, two).value == result


def test_what_takes_the_place_of_an_element_goes_where_it_was_moved_with_others() -> None:
    assert merge([[1, 2, 3]], [3, 2, 1], [1, 9, 3]).value == [3, 9, 1]


def test_so_many_differences_that_places_prove_nothing_are_one_decision() -> None:
    base = [*range(400)] * 2
    ours, theirs = base[::-1], [*base[1::2], *base[::2]]
    merged = merge([base], ours, theirs)
    assert merged.value == theirs
    assert [(c.path, c.rule) for c in merged.conflicts] == [("", "arriving")]
    assert merge([base], merged.value, theirs).value == theirs


def test_what_both_inserted_at_two_places_is_recorded_once_however_much_it_is() -> None:
    ones = [1] * 600
    merged = merge([ones], [*ones[:200], 2, *ones], [*ones[:300], 3, *ones])
    assert len(merged.value) == 900 + 2  # type: ignore[arg-type]
    assert [(c.kept, c.dropped, c.rule) for c in merged.conflicts] == [([1] * 200, ABSENT, "both-inserted")]
