"""Workers that write to one space of MongoDB, and what they ask it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.codec import content_hash
from shared.core.documents import Body, DeviceId, DocumentId, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Submission
from shared.core.resolution.revs import CREATED
from shared.ports import Fence, Reply, Transaction
from shared.settings import Settings
from shared.transaction import CachedResolver, decide
from tests.patience import STORE_TIMEOUT_SECONDS

DEVICES = [DeviceId(f"d{number}") for number in range(8)]


class Commands(CommandListener):
    """Notes the commands, by name and collection."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        where = event.command.get(event.command_name)
        self.seen.append(f"{event.command_name} {where}" if isinstance(where, str) else event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


class Writer:
    """A worker that holds the lease of one space."""

    def __init__(self, store: MongoDocumentStore, commands: Commands, space: SpaceId, token: str) -> None:
        self.store = store
        self._commands = commands
        self.space = space
        self.fence = Fence(1, token)
        self.runs = 0
        """How often the last transaction was decided."""

    def leased(self, number: int) -> None:
        """Holds the lease from now on."""
        self.fence = Fence(number, self.fence.token)

    async def write(self, *submissions: Submission, dry_run: bool = False) -> tuple[list[Answer], list[str]]:
        """The answers, and what the database was asked."""
        items = [Item(one, one.device or DEVICES[0], dry_run) for one in submissions]
        self._commands.seen.clear()
        self.runs = 0

        def work(found: Transaction) -> Sequence[Reply]:
            self.runs += 1
            return decide(found, CachedResolver(10**6), items)[0]

        replies = await self.store.transact(self.space, work, self.fence)
        return [reply for reply in replies if isinstance(reply, Answer)], list(self._commands.seen)


def submission(body: Body, base: str | None = CREATED, device: DeviceId = DEVICES[0]) -> Submission:
    return Submission(DocumentId(body["id"]), body, content_hash(body), 1.0, base, device=device, single_device=True)


@asynccontextmanager
async def two_writers(settings: Settings, *, told: bool = True) -> AsyncIterator[list[Writer]]:
    """Two processes of workers. The first one is connected, and knows the policies. `told`: they know what was asked,
    so each command waits for its answer; else what is written does not."""
    space = SpaceId(f"s-{uuid.uuid4().hex[:12]}")
    async with AsyncExitStack() as stack:
        found = []
        for token in ("one", "another"):
            commands = Commands()
            mongo = await stack.enter_async_context(opened(settings, [commands] if told else []))
            found.append(
                Writer(MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS), commands, space, token)
            )
        await found[0].write(submission({"id": "first"}))
        yield found
