"""Folders and upstreams in memory, for runs by the thousand: the real engine, the real memory and the real decision
path, without disks and networks between them."""

from __future__ import annotations

import collections.abc
import copy
import random
from collections.abc import AsyncIterator, Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from client.sync.arrivals import Checkpoint, Placed, Recovered
from client.sync.change_scope import EVERYTHING, ChangeScope
from client.sync.engine.answer import merged_onto
from client.sync.engine.records import Refused, UpstreamReply
from client.sync.files import FileContent, FolderContents
from client.sync.report import SyncReport
from client.sync.state_store import Arriving, SeenFile, SyncStateStore
from client.sync.sync_run import Sync
from client.sync.upstream import (
    Abilities,
    CursorGoneError,
    Outgoing,
    UpstreamChanges,
    UpstreamUnreachableError,
    agreement,
)
from client.upstreams.decisions import MAX_BYTES, items_of, reply_of
from shared.adapters.memory import MemorySpace, MemoryTransaction
from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.index.cursors import cursor_of, parse_cursor
from shared.core.index.lineage import Begun, first_history, next_history
from shared.core.index.reconciliation import Fingerprint
from shared.core.json.canonical import equal
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution.batch import Item
from shared.core.version_vectors import Source
from shared.ports import Reply
from shared.transaction import CachedResolver, decide

KINDS = ("server", "mongodb", "folder", "git")
START = 1_750_000_000.0


class Stopped(BaseException):
    """As if the process had been killed."""


class MemoryFiles:
    """The files of a folder, as client/sync/pair.py asks for them."""

    def __init__(self, store: SyncStateStore) -> None:
        self._memory = store
        self.bodies: dict[DocumentId, Body] = {}
        self._hashes: dict[DocumentId, ContentHash] = {}
        self._staged: set[DocumentId] = set()
        """Of which a state lies ready. Placing takes it away, so that nothing is placed twice: what a client that was
        stopped right after placing recovers is known to be in its file, whatever became of that since."""
        self.step: Checkpoint = lambda name: None
        self.protected: AbstractSet[DocumentId] = frozenset()
        """Files that may not be written: none."""

    def put(self, document: DocumentId, body: Body | None) -> None:
        if body is None:
            self.bodies.pop(document, None)
            self._hashes.pop(document, None)
        else:
            self.bodies[document] = body
            self._hashes[document] = content_hash(body)

    # As client/sync/files.py

    def is_empty(self) -> bool:
        return not self.bodies

    def refresh(self, scope: ChangeScope = EVERYTHING, *, remember: bool = True) -> FolderContents:
        return FolderContents(dict(self._hashes))

    def now(self, document: DocumentId, likely: collections.abc.Sequence[object] = ()) -> FileContent | None:
        body = self.bodies.get(document)
        return None if body is None else FileContent(body, self._hashes[document])

    def note_written(self, files: Mapping[DocumentId, SeenFile | None]) -> None:
        return None

    # As client/sync/arrivals.py

    def recover(self) -> Recovered:
        rows = self._memory.arriving()
        self._staged &= rows.keys()
        done = [document for document, row in rows.items() if row.body is not None and document not in self._staged]
        with self._memory.transaction():
            self._memory.delete_arriving(done)
        self.place({document: row for document, row in rows.items() if document not in done})
        return Recovered()

    async def stage_meanwhile(self, wanted: Mapping[DocumentId, Arriving]) -> dict[DocumentId, Arriving]:
        self._staged.update(document for document, row in wanted.items() if row.body is not None)
        self.step("staged")
        return dict(wanted)

    def place(
        self, arriving: Mapping[DocumentId, Arriving], *, fresh: bool = True, durable: bool = True
    ) -> dict[DocumentId, Placed]:
        placed: dict[DocumentId, Placed] = {}
        for document, row in arriving.items():
            here, body = self.bodies.get(document), row.body
            if not equal(here, row.expected) and here is not None and not equal(here, body):
                body = here if body is None else merged_onto(row.expected, body, here).doc
            self.put(document, body)
            self._staged.discard(document)
            self.step("placed")
            placed[document] = Placed(None if body is None else SeenFile(content_hash(body), "known"), here, body)
            with self._memory.transaction():
                self._memory.delete_arriving([document])
        return placed


class MemoryUpstream:
    """Any kind of upstream. `saved` and `put_back` are a copy of its storage."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind = kind
        self._random = random.Random(seed)
        self.space = MemorySpace(
            histories=(Begun(first_history(self._random.randrange(1 << 40)), SequenceNumber(1)),)
        )
        self.writer: Epoch | None = None
        """The history that the process of the database writes, if it is not the one that the space is in."""
        self.tips: dict[int, str] = {0: "start"}
        """Of a directory and a repository: the transaction that gave out a sequence."""
        self.device = DeviceId("nobody")
        self.confirmed = True
        self.time = START
        self.fate: Callable[[], str] = lambda: ""
        """Of a request: "" it is answered; "lost" on the way there; "unanswered" on the way back."""
        self.writes = 0

    @property
    def local(self) -> bool:
        return self.kind in ("folder", "git")

    @property
    def abilities(self) -> Abilities:
        return Abilities(local=self.local)

    def saved(self) -> Callable[[], None]:
        """What puts it back to what it is now."""
        space, tips = copy.deepcopy(self.space), dict(self.tips)

        def put_back() -> None:
            self.space, self.tips = copy.deepcopy(space), dict(tips)
            self.new_process()

        return put_back

    def new_process(self) -> None:
        """The database runs in another process than before."""
        if not self.local:
            self.begin_history()

    def begin_history(self) -> None:
        """Of what is written from now on."""
        lineage = self.space.lineage()
        first = SequenceNumber(lineage.sequence + 1)
        self.writer = next_history(lineage.history_of(lineage.sequence), first, self._random.randrange(1 << 40))

    def documents(self) -> dict[str, Body]:
        return {d: e.head.body for d, e in self.space.entries.items() if e.head.body is not None}

    # As the port has it

    def _reach(self) -> str:
        fate = self.fate()
        if fate == "lost":
            raise UpstreamUnreachableError("lost on the way there")
        return fate

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        self._reach()
        if self.local:
            sequence = self.space.newest
            now = f"{sequence}.{self.tips[sequence]}"
            known, _, tip = (cursor or "").partition(".")
            if cursor is not None and self.tips.get(int(known)) != tip:
                raise CursorGoneError
            after = int(known) if cursor is not None else 0
        else:
            lineage = self.space.lineage()
            now = cursor_of(lineage.position)
            position = parse_cursor(cursor) if cursor is not None else None
            if cursor is not None and (position is None or not lineage.holds(position)):
                if position is not None and lineage.is_ahead(position):
                    self.begin_history()
                raise CursorGoneError
            after = position.sequence if position is not None else 0
        hashes = {d: e.hash for d, e in self.space.entries.items() if cursor is None or e.head.sequence > after}
        if cursor is None:
            hashes = {d: content for d, content in hashes.items() if content is not None}
        return UpstreamChanges(hashes, now, is_complete=cursor is None)

    async def submit(
        self, outgoing: collections.abc.Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        replies = self._decided(outgoing, with_base=self.local)
        again = [one for one in outgoing if _is_unknown(replies[one.id])]
        if again:
            replies |= self._decided(again, with_base=True)
        yield replies

    def _decided(
        self, outgoing: collections.abc.Sequence[Outgoing], *, with_base: bool
    ) -> dict[DocumentId, UpstreamReply]:
        fate = self._reach()
        self.time += 1
        items = items_of(outgoing, self.device, self.time, confirmed=True, with_base=with_base)
        before = copy.copy(self.space.entries)
        sequence = self.space.newest
        replies = self._transact(items)
        self.writes += sum(before.get(d) != entry for d, entry in self.space.entries.items())
        if self.space.newest != sequence:
            self.tips[self.space.newest] = f"{self._random.randrange(1 << 60):x}"
        if fate == "unanswered":
            raise UpstreamUnreachableError("lost on the way back")
        return {one.id: reply_of(one, reply) for one, reply in zip(outgoing, replies, strict=True)}

    def _transact(self, items: collections.abc.Sequence[Item]) -> list[Reply]:
        def work(transaction: MemoryTransaction) -> list[Reply]:
            replies, _ = decide(transaction, CachedResolver(MAX_BYTES), items)
            self.writer = transaction.writer
            return replies

        return self.space.transact(work, writer=self.writer)

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        return agreement(await self.changes(None), cursor, fingerprint)

    async def policies(self) -> Policies:
        return NO_POLICIES

    async def wait(self, cursor: str | None) -> None:
        return None

    async def history(self, document: DocumentId) -> list[dict[str, Any]]:
        return []

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        return None

    async def close(self) -> None:
        return None


def _is_unknown(reply: UpstreamReply) -> bool:
    return isinstance(reply, Refused) and reply.code == "base-unknown"


class RepeatableStore(SyncStateStore):
    """The memory of a folder whose ids are the same in each run."""

    ids: random.Random

    def make_source(self) -> Source:
        return Source(f"{self.ids.randrange(1 << 32):08x}")


class MemoryFolder:
    """A folder that is kept in sync with upstreams."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.store = RepeatableStore.open(Path(":memory:"))
        self.store.ids = random.Random(name)
        self.files = MemoryFiles(self.store)
        self.upstreams: dict[str, MemoryUpstream] = {}
        self.touched: AbstractSet[DocumentId] = frozenset()

    def sync(self, name: str, stop_after: int | None = None, *, stop_at: str | None = None) -> SyncReport | None:
        """None: it was stopped after so many steps, or at the one of that name, or by the network."""
        steps = 0

        def step(at: str) -> None:
            nonlocal steps
            steps += 1
            if steps == stop_after or at == stop_at:
                raise Stopped

        upstream = self.upstreams[name]
        upstream.device = DeviceId(f"{self.name}-at-{name}")
        self.files.step = step
        sync = Sync(
            None,  # type: ignore[arg-type]  # what a sync does with the folder it does by the next two
            self.store,
            name,
            upstream,
            step,
            files=self.files,
            arrivals=self.files,
            several=len(self.upstreams) > 1,
        )
        try:
            return run(sync.run())
        except (Stopped, UpstreamUnreachableError):
            return None
        finally:
            self.files.step = lambda name: None


def run(work: Any) -> Any:
    """A coroutine that never waits for anything."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("it waited for something outside of memory")
