"""How often the database is asked for a write: counted, so a step too many shows on any machine."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.codec import content_hash
from shared.core.documents import Body, DeviceId, DocumentId, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Outcome, Submission
from shared.core.resolution.revs import CREATED
from shared.ports import Fence, Reply
from shared.settings import Settings
from shared.transaction import CachedResolver, decide

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

    def __init__(self, store: MongoDocumentStore, commands: Commands, space: SpaceId) -> None:
        self._store = store
        self._commands = commands
        self._space = space
        self.fence = Fence(1, "a worker")

    async def write(self, *submissions: Submission) -> tuple[list[Answer], list[str]]:
        """The answers, and what the database was asked."""
        items = [Item(one, one.device or DEVICES[0]) for one in submissions]
        self._commands.seen.clear()

        replies: Sequence[Reply]
        replies, _ = await self._store.transact(
            self._space, lambda found: decide(found, CachedResolver(10**6), items), self.fence
        )
        return [reply for reply in replies if isinstance(reply, Answer)], list(self._commands.seen)


@pytest.fixture
async def writer(settings: Settings) -> AsyncIterator[Writer]:
    commands, space = Commands(), SpaceId(f"s-{uuid.uuid4().hex[:12]}")
    async with opened(settings, [commands]) as mongo:
        found = Writer(MongoDocumentStore(mongo, give_up_after_seconds=20), commands, space)
        await found.write(submission({"id": "first"}))  # connects, and learns the policies
        yield found


def submission(body: Body, base: str | None = CREATED, device: DeviceId = DEVICES[0]) -> Submission:
    return Submission(DocumentId(body["id"]), body, content_hash(body), 1.0, base, device=device, single_device=True)


async def test_a_new_document(writer: Writer) -> None:
    _, asked = await writer.write(submission({"id": "a"}))
    assert asked == ["find documents", "findAndModify spaces", "insert documents", "commitTransaction"]


async def test_a_batch_of_new_documents_asks_no_more(writer: Writer) -> None:
    answers, asked = await writer.write(*(submission({"id": f"d{number}"}) for number in range(100)))
    assert len(answers) == 100
    assert asked == ["find documents", "findAndModify spaces", "insert documents", "commitTransaction"]


async def test_an_edit(writer: Writer) -> None:
    [made], _ = await writer.write(submission({"id": "a", "n": 1}))
    answers, asked = await writer.write(submission({"id": "a", "n": 2}, made.rev))
    assert [one.outcome for one in answers] == [Outcome.FAST_FORWARD]
    assert asked == [
        "find documents",
        "findAndModify spaces",
        "update documents",
        "insert revisions",
        "commitTransaction",
    ]


@pytest.mark.parametrize("devices", [2, 8])
async def test_edits_of_the_same_document_are_decided_without_going_back_to_the_database(
    writer: Writer, devices: int
) -> None:
    fields = dict.fromkeys(map(str, DEVICES[:devices]), 0)
    [made], _ = await writer.write(submission({"id": "a", **fields}))
    edits = [submission({"id": "a", **fields, device: 1}, made.rev, device) for device in DEVICES[:devices]]
    answers, asked = await writer.write(*edits)
    assert [one.outcome for one in answers] == [Outcome.FAST_FORWARD, *[Outcome.MERGED] * (devices - 1)]
    last = edits[-1].client_state if answers[-1].same else answers[-1].body
    assert last == {"id": "a", **dict.fromkeys(fields, 1)}
    assert asked == [
        "find documents",
        "findAndModify spaces",
        *["find revisions"] * 3,  # states by hash, pairs, values that are gone: of all edits together
        "update spaces",  # what the later edits add to the sequences
        "update documents",
        "insert revisions",
        "commitTransaction",
    ]
