"""Spaces for the contract suite of Transaction: how each adapter runs one and stores what it wants stored."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, TypeVar

from client.upstreams import ledger
from client.upstreams.git_binary import Git
from client.upstreams.git_ledger import POLICIES, GitLedger
from client.upstreams.ledger_store import LedgerStore
from shared.adapters.memory import Entry, MemorySpace, MemoryTransaction
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import DeviceId, DocumentId, SpaceId
from shared.core.merge.conflict_rows import ConflictRow
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.ports import Fence, Transaction
from shared.representations import policies_row
from shared.settings import Settings
from tests.patience import STORE_TIMEOUT_SECONDS

T = TypeVar("T")
DOCUMENTS = [DocumentId(f"d{number:02}") for number in range(60)]
DEVICES = [DeviceId(name) for name in ("a", "b", "c")]


class Transacted(Protocol):
    """A space of its own, empty at first. What one transaction stored is what the next one reads, from the store."""

    def transact(self, work: Callable[[Transaction], T]) -> T: ...

    def set_policies(self, policies: Policies) -> None: ...

    def conflicts(self, document: DocumentId) -> list[ConflictRow]:
        """All that stand in the history of a document, the oldest first, read from the store."""
        ...


def _recorded(entry: Entry | None) -> list[ConflictRow]:
    assert entry is not None
    return [row for one in (*(item.provenance for item in entry.past), entry.provenance) for row in one.conflicts]


class InMemory:
    def __init__(self) -> None:
        self._space = MemorySpace()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self._space.transact(work)

    def set_policies(self, policies: Policies) -> None:
        self._space.declared = policies

    def conflicts(self, document: DocumentId) -> list[ConflictRow]:
        return _recorded(self._space.entries.get(document))


class InDirectory:
    """The ledger of an upstream in a directory, opened again for each transaction."""

    def __init__(self, root: Path) -> None:
        self._path = root / "ledger.sqlite"
        self._policies = NO_POLICIES

    def transact(self, work: Callable[[Transaction], T]) -> T:
        store = LedgerStore.of(self._path, self._policies)
        try:
            transaction = MemoryTransaction(store, ledger.retained)
            result = work(transaction)
            with store.transaction():
                store.store(transaction.changes)
            return result
        finally:
            store.close()

    def set_policies(self, policies: Policies) -> None:
        self._policies = policies

    def conflicts(self, document: DocumentId) -> list[ConflictRow]:
        store = LedgerStore.of(self._path, self._policies)
        try:
            return _recorded(store.entry(document))
        finally:
            store.close()


class InRepository:
    """The ledger of an upstream in a repository: a commit a transaction."""

    def __init__(self, root: Path) -> None:
        subprocess.run(["git", "init", "-q", "--bare", str(root / "shared.git")], check=True)
        self._git = Git(root / "mirror.git", str(root / "shared.git"))
        self._ledger = GitLedger(self._git, "shared")

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return asyncio.run(self._transact(work))

    async def _transact(self, work: Callable[[Transaction], T]) -> T:
        head = await self._git.fetch()
        spaces = [(await self._ledger.space(head, DOCUMENTS, device, deletes=True))[0] for device in DEVICES]
        for space in spaces[1:]:
            spaces[0].deleted.update(space.deleted)
        transaction = MemoryTransaction(spaces[0], ledger.retained)
        result = work(transaction)
        files = GitLedger.files(transaction)
        for document, entry in transaction.changes.entries.items():
            files[f"{document}.json"] = None if entry.head.body is None else json.dumps(entry.head.body).encode()
        await self._commit(head, files)
        return result

    async def _commit(self, head: str | None, files: dict[str, bytes | None]) -> None:
        if files:
            await self._git.commit(head, files, "test", "t <t@t.invalid>")
            assert await self._git.push()

    def set_policies(self, policies: Policies) -> None:
        async def write() -> None:
            await self._commit(await self._git.fetch(), {POLICIES: json.dumps(policies_row(policies)).encode()})

        asyncio.run(write())

    def conflicts(self, document: DocumentId) -> list[ConflictRow]:
        async def read() -> Entry | None:
            return await self._ledger.entry(await self._git.fetch(), document)

        return _recorded(asyncio.run(read()))


class InMongo:
    """A store of its own for each transaction, which remembers nothing. The connections are kept until `close`:
    logging in takes longer than all the rest."""

    def __init__(self, settings: Settings) -> None:
        self._space = SpaceId(f"s-{uuid.uuid4().hex[:12]}")
        self._runner = asyncio.Runner()
        self._left = AsyncExitStack()
        self._mongo = self._runner.run(self._left.enter_async_context(opened(settings)))

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self._run(lambda store: store.transact(self._space, work))

    def set_policies(self, policies: Policies) -> None:
        self._run(lambda store: store.set_policies(self._space, policies))

    def conflicts(self, document: DocumentId) -> list[ConflictRow]:
        entries = self._run(lambda store: store.history(self._space, document, 100))
        return [row for entry in reversed(entries) for row in entry.conflicts]

    def close(self) -> None:
        self._runner.run(self._left.aclose())
        self._runner.close()

    def _run(self, call: Callable[[MongoDocumentStore], Coroutine[Any, Any, T]]) -> T:
        return self._runner.run(call(self._opened()))

    def _opened(self) -> MongoDocumentStore:
        return MongoDocumentStore(self._mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)


class ByOneWorker(InMongo):
    """It holds the lease all the time, and need not read what it knows from one transaction to the next."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._store = super()._opened()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self._run(lambda store: store.transact(self._space, work, Fence(1, "one")))

    def _opened(self) -> MongoDocumentStore:
        return self._store
