"""The check of the fault run finds what is wrong with products that are broken on purpose, and nothing wrong with one
that is not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import pytest

from api.app import create_app
from bench.faults import check
from bench.faults.device import Device
from bench.faults.followers import Follower, exported
from bench.faults.writers import KINDS, Writer
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.adapters.memory.entries import Entry
from shared.adapters.memory.transaction import MemoryTransaction
from shared.core.documents import SpaceId
from shared.ports import Fence, Transaction
from tests.unit.api.in_memory import Service, running

T = TypeVar("T")
EDITS = 60


class Sound(MemoryDocumentStore):
    """Not broken; counts its transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def transact(
        self,
        space: SpaceId,
        work: Callable[[Transaction], T],
        fence: Fence | None = None,
        *,
        max_bytes: int | None = None,
        meanwhile: Callable[[T], None] | None = None,
    ) -> T:
        self.count += 1
        return await super().transact(space, work, fence, max_bytes=max_bytes, meanwhile=meanwhile)


class AnswersFirst(Sound):
    """Some transactions are answered, and not stored."""

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *given: Any, **named: Any) -> T:
        if self.count % 10 == 9:
            self.count += 1
            return work(MemoryTransaction(self._kept(space).space))
        return await super().transact(space, work, *given, **named)


class SetsBack(Sound):
    """As if a worker that was late stored something that had been superseded."""

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *given: Any, **named: Any) -> T:
        entries = self._kept(space).space.entries
        before = dict(entries)
        result = await super().transact(space, work, *given, **named)
        if self.count % 10 == 9:
            entries.update(before)
        return result


class RecordsNothing(Sound):
    """What was dropped is recorded nowhere."""

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *given: Any, **named: Any) -> T:
        result = await super().transact(space, work, *given, **named)
        entries = self._kept(space).space.entries
        for name, entry in entries.items():
            entries[name] = _without_conflicts(entry)
        return result


def _without_conflicts(entry: Entry) -> Entry:
    past = tuple(replace(item, provenance=replace(item.provenance, conflicts=())) for item in entry.past)
    return replace(entry, provenance=replace(entry.provenance, conflicts=()), past=past)


class BringsBack(Sound):
    """A document that was deleted is there again."""

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *given: Any, **named: Any) -> T:
        entries = self._kept(space).space.entries
        before = dict(entries)
        result = await super().transact(space, work, *given, **named)
        for name, entry in before.items():
            if entry.hash is not None and entries[name].hash is None:
                entries[name] = entry
        return result


class SkipsChanges(Sound):
    """Who asks what changed is not told of some of it."""

    async def feed(self, *given: Any, **named: Any) -> Any:
        return [row for row in await super().feed(*given, **named) if row[0] % 7 != 0]


class Asked(Device):
    """A device without a network. What it asks runs on the event loop, while it works in a thread."""

    def __init__(self, client: httpx.AsyncClient, token: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(["http://127.0.0.1:1"], token)
        self._client, self._loop = client, loop

    def ask_whole(
        self, method: str, path: str, body: object = None, *, also: Collection[int] = ()
    ) -> tuple[Any, bytes]:
        asking = self._client.request(method, path, json=body, headers=self._headers)
        answer = asyncio.run_coroutine_threadsafe(asking, self._loop).result()
        assert answer.is_success or answer.status_code in also, answer.text
        return (answer.headers if answer.is_success else None), answer.content


@asynccontextmanager
async def devices(store: MemoryDocumentStore) -> AsyncIterator[list[Asked]]:
    service = Service(documents=store)
    tokens = [await service.token() for _ in range(len(KINDS) + 1)]
    async with (
        running(create_app(service.settings, service.lifespan_of)) as transport,
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield [Asked(client, token, asyncio.get_running_loop()) for token in tokens]


def judged(writers: list[Writer], follower: Follower) -> list[str]:
    """After some edits, one client after the other."""
    for number in range(EDITS):
        writers[number % len(writers)].edit()
        if number % 5 == 0:
            follower.follow()
    documents: dict[str, Any] = {}
    dropped: dict[str, list[tuple[str, Any]]] = {}
    for row in exported(follower.device):
        if row["kind"] == "document" and row["state"] is not None:
            documents[row["id"]] = row["state"]
        for conflict in row.get("conflicts") or ():
            dropped.setdefault(row["id"], []).append((conflict["path"], conflict.get("dropped")))
    noted = check.Noted(
        [writer.name for writer in writers],
        [edit for writer in writers for edit in writer.edits],
        {name: (writer.name, number) for writer in writers for name, number in writer.own.items()},
        [one for writer in writers for one in writer.set_back],
    )
    whole = follower.device.ask("GET", "/hashes")
    follower.follow()
    return [
        *check.findings(noted, check.Answered(documents, dropped)),
        *check.hash_findings(noted, documents, whole),
        *check.cursor_findings(follower.hashes, whole),
    ]


async def findings(store: MemoryDocumentStore) -> list[str]:
    async with devices(store) as (*of_writers, last):
        writers = [
            KINDS[kind](f"x{kind}", device, random.Random(kind))
            for kind, device in zip(KINDS, of_writers, strict=True)
        ]
        return await asyncio.to_thread(judged, writers, Follower(last))


async def test_of_a_product_that_is_sound_nothing_is_found() -> None:
    store = Sound()
    assert await findings(store) == []
    assert store.count >= EDITS


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (AnswersFirst, "stands nowhere"),
        (SetsBack, "had sent"),
        (RecordsNothing, "stands nowhere"),
        (BringsBack, "had deleted it"),
        (SkipsChanges, "who follows the changes"),
    ],
)
async def test_what_is_broken_is_found(broken: type[Sound], what: str) -> None:
    found = await findings(broken())
    assert any(what in line for line in found), found
