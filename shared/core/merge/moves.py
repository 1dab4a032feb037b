"""Which element of an array is which of its ancestor's, also if it moved or was edited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from shared.core.json.canonical import JsonValue
from shared.core.json.values import Key, Keys
from shared.core.merge import similar
from shared.core.merge.arrays import Keyed
from shared.core.merge.counts import COUNTED, distinct
from shared.core.merge.sequences import Hunk

Name = tuple[str, Key, int]
"""What an element is called: ("base", index in the base, 0), or ("new", its key, how many such are before it)."""

_BASE: Final = "base"
_NEW: Final = "new"


class Matches:
    """Which elements of one side are which of the base's."""

    def __init__(self, base: Keyed, side: Keyed, hunks: Sequence[Hunk]) -> None:
        """Those that `hunks`, from base to side, leave as they are; and of the others equal ones, in order."""
        self.base = base
        self.side = side
        self.hunks = hunks
        self.matched: list[tuple[int, int]] = []
        """Indices in the side and in the base, of those that the hunks do not leave as they are."""
        self.moved = False
        """Whether an element stands elsewhere, beyond doubt."""
        self.gone: dict[int, Hunk] = {}
        self.come: dict[int, Hunk] = {}
        for hunk in hunks:
            self.gone.update(dict.fromkeys(range(hunk.a_lo, hunk.a_hi), hunk))
            self.come.update(dict.fromkeys(range(hunk.b_lo, hunk.b_hi), hunk))
        self.equal({index: base.keys[index] for index in self.gone})

    def equal(self, known: dict[int, Key]) -> None:
        """Find elements of the base, by index, by the keys that they may have now."""
        waiting: dict[Key, list[int]] = {}
        for index in reversed(known):
            if index in self.gone:
                waiting.setdefault(known[index], []).append(index)
        if not waiting:
            return
        times = Counter(self.side.keys), Counter(self.base.keys)
        for index in list(self.come):
            key = self.side.keys[index]
            if waiting.get(key):
                before = waiting[key].pop()
                self.moved = self.moved or (
                    times[0][key] == 1 and times[1][key] <= 1 and not self.in_place(before, index)
                )
                self.match(before, index)

    def in_place(self, before: int, after: int) -> bool:
        """Whether the two stand in one hunk."""
        return self.gone[before] is self.come[after]

    def match(self, before: int, after: int) -> None:
        self.matched.append((after, before))
        del self.come[after], self.gone[before]

    def alike(self, keys: Keys) -> None:
        """Find edited elements by likeness: where elements moved anywhere, else in their place."""
        if self.moved:
            self.match_alike(list(self.gone), list(self.come), keys)
        else:
            for gone, come in self.left():
                self.match_alike(gone, come, keys)

    def match_alike(self, gone: list[int], come: list[int], keys: Keys) -> None:
        old: dict[int, JsonValue] = {index: self.base.array[index] for index in gone}
        new: dict[int, JsonValue] = {index: self.side.array[index] for index in come}
        for before, after in similar.edited(old, new, keys).items():
            self.match(before, after)

    def replaced(self) -> None:
        """What stands in the place of as many others is an edit of these."""
        for gone, come in self.left():
            if len(gone) == len(come):
                for pair in zip(gone, come, strict=True):
                    self.match(*pair)

    def left(self) -> list[tuple[list[int], list[int]]]:
        """What is left in each place: indices in the base and in the side."""
        if not self.gone or not self.come:
            return []
        gone, come = (
            {hunk: [index for index, _ in those] for hunk, those in groupby(indices.items(), itemgetter(1))}
            for indices in (self.gone, self.come)
        )
        return [(gone[hunk], come[hunk]) for hunk in gone if hunk in come]

    def edited(self) -> dict[int, Key]:
        """Index in the base -> the key here, of the elements that were edited."""
        return {x: self.side.keys[y] for y, x in self.matched if self.base.keys[x] != self.side.keys[y]}

    def base_indices(self) -> dict[int, int]:
        """Index in the side -> index in the base."""
        by_side: dict[int, int] = {}
        at_base = at_side = 0
        end = Hunk(len(self.base.keys), len(self.base.keys), len(self.side.keys), len(self.side.keys))
        for hunk in [*self.hunks, end]:
            by_side.update(zip(range(at_side, hunk.b_lo), range(at_base, hunk.a_lo), strict=True))
            at_base, at_side = hunk.a_hi, hunk.b_hi
        by_side.update(self.matched)
        return by_side

    def names(self) -> list[Name]:
        """What each element of the side is called."""
        by_side = self.base_indices()
        counts: Counter[Key] = Counter()
        result: list[Name] = []
        for index, key in enumerate(self.side.keys):
            if index in by_side:
                result.append((_BASE, by_side[index], 0))
            else:
                result.append((_NEW, key, counts[key]))
                counts[key] += 1
        return result


def both(
    base: Keyed, sides: Sequence[Keyed], hunks: Sequence[Sequence[Hunk]], keys: Keys, *, guess: bool
) -> list[Matches]:
    """The matches of two sides. What one has as the other's edited form of an element is that element.

    With `guess` edited elements are found by likeness.
    """
    one, two = (Matches(base, side, those) for side, those in zip(sides, hunks, strict=True))
    for matches in (one, two):
        if guess:
            matches.alike(keys)
    _follow(one, two)
    for matches in (one, two):
        matches.replaced()
    _follow(one, two)
    return [one, two]


def _follow(one: Matches, two: Matches) -> None:
    edited = one.edited(), two.edited()
    two.equal(edited[0])
    one.equal(edited[1])


def possible(base: Keyed, sides: Sequence[Keyed], hunks: Sequence[Sequence[Hunk]]) -> list[set[Key]]:
    """Of each side what can have moved: what is gone at one place and comes at another, or comes on both sides."""
    gone = [set[Key]().union(*(distinct(base.keys[hunk.a_lo : hunk.a_hi]) for hunk in those)) for those in hunks]
    come = [
        set[Key]().union(*(distinct(side.keys[hunk.b_lo : hunk.b_hi]) for hunk in those))
        for side, those in zip(sides, hunks, strict=True)
    ]
    of_both = come[0] & come[1]
    return [those & there | of_both for those, there in zip(gone, come, strict=True)]


def provable(base: Keyed, sides: Sequence[Keyed], matched: Sequence[set[Key]]) -> bool:
    """Whether one of what can have moved is unique, as only what is proves that it did."""
    for side, keys in zip(sides, matched, strict=True):
        if len(keys) <= COUNTED:
            if any(side.keys.count(key) == 1 and base.keys.count(key) <= 1 for key in keys):
                return True
        else:
            here, before = Counter(side.keys), Counter(base.keys)
            if any(here[key] == 1 and before[key] <= 1 for key in keys):
                return True
    return False


def names_of_base(length: int) -> list[Name]:
    """What the elements of the base are called."""
    return [(_BASE, index, 0) for index in range(length)]


def of_base(base: Keyed, side: Keyed, hunks: Sequence[Hunk], keys: Keys, *, guess: bool) -> Iterator[bool]:
    """Of each element of the side, whether it is one of the base's."""
    matches = Matches(base, side, hunks)
    if guess:
        matches.alike(keys)
    matches.replaced()
    placed = matches.base_indices()
    return (index in placed for index in range(len(side.keys)))
