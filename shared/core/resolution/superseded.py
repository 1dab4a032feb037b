"""Values that a side once had and replaced: they are no edits of the other side, whoever brings them back late.

Two states that come by different ways may have an ancestor in common that nobody at hand knows. What is known instead
are states that one of them contains (shared/core/version_vectors.py). If one that `ours` contains had, at a place,
the value that `theirs` has there, then `ours` has seen that value and replaced it; `theirs` merely still has it. So
the ancestor is taken to have that value there: but only at places that both sides seem to have edited, because of
what the known ancestors have they know better. A value that each side had seen says nothing.

Laws (tests/unit/core/resolution/test_superseded.py):
    what a known ancestor tells to be edited by one side alone is not touched
    exchanging the sides, with their pasts, gives the same ancestors
    without pasts the ancestors are as they were
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.core.json.pointers import ROOT, Place
from shared.core.json.values import ABSENT, Keys, Value
from shared.core.merge.clock import CLOCK_POINTERS
from shared.core.merge.conflicts import Conflict

SEEN = "seen"
"""The rule by which a value is dropped that the other side had seen and replaced."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """`bases`: the ancestors to merge with. `dropped`: what they were told, for people; to be recorded if it holds in
    the result."""

    bases: tuple[Value, ...]
    dropped: tuple[Conflict, ...]


def with_superseded(
    bases: Sequence[Value], ours: Value, theirs: Value, ours_past: Sequence[Value], theirs_past: Sequence[Value]
) -> Superseded:
    """`bases`: the newest common ancestors that are known; none: an empty one. `ours_past`, `theirs_past`: states
    that the one and the other side contain."""
    run = _Run()
    found = run.patched(ROOT, list(bases) or [ABSENT], (ours, theirs), (ours_past, theirs_past))
    return Superseded(tuple(found), tuple(run.dropped))


class _Run:
    def __init__(self) -> None:
        self.keys = Keys()
        self.dropped: list[Conflict] = []

    def patched(
        self,
        place: Place,
        bases: list[Value],
        sides: tuple[Value, Value],
        pasts: tuple[Sequence[Value], Sequence[Value]],
    ) -> list[Value]:
        """The ancestors at this place; `bases` itself if nothing is to be changed."""
        ours, theirs = sides
        if self.keys.same(ours, theirs) or self.keys.among(ours, bases) is not self.keys.among(theirs, bases):
            return bases
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return self.members(place, bases, (ours, theirs), pasts)
        stale = self.stale(sides, pasts)
        if stale is ABSENT or place.stable() in CLOCK_POINTERS:
            return bases
        kept = theirs if stale is ours else ours
        self.dropped.append(Conflict(place.stable(), kept, stale, SEEN))
        return [stale] * len(bases)

    def members(
        self,
        place: Place,
        bases: list[Value],
        sides: tuple[dict[str, Value], dict[str, Value]],
        pasts: tuple[Sequence[Value], Sequence[Value]],
    ) -> list[Value]:
        changed: dict[str, list[Value]] = {}
        for key in sorted({*sides[0], *sides[1]}):
            before = [_member(base, key) for base in bases]
            found = self.patched(
                Place(place, key),
                before,
                (sides[0].get(key, ABSENT), sides[1].get(key, ABSENT)),
                ([_member(one, key) for one in pasts[0]], [_member(one, key) for one in pasts[1]]),
            )
            if found is not before:
                changed[key] = found
        if not changed:
            return bases
        return [
            _with(base, {key: values[number] for key, values in changed.items()}) for number, base in enumerate(bases)
        ]

    def stale(self, sides: tuple[Value, Value], pasts: tuple[Sequence[Value], Sequence[Value]]) -> Value:
        """The side that the other one has seen and replaced; ABSENT if that cannot be told. That a value is missing
        shows nothing: once it was missing everywhere."""
        ours, theirs = sides
        ours_old = ours is not ABSENT and self.keys.among(ours, pasts[1])
        theirs_old = theirs is not ABSENT and self.keys.among(theirs, pasts[0])
        if ours_old == theirs_old:
            return ABSENT
        return ours if ours_old else theirs


def _member(value: Value, key: str) -> Value:
    return value.get(key, ABSENT) if isinstance(value, dict) else ABSENT


def _with(base: Value, changed: dict[str, Value]) -> Value:
    return {**(base if isinstance(base, dict) else {}), **changed}
