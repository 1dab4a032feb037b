"""Values that somebody had seen and written over: they are no edits, whoever brings them back late.

Two states that come by different ways may have an ancestor in common that nobody at hand knows. What is known instead
are other states, and which edits they contain (shared/core/version_vectors.py). If the earliest of them that has one
value at a place contains a state that had another value there, then that other value was written over; a state that
has it still is merely behind. So the ancestor is taken to have that value there: but only at places that both sides
seem to have edited, because of what the known ancestors have they know better. A value that a merge preferred has
earlier states that never saw the one it was preferred to: between the two the same decision is made again.

Often no state is known that had the value and is contained in the other side. Then what the versions say is asked: if
of each edit that a side contains alone an earlier state is known which has not this value, it comes from an edit that
the other side contains too, and decided otherwise on.

Laws (tests/unit/core/resolution/test_superseded.py):
    what a known ancestor tells to be edited by one side alone is not touched
    exchanging the sides gives the same ancestors
    without other states the ancestors are as they were
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.core.json.pointers import ROOT, Place
from shared.core.json.values import ABSENT, Keys, Value
from shared.core.merge.clock import CLOCK_POINTERS
from shared.core.merge.conflicts import Conflict
from shared.core.version_vectors import MAX_SOURCES, Version, includes

SEEN = "seen"
"""The rule by which a value is dropped that somebody had seen and written over."""

Known = Sequence[tuple[Version, Value]]
"""States, and what they contain."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """`bases`: the ancestors to merge with. `dropped`: what they were told, for people; to be recorded if it holds in
    the result."""

    bases: tuple[Value, ...]
    dropped: tuple[Conflict, ...]


def with_superseded(
    bases: Sequence[Value],
    ours: Value,
    theirs: Value,
    known: Known,
    versions: tuple[Version, Version] | None = None,
) -> Superseded:
    """`bases`: the newest common ancestors that are known; none: an empty one. `known`: all states of the document
    that are known, these and both sides among them. `versions`: what the two sides contain; None: not known."""
    run = _Run([version for version, _ in known], versions, told=bool(bases))
    bases_left = run.patched(ROOT, list(bases) or [ABSENT], (ours, theirs), [state for _, state in known])
    return Superseded(tuple(bases_left), tuple(run.dropped))


class _Run:
    def __init__(self, versions: Sequence[Version], of_sides: tuple[Version, Version] | None, *, told: bool) -> None:
        self.told = told
        """Ancestors are known, so they tell who edited."""
        self.keys = Keys()
        self.versions = versions
        self.contains = [[includes(a, b) for b in versions] for a in versions]
        """By the numbers of two known states, whether the one contains the other."""
        self.alone = [self.known_alone(a, b) for a, b in (of_sides, of_sides[::-1])] if of_sides else []
        self.dropped: list[Conflict] = []

    def patched(
        self, place: Place, bases: list[Value], sides: tuple[Value, Value], known: list[Value]
    ) -> list[Value]:
        """The ancestors at this place; `bases` itself if nothing is to be changed. `known`: what each known state has
        there."""
        ours, theirs = sides
        if self.keys.same(ours, theirs):
            return bases
        if self.told and self.keys.among(ours, bases) is not self.keys.among(theirs, bases):
            return bases
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return self.members(place, bases, (ours, theirs), known)
        stale = self.stale(sides, known)
        if stale is ABSENT or place.stable() in CLOCK_POINTERS:
            return bases
        kept = theirs if stale is ours else ours
        self.dropped.append(Conflict(place.stable(), kept, stale, SEEN))
        return [stale] * len(bases)

    def members(
        self, place: Place, bases: list[Value], sides: tuple[dict[str, Value], dict[str, Value]], known: list[Value]
    ) -> list[Value]:
        changed: dict[str, list[Value]] = {}
        for key in sorted({*sides[0], *sides[1]}):
            before = [_member(base, key) for base in bases]
            values = (sides[0].get(key, ABSENT), sides[1].get(key, ABSENT))
            patched = self.patched(Place(place, key), before, values, [_member(one, key) for one in known])
            if patched is not before:
                changed[key] = patched
        if not changed:
            return bases
        return [
            _with(base, {key: values[number] for key, values in changed.items()}) for number, base in enumerate(bases)
        ]

    def stale(self, sides: tuple[Value, Value], known: list[Value]) -> Value:
        """The side whose value was written over; ABSENT if that is neither, or both."""
        ours, theirs = sides
        old = [self.is_overwritten(value, known) for value in sides]
        if not any(old) and self.alone:
            old = [self.is_of_both(value, alone, known) for value, alone in zip(sides, self.alone, strict=True)]
        if old[0] == old[1]:
            return ABSENT
        return ours if old[0] else theirs

    def is_overwritten(self, value: Value, known: list[Value]) -> bool:
        """That a value is missing is never written over: once it was missing everywhere."""
        if value is ABSENT:
            return False
        having = [number for number, one in enumerate(known) if self.keys.same(one, value)]
        seen = [
            number
            for number, other in enumerate(known)
            if number not in having and any(self.contains[number][before] for before in having)
        ]
        # One that has its value from a state that had not seen this one did not write over it; a merge preferred it.
        over = [number for number in seen if known[number] is ABSENT or not self.is_inherited(number, known)]
        # Unless somebody set it back after that.
        return any(not any(self.contains[again][number] for again in having) for number in over)

    def known_alone(self, side: Version, other: Version) -> list[list[int]]:
        """Of each edit that one side contains alone, the known earlier states of the side that contain it; nothing if
        its version may leave out some."""
        if len(side) >= MAX_SOURCES:
            return []
        within = [
            n for n, version in enumerate(self.versions) if includes(side, version) and not includes(version, side)
        ]
        alone = {source: count for source, count in side.items() if count > other.get(source, 0)}
        return [
            [number for number in within if self.versions[number].get(source, 0) >= count]
            for source, count in alone.items()
        ]

    def is_of_both(self, value: Value, alone: list[list[int]], known: list[Value]) -> bool:
        """Whether a value comes from an edit that both sides contain, so that the other one decided otherwise on it:
        for each edit that its side contains alone a state is known that has another value there, or none."""
        if value is ABSENT or not alone:
            return False
        return all(any(not self.keys.same(known[number], value) for number in having) for having in alone)

    def is_inherited(self, number: int, known: list[Value]) -> bool:
        """Whether an older state has the same value."""
        return any(
            self.contains[number][other] and not self.contains[other][number] and self.keys.same(one, known[number])
            for other, one in enumerate(known)
        )


def _member(value: Value, key: str) -> Value:
    return value.get(key, ABSENT) if isinstance(value, dict) else ABSENT


def _with(base: Value, changed: dict[str, Value]) -> Value:
    return {**(base if isinstance(base, dict) else {}), **changed}
