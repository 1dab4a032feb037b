"""Differences, regions and orders: by example, and against plain definitions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.merge import sequences, text
from shared.core.merge.sequences import (
    BUDGET,
    Hunk,
    Steps,
    difference,
    three_ways,
)

few = st.lists(st.integers(0, 3), max_size=12)
many = st.lists(st.integers(0, 30), max_size=60)
lists = st.one_of(few, many)


def applied(a: Sequence[int], b: Sequence[int], hunks: Sequence[Hunk]) -> list[int]:
    result: list[int] = []
    at = 0
    for hunk in hunks:
        result += [*a[at : hunk.a_lo], *b[hunk.b_lo : hunk.b_hi]]
        at = hunk.a_hi
    return [*result, *a[at:]]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of a longest common subsequence, by the book."""
    row = [0] * (len(b) + 1)
    for x in a:
        last = row
        row = [0]
        for j, y in enumerate(b):
            row.append(last[j] + 1 if x == y else max(last[j + 1], row[j]))
    return row[-1]


@given(lists, lists)
def test_law_a_difference_leads_from_one_to_the_other(a: list[int], b: list[int]) -> None:
    hunks = difference(a, b, Steps())
    assert applied(a, b, hunks) == b
    assert all(hunk.a_lo < hunk.a_hi or hunk.b_lo < hunk.b_hi for hunk in hunks)
    for one, next_one in pairwise(hunks):
        assert one.a_hi < next_one.a_lo and one.b_hi < next_one.b_lo


@given(few, few)
def test_short_sequences_have_a_shortest_difference(a: list[int], b: list[int]) -> None:
    kept = len(a) - sum(hunk.a_hi - hunk.a_lo for hunk in difference(a, b, Steps()))
    assert kept == common(a, b)


@given(st.permutations(range(40)), st.permutations(range(40)))
def test_so_have_sequences_without_equal_elements(a: list[int], b: list[int]) -> None:
    kept = len(a) - sum(hunk.a_hi - hunk.a_lo for hunk in difference(a, b, Steps()))
    assert kept == common(a, b)


@given(lists, lists, lists)
def test_law_regions_cover_and_tell_who_changed(base: list[int], ours: list[int], theirs: list[int]) -> None:
    regions = three_ways(base, ours, theirs, Steps())
    for whole, parts in (
        (base, [base[r.base] for r in regions]),
        (ours, [ours[r.ours] for r in regions]),
        (theirs, [theirs[r.theirs] for r in regions]),
    ):
        assert list(chain(*parts)) == whole
    for region in regions:
        if not region.by_ours:
            assert ours[region.ours] == base[region.base]
        if not region.by_theirs:
            assert theirs[region.theirs] == base[region.base]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "touched"),
    [
        ("abc", "aBc", "abC", [(1, 2, True, False), (2, 3, False, True)]),
        ("abc", "aXbc", "aYbc", [(1, 1, True, True)]),
        ("abc", "aXbc", "aBc", [(1, 1, True, False), (1, 2, False, True)]),
        ("abcd", "aXd", "abYd", [(1, 3, True, True)]),
    ],
)
def test_neighbours_do_not_conflict(base: str, ours: str, theirs: str, touched: list[object]) -> None:
    regions = three_ways(base, ours, theirs, Steps())
    assert [
        (r.base.start, r.base.stop, r.by_ours, r.by_theirs) for r in regions if r.by_ours or r.by_theirs
    ] == touched


@pytest.mark.parametrize("size", [100, 1_000, 10_000])
def test_law_steps_are_bounded(size: int) -> None:
    dice = random.Random(size)
    for letters in (1, 2, 3, size // 2, size):
        a, b = ([dice.randrange(letters) for _ in range(size)] for _ in range(2))
        steps = Steps()
        steps.inputs = (a, b)
        assert applied(a, b, difference(a, b, steps)) == b
        assert steps.taken <= 8 * size + BUDGET
    twice = [*range(size // 2)] * 2
    steps = Steps()
    difference(dice.sample(twice, len(twice)), dice.sample(twice, len(twice)), steps)
    assert steps.taken <= 8 * size + BUDGET


def test_what_is_too_dear_to_compare_becomes_one_hunk() -> None:
    dice = random.Random(1)
    a, b = ([7, *(dice.randrange(2) for _ in range(20_000)), 8] for _ in range(2))
    steps = Steps()
    steps.inputs = (a, b, [0] * 10_000_000)
    inner = difference(a, b, steps)
    assert len(inner) == 1
    assert steps.taken <= 3 * (len(a) + len(b))


def test_the_share_of_a_comparison_depends_on_lengths_only() -> None:
    steps = Steps()
    steps.inputs = ([[1] * 1_000_000, {"a": "x\n" * 1_000_000}],)
    assert 2_000_000 < steps.weight() < 2_000_100
    assert steps.share(1000) == steps.minimum(1000) == 126
    steps = Steps()
    steps.inputs = ([1] * 1000,)
    assert steps.share(1000) > 0.9 * BUDGET
    assert not steps.heavy()


@pytest.mark.parametrize("costly", [3, 30, 100])
def test_law_what_is_surely_costly_takes_more_than_costly_steps(costly: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "COSTLY", costly)
    dice = random.Random(costly)
    sure = 0
    for _ in range(2_000):
        base = dice.choices(range(dice.choice((2, 9, 99))), k=dice.randrange(120))
        sides = []
        for _ in range(2):
            at, to = sorted(dice.choices(range(len(base) + 1), k=2))
            sides.append([*base[:at], *dice.choices(range(9), k=dice.randrange(20)), *base[to:]])
        steps = Steps()
        for side in sides:
            difference(base, side, steps)
        if sequences.surely_costly(base, sides):
            sure += 1
            assert steps.taken > costly
    assert sure


@pytest.mark.parametrize("costly", [10, 60])
def test_law_a_text_that_is_surely_costly_has_lines_that_are(costly: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "COSTLY", costly)
    dice = random.Random(costly)
    sure = 0
    for _ in range(2_000):
        base = dice.choices(("a", "b", "\n", "ab\n"), k=dice.randrange(120))
        sides = []
        for _ in range(2):
            at, to = sorted(dice.choices(range(len(base) + 1), k=2))
            sides.append([*base[:at], *dice.choices("a\n", k=dice.randrange(40)), *base[to:]])
        joined, ours, theirs = map("".join, (base, *sides))
        if text._surely_costly(joined, ours, theirs):
            sure += 1
            steps = Steps()
            for side in (ours, theirs):
                difference(joined.split("\n"), side.split("\n"), steps)
            assert steps.taken > costly
            assert text.merge_text([joined], ours, theirs, Steps()) is None
    assert sure
