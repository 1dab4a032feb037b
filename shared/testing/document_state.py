"""One document in memory: the reference for loading what `resolve` asks for and for applying what it decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shared.core.basis import HashOf
from shared.core.canonical import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, Sequence
from shared.core.memory import (
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
    """A row of the revisions: a superseded head, or a received state that never was the head."""

    sequence: Sequence
    hash: ContentHash
    body: Body | None
    deleted: bool = False
    received: bool = False
    pairs: tuple[Pair, ...] = ()
    gone: frozenset[ValueKey] = frozenset()
    superseded_at: float = 0.0


@dataclass(slots=True)
class DocumentState:
    """Head, revisions and device memories of one document; `sequence` is the space's counter."""

    sequence: int = 0
    head: Head | None = None
    revisions: list[Record] = field(default_factory=list)
    devices: dict[DeviceId, DeviceMemory] = field(default_factory=dict)
    shared_tokens: set[DeviceId] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    rounds: int = 0
    """Rounds of reads that the last submission took."""

    def first_read(self, request: Submission) -> Memory:
        """Two point reads at most."""
        remembers = request.base is None and request.single_device and request.device is not None
        device = self.devices.get(request.device) if remembers and request.device else None
        return Memory(self.head, device)

    def load(self, memory: Memory, request: Submission, missing: Missing) -> Memory:
        """Everything that is missing, in one round."""
        pairs = memory.pairs
        since = missing.pairs_since
        if since is not None:
            asked = [r for r in self.revisions if r.sequence >= since]
            pairs = tuple(p for r in asked for p in r.pairs if p.device == request.device)
        recent = memory.recent
        if missing.recent:
            newest = sorted((r for r in self.revisions if r.body is not None), key=lambda r: -r.sequence)
            recent = tuple(Stored(r.hash, r.body, r.sequence) for r in newest[:RECENT])
        return replace(
            memory,
            states={**memory.states, **{h: self._newest(h) for h in missing.states}},
            pairs=pairs,
            seen={**memory.seen, **{k: any(k in r.gone for r in self.revisions) for k in missing.seen}},
            recent=recent,
        )

    def _newest(self, content: ContentHash) -> Stored | None:
        found = [r for r in self.revisions if r.hash == content and not r.deleted]
        if not found:
            return None
        bodies = [r.body for r in found if r.body is not None]
        return Stored(content, bodies[-1] if bodies else None, max(r.sequence for r in found))

    def submit(
        self, request: Submission, policies: Policies = NO_POLICIES, *, hash_of: HashOf = content_hash
    ) -> tuple[Decision | Refusal, Rev | None]:
        """Resolve and apply. The rev is that of the answer."""
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

    def apply(self, decision: Decision, request: Submission) -> Rev:
        """One transaction. Returns the rev of the answer."""
        at = request.arrived_at
        self.conflicts.extend(decision.conflicts)
        allotted = None
        if decision.received is not None:
            kept = decision.received
            sequence = self.head.sequence if self.head else Sequence(0)
            self.revisions.append(
                Record(sequence, kept.hash, kept.body, received=True, gone=kept.gone, superseded_at=at)
            )
        if decision.revision is not None:
            self.sequence += 1
            allotted = Sequence(self.sequence)
            new, old = decision.revision, self.head
            if old is not None:
                self.revisions.append(
                    Record(
                        old.sequence,
                        old.hash,
                        old.body,
                        deleted=old.body is None,
                        pairs=old.pairs,
                        gone=new.gone,
                        superseded_at=at,
                    )
                )
            self.head = Head(allotted, new.hash, new.body, at, new.pairs)
        elif decision.pair is not None and self.head is not None:
            self.head = replace(self.head, pairs=(*self.head.pairs, decision.pair)[-MAX_PAIRS:])
        if request.device is not None:
            if decision.device is not None:
                self.devices[request.device] = decision.device
            if decision.token_shared:
                self.shared_tokens.add(request.device)
        return decision.rev(allotted)

    @property
    def size(self) -> int:
        """Everything that is kept, counted: a repeated request must not change it."""
        pairs = len(self.head.pairs) if self.head else 0
        return len(self.revisions) + pairs + sum(len(r.pairs) for r in self.revisions) + self.sequence
