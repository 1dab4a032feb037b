"""Three-way merge of arrays whose elements have no names: diff3 on elements, or by where each one moved.

Laws (tests/unit/core/merge/test_ordered_merge.py), R being merge(base; ours, theirs):
    merge(base; ours, R) = R = merge(base; R, theirs), whatever stands twice and whatever moved
    merge(base; theirs, ours) has the elements of R
    what both sides inserted is there once: as often as on the side that inserted it more often
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, compress, pairwise
from typing import Any, Final

from shared.core.json.canonical import JsonValue
from shared.core.json.pointers import Place
from shared.core.json.values import ABSENT, Key, Value
from shared.core.merge import arrays, moves, orders, sequences, similar, twice
from shared.core.merge.array_run import Again, At, Merges, Run
from shared.core.merge.arrays import Array, Keyed
from shared.core.merge.counts import counted
from shared.core.merge.sequences import COSTLY, Hunk, Region
from shared.core.merge.twice import Alone

MAX_ELEMENTS: Final = 5_000
"""More neighbours than that, each changed by both sides, are one value: their places prove nothing."""

_OURS: Final = "ours"
_THEIRS: Final = "theirs"
_BOTH: Final = "both"


def merge_ordered(run: Run, at: At, bases: Sequence[Array], ours: Array, theirs: Array) -> Array:
    """The merged array: one that merging it again, with either side, leaves as it is."""
    if len(bases) == 1 and sequences.surely_costly(bases[0], (ours, theirs), run.steps):
        return ours if run.decided(at.place, ours, theirs) is ours else theirs
    known, mine, other = [_keyed(run, array) for array in bases], _keyed(run, ours), _keyed(run, theirs)
    mark = run.mark()
    first = _Ordered(run, at, mine, other)
    array = first.merged(known)
    result = Keyed(first.keys_of_result(known), array)
    if first.proved or result.keys in (mine.keys, other.keys):
        return result.array

    here = _Ordered(Again(run, first.merges[0], theirs=True), at, mine, result, first.known)
    there = _Ordered(Again(run, first.merges[1], theirs=False), at, result, other, first.known)
    if all(merge.merged_keys(known) == result.keys for merge in (here, there)):
        return result.array
    run.forget(mark)
    return ours if run.decided(at.place, ours, theirs) is ours else theirs


def _keyed(run: Run | Again, array: Array) -> Keyed:
    return Keyed(run.keys.keys(array), array)


Differences = dict[tuple[int, int], tuple[list[Hunk], int]]
"""By id() of the keys of two arrays: how the second differs from the first, and how many steps that took."""


class _Ordered:
    """diff3 on elements; where both sides changed the same ones, ever coarser ways to tell them apart."""

    def __init__(
        self, run: Run | Again, at: At, ours: Keyed, theirs: Keyed, known: Differences | None = None
    ) -> None:
        """`known`: what was found in an earlier merge of the same arrays, and lives as long."""
        self.run = run
        self.at = at
        self.ours = ours
        self.theirs = theirs
        self.result: Array = []
        self.places: list[Place] = []
        self.alone: list[Alone] = []
        self.proved = False
        """Whether merging the result again, with either side, is known to give it."""
        self.merges: tuple[Merges, Merges] = (set(), set())
        self.known: Differences = {} if known is None else known

    def merged(self, bases: list[Keyed]) -> Array:
        if not bases:
            self.without_base()
            return self.result
        base = arrays.nearest(bases, self.ours, self.theirs)
        (left, taken), (right, other_taken) = (self.whole(base, side) for side in (self.ours, self.theirs))
        if taken + other_taken > COSTLY:
            self.result += self.run.decided(self.at.place, self.ours.array, self.theirs.array)
            return self.result
        sides = self.ours, self.theirs
        can_move = moves.possible(base, sides, (left, right))
        removes = any(hunk.a_lo < hunk.a_hi for hunk in (*left, *right))  # or nothing of the base can have moved
        if removes and moves.provable(base, sides, can_move):
            guess = self.run.may_guess(self.at)
            mine, other = moves.both(base, sides, (left, right), self.run.keys, guess=guess)
            if mine.moved or other.moved:
                self.by_name(base, mine.names(), other.names())
                return self.result
        regions = sequences.regions_of(base.keys, self.ours.keys, self.theirs.keys, left, right)
        self.regions(base, self.ours, self.theirs, regions)
        possible = any(can_move)
        if possible or len({alone.by_ours for alone in self.alone if not alone.inserted}) == 2:
            self.count_once(base)
        if not possible:
            self.proved = _apart(regions) and _is_unique(base.keys) and all(_is_unique(side.keys) for side in sides)
        return self.result

    def merged_keys(self, bases: list[Keyed]) -> list[Key]:
        """The keys of the merged array."""
        self.merged(bases)
        return self.keys_of_result(bases)

    def keys_of_result(self, bases: Sequence[Keyed]) -> list[Key]:
        """The keys of the result: itself, if it is made of elements that are their own keys."""
        plain = all(known.keys is known.array for known in (*bases, self.ours, self.theirs))
        return self.result if plain else self.run.keys.keys(self.result)

    def whole(self, base: Keyed, side: Keyed) -> tuple[list[Hunk], int]:
        """How a whole array differs from its ancestor, and the steps of finding that out."""
        which = id(base.keys), id(side.keys)
        if which not in self.known:
            taken = self.run.steps.taken
            self.known[which] = self.hunks(base, side), self.run.steps.taken - taken
        return self.known[which]

    def hunks(self, a: Keyed, b: Keyed) -> list[Hunk]:
        return sequences.difference(a.keys, b.keys, self.run.steps)

    def regions(
        self, base: Keyed, ours: Keyed, theirs: Keyed, regions: Sequence[Region], *, guess: bool = True
    ) -> None:
        for region in regions:
            if not region.by_theirs and not region.by_ours:
                self.result += ours.array[region.ours]
                continue
            b, o, t = base.part(region.base), ours.part(region.ours), theirs.part(region.theirs)
            if not region.by_theirs:
                self.one_changed(b, o, by_ours=True)
            elif not region.by_ours:
                self.one_changed(b, t, by_ours=False)
            elif o.keys == t.keys:
                self.result += o.array
            elif not b.keys:
                self.both_inserted(o, t)
            elif not o.keys or not t.keys:
                self.one_removed(b, o, t, guess=guess)
            elif not (guess and self.by_likeness(b, o, t)):
                self.both_changed(b, o, t)

    def one_changed(self, base: Keyed, side: Keyed, *, by_ours: bool) -> None:
        if not base.keys or not side.keys:
            self.alone.append(Alone(by_ours, not base.keys, len(self.result), side if side.keys else base))
        self.result += side.array

    def without_base(self) -> None:
        """Both inserted an array: their union if they have something in common, else one of them."""
        if set(self.ours.keys).isdisjoint(self.theirs.keys):
            self.result += self.run.decided(self.at.place, self.ours.array, self.theirs.array)
        else:
            self.both_inserted(self.ours, self.theirs)

    def both_inserted(self, ours: Keyed, theirs: Keyed) -> None:
        """What they have in common once, and what each has of its own."""
        union, hunks = orders.union(ours, theirs, self.run.steps, self.result[-1:])
        self.result += union
        if orders.compete(hunks):
            self.run.record(self.at.place, union, ABSENT, "both-inserted")

    def one_removed(self, base: Keyed, ours: Keyed, theirs: Keyed, *, guess: bool) -> None:
        """One side removed the stretch, the other changed it: an edit in it stands with all of it, or falls; without
        one, only what was inserted stands."""
        changed = ours if ours.keys else theirs
        guess = guess and self.run.may_guess(self.at)
        known = list(moves.of_base(base, changed, self.hunks(base, changed), self.run.keys, guess=guess))
        left = set(base.keys)
        if any(is_known and key not in left for is_known, key in zip(known, changed.keys, strict=True)):
            old = [element for is_known, element in zip(known, changed.array, strict=True) if is_known]
            edited = old if self.at.scope.delete_wins else changed.array
            if self.run.removed(self.at, *((edited, ABSENT) if ours.keys else (ABSENT, edited))) is not ABSENT:
                self.result += changed.array
                return
        self.result += [element for is_known, element in zip(known, changed.array, strict=True) if not is_known]

    def both_changed(self, base: Keyed, ours: Keyed, theirs: Keyed) -> None:
        """As many elements on all sides, and not very many: one by one. Else one side's stretch."""
        if len(base.keys) == len(ours.keys) == len(theirs.keys):
            known = zip(base.keys, ours.keys, theirs.keys, strict=True)
            whose = [_OURS if t in (b, o) else _THEIRS if o == b else _BOTH for b, o, t in known]
            if whose.count(_BOTH) <= MAX_ELEMENTS:
                pairs = zip(whose, ours.array, theirs.array, strict=True)
                start = len(self.result)
                self.result += [theirs if who is _THEIRS else ours for who, ours, theirs in pairs]
                at = -1
                for _ in range(whose.count(_BOTH)):
                    at = whose.index(_BOTH, at + 1)
                    elements = base.array[at], ours.array[at], theirs.array[at]
                    self.result[start + at] = self.element(start + at, *elements)
                return
        mine, other = _includes(base, ours, theirs), _includes(base, theirs, ours)
        if mine != other:
            self.result += ours.array if mine else theirs.array
        else:
            self.result += self.run.decided(self.at.place, ours.array, theirs.array)

    def element(self, index: int | None, base: Value, ours: Value, theirs: Value, *, guessed: bool = False) -> Value:
        """The merged element that stands at `index` of the result."""
        place = Place(self.at.place, "-", of_array=True)
        place.guessed = place.guessed or guessed
        place.index = index
        self.places.append(place)
        value = self.run.value(place, self.at.scope.child(None), (base,), ours, theirs)
        before, after = self.run.keys.key(base), self.run.keys.key(value)
        for merges, side in zip(self.merges, (ours, theirs), strict=True):
            merges.add((before, self.run.keys.key(side), after))
        return value

    def by_likeness(self, base: Keyed, ours: Keyed, theirs: Keyed) -> bool:
        """Merge elements that are edited forms of the base's as those; False if there are none."""
        if not self.run.may_guess(self.at):
            return False
        mine, found_in_ours = self.names(base, ours, "ours")
        other, found_in_theirs = self.names(base, theirs, "theirs")
        if not found_in_ours and not found_in_theirs:
            return False
        for region in sequences.three_ways(range(len(base.keys)), mine, other, self.run.steps):
            b, o, t = base.part(region.base), ours.part(region.ours), theirs.part(region.theirs)
            if region.by_ours or region.by_theirs:
                regions = sequences.three_ways(b.keys, o.keys, t.keys, self.run.steps)
                self.regions(b, o, t, regions, guess=False)
            else:
                for elements in zip(b.array, o.array, t.array, strict=True):
                    self.result.append(self.element(len(self.result), *elements, guessed=True))
        return True

    def names(self, base: Keyed, side: Keyed, name: str) -> tuple[list[Key], bool]:
        """Each element of the side, called by the index of the one in the base that it is or comes from."""
        names: list[Key] = [(name, index) for index in range(len(side.keys))]
        old: dict[int, JsonValue] = {}
        new: dict[int, JsonValue] = {}
        at_base = at_side = 0
        end = Hunk(len(base.keys), len(base.keys), len(side.keys), len(side.keys))
        for hunk in [*self.hunks(base, side), end]:
            names[at_side : hunk.b_lo] = range(at_base, hunk.a_lo)
            old.update((index, base.array[index]) for index in range(hunk.a_lo, hunk.a_hi))
            new.update((index, side.array[index]) for index in range(hunk.b_lo, hunk.b_hi))
            at_base, at_side = hunk.a_hi, hunk.b_hi
        pairs = similar.edited(old, new, self.run.keys)
        for before, after in pairs.items():
            names[after] = before
        return names, bool(pairs)

    def by_name(self, base: Keyed, mine: list[moves.Name], other: list[moves.Name]) -> None:
        """Where elements moved: each merged as the one that it is, in the order of who moved them."""
        of_base = moves.names_of_base(len(base.keys))
        was = dict(zip(of_base, base.array, strict=True))
        here = dict(zip(mine, self.ours.array, strict=True))
        there = dict(zip(other, self.theirs.array, strict=True))
        kept: dict[moves.Name, Any] = {}
        places: dict[moves.Name, Place] = {}
        for name in {**here, **there}:
            value = self.element(None, *(side.get(name, ABSENT) for side in (was, here, there)))
            places[name] = self.places[-1]
            if value is not ABSENT:
                kept[name] = value
        every = was | there | here
        order = orders.order(
            [of_base],
            mine,
            other,
            kept=kept.keys(),
            by=partial(orders.rank_of, every),
            decide_ours=lambda: (
                self.run.decided(self.at.place, self.ours.array, self.theirs.array) is self.ours.array
            ),
        )
        for name in order:
            if name in kept:
                places[name].index = len(self.result)
                self.result.append(kept[name])

    def count_once(self, base: Keyed) -> None:
        """What both sides inserted at two places is there once; of equal elements, of which each side removed
        another, one is gone."""
        drop, add = twice.too_often(self.alone, base, self.ours, self.theirs, lambda: self.keys_of_result([base]))
        if not drop and not add:
            return
        gone: list[int] = []
        come: dict[int, Array] = {}
        for _, inserted, at, stretch in reversed(self.alone):
            if inserted:
                gone += twice.last(stretch.keys, drop, at)
            elif last := twice.last(stretch.keys, add):
                come.setdefault(at, []).extend(stretch.array[index] for index in last)
        gone.reverse()
        if gone:
            once = self.result[gone[0] : gone[-1] + 1] if _is_stretch(gone) else [self.result[at] for at in gone]
            self.run.record(self.at.place, once, ABSENT, "both-inserted")
        self.change(gone, come)

    def change(self, gone: list[int], come: dict[int, Array]) -> None:
        """Take out of the result what is `gone`, indices that ascend, and put in before an index what has `come`, the
        last first."""
        before, added = sorted(come), [0]
        added += accumulate(len(come[at]) for at in before)
        for place in self.places:
            if place.index is not None:
                place.index += added[bisect_right(before, place.index)] - bisect_left(gone, place.index)
        if not come and _is_stretch(gone):  # as it is of very many
            del self.result[gone[0] : gone[-1] + 1]
            return
        left = bytearray(b"\1") * len(self.result)
        for index in gone:
            left[index] = 0
        result: Array = []
        start = 0
        for at in before:
            result += compress(self.result[start:at], left[start:at])
            result += reversed(come[at])
            start = at
        result += compress(self.result[start:], left[start:])
        self.result = result


def _is_stretch(indices: list[int]) -> bool:
    return bool(indices) and indices[-1] - indices[0] == len(indices) - 1


def _apart(regions: Sequence[Region]) -> bool:
    """Whether something that nobody touched lies between any two that one side did: then the same elements
    stand against each other again."""
    touched = [region.by_ours + region.by_theirs for region in regions]
    return max(touched, default=0) < 2 and not any(a and b for a, b in pairwise(touched))


def _is_unique(keys: Sequence[Key]) -> bool:
    return len(set(keys)) == len(keys)


def _includes(base: Keyed, side: Keyed, other: Keyed) -> bool:
    """Whether the side inserted and removed whatever the other did."""
    before, here, there = map(counted, (base.keys, side.keys, other.keys))
    return there - before <= here and here & before <= there
