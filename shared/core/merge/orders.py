"""Orders of a merged array: whose order stands, and where each side's own elements go.

What both sides inserted at one place stands in an order that the elements themselves decide, so that two
servers that merge the same two states agree, whichever of them arrived there first.

Laws (tests/unit/core/merge/test_orders.py):
    interleave(base, skeleton, other) holds each element once, those of the skeleton in their order
    union(a, b) = union(b, a); union(a, union(a, b)) = union(a, b)
    union(a, b) holds each element as often as that of the two that has it more often
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from enum import Enum
from functools import partial
from itertools import islice, pairwise
from typing import Any, TypeVar

from shared.core.json.canonical import JsonValue, canonical, number
from shared.core.json.values import Key, is_number
from shared.core.merge.arrays import Array, Keyed
from shared.core.merge.counts import counted
from shared.core.merge.sequences import Hunk, Steps, common_head, difference

K = TypeVar("K", bound=Hashable)


class _Start(Enum):
    """The neighbour of what stands first. It is no key: that of null is None."""

    START = "start"


Rank = Callable[[K], Any]
"""What to compare elements by; those that differ have ranks that differ."""


def rank(value: JsonValue) -> tuple[int, Any, Any]:
    """A total order of all values: numbers, then strings by letters without regard to case, then the rest."""
    if isinstance(value, str):
        return 1, value.casefold(), value
    if is_number(value):
        return 0, value, 0
    return 2, canonical(value), 0


def rank_of(values: Mapping[K, JsonValue], key: K) -> tuple[int, Any, Any]:
    """That of the value that the key stands for."""
    return rank(values[key])


def precedes(a: Sequence[K], b: Sequence[K], by: Rank[K]) -> bool:
    """Whether `a` goes before `b`: the first elements in which they differ decide, else the shorter does."""
    start = common_head(a, b)
    for x, y in zip(islice(a, start, None), islice(b, start, None), strict=False):
        if x != y and by(x) != by(y):  # two of an array may be equal
            return bool(by(x) < by(y))
    return len(a) <= len(b)


def goes_first(a: Sequence[K], b: Sequence[K], by: Rank[K], around: Sequence[Sequence[Any]] = ((), ())) -> bool:
    """Whether `a` stands before `b` where two sides inserted them, between neighbours whose ranks are `around`.

    If with these one of the two orders ascends or descends, and the other does not, the one that does. Else the
    larger goes first, of equally large ones the lower.
    """
    before, after = around
    if before or after:
        one, two = [by(key) for key in a], [by(key) for key in b]
        sorted_so = _is_sorted([*before, *one, *two, *after])
        if sorted_so != _is_sorted([*before, *two, *one, *after]):
            return sorted_so
    sizes = [sum(_size(by(key)) for key in stretch) for stretch in (a, b)]
    return sizes[0] > sizes[1] if sizes[0] != sizes[1] else precedes(a, b, by)


def _size(ranked: tuple[int, Any, Any]) -> int:
    """How much room an element takes: characters of numbers and strings, bytes of the rest. Of equal values alike."""
    return len(number(ranked[1]) if ranked[0] == 0 else ranked[1])


def _is_sorted(ranks: Sequence[Any]) -> bool:
    """Whether these are numbers and strings that ascend, or descend."""
    if any(kind > 1 for kind, _, _ in ranks):
        return False
    return all(x <= y for x, y in pairwise(ranks)) or all(x >= y for x, y in pairwise(ranks))


def reordered(base: Sequence[K], side: Sequence[K]) -> bool:
    """Whether the elements that both have stand in another order. No duplicates in either."""
    in_base, in_side = set(base), set(side)
    if in_base == in_side:
        return list(base) != list(side)
    return [k for k in base if k in in_side] != [k for k in side if k in in_base]


def union(a: Keyed, b: Keyed, steps: Steps, before: Array | None = None) -> tuple[Array, list[Hunk]]:
    """What two sides inserted at one place, behind the last of `before`: what both have once, all else of both; and
    how `a` differs from `b`.

    The one that has all that the other has stands as it is.
    """
    by: Rank[Key] = rank
    if a.keys is not a.array or b.keys is not b.array:
        ranks = dict(zip(b.keys, b.array, strict=True)) | dict(zip(a.keys, a.array, strict=True))
        by = partial(rank_of, ranks)
    if not precedes(a.keys, b.keys, by):
        a, b = b, a
    hunks = difference(a.keys, b.keys, steps)
    in_a, in_b = counted(a.keys), counted(b.keys)
    if in_b <= in_a:
        return a.array, hunks
    if in_a <= in_b:
        return b.array, hunks
    crossed = in_a & in_b  # what both have, but in another order
    at = 0
    for hunk in [*hunks, Hunk(len(a.keys), 0, 0, 0)]:
        crossed.subtract(a.keys[at : hunk.a_lo])
        at = hunk.a_hi
    result: Array = []
    at = 0
    for hunk in hunks:
        result += a.array[at : hunk.a_lo]
        mine = a.part(slice(hunk.a_lo, hunk.a_hi))
        other = Keyed([], [])
        for key, element in zip(b.keys[hunk.b_lo : hunk.b_hi], b.array[hunk.b_lo : hunk.b_hi], strict=True):
            if crossed[key] > 0:
                crossed[key] -= 1
            else:
                other.keys.append(key)
                other.array.append(element)
        first, second = mine, other
        last = (result or before or [])[-1:]
        if not goes_first(mine.keys, other.keys, by, (list(map(rank, last)), [])):
            first, second = other, mine
        result += first.array
        result += second.array
        at = hunk.a_hi
    result += a.array[at:]
    return result, hunks


def compete(hunks: Sequence[Hunk]) -> bool:
    """Whether both sides have something of their own at one place."""
    return any(hunk.a_lo < hunk.a_hi and hunk.b_lo < hunk.b_hi for hunk in hunks)


def order(
    bases: Sequence[Sequence[K]],
    ours: Sequence[K],
    theirs: Sequence[K],
    *,
    kept: Set[K],
    by: Rank[K],
    decide_ours: Callable[[], bool],
    all_kept: bool = False,
) -> Sequence[K]:
    """All keys in order; `bases`, of which the first is the nearest, may be none. No duplicates in any.

    Who alone reordered what was there decides; if both did, `decide_ours` does; if nobody did, the elements do.
    `kept`: the keys of the result. A side that has them all, as the other one has them, is a merge of the two.
    `all_kept`: whether it is known that each of the others has just these.
    """
    if ours == theirs:
        return ours
    if len(bases) == 1:  # as below, without looking for it
        if ours == bases[0] and (all_kept or kept <= set(theirs)):
            return theirs
        if theirs == bases[0] and (all_kept or kept <= set(ours)):
            return ours
        if all_kept or _have_just(kept, (bases[0], ours, theirs)):  # of two that reordered the same
            return ours if decide_ours() else theirs
    left = [[key for key in base if key in kept] for base in bases]
    by_theirs = bool(bases) and all(reordered(base, theirs) for base in left)
    by_ours = bool(bases) and all(reordered(base, ours) for base in left)
    here, there = ([key for key in side if key in kept] for side in (ours, theirs))
    reorders = by_ours != by_theirs or (by_ours and reordered(here, there))
    if reorders:
        ours_first = decide_ours() if by_theirs and by_ours else by_ours
    else:
        is_complete, other_is_complete = kept <= set(ours), kept <= set(theirs)
        ours_first = is_complete if is_complete != other_is_complete else precedes(here, there, by)
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    if kept <= set(second):
        both = kept & set(first)
        if (here if ours_first else there) == [key for key in second if key in both]:
            return second
    return interleave(bases[0] if bases else [], first, second, by, reorders=reorders)


def _have_just(kept: Set[K], those: Sequence[Sequence[K]]) -> bool:
    return all(len(keys) == len(kept) for keys in those) and all(all(map(kept.__contains__, keys)) for keys in those)


def interleave(
    base: Sequence[K], skeleton: Sequence[K], other: Sequence[K], by: Rank[K], *, reorders: bool = False
) -> list[K]:
    """The elements of all three in one order: the skeleton's, and each of the others behind a neighbour.

    What `other` adds goes behind its left neighbour there; what it puts in the place of elements that it
    removes takes their places, one by one. Where both add, `goes_first` decides. No duplicates in any
    of the three.

    `reorders`: the skeleton stands because it moved elements, so what takes their places may move with them.
    Otherwise it takes only places between the neighbours that it has in `other`: else it would stand elsewhere than
    there, and a merge of the result with `other` would move it back.
    """
    known, in_base, in_other = set(skeleton), set(base), set(other)
    if in_base <= known and in_other <= known:
        return list(skeleton)
    ghosts = _behind(skeleton, [(key, key) for key in base], frozenset(), by)
    places, ghost_places = ({key: at for at, key in enumerate(keys)} for keys in (base, ghosts))
    ends = []  # where the next neighbour on the right stands
    end = len(ghosts)
    for key in reversed(other):
        ends.append(end)
        end = ghost_places.get(key, end)
    anchored: list[tuple[K, K | _Start]] = []
    anchor: K | _Start = _Start.START
    at, start = 0, -1  # the place in the base behind the last element that both have, and where the anchor stands
    for key, end in zip(other, reversed(ends), strict=True):
        if key in ghost_places:
            anchor, at = key, places.get(key, at - 1) + 1
        elif at < len(base) and base[at] not in in_other and (reorders or start < ghost_places[base[at]] < end):
            anchor, at = base[at], at + 1
        if not isinstance(anchor, _Start):
            start = ghost_places[anchor]
        anchored.append((key, anchor))
    return _behind(ghosts, anchored, known - in_base - in_other, by)


def _behind(
    skeleton: Sequence[K], anchored: Sequence[tuple[K, K | _Start]], own: set[K] | frozenset[K], by: Rank[K]
) -> list[K]:
    """The skeleton, with each key that it lacks behind the last anchor before it that the skeleton has.

    `own`: what stands in the skeleton alone. Which goes first at such a place `goes_first` decides.
    """
    known = set(skeleton)
    behind: dict[K | _Start, list[K]] = {}
    neighbour: K | _Start = _Start.START
    for key, anchor in anchored:
        if anchor in known:
            neighbour = anchor
        if key not in known:
            behind.setdefault(neighbour, []).append(key)
    if not behind:
        return list(skeleton)
    result: list[K] = []
    waiting = behind.pop(_Start.START, [])
    at = 0
    while at < len(skeleton) or waiting:
        end = at
        while end < len(skeleton) and skeleton[end] in own:
            end += 1
        stretch = skeleton[at:end]
        first = True
        if waiting and stretch:
            around = [[by(key) for key in keys] for keys in (result[-1:], skeleton[end : end + 1])]
            first = goes_first(waiting, stretch, by, around)
        for part in (waiting, stretch) if first else (stretch, waiting):
            result += part
        waiting, at = [], end
        if at < len(skeleton):
            result.append(skeleton[at])
            waiting = behind.get(skeleton[at], [])
            at += 1
    return result
