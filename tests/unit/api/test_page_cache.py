"""Pages of documents that a process keeps: made once, and never old."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import httpx
import pytest

from api.http.codings import decompressed
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.core.documents import DocumentId, SpaceId
from shared.ports import Current
from shared.settings import Settings
from tests.unit.api.in_memory import Service

T = TypeVar("T")

IDS = [f"d{number:02}" for number in range(12)]


class CountedStore(MemoryDocumentStore):
    """Notes after which ids pages were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

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
        return await super().page(space, after, most, among, max_bytes=max_bytes, made=made)


async def put(client: httpx.AsyncClient, identity: str, **fields: Any) -> None:
    answer = await client.post(f"/task/{identity}", json={"client_state": {"id": identity, **fields}})
    assert answer.status_code == 200


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
    return found, cursors


async def test_a_page_is_made_once_and_again_when_a_document_of_its_range_changes() -> None:
    store = CountedStore()
    async with Service(documents=store).client() as client:
        for identity in IDS:
            await put(client, identity, text="x" * 400)
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
