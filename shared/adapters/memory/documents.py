"""DocumentStore that is nothing but memory: for tests of what stands on the port."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from shared import codec
from shared.adapters.memory.entries import Entry, HistoryItem, history
from shared.adapters.memory.transaction import MemorySpace, MemoryTransaction
from shared.core.documents import ContentHash, DocumentId, Exported, HistoryEntry, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.index.lineage import Begun, Lineage, first_history, next_history
from shared.core.merge.policies import Policies
from shared.core.resolution.context import BEGINNING, NeedsData, Submission
from shared.core.resolution.context import DocumentContext as Context
from shared.core.resolution.retention import Kept, Pruned, Retention, to_prune
from shared.core.resolution.revs import make_rev
from shared.core.resolution.usage import Usage
from shared.ports import Changes, Current, Fence, FencedError, TooMuchError, Transaction

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """A space, and who may write to it."""

    space: MemorySpace
    fence: Fence | None = None
    map: BucketedMap | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class _BoundedTransaction(MemoryTransaction):
    """Reads no more than `max_bytes` of states."""

    def __init__(self, space: MemorySpace, max_bytes: int | None) -> None:
        super().__init__(space)
        self._room = max_bytes

    def first_contexts(self, submissions: Sequence[Submission]) -> list[Context]:
        return [self._counted(context) for context in super().first_contexts(submissions)]

    def load(self, wanted: Sequence[tuple[Context, Submission, NeedsData]]) -> list[Context]:
        return [self._counted(context) for context in super().load(wanted)]

    def _counted(self, context: Context) -> Context:
        if self._room is not None:
            states = [context.head, *context.states.values(), *(context.recent or ())]
            bodies = [state.body for state in states if state is not None and state.body is not None]
            self._room -= sum(len(codec.dumps(body)) for body in bodies)
            if self._room < 0:
                raise TooMuchError
        return context


class MemoryDocumentStore:
    """DocumentStore. One transaction of a space at a time, so none ever runs again."""

    def __init__(self) -> None:
        self._spaces: dict[SpaceId, _Kept] = {}

    def _kept(self, space: SpaceId) -> _Kept:
        if space not in self._spaces:
            begun = Begun(first_history(secrets.randbits(40)), SequenceNumber(1))
            self._spaces[space] = _Kept(MemorySpace(histories=(begun,), held=Usage()))
        return self._spaces[space]

    def _entries(self, space: SpaceId) -> dict[DocumentId, Entry]:
        kept = self._spaces.get(space)
        return kept.space.entries if kept is not None else {}

    async def transact(
        self,
        space: SpaceId,
        work: Callable[[Transaction], T],
        fence: Fence | None = None,
        *,
        max_bytes: int | None = None,
        meanwhile: Callable[[T], None] | None = None,
    ) -> T:
        kept = self._kept(space)
        async with kept.lock:
            if fence is not None:
                if kept.fence is not None and _is_later(kept.fence, fence):
                    raise FencedError(kept.fence.number)
                kept.fence = fence
            transaction = _BoundedTransaction(kept.space, max_bytes)
            result = await asyncio.to_thread(work, transaction)
            if meanwhile is not None:
                try:
                    await asyncio.to_thread(meanwhile, result)
                except Exception:
                    logger.exception("preparation_failed", extra={"fields": {"space": space}})
            kept.space.store(transaction.changes)
            return result

    async def lineages(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Lineage]:
        return {space: self._kept(space).space.lineage() for space in spaces}

    async def begin_history(self, space: SpaceId, known_position: Position) -> None:
        if space in self._spaces and (lineage := self._spaces[space].space.lineage()).is_ahead(known_position):
            first = SequenceNumber(lineage.sequence + 1)
            new = next_history(lineage.history_of(lineage.sequence), first, secrets.randbits(40))
            self._spaces[space].space.histories = lineage.begun(new).histories

    async def changes(self, space: SpaceId, after: SequenceNumber) -> Changes:
        lineage = self._kept(space).space.lineage()
        changed = {name: one.hash for name, one in self._entries(space).items() if one.head.sequence > after}
        return Changes(lineage, changed)

    async def live(self, space: SpaceId, take: Callable[[Sequence[tuple[bytes, bytes]]], None]) -> Lineage:
        lineage, entries = self._kept(space).space.lineage(), self._entries(space)
        take([(name.encode(), one.hash.encode()) for name, one in entries.items() if one.hash is not None])
        return lineage

    async def kept_map(self, space: SpaceId) -> BucketedMap | None:
        kept = self._spaces.get(space)
        return None if kept is None else kept.map

    async def keep_map(self, space: SpaceId, map_: BucketedMap) -> None:
        if space in self._spaces:
            self._spaces[space].map = map_

    async def feed(
        self, space: SpaceId, after: SequenceNumber, until: SequenceNumber, most: int
    ) -> list[tuple[SequenceNumber, DocumentId, ContentHash | None]]:
        rows = [(one.head.sequence, name, one.hash) for name, one in self._entries(space).items()]
        return sorted(row for row in rows if after < row[0] <= until)[:most]

    async def changed(
        self,
        space: SpaceId,
        after: SequenceNumber,
        until: SequenceNumber,
        *,
        max_bytes: int,
        made: Callable[[Sequence[Current]], T],
    ) -> list[T] | None:
        entries = self._entries(space)
        among = [document for _, document, _ in await self.feed(space, after, until, len(entries))]
        currents = [_current(document, entries[document]) for document in among]
        if sum(codec.size_of(one.body) for one in currents) >= max_bytes:
            return None
        return [made(currents)] if currents else []

    async def head(self, space: SpaceId, document: DocumentId) -> HistoryEntry | None:
        entry = self._entries(space).get(document)
        return None if entry is None else history(entry)[0]

    async def page(
        self,
        space: SpaceId,
        after: str,
        most: int,
        among: Collection[DocumentId] | None = None,
        *,
        max_bytes: int | None = None,
        made: Callable[[Sequence[Current]], T],
    ) -> tuple[list[T], DocumentId | None]:
        entries = self._entries(space)
        if among is None:
            names = sorted(name for name, one in entries.items() if name > after and one.hash is not None)
        else:
            names = sorted(name for name in set(among) if name in entries)
        page: list[Current] = []
        size = 0
        for name in names[:most]:
            page.append(_current(name, entries[name]))
            size += codec.size_of(page[-1].body)
            if max_bytes is not None and size >= max_bytes:
                break
        if not page:
            return [], None
        return [made(page)], page[-1].document if len(page) < len(names) else None

    async def history(
        self,
        space: SpaceId,
        document: DocumentId,
        most: int,
        *,
        bodies: bool = True,
        max_bytes: int | None = None,
    ) -> list[HistoryEntry]:
        entry = self._entries(space).get(document)
        states = [] if entry is None else history(entry)
        if not bodies:
            states = [state if state.body is None else replace(state, body={}) for state in states]
        size, newest = 0, list[HistoryEntry]()
        for state in sorted(states, key=lambda state: (state.sequence, state.received), reverse=True)[:most]:
            if max_bytes is not None and size >= max_bytes:
                break
            newest.append(state)
            size += len(codec.dumps([state.body, *state.conflicts]))
        return newest

    async def state(self, space: SpaceId, document: DocumentId, hash_: ContentHash) -> HistoryEntry | None:
        entries = await self.history(space, document, len(self._past(space, document)) + 1)
        return next((entry for entry in entries if entry.hash == hash_ and entry.body is not None), None)

    def _past(self, space: SpaceId, document: DocumentId) -> tuple[HistoryItem, ...]:
        entry = self._entries(space).get(document)
        return entry.past if entry is not None else ()

    async def everything(self, space: SpaceId) -> AsyncIterator[Exported]:
        listed = {name: history(one) for name, one in sorted(self._entries(space).items())}
        for name, entries in listed.items():
            yield Exported(name, is_head=True, entry=entries[0])
        for name, entries in listed.items():
            for entry in sorted(entries[1:], key=lambda one: one.sequence):
                yield Exported(name, is_head=False, entry=entry)

    async def policies(self, space: SpaceId) -> Policies:
        return self._kept(space).space.declared

    async def set_policies(self, space: SpaceId, policies: Policies) -> None:
        self._kept(space).space.declared = policies

    async def prune(self, space: SpaceId, retention: Retention, now: float) -> Pruned:
        kept = [(name, item, _kept_of(one, item)) for name, one in self._entries(space).items() for item in one.past]
        excess = sum(row.size for _, _, row in kept) - retention.bytes_per_space
        oldest = sorted((row for _, _, row in kept), key=lambda row: row.superseded_at)
        prunable = to_prune(oldest, excess, retention, now)
        bodies, rows = ({id(row.key) for row in some} for some in (prunable.bodies, prunable.rows))
        for name, one in self._entries(space).items():
            past = [item if id(item) not in bodies else replace(item, body=None) for item in one.past]
            stays = tuple(new for new, old in zip(past, one.past, strict=True) if id(old) not in rows)
            self._entries(space)[name] = replace(one, past=stays)
        gone = (*prunable.bodies, *prunable.rows)
        if space in self._spaces and (held := self._spaces[space].space.held) is not None:
            self._spaces[space].space.held = held.plus(Usage(0, 0, -sum(row.size for row in gone)))
        return Pruned(sum(row.size > 0 for row in gone), sum(row.size for row in gone), len(prunable.rows))

    async def usage(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Usage]:
        known = {space: self._spaces[space].space.held for space in spaces if space in self._spaces}
        return {space: held for space, held in known.items() if held is not None}

    async def count_sizes(self, space: SpaceId) -> bool:
        return False

    async def spaces(self) -> list[SpaceId]:
        return list(self._spaces)

    async def drop(self, space: SpaceId) -> None:
        self._spaces.pop(space, None)


def _is_later(one: Fence, other: Fence) -> bool:
    return one.number > other.number or (one.number == other.number and one.token != other.token)


def _current(document: DocumentId, entry: Entry) -> Current:
    head = entry.head
    rev = make_rev(head.sequence, head.hash, deleted=head.body is None, history=head.history)
    return Current(document, rev, head.hash, head.body, head.version)


def _kept_of(entry: Entry, item: HistoryItem) -> Kept:
    """A revision was superseded when what came after it arrived; a received state when it came itself."""
    at = item.provenance.at
    if item.until != BEGINNING:
        later = [entry.provenance.at] if entry.head.sequence == item.until else []
        later += [other.provenance.at for other in entry.past if other.sequence == item.until]
        at = later[0] if later else at
    size = 0 if item.body is None else len(codec.dumps(item.body))
    return Kept(item, at, size, buried=entry.buried == item.hash)
