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

If both values were written over, as merges had preferred something else to what wrote over them, neither may stand.
What wrote over them does, and nobody wrote over; of several such values the greatest, wherever this is decided.

Laws (tests/unit/core/resolution/test_superseded.py):
    what a known ancestor tells to be edited by one side alone is not touched
    exchanging the sides gives the same ancestors, and the same sides
    without other states the ancestors and the sides are as they were
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.core.json.canonical import canonical
from shared.core.json.pointers import ROOT, Place
from shared.core.json.values import ABSENT, Keys, Value
from shared.core.merge.array_run import At
from shared.core.merge.clock import CLOCK_POINTERS
from shared.core.merge.conflicts import Conflict
from shared.core.merge.policies import NO_POLICIES, Policies, Strategy
from shared.core.version_vectors import MAX_SOURCES, Version, includes

SEEN = "seen"
"""The rule by which a value is dropped that somebody had seen and written over."""

GREATER = "greater"
"""The rule by which one of two values stands of which nobody knows more."""

Known = Sequence[tuple[Version, Value]]
"""States, and what they contain."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """`bases`, `ours`, `theirs`: the ancestors and sides to merge. `dropped`: what was left out so, for people."""

    bases: tuple[Value, ...]
    ours: Value
    theirs: Value
    dropped: tuple[Conflict, ...]


def with_superseded(
    bases: Sequence[Value],
    ours: Value,
    theirs: Value,
    known: Known,
    versions: tuple[Version, Version] | None = None,
    *,
    policies: Policies = NO_POLICIES,
) -> Superseded:
    """`bases`: the newest common ancestors that are known; none: an empty one. `known`: all states of the document
    that are known, these and both sides among them. `versions`: what the two sides contain; None: not known."""
    run = _Run([version for version, _ in known], versions, with_ancestors=bool(bases))
    given = _Inputs(list(bases) or [ABSENT], ours, theirs)
    patched = run.patched(At(ROOT, policies.scope()), given, [state for _, state in known])
    return Superseded(tuple(patched.bases), patched.ours, patched.theirs, tuple(run.dropped))


class _Inputs(NamedTuple):
    """Of a merge, at one place."""

    bases: list[Value]
    ours: Value
    theirs: Value

    def member(self, key: str) -> _Inputs:
        bases = [_member(base, key) for base in self.bases]
        return _Inputs(bases, _member(self.ours, key), _member(self.theirs, key))

    def with_members(self, changed: dict[str, _Inputs]) -> _Inputs:
        bases = [
            _with(base, {key: member.bases[number] for key, member in changed.items()})
            for number, base in enumerate(self.bases)
        ]
        ours = {key: member.ours for key, member in changed.items()}
        theirs = {key: member.theirs for key, member in changed.items()}
        return _Inputs(bases, _with(self.ours, ours), _with(self.theirs, theirs))


class _Run:
    def __init__(
        self, versions: Sequence[Version], of_sides: tuple[Version, Version] | None, *, with_ancestors: bool
    ) -> None:
        self.with_ancestors = with_ancestors
        """Ancestors are known, so they tell who edited."""
        self.keys = Keys()
        self.versions = versions
        self.contains = [[includes(a, b) for b in versions] for a in versions]
        """By the numbers of two known states, whether the one contains the other."""
        self.alone = [self.known_alone(a, b) for a, b in (of_sides, of_sides[::-1])] if of_sides else []
        self.dropped: list[Conflict] = []

    def patched(self, at: At, given: _Inputs, known: list[Value]) -> _Inputs:
        """The inputs at this place; `given` itself if nothing is to be changed. `known`: what each known state has
        there."""
        bases, ours, theirs = given
        if self.keys.same(ours, theirs):
            return given
        if self.with_ancestors and self.keys.among(ours, bases) is not self.keys.among(theirs, bases):
            return given
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return self.members(at, given, known)
        if at.place.stable() in CLOCK_POINTERS or at.scope.strategy is Strategy.COUNTER:
            return given
        written_over = [bool(self.writers_over(value, known)) for value in (ours, theirs)]
        if all(written_over):
            return self.replaced(at.place, given, known)
        stale = self.stale((ours, theirs), written_over, known)
        if stale is ABSENT:
            return given
        self.dropped.append(Conflict(at.place.stable(), theirs if stale is ours else ours, stale, SEEN))
        return given._replace(bases=[stale] * len(bases))

    def members(self, at: At, given: _Inputs, known: list[Value]) -> _Inputs:
        assert isinstance(given.ours, dict) and isinstance(given.theirs, dict)
        changed: dict[str, _Inputs] = {}
        for key in sorted({*given.ours, *given.theirs}):
            before = given.member(key)
            below = At(Place(at.place, key), at.scope.child(key))
            patched = self.patched(below, before, [_member(one, key) for one in known])
            if patched is not before:
                changed[key] = patched
        return given.with_members(changed) if changed else given

    def replaced(self, place: Place, given: _Inputs, known: list[Value]) -> _Inputs:
        """Both values were written over. What stands in their place is taken for the value of all that is merged."""
        values = self.last_written((given.ours, given.theirs), known)
        if not values:
            return given
        stands = max(values, key=_rank)
        for value in (given.ours, given.theirs):
            self.dropped.append(Conflict(place.stable(), stands, value, SEEN))
        for value in values:
            if value is not stands and value is not ABSENT:
                self.dropped.append(Conflict(place.stable(), stands, value, GREATER))
        return _Inputs([stands] * len(given.bases), stands, stands)

    def last_written(self, values: tuple[Value, Value], known: list[Value]) -> list[Value]:
        """What was written over these, or over that, and so on, and was not written over itself; each once."""
        rest, met = list(values), {self.keys.key(value) for value in values}
        last: list[Value] = []
        while rest:
            value = rest.pop()
            writers = self.writers_over(value, known)
            if not writers:
                last.append(value)
            for number in writers:
                if (key := self.keys.key(known[number])) not in met:
                    met.add(key)
                    rest.append(known[number])
        return last

    def stale(self, sides: tuple[Value, Value], written_over: list[bool], known: list[Value]) -> Value:
        """The side whose value is not to stand; ABSENT if that is neither, or both."""
        ours, theirs = sides
        old = written_over
        if not any(old) and self.alone:
            old = [self.is_of_both(value, alone, known) for value, alone in zip(sides, self.alone, strict=True)]
        if old[0] == old[1]:
            return ABSENT
        return ours if old[0] else theirs

    def writers_over(self, value: Value, known: list[Value]) -> list[int]:
        """The numbers of the known states that wrote over a value. That it is missing is never written over: once it
        was missing everywhere."""
        if value is ABSENT:
            return []
        having = [number for number, one in enumerate(known) if self.keys.same(one, value)]
        seen = [
            number
            for number, other in enumerate(known)
            if number not in having and any(self.contains[number][before] for before in having)
        ]
        # One that has its value from a state that had not seen this one did not write over it; a merge preferred it.
        over = [number for number in seen if known[number] is ABSENT or not self.is_inherited(number, known)]
        # Unless somebody set it back after that.
        return [number for number in over if not any(self.contains[again][number] for again in having)]

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


def _rank(value: Value) -> bytes:
    return b"" if value is ABSENT else canonical(value)


def _with(value: Value, changed: dict[str, Value]) -> Value:
    """Those that are absent are left out, and make no object of what is none."""
    members = {**(value if isinstance(value, dict) else {}), **changed}
    present = {key: member for key, member in members.items() if member is not ABSENT}
    return present if present or isinstance(value, dict) else value
