"""One document in memory, with its decisions to look at: the product's decision path on the in-memory adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared import codec
from shared.adapters.memory import Entry, HistoryItem, MemorySpace, MemoryTransaction
from shared.core.documents import DeviceId, DocumentId, Epoch
from shared.core.merge.conflicts import Conflict
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution.batch import Item
from shared.core.resolution.context import (
    Decision,
    DeviceMemory,
    DocumentContext,
    Head,
    NeedsData,
    Refusal,
    Submission,
)
from shared.core.resolution.lookup import HashOf
from shared.core.resolution.revs import Rev
from shared.transaction import CachedResolver, Resolved, decide

UNLIMITED = 1 << 40


class _Recorder(CachedResolver):
    """Keeps the last decision, and how often something was resolved."""

    def __init__(self, hash_of: HashOf) -> None:
        super().__init__(UNLIMITED, hash_of=hash_of)
        self.last: Resolved | NeedsData | None = None
        self.times = 0

    def resolve_all(
        self, cases: Sequence[tuple[DocumentContext, Submission]], policies: Policies
    ) -> list[Resolved | NeedsData]:
        results = super().resolve_all(cases, policies)
        self.last = results[-1]
        self.times += 1
        return results


@dataclass(slots=True)
class DocumentState:
    """Head, revisions and device memories of one document."""

    space: MemorySpace = field(default_factory=MemorySpace)
    conflicts: tuple[Conflict, ...] = ()
    """Of the decision that made the head."""
    further_reads: int = 0
    """How often the last submission had to load something after the first read."""
    writer: Epoch | None = None
    """The history that the process of the database writes; None: that which the space is in."""

    @property
    def entry(self) -> Entry | None:
        return next(iter(self.space.entries.values()), None)

    @property
    def head(self) -> Head | None:
        return self.entry.head if self.entry is not None else None

    @property
    def revisions(self) -> list[HistoryItem]:
        """Superseded heads and received states, the newest last."""
        return list(self.entry.past) if self.entry is not None else []

    @property
    def sequence(self) -> int:
        """The newest that was allotted."""
        return self.space.newest

    @property
    def devices(self) -> dict[DeviceId, DeviceMemory]:
        return {device: known for (device, _), known in self.space.device_memories.items()}

    @property
    def shared_tokens(self) -> set[DeviceId]:
        return self.space.shared_tokens

    def copy(self) -> DocumentState:
        """Another one in the same state."""
        space = self.space
        return DocumentState(
            replace(
                space,
                entries=dict(space.entries),
                deleted=dict(space.deleted),
                device_memories=dict(space.device_memories),
                shared_tokens=set(space.shared_tokens),
            ),
            self.conflicts,
            writer=self.writer,
        )

    def submit(
        self, request: Submission, policies: Policies = NO_POLICIES, *, hash_of: HashOf = codec.content_hash
    ) -> tuple[Decision | Refusal, Rev | None]:
        """Resolve and apply, as one transaction. The rev is that of the answer."""
        if request.device in self.space.shared_tokens:
            request = replace(request, single_device=False)
        self.space.declared = policies
        recorder = _Recorder(hash_of)
        item = Item(request, request.device or DeviceId("unknown"), confirmed=True)

        def work(transaction: MemoryTransaction) -> None:
            decide(transaction, recorder, [item])
            self.writer = transaction.writer

        self.space.transact(work, writer=self.writer)
        self.further_reads = recorder.times - 1
        assert recorder.last is not None and not isinstance(recorder.last, NeedsData)
        result = recorder.last.result
        if isinstance(result, Refusal):
            return result, None
        if result.revision is None:
            return result, result.rev(None)
        self.conflicts = result.conflicts
        assert self.head is not None
        return result, self.head.rev

    def write_others(self, count: int) -> None:
        """Somebody writes so many other documents of the space."""
        self.space.transact(lambda transaction: transaction.allot(count, 0), writer=self.writer)

    def first_read(self, request: Submission) -> DocumentContext:
        """The head and, where it counts, what is known of the device."""
        return self.space.transact(lambda transaction: transaction.first_contexts([request])[0])

    def forget_body(self, index: int) -> None:
        """As pruning does, to the revision at this place."""
        self._replace([replace(r, body=None) if n == index else r for n, r in enumerate(self.revisions)])

    def prune(self, before: float) -> None:
        """Remove the bodies of what ended before then, but for the one that a tombstone buried."""
        if (entry := self.entry) is None:
            return
        arrivals = {item.sequence: item.provenance.at for item in entry.past if item.until}
        arrivals[entry.head.sequence] = entry.head.arrived_at
        self._replace(
            [
                replace(item, body=None)
                if arrivals.get(item.until, item.provenance.at) < before and item.hash != entry.buried
                else item
                for item in entry.past
            ]
        )

    def _replace(self, past: Sequence[HistoryItem]) -> None:
        ((document, entry),) = self.space.entries.items()
        self.space.entries[DocumentId(document)] = replace(entry, past=tuple(past))

    @property
    def size(self) -> int:
        """All that is kept, counted: a repeated request does not change it."""
        pairs = len(self.head.pairs) if self.head else 0
        return self.sequence + len(self.revisions) + pairs + sum(len(r.pairs) for r in self.revisions)
