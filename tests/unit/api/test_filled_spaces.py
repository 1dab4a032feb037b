"""Pages that are made when a space was filled, before anybody asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.reads import filled_spaces, hash_maps
from shared.core.documents import SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.index.lineage import Lineage
from shared.ports import UnavailableError
from shared.settings import Settings
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.in_memory import Service
from tests.unit.api.test_page_cache import CountedStore, pulled, turns

IDS = [f"d{number:02}" for number in range(12)]
PAGE = 4


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filled_spaces, "LARGE_BATCH", 3)
    monkeypatch.setattr(filled_spaces, "MANY_DOCUMENTS", 10)
    monkeypatch.setattr(filled_spaces, "_PAGE_DOCUMENTS", PAGE)
    monkeypatch.setattr(filled_spaces, "QUIET_SECONDS", 0.02)


@asynccontextmanager
async def service(settings: Settings | None = None) -> AsyncIterator[tuple[CountedStore, httpx.AsyncClient]]:
    store = CountedStore()
    async with Service(settings or Settings(), documents=store).client() as client:
        yield store, client


async def push(client: httpx.AsyncClient, identities: list[str], **fields: Any) -> None:
    tasks = {identity: {"client_state": {"id": identity, **fields}} for identity in identities}
    assert (await client.post("/tasks", json={"tasks": tasks})).status_code == 200


async def read(store: CountedStore, count: int) -> list[str]:
    """After which ids pages were read, once there are so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(store.read) < count:
            await asyncio.sleep(0.005)
    await turns()
    return store.read


async def quiet() -> None:
    """Longer than what it waits for."""
    await asyncio.sleep(5 * filled_spaces.QUIET_SECONDS)
    await turns()


@pytest.mark.parametrize("coding", ["zstd", "gzip", "identity"])
async def test_a_space_that_was_filled_has_its_pages_before_anybody_asks(coding: str) -> None:
    async with service() as (store, client):
        await push(client, IDS[:6], text="x" * 400)
        await push(client, IDS[6:], text="x" * 400)
        assert await read(store, 3) == ["", "d03", "d07"]
        found, _ = await pulled(client, coding, PAGE)
        assert sorted(found) == IDS and len(store.read) == 3


async def test_edits_and_small_pushes_make_none() -> None:
    async with service() as (store, client):
        await push(client, IDS[:9], text="x" * 400)
        for _ in range(5):
            await push(client, IDS[:2], text="x" * 400)
        for identity in IDS:
            await client.post(f"/task/{identity}", json={"client_state": {"id": identity}})
        await quiet()
        assert store.read == []


async def test_what_is_made_again_was_written_again() -> None:
    """Twelve documents in pages: the next time twelve must have come."""
    async with service() as (store, client):
        await push(client, IDS)
        await read(store, 3)
        await push(client, IDS[:11], step=2)
        await quiet()
        assert len(store.read) == 3
        await push(client, IDS[:3], step=3)
        assert (await read(store, 6))[3:] == ["", "d03", "d07"]
        found, _ = await pulled(client, "zstd", PAGE)
        assert [found[identity].get("step") for identity in IDS] == [3] * 3 + [2] * 8 + [None]


async def test_while_more_comes_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filled_spaces, "QUIET_SECONDS", PATIENCE_SECONDS)
    async with service() as (store, client):
        await push(client, IDS)
        await turns()
        assert store.read == []
        monkeypatch.setattr(filled_spaces, "QUIET_SECONDS", 0.02)
        await push(client, IDS, step=2)  # only now it waits for the shorter time
        await read(store, 3)


async def test_it_ends_when_more_comes() -> None:
    async with service() as (store, client):
        store.until = asyncio.Event()
        await push(client, IDS)
        assert await read(store, 1) == [""]
        await push(client, IDS[:3], step=2)
        store.until.set()
        await quiet()
        assert store.read == [""]
        found, _ = await pulled(client, "zstd", PAGE)
        assert found["d00"] == {"id": "d00", "step": 2}


async def test_they_take_free_room_alone() -> None:
    async with service(Settings(page_cache_bytes=4000)) as (store, client):
        await push(client, IDS, text="x" * 300)
        await read(store, 2)
        await quiet()
        assert store.read == ["", "d03"]  # a third one would drop another
        await client.get(f"/tasks?limit={PAGE}", headers={"accept-encoding": "zstd"})
        assert store.read.count("") == 1


async def test_pages_of_one_space_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store = CountedStore()
    service = Service(documents=store)
    monkeypatch.setattr("api.limits.pace.Pace.is_alone", lambda _pace, _share: True)
    async with service.client() as client:
        others = {"authorization": f"Bearer {await service.token('another')}"}
        store.until = asyncio.Event()
        await push(client, IDS)
        await read(store, 1)
        tasks = {identity: {"client_state": {"id": identity}} for identity in IDS}
        await client.post("/tasks", json={"tasks": tasks}, headers=others)
        await quiet()
        assert store.read == [""]
        store.until.set()
        assert (await read(store, 6)) == ["", "d03", "d07"] * 2


async def test_they_are_made_while_nobody_else_asks_for_anything() -> None:
    store = CountedStore()
    service = Service(documents=store)
    async with service.client() as client:
        others = {"authorization": f"Bearer {await service.token('another')}"}
        await client.get("/hashes", headers=others)
        await push(client, IDS)
        await quiet()
        assert store.read == []


class KeepingStore(CountedStore):
    """Notes of how many documents maps were kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []
        self.read_whole = 0

    async def live(self, space: SpaceId, take: Callable[[Sequence[tuple[bytes, bytes]]], None]) -> Lineage:
        self.read_whole += 1
        return await super().live(space, take)

    async def keep_map(self, space: SpaceId, map_: BucketedMap) -> None:
        await super().keep_map(space, map_)
        self.kept.append(len(list(map_.items())))


def keeping(monkeypatch: pytest.MonkeyPatch, large: int) -> tuple[KeepingStore, Service]:
    """Maps of so many writes are kept, and of twice as many bytes."""
    monkeypatch.setattr(filled_spaces, "LARGE_MAP", large)
    monkeypatch.setattr(hash_maps, "KEPT_BYTES", 2 * large)
    monkeypatch.setattr(hash_maps, "KEPT_CHANGES", 1)
    monkeypatch.setattr(hash_maps, "KEPT_AFTER_SECONDS", 3600)  # of those that somebody asked for
    store = KeepingStore()
    return store, Service(documents=store)


async def maps_kept(store: KeepingStore, *sizes: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(store.kept) < len(sizes):
            await asyncio.sleep(0.005)
    await quiet()
    assert store.kept == [*sizes]


async def test_a_large_space_that_was_filled_has_its_map_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store, service = keeping(monkeypatch, 12)
    async with service.client() as client:
        await push(client, IDS)
        await maps_kept(store, 12)
        assert store.read_whole == 1
        found = (await client.get("/hashes")).json()
        assert sorted(found) == IDS and store.read_whole == 1


async def test_a_small_space_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    store, service = keeping(monkeypatch, 13)
    async with service.client() as client:
        await push(client, IDS)
        await read(store, 3)
        await quiet()
        assert (store.kept, store.read_whole) == ([], 0)


async def test_a_map_is_made_again_when_a_quarter_was_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store, service = keeping(monkeypatch, 12)
    async with service.client() as client:
        edited, more = ([f"{name}{number}" for number in range(40)] for name in "ef")
        for identity in edited:
            await client.post(f"/task/{identity}", json={"client_state": {"id": identity}})
        await push(client, IDS)  # of 52 writes
        await read(store, 13)
        await quiet()
        assert (store.kept, store.read_whole) == ([], 0)
        await push(client, IDS, step=2)  # too few for its pages
        await push(client, more)
        await maps_kept(store, 92)
        await push(client, [*edited, *more, *IDS], step=3)
        await maps_kept(store, 92, 92)
        assert store.read_whole == 2  # so much is read anew, not put into the map before


async def test_a_map_is_not_made_any_more_when_others_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    store, service = keeping(monkeypatch, 12)
    monkeypatch.setattr("api.limits.pace.Pace.is_alone", lambda _pace, _share: store.read_whole == 0)
    async with service.client() as client:
        await push(client, IDS)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not store.read_whole:
                await asyncio.sleep(0.005)
        await quiet()
        assert store.kept == []
        assert sorted((await client.get("/hashes")).json()) == IDS


@pytest.mark.parametrize("error", [UnavailableError("on purpose"), ZeroDivisionError("which may quote a document")])
async def test_what_fails_hurts_nobody(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async with service() as (store, client):
        store.fails = error
        await push(client, IDS)
        await read(store, 1)
        store.fails = None
        assert sorted((await pulled(client, "zstd", PAGE))[0]) == IDS
    assert "quote" not in "".join(record.message for record in caplog.records)


async def test_no_task_outlives_the_process() -> None:
    before = asyncio.all_tasks()
    async with service() as (store, client):
        store.until = asyncio.Event()  # never comes
        await push(client, IDS)
        await read(store, 1)
    assert asyncio.all_tasks() == before
