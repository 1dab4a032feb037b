"""Orders of merged arrays: by example, and their laws."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import JsonValue
from shared.core.merge.arrays import Keyed
from shared.core.merge.objects import merge
from shared.core.merge.orders import compete, interleave, order, precedes, rank, reordered, union
from shared.core.merge.sequences import Steps
from shared.testing import strategies

sets = st.lists(st.integers(0, 9), unique=True)
repeats = st.lists(st.integers(0, 3), max_size=8)


def united(a: list[int], b: list[int]) -> list[JsonValue]:
    return union(Keyed([*a], [*a]), Keyed([*b], [*b]), Steps())[0]


def ordered(base: list[int], ours: list[int], theirs: list[int]) -> list[int]:
    """The order of a merged set; if both reordered, the lower side's stands."""
    kept = (set(ours) & set(theirs)) | ((set(ours) | set(theirs)) - set(base))
    found = order([base], ours, theirs, kept=kept, by=rank, decide_ours=lambda: precedes(ours, theirs, rank))
    return [key for key in found if key in kept]


@given(sets, sets, sets)
def test_law_an_order_holds_every_element_once(base: list[int], first: list[int], second: list[int]) -> None:
    found = interleave(base, first, second, rank)
    assert sorted(found) == sorted({*base, *first, *second})
    assert [x for x in found if x in first] == first


@given(sets, sets)
def test_law_the_order_of_who_alone_changed_something_stands(base: list[int], changed: list[int]) -> None:
    skeleton, other = (changed, base) if reordered(base, changed) else (base, changed)
    assert [x for x in interleave(base, skeleton, other, rank) if x in changed] == changed


@given(sets, sets)
def test_law_who_alone_changed_decides_the_order_of_what_is_kept(base: list[int], changed: list[int]) -> None:
    assert ordered(base, base, changed) == changed == ordered(base, changed, base) == ordered(base, changed, changed)


@given(sets, sets, sets)
def test_law_the_sides_may_change_places(base: list[int], ours: list[int], theirs: list[int]) -> None:
    assert ordered(base, ours, theirs) == ordered(base, theirs, ours)


@given(repeats, repeats)
def test_law_a_union_is_of_both_alike_and_holds_each_as_often_as_the_one_that_has_it_more_often(
    a: list[int], b: list[int]
) -> None:
    found = united(a, b)
    assert found == united(b, a)
    assert Counter(found) == Counter(a) | Counter(b)
    assert united(a, found) == found == united(found, b)


def test_insertions_go_on_as_their_neighbours_do() -> None:
    def inserted(one: list[int], two: list[int], base: list[int]) -> list[int]:
        assert ordered(base, one, two) == ordered(base, two, one)
        return ordered(base, one, two)

    assert inserted([9, 1, 22, 30, 5], [9, 1, 3, 30, 5], [9, 1, 30, 5]) == [9, 1, 3, 22, 30, 5]
    assert inserted([5, 9, 1, 3], [5, 9, 1, 22], [5, 9, 1]) == [5, 9, 1, 3, 22]
    assert inserted([7, 8, 6, 2], [7, 8, 6, 5], [7, 8, 6]) == [7, 8, 6, 5, 2]
    # Else, as with a neighbour that is neither below nor above both, the larger goes first.
    assert inserted([7, 8, 6, 2], [7, 8, 6, 33], [7, 8, 6]) == [7, 8, 6, 33, 2]
    assert merge([[1, 1]], [1, 1, 22], [1, 1, 3]).value == [1, 1, 3, 22]
    assert merge([["b", "b"]], ["b", "b", "long"], ["b", "b", "c"]).value == ["b", "b", "c", "long"]


def test_the_larger_of_two_insertions_stands_first_and_of_equally_large_ones_the_lower() -> None:
    for one, two, wanted in (("a", "cc", ["b", "cc", "a"]), ("c", "a", ["b", "a", "c"])):
        assert interleave(["b"], ["b", one], ["b", two], rank) == wanted
        assert interleave(["b"], ["b", two], ["b", one], rank) == wanted


def test_what_stands_behind_null_stays_there() -> None:
    """The key of null is None, which is not the start of the array."""
    assert merge([[None, "b"]], [None, "x", "b"], [None, "y", "b"]).value == [None, "x", "y", "b"]
    assert interleave([None], [None], [None, "y"], rank) == [None, "y"]


def test_equal_numbers_take_the_same_room_however_they_are_spelled() -> None:
    for two in (2, 2.0):
        assert merge([[7, 8, 6]], [7, 8, 6, two], [7, 8, 6, 33]).value == [7, 8, 6, 33, 2]


def test_insertions_compete_at_one_place() -> None:
    assert compete(union(Keyed(["o", "x"], ["o", "x"]), Keyed(["t", "x"], ["t", "x"]), Steps())[1])
    assert not compete(union(Keyed(["x"], ["x"]), Keyed(["t", "x"], ["t", "x"]), Steps())[1])


def test_reordered() -> None:
    assert not reordered("abc", "xacy")
    assert reordered("abc", "ca")


@given(strategies.scalars(), strategies.scalars())
def test_law_ranks_can_be_compared(a: JsonValue, b: JsonValue) -> None:
    assert (rank(a) < rank(b)) + (rank(b) < rank(a)) + (rank(a) == rank(b)) == 1
