"""The authoritative state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from shared.core.documents import (
    Body,
    ContentHash,
    DeviceId,
    DocumentId,
    Exported,
    HistoryEntry,
    Position,
    SequenceNumber,
    SpaceId,
)
from shared.core.index.hash_map import BucketedMap
from shared.core.index.lineage import Lineage
from shared.core.merge.policies import Policies
from shared.core.resolution.batch import Write
from shared.core.resolution.context import Allotted, DocumentContext, NeedsData, Submission
from shared.core.resolution.deletion_guard import Deletions
from shared.core.resolution.retention import Pruned, Retention
from shared.core.resolution.revs import Rev
from shared.core.resolution.usage import Usage
from shared.core.version_vectors import Version
from shared.ports.errors import Fence

T = TypeVar("T")
NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Changes:
    """`hashes` holds what changed after the sequence that was asked for, up to and including `position`:
    the current hash, or None for a document that is no longer live."""

    lineage: Lineage
    hashes: dict[DocumentId, ContentHash | None]

    @property
    def position(self) -> Position:
        return self.lineage.position


class Current(NamedTuple):
    """A current revision, for one who reads many. `body` is None for a tombstone."""

    document: DocumentId
    rev: Rev
    hash: ContentHash
    body: Body | None
    version: Version | None = None
    """Where it is stored: shared/core/resolution/context.py, Head."""


class Transaction(Protocol):
    """One space, read and written at one point in time. Reads see what was written before them. Used by one thread,
    which its calls hold up."""

    def policies(self) -> Policies:
        """The space's; what is written was decided by those that hold when it commits."""
        ...

    def live(self) -> int:
        """How many live documents the space has."""
        ...

    def first_contexts(self, submissions: Sequence[Submission]) -> list[DocumentContext]:
        """The first read for each, in order: its head and, without a base, what its device may be on. Nothing else of
        the contexts is loaded."""
        ...

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        """The contexts with what is missing as well, in order."""
        ...

    def deletions(self, devices: Collection[DeviceId]) -> dict[DeviceId, Deletions]:
        """What the devices have deleted lately; one that has deleted nothing is left out. A client without a server
        counts too: it is known by its deletions alone."""
        ...

    def lineage(self) -> Lineage:
        """The histories of the space, as this transaction finds it."""
        ...

    def begin_history(self) -> None:
        """What is allotted from now on is of a new history. Called when a client brought proof that the store is
        older than what it told somebody; to be stored even if nothing else is."""
        ...

    def usage(self) -> Usage:
        """What the space holds."""
        ...

    def allot(self, count: int, live_change: int, growth: Usage = NOTHING) -> Allotted:
        """`count` (>= 0) new sequence numbers of the space, without gaps between transactions that commit. Called
        once before each `write`: it changes the space's row, so of two transactions that run at the same time one
        fails here, or at its commit, and `DocumentStore.transact` runs it again. `live_change`: by how much the
        number of live documents changes; `growth`: by how much the sizes of bodies do, with what is written then.
        What the space held before comes with them.

        Raises FencedError if somebody with a later fence has written.

        They are of a new history if the store may be older than what it told somebody: if it is another process
        that took the last write (a copy of its data may have been put back between), or if this process knows a
        later position of the current history."""
        ...

    def write(
        self,
        first: Allotted,
        writes: Sequence[Write],
        deletions: Mapping[DeviceId, Deletions],
        *,
        last: bool = False,
    ) -> None:
        """Stores decisions, of each document one at most: new heads with the sequence numbers from `first`
        on, in order; what they supersede moves to the revisions; received and recovered states, pairs, versions
        that grew, what devices may be on, tokens that turned out to be shared; and what devices have deleted.
        `last`: nothing more is asked or written in this transaction."""
        ...


class DocumentStore(Protocol):
    """The authoritative state.

    Errors: UnavailableError, and nothing else that a caller should expect.
    """

    async def transact(
        self,
        space: SpaceId,
        work: Callable[[Transaction], T],
        fence: Fence | None = None,
        *,
        max_bytes: int | None = None,
        meanwhile: Callable[[T], None] | None = None,
    ) -> T:
        """Runs `work` in one transaction, in a thread, and commits it: durable on a majority, journaled, when
        this returns. All of it is stored or nothing. A conflict with another writer runs `work` again from the
        start, on new data; `work` must have no effect but through the transaction.

        With a fence nothing is written after somebody with a later one has written: FencedError. A lease alone
        is not enough: a worker that was suspended until its lease ended could store a state a second time, after
        newer ones of the same device, and that would look like an edit (docs/decisions/0007-fenced-writers.md).

        TooMuchError if the states that are read have more than `max_bytes` together.

        `meanwhile` is called with what `work` returned, in that thread, when all is written and nobody knows yet
        whether it will be stored: while the store commits, if that takes a while. So nobody may be told of it. Where
        `work` runs again, so may this. What it raises is logged: what is stored is answered as stored."""
        ...

    async def lineages(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Lineage]:
        """Where the spaces stand now, and what their earlier positions mean: no acknowledged write is missing. A
        space is made when it is first asked for."""
        ...

    async def begin_history(self, space: SpaceId, known_position: Position) -> None:
        """Ends the current history if it is that of `known_position` and has not come that far: the store is older
        than what it told somebody. Nothing else happens, then or otherwise."""
        ...

    async def changes(self, space: SpaceId, after: SequenceNumber) -> Changes:
        """What changed after `after`, read at one point in time, no acknowledged write missing."""
        ...

    async def live(self, space: SpaceId, take: Callable[[Sequence[tuple[bytes, bytes]]], None]) -> Lineage:
        """Gives `take` the ids of all live documents and their hashes, as ASCII, in portions one after another and
        perhaps in a thread: read at one point in time, no acknowledged write missing. That moment is returned."""
        ...

    async def kept_map(self, space: SpaceId) -> BucketedMap | None:
        """The map that was kept last, whole and intact, or None. It may be of any moment: its position says of which,
        and the space's lineage whether that means something."""
        ...

    async def keep_map(self, space: SpaceId, map_: BucketedMap) -> None:
        """Keeps it beside the documents, until another one is kept or the space is dropped. Nothing is promised: it
        may be lost, and of two that are kept at once none may be left."""
        ...

    async def feed(
        self, space: SpaceId, after: SequenceNumber, until: SequenceNumber, most: int
    ) -> list[tuple[SequenceNumber, DocumentId, ContentHash | None]]:
        """The first `most` of those documents whose last change has a sequence in (after, until], in its order.
        One that changes again meanwhile may be missing: it has a later sequence then, beyond `until`."""
        ...

    async def changed(
        self,
        space: SpaceId,
        after: SequenceNumber,
        until: SequenceNumber,
        *,
        max_bytes: int,
        made: Callable[[Sequence[Current]], T],
    ) -> list[T] | None:
        """All of the documents of such a feed as they are, tombstones too, in one read. None: they have, or may have,
        more than `max_bytes`; `feed` and `page` tell. `made` as in `page`."""
        ...

    async def head(self, space: SpaceId, document: DocumentId) -> HistoryEntry | None:
        """The current revision; a tombstone too."""
        ...

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
        """The live documents with the `most` least ids greater than `after`, by id. With `among`: those of them
        that the space has or had, tombstones too. The page ends with the document that reaches `max_bytes`. If there
        may be more the id up to which it goes comes with it. `made` is called with some of them at a time, none
        without any, and what it makes comes in order: values of all of them would take ten times their text."""
        ...

    async def history(
        self,
        space: SpaceId,
        document: DocumentId,
        most: int,
        *,
        bodies: bool = True,
        max_bytes: int | None = None,
    ) -> list[HistoryEntry]:
        """The newest `most` revisions and received states, newest first, the current one among them. Without
        `bodies` an empty one stands for each that is there: all of them may be a thousand times a document. The list
        ends with the one with which they come to about `max_bytes`."""
        ...

    async def state(self, space: SpaceId, document: DocumentId, hash_: ContentHash) -> HistoryEntry | None:
        """The newest revision or received state with this hash that still has its body."""
        ...

    def everything(self, space: SpaceId) -> AsyncIterator[Exported]:
        """All heads, tombstones too, by id; then everything else that is in the history. It is read as it goes, in
        portions, so memory does not grow with the space. What was there when it began comes at least once: a
        document that changes meanwhile may come as it was before or after, and what it was comes in any case."""
        ...

    async def policies(self, space: SpaceId) -> Policies: ...

    async def set_policies(self, space: SpaceId, policies: Policies) -> None:
        """What is decided from now on goes by them; nothing that was decided changes."""
        ...

    async def prune(self, space: SpaceId, retention: Retention, now: float) -> Pruned:
        """Removes bodies and revisions that the retention no longer covers; never the body of a head, nor
        one that a head tombstone buried. In portions: memory does not grow with the space."""
        ...

    async def usage(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Usage]:
        """What the spaces hold; of those that there are."""
        ...

    async def count_sizes(self, space: SpaceId) -> bool:
        """Counts what the space holds if that is not known: a process of an earlier release wrote to it. True if it
        was not. Beside writers; memory does not grow with the space."""
        ...

    async def spaces(self) -> list[SpaceId]: ...

    async def drop(self, space: SpaceId) -> None:
        """Removes everything that the space holds, in portions, the space itself last: interrupted, it is repeated.
        To be called when nobody writes to it any more."""
        ...
