"""Pages of documents that a process keeps: made once, and never old."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import pytest

from api.http.codings import decompressed
from shared import metrics
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.core.documents import ContentHash, DocumentId, SequenceNumber, SpaceId
from shared.ports import Current, UnavailableError
from shared.settings import Settings
from tests.unit.api.in_memory import Service

T = TypeVar("T")

IDS = [f"d{number:02}" for number in range(12)]


class CountedStore(MemoryDocumentStore):
    """Notes after which ids pages were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self.until: asyncio.Event | None = None
        """When the next page comes; None: at once."""
        self.fails: Exception | None = None
        self.before_feed: Callable[[], Awaitable[None]] | None = None
        """What happens just before changes are read, once."""

    async def feed(
        self, space: SpaceId, after: SequenceNumber, until: SequenceNumber, most: int
    ) -> list[tuple[SequenceNumber, DocumentId, ContentHash | None]]:
        meanwhile, self.before_feed = self.before_feed, None
        if meanwhile is not None:
            await meanwhile()
        return await super().feed(space, after, until, most)

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
        if among is None:
            self.read.append(after)
            if self.until is not None:
                await self.until.wait()
            if self.fails is not None:
                raise self.fails
        return await super().page(space, after, most, among, max_bytes=max_bytes, made=made)


async def put(client: httpx.AsyncClient, identity: str, **fields: Any) -> None:
    answer = await client.post(f"/task/{identity}", json={"client_state": {"id": identity, **fields}})
    assert answer.status_code == 200


@asynccontextmanager
async def filled(
    settings: Settings | None = None, **fields: Any
) -> AsyncIterator[tuple[CountedStore, httpx.AsyncClient]]:
    """A service with all of IDS, of which no page was asked for."""
    store = CountedStore()
    async with Service(settings or Settings(), documents=store).client() as client:
        for identity in IDS:
            await put(client, identity, **fields)
        yield store, client


async def turns() -> None:
    """More of them than what is made ahead takes until it is there, or waits for something: no clock is in it."""
    for _ in range(200):
        await asyncio.sleep(0)


async def pulled(client: httpx.AsyncClient, coding: str, limit: int = 4) -> tuple[dict[str, Any], list[str]]:
    """All documents, page by page, and the cursors that came with the pages."""
    found: dict[str, Any] = {}
    cursors: list[str] = []
    after: str | None = ""
    while after is not None:
        answer = await client.get(f"/tasks?limit={limit}&after={after}", headers={"accept-encoding": coding})
        answered = answer.headers.get("content-encoding", "identity")
        assert answered in (coding, "identity")
        content = answer.content  # the test client knows no zstd
        if answered == "zstd":
            content = decompressed("zstd", content, 10**6) or b""
        page = json.loads(content)
        found |= {identity: row["server_state"] for identity, row in page["tasks"].items()}
        cursors.append(page["cursor"])
        after = page["after"]
        assert answer.headers.get("hypertask-after") == after
    return found, cursors


async def test_a_page_is_made_once_and_again_when_a_document_of_its_range_changes() -> None:
    async with filled(text="x" * 400) as (store, client):
        first = await pulled(client, "gzip")
        assert store.read == ["", "d03", "d07"]
        assert await pulled(client, "gzip") == first and len(store.read) == 3
        await put(client, "d05", text="y" * 400)
        again, cursors = await pulled(client, "gzip")
        assert store.read[3:] == ["d03"] and again == {**first[0], "d05": {"id": "d05", "text": "y" * 400}}
        # Those that are as before say how far they are up to date all the same.
        now = (await client.get("/hashes")).headers["hypertask-cursor"]
        assert set(cursors) == {now}
        await put(client, "d055", text="new")
        await client.delete("/task/d01")
        last, _ = await pulled(client, "gzip")
        assert "d01" not in last and last["d055"] == {"id": "d055", "text": "new"}


async def test_what_changes_once_more_while_a_page_is_looked_at_is_not_taken_for_unchanged() -> None:
    async with filled(text="x" * 400) as (store, client):
        await pulled(client, "gzip")
        await put(client, "d05", text="y" * 400)

        async def once_more() -> None:
            await put(client, "d05", text="z" * 400)

        store.before_feed = once_more
        page = (await client.get("/tasks?limit=4&after=d03")).json()
        assert page["tasks"]["d05"]["server_state"]["text"] != "x" * 400


@pytest.mark.parametrize("most", [32 * 1024 * 1024, 3000, 0])
async def test_what_is_answered_is_what_there_is(most: int) -> None:
    chosen = random.Random(most)
    async with Service(settings=Settings(page_cache_bytes=most)).client() as client:
        for step in range(40):
            identity = chosen.choice(IDS)
            if chosen.random() < 0.2:
                await client.delete(f"/task/{identity}")
            else:
                await put(client, identity, step=step, text="x" * chosen.choice([5, 500]))
            found, cursors = await pulled(client, chosen.choice(["gzip", "zstd", "identity"]), chosen.choice([2, 5]))
            asked = (await client.get(f"/tasks?ids={','.join(IDS)}")).json()
            live = {i: row["server_state"] for i, row in asked["tasks"].items() if row["server_state"] is not None}
            assert found == live and set(cursors) == {asked["cursor"]}


@pytest.mark.parametrize("seed", range(6))
async def test_who_walks_while_others_write_has_everything(seed: int) -> None:
    """All pages, and then what changed since the first one's cursor: whatever was made ahead, and when."""
    chosen = random.Random(seed)
    async with Service().client() as client:
        for identity in IDS:
            await put(client, identity, text="x" * 500)
        for step in range(12):
            found: dict[str, Any] = {}
            since = ""
            after: str | None = ""
            while after is not None:
                answer = (await client.get(f"/tasks?limit=2&after={after}")).json()
                found |= {identity: row["hash"] for identity, row in answer["tasks"].items()}
                since, after = since or answer["cursor"], answer["after"]
                for _ in range(chosen.choice([0, 1, 3])):
                    await asyncio.sleep(0)  # what is made ahead is as far as that, or further
                identity = chosen.choice(IDS)
                if chosen.random() < 0.2:
                    await client.delete(f"/task/{identity}")
                elif chosen.random() < 0.6:
                    await put(client, identity, step=step, text="x" * 500)
            changes = (await client.get(f"/hashes?since={since}")).json()
            assert not changes["more"]
            now = (await client.get("/hashes")).json()
            assert {key: hash_ for key, hash_ in (found | changes["hashes"]).items() if hash_ is not None} == now


async def test_the_next_page_is_made_while_one_is_taken() -> None:
    async with filled() as (store, client):
        await client.get("/tasks?limit=4")
        await turns()
        assert store.read == [""]  # who asks for a small first page may have wanted the cursor alone
        await client.get("/tasks?limit=4&after=d03")
        await turns()
        assert store.read == ["", "d03", "d07"]
        last = await client.get("/tasks?limit=4&after=d07")
        assert list(last.json()["tasks"]) == IDS[8:] and store.read == ["", "d03", "d07"]
        await client.get("/tasks?limit=5&after=d03")
        await put(client, "d09", text="new")  # when the page of it was made ahead, or is being made
        last = await client.get("/tasks?limit=5&after=d08")
        assert last.json()["tasks"]["d09"]["server_state"] == {"id": "d09", "text": "new"}


async def test_two_pages_are_made_ahead_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [f"/tasks?limit={limit}&after=d01" for limit in (2, 3, 4, 5)]
    async with filled() as (store, client):
        with monkeypatch.context() as none_ahead:
            none_ahead.setattr("api.reads.page_cache._MOST_AHEAD", 0)
            for address in asked:
                await client.get(address)
            await turns()
        assert store.read == ["d01"] * 4
        store.until = asyncio.Event()
        for address in asked:
            await client.get(address)
        await turns()
        assert store.read[4:] == ["d03", "d04"]


async def test_no_page_is_made_ahead_that_would_not_be_kept() -> None:
    async with filled(Settings(page_cache_bytes=0)) as (store, client):
        await client.get("/tasks?limit=4&after=d01")
        await turns()
        assert store.read == ["d01"]


async def test_a_page_that_was_asked_for_counts_once_also_if_it_was_made_ahead() -> None:
    def counted() -> list[float]:
        return [
            metrics.REGISTRY.get_sample_value("hypertask_pages_total", {"how": how}) or 0.0
            for how in ("made", "known")
        ]

    async with filled() as (store, client):
        before = counted()
        for after in ("d01", "d05", "d05"):
            await client.get(f"/tasks?limit=4&after={after}")
            await turns()
        assert store.read == ["d01", "d05", "d09"]
        assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 2]


async def test_who_asks_for_a_page_that_is_being_made_waits_for_it() -> None:
    async with filled() as (store, client):
        await client.get("/tasks?limit=4&after=d01")
        store.until = asyncio.Event()
        await turns()
        asked = [asyncio.create_task(client.get("/tasks?limit=4&after=d05")) for _ in range(3)]
        await turns()
        asked.pop().cancel()
        store.until.set()
        assert [list((await one).json()["tasks"]) for one in asked] == [IDS[6:10]] * 2
        assert store.read[:2] == ["d01", "d05"] and store.read.count("d05") == 1


async def test_a_page_ahead_that_fails_hurts_nobody_and_none_outlives_the_process() -> None:
    before = asyncio.all_tasks()
    async with filled() as (store, client):
        await client.get("/tasks?limit=4&after=d01")
        store.fails = UnavailableError("on purpose")
        await turns()
        assert store.read == ["d01", "d05"]
        store.fails = None
        assert list((await client.get("/tasks?limit=4&after=d05")).json()["tasks"]) == IDS[6:10]
        await client.get("/tasks?limit=3&after=d01")
        store.until = asyncio.Event()  # never comes
        await turns()
        assert store.read[-1] == "d04"
    assert asyncio.all_tasks() == before


async def test_what_nobody_expected_of_a_page_ahead_is_logged_and_not_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gc.collect()  # what other tests left says nothing here
    caplog.clear()
    async with filled() as (store, client):
        await client.get("/tasks?limit=4&after=d01")
        store.fails = ZeroDivisionError("which may quote a document")
        await turns()
        gc.collect()  # a task whose error nobody took says so itself, with the message
        store.fails = None
        assert list((await client.get("/tasks?limit=4&after=d05")).json()["tasks"]) == IDS[6:10]
    errors = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["page_ahead_failed"]


async def test_a_page_is_made_again_after_many_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.reads.page_cache._MAX_CHANGES", 2)
    store = CountedStore()
    async with Service(documents=store).client() as client:
        await put(client, "a")
        await pulled(client, "identity", 1)
        for step in range(3):
            await put(client, "b", step=step)
        found, _ = await pulled(client, "identity", 1)
        assert found["b"] == {"id": "b", "step": 2} and store.read == ["", "", "a"]
