"""One document in memory: the reference for loading what `resolve` asks for and applying what it decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shared.core.basis import HashOf
from shared.core.canonical import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, Sequence
from shared.core.memory import (
    BEGINNING,
    MAX_PAIRS,
    RECENT,
    Decision,
    DeviceMemory,
    Head,
    Memory,
    Missing,
    Pair,
    Refusal,
    Rev,
    Stored,
    Submission,
    ValueKey,
)
from shared.core.merge import Conflict
from shared.core.policies import NO_POLICIES, Policies
from shared.core.resolve import resolve


@dataclass(slots=True)
class Record:
    """A row of the revisions."""

    sequence: Sequence
    """Of a received state: that of the head that it met."""
    hash: ContentHash
    body: Body | None
    ended_at: float
    until: Sequence = BEGINNING
    """What superseded it; BEGINNING for a received state."""
    deleted: bool = False
    pairs: tuple[Pair, ...] = ()
    gone: frozenset[ValueKey] = frozenset()
    conflicts: tuple[Conflict, ...] = ()
    """Of the decision that made it the head, or that it was received in."""


@dataclass(slots=True)
class DocumentState:
    """Head, revisions and device memories of one document."""

    sequence: int = 0
    """The newest that was allotted."""
    head: Head | None = None
    conflicts: tuple[Conflict, ...] = ()
    """Of the decision that made the head."""
    revisions: list[Record] = field(default_factory=list)
    devices: dict[DeviceId, DeviceMemory] = field(default_factory=dict)
    shared_tokens: set[DeviceId] = field(default_factory=set)
    rounds: int = 0
    """How often the last submission had to load something after the first read."""

    def submit(
        self, request: Submission, policies: Policies = NO_POLICIES, *, hash_of: HashOf = content_hash
    ) -> tuple[Decision | Refusal, Rev | None]:
        """Resolve and apply, as one transaction. The rev is that of the answer."""
        if request.device in self.shared_tokens:
            request = replace(request, single_device=False)
        memory = self.first_read(request)
        self.rounds = 0
        while isinstance(result := resolve(memory, request, policies, hash_of=hash_of), Missing):
            memory = self.load(memory, request, result)
            self.rounds += 1
        if isinstance(result, Refusal):
            return result, None
        return result, self.apply(result, request)

    def first_read(self, request: Submission) -> Memory:
        """The head and, where it counts, what is known of the device."""
        remembers = request.base is None and request.single_device and request.device is not None
        return Memory(self.head, self.devices.get(request.device) if remembers and request.device else None)

    def load(self, memory: Memory, request: Submission, missing: Missing) -> Memory:
        """Everything that is missing, in one round."""
        pairs, since = memory.pairs, missing.pairs_since
        if since is not None:
            asked = (record for record in self.revisions if record.sequence >= since)
            pairs = tuple(pair for record in asked for pair in record.pairs if pair.device == request.device)
        recent = memory.recent
        if missing.recent:
            newest = sorted(self.revisions, key=lambda record: record.sequence, reverse=True)
            recent = tuple(_stored(record) for record in newest if record.body is not None)[:RECENT]
        gone = frozenset[ValueKey]().union(*(record.gone for record in self.revisions))
        return replace(
            memory,
            states={**memory.states, **{content: self._newest(content) for content in missing.states}},
            pairs=pairs,
            seen={**memory.seen, **{key: key in gone for key in missing.seen}},
            recent=recent,
        )

    def _newest(self, content: ContentHash) -> Stored | None:
        found = [record for record in self.revisions if record.hash == content and not record.deleted]
        if not found:
            return None
        newest = max(found, key=lambda record: (record.until, record.sequence))
        body = next((record.body for record in found if record.body is not None), None)
        return replace(_stored(newest), body=body)

    def apply(self, decision: Decision, request: Submission) -> Rev:
        """Everything that a decision writes. Returns the rev of the answer."""
        at, old, new = request.arrived_at, self.head, decision.revision
        kept, allotted = decision.received, None
        if kept is not None:
            conflicts = decision.conflicts if new is None else ()
            sequence = old.sequence if old else BEGINNING
            self.revisions.append(Record(sequence, kept.hash, kept.body, at, gone=kept.gone, conflicts=conflicts))
        if new is not None:
            self.sequence += 1
            allotted = Sequence(self.sequence)
            if old is not None:
                self.revisions.append(
                    Record(
                        old.sequence,
                        old.hash,
                        old.body,
                        at,
                        until=allotted,
                        deleted=old.body is None,
                        pairs=old.pairs,
                        gone=new.gone,
                        conflicts=self.conflicts,
                    )
                )
            self.head = Head(allotted, new.hash, new.body, at, new.pairs)
            self.conflicts = decision.conflicts
        elif decision.pair is not None and old is not None:
            self.head = replace(old, pairs=(*old.pairs, decision.pair)[-MAX_PAIRS:])
        if request.device is not None:
            if decision.device is not None:
                self.devices[request.device] = decision.device
            if decision.token_shared:
                self.shared_tokens.add(request.device)
        return decision.rev(allotted)

    def prune(self, before: float) -> None:
        """Remove the bodies of what ended before then, but for the one that a tombstone buried."""
        buried = self.head.hash if self.head is not None and self.head.body is None else None
        for record in self.revisions:
            if record.ended_at < before and record.hash != buried:
                record.body = None

    @property
    def size(self) -> int:
        """All that is kept, counted: a repeated request does not change it."""
        pairs = len(self.head.pairs) if self.head else 0
        return self.sequence + len(self.revisions) + pairs + sum(len(r.pairs) for r in self.revisions)


def _stored(record: Record) -> Stored:
    return Stored(record.hash, record.body, record.sequence, record.until)
