"""Transactions on documents that are values: in memory, or wherever `Space` reads them from.

A transaction changes nothing. It collects `changes`, and whoever runs it stores them, atomically, if it succeeds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from shared.adapters.memory.entries import Entry, after_write, loaded
from shared.core.documents import DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.index.lineage import Begun, Lineage, next_history
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution.batch import Write
from shared.core.resolution.context import (
    BEGINNING,
    Allotted,
    DeviceMemory,
    DocumentContext,
    Head,
    NeedsData,
    Submission,
)
from shared.core.resolution.deletion_guard import Deletions
from shared.core.resolution.usage import Usage
from shared.ports.stores import NOTHING

T = TypeVar("T")
NOT_COUNTED = Usage(0, None, None)
UNNAMED = Epoch("0")
"""The history of a space in which there is but one."""
DeviceKey = tuple[DeviceId, DocumentId]


class Space(Protocol):
    """What a transaction reads. It does not change while the transaction runs."""

    def policies(self) -> Policies: ...

    def lineage(self) -> Lineage:
        """Its histories, and the newest sequence that was allotted."""
        ...

    def live(self) -> int:
        """How many live documents there are."""
        ...

    def entry(self, document: DocumentId) -> Entry | None: ...

    def usage(self) -> Usage | None:
        """What it holds; None: that is not counted."""
        ...

    def deletions(self, device: DeviceId) -> Deletions | None:
        """What the device has deleted lately."""
        ...

    def device_memory(self, device: DeviceId, document: DocumentId) -> DeviceMemory | None:
        """Of a device that sends no base."""
        ...


@dataclass(slots=True)
class SpaceChanges:
    """What a transaction wants stored. `sequence`: the newest that is allotted now; None: none was. `histories`: of
    the space, if one began."""

    entries: dict[DocumentId, Entry] = field(default_factory=dict)
    sequence: SequenceNumber | None = None
    live_change: int = 0
    growth: Usage = NOTHING
    deletions: dict[DeviceId, Deletions] = field(default_factory=dict)
    device_memories: dict[DeviceKey, DeviceMemory] = field(default_factory=dict)
    shared_tokens: set[DeviceId] = field(default_factory=set)
    histories: tuple[Begun, ...] | None = None


class MemoryTransaction:
    """Transaction on a Space."""

    def __init__(
        self, space: Space, retained: Callable[[Entry], Entry] = lambda entry: entry, *, writer: Epoch | None = None
    ) -> None:
        """`retained`: an entry without what of its history is not kept. `writer`: the history of whoever writes, of
        which a new sequence is; None: that which the space is in."""
        self.writer = writer
        """Another one afterwards, if a client brought proof that the space was put back while its writer lived."""
        self._space = space
        self._retained = retained
        self.changes = SpaceChanges()

    def policies(self) -> Policies:
        return self._space.policies()

    def live(self) -> int:
        return self._space.live() + self.changes.live_change

    def usage(self) -> Usage:
        held = self._space.usage()
        return NOT_COUNTED if held is None else held.plus(self.changes.growth)

    def first_contexts(self, submissions: Sequence[Submission]) -> list[DocumentContext]:
        return [DocumentContext(self._head(s.document), self._device_memory(s)) for s in submissions]

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        return [loaded(self._entry(s.document), context, s, missing) for context, s, missing in wanted]

    def deletions(self, devices: Collection[DeviceId]) -> dict[DeviceId, Deletions]:
        counted = {device: self.changes.deletions.get(device) or self._space.deletions(device) for device in devices}
        return {device: deletions for device, deletions in counted.items() if deletions is not None}

    def lineage(self) -> Lineage:
        stored, newest = self._space.lineage(), self.changes.sequence
        histories = self.changes.histories or stored.histories
        return Lineage(histories, stored.sequence if newest is None else newest)

    def begin_history(self) -> None:
        lineage = self.lineage()
        first = SequenceNumber(lineage.sequence + 1)
        self.writer = next_history(lineage.history_of(lineage.sequence), first, secrets.randbits(40))
        self.changes.histories = lineage.begun(self.writer).histories

    def allot(self, count: int, live_change: int, growth: Usage = NOTHING) -> Allotted:
        lineage = self.lineage()
        before = self.usage()
        if self.writer is not None and lineage.current != self.writer:
            lineage = lineage.begun(self.writer)
            self.changes.histories = lineage.histories
        self.changes.sequence = SequenceNumber(lineage.sequence + count)
        self.changes.live_change += live_change
        self.changes.growth = self.changes.growth.plus(replace(growth, documents=live_change))
        history = lineage.current if lineage.current != UNNAMED else None
        return Allotted(SequenceNumber(lineage.sequence + 1), history, before)

    def write(
        self,
        first: Allotted,
        writes: Sequence[Write],
        deletions: Mapping[DeviceId, Deletions],
        *,
        last: bool = False,
    ) -> None:
        sequence = first.first
        for write in writes:
            decision, submission = write.decision, write.item.submission
            before = self._entry(submission.document)
            after = after_write(before, write, sequence, first.history)
            if decision.revision is not None:
                sequence = SequenceNumber(sequence + 1)
            if after is not None and after != before:
                self.changes.entries[submission.document] = self._retained(after)
            if submission.device is not None:
                if decision.device_memory is not None:
                    self.changes.device_memories[submission.device, submission.document] = decision.device_memory
                if decision.token_shared:
                    self.changes.shared_tokens.add(submission.device)
        self.changes.deletions.update(deletions)

    def _entry(self, document: DocumentId) -> Entry | None:
        written = self.changes.entries.get(document)
        return written if written is not None else self._space.entry(document)

    def _head(self, document: DocumentId) -> Head | None:
        entry = self._entry(document)
        return entry.head if entry is not None else None

    def _device_memory(self, submission: Submission) -> DeviceMemory | None:
        device = submission.device
        if submission.base is not None or device is None:
            return None
        known = self.changes.device_memories.get((device, submission.document))
        return known or self._space.device_memory(device, submission.document)


@dataclass
class MemorySpace:
    """A Space that is nothing but memory."""

    declared: Policies = NO_POLICIES
    newest: SequenceNumber = BEGINNING
    histories: tuple[Begun, ...] = (Begun(UNNAMED, SequenceNumber(1)),)
    entries: dict[DocumentId, Entry] = field(default_factory=dict)
    deleted: dict[DeviceId, Deletions] = field(default_factory=dict)
    device_memories: dict[DeviceKey, DeviceMemory] = field(default_factory=dict)
    shared_tokens: set[DeviceId] = field(default_factory=set)
    held: Usage | None = None
    """Kept up to date, if it was given."""

    def policies(self) -> Policies:
        return self.declared

    def lineage(self) -> Lineage:
        return Lineage(self.histories, self.newest)

    def live(self) -> int:
        return sum(entry.hash is not None for entry in self.entries.values())

    def usage(self) -> Usage | None:
        return self.held

    def entry(self, document: DocumentId) -> Entry | None:
        return self.entries.get(document)

    def deletions(self, device: DeviceId) -> Deletions | None:
        return self.deleted.get(device)

    def device_memory(self, device: DeviceId, document: DocumentId) -> DeviceMemory | None:
        return self.device_memories.get((device, document))

    def transact(self, work: Callable[[MemoryTransaction], T], *, writer: Epoch | None = None) -> T:
        """The result of `work`, with all of its changes stored; none of them if it raises."""
        transaction = MemoryTransaction(self, writer=writer)
        result = work(transaction)
        self.store(transaction.changes)
        return result

    def store(self, changes: SpaceChanges) -> None:
        """All of it."""
        self.entries.update(changes.entries)
        if self.held is not None:
            self.held = self.held.plus(changes.growth)
        self.newest = changes.sequence if changes.sequence is not None else self.newest
        self.histories = changes.histories or self.histories
        self.deleted.update(changes.deletions)
        self.device_memories.update(changes.device_memories)
        self.shared_tokens.update(changes.shared_tokens)
