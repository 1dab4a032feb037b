"""All that came before the head of one document, in memory: what the rules ask of it is answered without a store.

Bodies are kept of the newest states alone; an older one has to be asked for. Nothing here is changed: a history that
goes on is another one.

Laws (tests/unit/core/resolution/test_document_history.py):
    what is at hand is what the store would load
    what was added in portions is as if it had been added at once
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Final, TypeVar

from shared.core.documents import Body, ContentHash, DeviceId, SequenceNumber
from shared.core.frozen import frozen
from shared.core.resolution.context import (
    BEGINNING,
    RECENT,
    DocumentContext,
    NeedsData,
    Pair,
    Stored,
    Submission,
    ValueKey,
)

T = TypeVar("T")

_STATE_BYTES: Final = 512
"""What a state counts for beside its body, with one pair,"""
_FORGOTTEN_BYTES: Final = 256
"""and what one of which no body is kept does."""
_PAIR_BYTES: Final = 128
_GONE_BYTES: Final = 24
"""Each more pair, and each key: they are kept of all states."""


@frozen
class Past:
    """A superseded head or a received state, with what was kept of it beside the state."""

    stored: Stored
    pairs: tuple[Pair, ...] = ()
    gone: tuple[ValueKey, ...] = ()
    size: int = 0
    """Bytes of its body."""
    weight: int = 0
    """Of its body, or more: see `shared.large`."""


class DocumentHistory:
    """History of a document of which every superseded head and received state was added, in the order in which they
    were stored."""

    __slots__ = ("_forgotten", "_gone", "_kept", "_newest", "_pairs", "_recent", "count", "size", "weight")

    def __init__(self) -> None:
        self._kept: tuple[Past, ...] = ()
        """The newest, the oldest of them first."""
        self._recent: tuple[Stored, ...] = ()
        """Those of them that have a body, the newest first."""
        self._newest: dict[ContentHash, Stored] = {}
        """Of those: by their hashes, as a store finds them."""
        self._forgotten: PartedSet[ContentHash] = ()
        """Of which some state was left out."""
        self._pairs: dict[DeviceId | None, tuple[tuple[SequenceNumber, Pair], ...]] = {}
        self._gone: PartedSet[ValueKey] = ()
        self.count = 0
        """States."""
        self.size = 0
        """About how many bytes of JSON it counts for."""
        self.weight = 0
        """Of the bodies that are kept."""

    def extended(self, items: Iterable[Past]) -> DocumentHistory:
        """With these after those that it has."""
        longer = DocumentHistory()
        items = tuple(items)
        new_bodies = [past.stored for past in reversed(items) if past.stored.body is not None]
        recent = (*new_bodies, *self._recent)
        longer._recent = recent[:RECENT]
        longer._kept, left_out = _divided((*self._kept, *items), len(recent) - RECENT)
        longer._newest, longer._forgotten = _with_newer(self._newest, items), self._forgotten
        longer._pairs = pairs = dict(self._pairs)
        longer._gone = _with_part(self._gone, chain.from_iterable([past.gone for past in items]))
        longer.count = self.count + len(items)
        longer.size, longer.weight = self.size, self.weight
        for past in items:
            longer.size += past.size + _STATE_BYTES
            longer.size += _PAIR_BYTES * len(past.pairs[1:]) + _GONE_BYTES * len(past.gone)
            longer.weight += past.weight
            for pair in past.pairs:
                pairs[pair.device] = (*pairs.get(pair.device, ()), (past.stored.sequence, pair))
        if left_out:
            longer._forget(left_out)
        return longer

    def _forget(self, left_out: Iterable[Past]) -> None:
        forgotten: set[ContentHash] = set()
        met_again = False
        for past in left_out:
            self.size += _FORGOTTEN_BYTES - _STATE_BYTES - past.size
            self.weight -= past.weight
            if not past.stored.deleted:
                forgotten.add(past.stored.hash)
                met_again |= self._newest.get(past.stored.hash) is not past.stored
        self._forgotten = _with_part(self._forgotten, forgotten)
        for content in forgotten:
            self._newest.pop(content, None)
        if met_again:
            self._newest = _with_newer(self._newest, [past for past in self._kept if past.stored.hash in forgotten])

    def loaded(
        self, context: DocumentContext, submission: Submission, missing: NeedsData
    ) -> tuple[DocumentContext, NeedsData | None]:
        """As History says."""
        states, unknown = context.states, []
        if missing.states:
            states = loaded = {**states}
            for content in missing.states:
                stored = self._newest.get(content)
                # A received state that is at hand is not newer than a head that was left out.
                is_newest = stored is not None and stored.body is not None and stored.was_head
                if not is_newest and _is_among(self._forgotten, content):
                    unknown.append(content)
                else:
                    loaded[content] = stored
        pairs, ancestors, later = context.pairs, context.ancestors, missing.ancestors
        if missing.pairs_since is not None:
            pairs = tuple(self._pairs_of(submission.device, missing.pairs_since))
        if later is not None and not self._forgotten:
            ancestors, later = self._ancestors(later), None
        seen = context.seen
        if missing.seen:
            seen = {**seen, **{key: _is_among(self._gone, key) for key in missing.seen}}
        recent = self._recent if missing.recent else context.recent
        memory, lineage = context.device_memory, context.lineage
        known = DocumentContext(
            context.head, memory, states, pairs, seen, recent, lineage, ancestors, history=context.history
        )  # `replace` takes several times as long, and a decision asks twice or three times
        if not unknown and later is None and not missing.lineage:
            return known, None
        return known, NeedsData(frozenset(unknown), lineage=missing.lineage, ancestors=later)

    def _pairs_of(self, device: DeviceId | None, since: SequenceNumber) -> Iterator[Pair]:
        return (pair for sequence, pair in self._pairs.get(device, ()) if sequence >= since)

    def _ancestors(self, until: SequenceNumber) -> tuple[Stored, ...]:
        newest = [past.stored for past in reversed(self._kept) if _is_shown(past.stored)]
        versioned = [stored for stored in newest if stored.version is not None]
        implied = [
            stored for stored in newest if stored.version is None and stored.was_head and stored.sequence <= until
        ]
        return (*versioned[:RECENT], *implied[:1])


def _divided(items: tuple[Past, ...], bodies_too_many: int) -> tuple[tuple[Past, ...], tuple[Past, ...]]:
    """Those that are kept, and those before them: up to the last one whose body is too many."""
    if bodies_too_many <= 0:
        return items, ()
    for place, past in enumerate(items):
        bodies_too_many -= past.stored.body is not None
        if not bodies_too_many:
            return items[place + 1 :], items[: place + 1]
    raise ValueError("not so many have a body")


PartedSet = tuple[frozenset[T], ...]
"""A set in parts, each of which is larger than the next: to make one with more of it does not copy the whole."""


def _with_part(parts: PartedSet[T], more: Iterable[T]) -> PartedSet[T]:
    part = frozenset(more)
    if not part:
        return parts
    while parts and len(parts[-1]) <= len(part):
        part |= parts[-1]
        parts = parts[:-1]
    return (*parts, part)


def _is_among(parts: PartedSet[T], value: T) -> bool:
    return any(value in part for part in parts)


def _with_newer(known: dict[ContentHash, Stored], items: Iterable[Past]) -> dict[ContentHash, Stored]:
    """By hash the newest state, with its body or, if that is pruned, an older one's. Not the deleted."""
    by_hash = dict(known)
    for past in items:
        stored = past.stored
        if stored.deleted:
            continue
        by_hash[stored.hash] = newer(by_hash.get(stored.hash), stored)
    return by_hash


def newer(known: Stored | None, state: Stored) -> Stored:
    """Of two with the same hash: with its body or, if that is pruned, the other one's. None: there is one alone."""
    if known is None:
        return state
    older, newest = sorted((known, state), key=lambda stored: (stored.until or BEGINNING, stored.sequence))
    body: Body | None = newest.body if newest.body is not None else older.body
    return replace(newest, body=body)


def _is_shown(stored: Stored) -> bool:
    return stored.body is not None or stored.deleted
