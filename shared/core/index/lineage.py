"""The histories of a space: what a position, a rev or a version of it means after the store was put back.

A store can be put back to an earlier moment: a backup, a copied directory. The sequences after that moment were given
out before and are given out again, to other changes. So each stretch of sequences has a name, the id of its
*history*; a new one begins before the next write whenever the store may be older than what it told somebody. The
histories of a space in their order, with the first sequence of each, are its *lineage*.

    [("k3x9d2", 1), ("0f7ck3b", 11)]        the sequences 1 to 10 are of the first history, later ones of the second

A position of the first history beyond 10 is *lost*: it was given out, and the store no longer knows what for.

Laws (tests/unit/core/index/test_lineage.py):
    holds(p) exactly for the positions that were given out as this lineage grew
    version_of grows with the sequence
    reach(version_of(s)) == s
    begun(...) holds everything that it held before, until a history is given up
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from shared.core.documents import Epoch, Position, SequenceNumber
from shared.core.version_vectors import MAX_SOURCE, Source, Version, join

MAX_HISTORIES: Final = 64
"""Of a lineage. When one more begins, the second oldest takes the place of the oldest."""
_RANDOM: Final = 8
"""Characters at random that the id of a history begins with;"""
_PARENT: Final = 4
"""then the first ones of its parent's id, and its first sequence in base 36 behind the number of its digits; then the
same of its parent, and so on. The first history of a space has nothing but six characters at random."""
_NUMBER: Final = 7
"""Characters of a first sequence at most."""
_ANCESTORS: Final = 5
"""So many are named in an id, if that leaves it at 64 characters."""
_FIRST: Final = 6
"""Characters of the id of a first history."""
_SHORT: Final = 13
"""Characters at most of an id of before, when they named their parent alone: four at random, two of the parent's id,
and the number."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Begun:
    """A history, and the first sequence that is of it."""

    id: Epoch
    first: SequenceNumber


@dataclass(frozen=True, slots=True)
class Lineage:
    """`histories`: at least one, in their order. `sequence`: the newest that was allotted."""

    histories: tuple[Begun, ...]
    sequence: SequenceNumber
    _places: dict[Epoch, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {one.id: place for place, one in enumerate(self.histories)})

    @property
    def first(self) -> Epoch:
        """The oldest: what a rev or a cursor without a history is of."""
        return self.histories[0].id

    @property
    def current(self) -> Epoch:
        return self.histories[-1].id

    @property
    def is_full(self) -> bool:
        """Whether it may have given up a history."""
        return len(self.histories) >= MAX_HISTORIES

    @property
    def position(self) -> Position:
        """Where the space stands."""
        return Position(self.current, self.sequence)

    def last(self, place: int) -> SequenceNumber:
        """The last sequence of the history at this place."""
        following = place + 1
        return (
            SequenceNumber(self.histories[following].first - 1) if following < len(self.histories) else self.sequence
        )

    def holds(self, position: Position) -> bool:
        """Whether the position is one of this lineage: what was told there is known here.

        A history also holds the position right before its first sequence: where it began.
        """
        place = self._places.get(position.epoch)
        if place is None:
            return False
        return self.histories[place].first - 1 <= position.sequence <= self.last(place)

    def is_ahead(self, position: Position) -> bool:
        """Whether the position proves that the store is older than what it told somebody: it is of the current
        history, and further."""
        return position.epoch == self.current and position.sequence > self.sequence

    def history_of(self, sequence: SequenceNumber) -> Epoch:
        """The history that a sequence of this lineage is of."""
        return next((one.id for one in reversed(self.histories) if one.first <= sequence), self.first)

    def version_of(self, sequence: SequenceNumber, history: Epoch | None = None) -> dict[Source, int]:
        """What a state contains that became the head with this sequence, on the heads before it. `history`: as it is
        stored with the state; the lineage may have given it up."""
        version = self._closed(len(self.histories), sequence)
        if history is not None and sequence > 0:
            version[Source(history)] = sequence
        return version

    def _closed(self, places: int, sequence: int) -> dict[Source, int]:
        version: dict[Source, int] = {}
        for place, one in enumerate(self.histories[:places]):
            last = min(sequence, self.last(place))
            if last >= one.first:
                version[Source(one.id)] = last
        return version

    def version_at(self, history: Epoch, sequence: SequenceNumber) -> dict[Source, int]:
        """What a state contains that was the head at this position, known here or lost.

        Of a history that is not of this lineage its id tells where it branched off, if that was from one which is.
        """
        place = self._places.get(history)
        before = self._closed(place, sequence) if place is not None else self._before(history)
        return {**before, Source(history): sequence}

    def is_lost(self, source: Source, number: int, others: Iterable[Source]) -> bool:
        """Whether this is a position of a history of this space that the store does not know (any more).

        `others`: the other sources of the version that names it. A folder's id is hardly ever taken for a history.
        """
        place = self._places.get(Epoch(source))
        if place is not None:
            return number > self.last(place)
        ancestors = _ancestors(Epoch(source))
        if not ancestors:
            return len(source) == _FIRST
        return any(known.startswith(parent) for parent, _ in ancestors for known in (*self._places, *others))

    def _before(self, unknown: Epoch) -> dict[Source, int]:
        for parent, first in _ancestors(unknown):
            for place in range(len(self.histories) - 1, -1, -1):
                one = self.histories[place]
                if one.first < first and one.id.startswith(parent):
                    return {**self._closed(place, first - 1), Source(one.id): first - 1}
        return {}

    def with_origins(self, version: Version) -> dict[Source, int]:
        """With what the ids of histories that are unknown here say of this lineage."""
        unknown = (source for source in version if Epoch(source) not in self._places)
        return join(self.closed(version), *(self._before(Epoch(source)) for source in unknown))

    def completed(self, version: Version, names: Collection[Source]) -> dict[Source, int]:
        """With what the ids of its histories say of these others: that it contains them up to where one branched off.
        An id has but the first characters of what its history comes from."""
        completed_version = dict(version)
        for source in version.keys() - self._places.keys():
            for parent, first in _ancestors(Epoch(source)):
                for name in names:
                    if name not in version and name.startswith(parent) and not _may_be_folder(name):
                        completed_version[name] = max(first - 1, completed_version.get(name, 0))
        return completed_version

    def closed(self, version: Version) -> dict[Source, int]:
        """With everything that a state contains which contains this much of the newest history that is named."""
        for place in range(len(self.histories) - 1, 0, -1):
            one = self.histories[place]
            if version.get(Source(one.id), 0) >= one.first:
                return join(version, self._closed(place, one.first - 1))
        return dict(version)

    def reach(self, version: Version) -> SequenceNumber:
        """The greatest sequence of this lineage whose `version_of` the version includes; 0: of none."""
        reached = 0
        for place, one in enumerate(self.histories):
            last, number = self.last(place), version.get(Source(one.id), 0)
            if last < one.first:
                continue
            if number >= one.first:
                reached = min(number, last)
            if number < last:
                break
        return SequenceNumber(reached)

    def sources(self) -> list[Source]:
        """The histories as sources, the oldest first."""
        return [Source(one.id) for one in self.histories]

    def begun(self, history: Epoch) -> Lineage:
        """With one more history, of the sequences that come."""
        histories = (*self.histories, Begun(history, SequenceNumber(self.sequence + 1)))
        if len(histories) > MAX_HISTORIES:
            histories = (replace(histories[1], first=histories[0].first), *histories[2:])
        return Lineage(histories, self.sequence)


def first_history(random: int) -> Epoch:
    """The id of the first history of a space. `random`: 32 bits or more, of the caller."""
    return Epoch(_at_random(random, _FIRST))


def next_history(parent: Epoch, first: SequenceNumber, random: int) -> Epoch:
    """The id of the history that begins with `first` after `parent`. `random`: 32 bits or more, of the caller.

    A store that is put back twice does not know the history between any more. Its id says where it branched off,
    so that what a client brings of it is compared with the newest state that both have in common.
    """
    chain = [(parent[:_PARENT], int(first)), *_ancestors(parent)][:_ANCESTORS]
    history = _at_random(random, _RANDOM)
    for ancestor, number in chain:
        digits = in_base_36(number)
        if len(ancestor) < _PARENT or len(history) + _PARENT + 1 + len(digits) > MAX_SOURCE:
            break
        history += f"{ancestor}{len(digits)}{digits}"
    return Epoch(history)


def _at_random(random: int, length: int) -> str:
    return "".join(_DIGITS[random // 36**place % 36] for place in range(length))


def _ancestors(history: Epoch) -> list[tuple[str, int]]:
    """Of what it comes from, the nearest first: the first characters of its id, and the first sequence of the next.
    Nothing if the id does not tell."""
    if _may_be_folder(Source(history)):
        return []
    if len(history) <= _SHORT:
        parent, number = history[4:_FIRST], history[_FIRST:]
        return [(parent, int(number, 36))] if number else []
    ancestors: list[tuple[str, int]] = []
    rest = history[_RANDOM:]
    while len(rest) > _PARENT:
        length = _DIGITS.index(rest[_PARENT])
        digits = rest[_PARENT + 1 : _PARENT + 1 + length]
        if not 0 < length <= _NUMBER or len(digits) < length:
            return []
        ancestors.append((rest[:_PARENT], int(digits, 36)))
        rest = rest[_PARENT + 1 + length :]
    return ancestors if not rest else []


def without_origins(version: Version) -> dict[Source, int]:
    """Without the sources of which the ids of others tell that these are contained."""
    known = [origin for source in version for origin in _ancestors(Epoch(source))]
    return {
        source: number
        for source, number in version.items()
        if _may_be_folder(source) or not any(source.startswith(parent) and number < first for parent, first in known)
    }


def _may_be_folder(source: Source) -> bool:
    """Folders number edits as well; they are no histories, and their ids tell nothing."""
    return len(source) == 8 and set(source) <= set("0123456789abcdef")


def in_base_36(number: int) -> str:
    """A number, 0 or more, in digits of 0-9 a-z."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
