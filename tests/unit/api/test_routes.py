"""Routes, from the request to the answer, on adapters in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.http.codings import CODINGS, compress
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.codec import content_hash
from shared.core.documents import DocumentId, SpaceId
from shared.settings import Settings
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.in_memory import Service

A, B = {"id": "a", "title": "one", "tags": ["x"]}, {"id": "b", "title": "two"}


@pytest.fixture
def service() -> Service:
    return Service(replace(Settings(), submit_deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS))


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with service.client() as client:
        yield client


async def test_a_document_that_is_sent_is_in_the_map_and_can_be_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/task/a", json={"client_state": A})
    assert answer.status_code == 200 and answer.json() == {"server_state": A}
    assert (await client.get("/hashes")).json() == {"a": content_hash(A)}
    assert (await client.get("/task/a")).json() == A


async def test_two_edits_on_one_base_are_merged(client: httpx.AsyncClient) -> None:
    made = (await client.post("/task/a", json={"client_state": A, "base": "0"})).json()
    for edit in ({**A, "title": "1"}, {**A, "tags": ["x", "y"]}):
        answer = (await client.post("/task/a", json={"client_state": edit, "base": made["rev"]})).json()
    assert answer["outcome"] == "merged" and answer["server_state"] == {"id": "a", "title": "1", "tags": ["x", "y"]}
    history = (await client.get("/task/a/revisions")).json()["revisions"]
    assert [one["outcome"] for one in history][-1] == "applied" and len(history) >= 3


async def test_a_batch_answers_each_document_by_itself(client: httpx.AsyncClient) -> None:
    tasks = {"a": {"client_state": A}, "b": {"client_state": B}, "c": {"client_state": {"id": "d"}}}
    answers = (await client.post("/tasks", json={"tasks": tasks})).json()["tasks"]
    assert (answers["a"]["hash"], answers["b"]["hash"]) == (content_hash(A), content_hash(B))
    assert answers["c"]["error"]["code"] == "invalid-document"
    page = (await client.get("/tasks", params={"limit": 1})).json()
    assert list(page["tasks"]) == ["a"] and page["after"] == "a"


async def test_the_head_of_a_page_says_where_the_next_one_begins() -> None:
    async with Service(Settings(page_bytes=1)).client() as client:
        for body in (A, B):
            await client.post(f"/task/{body['id']}", json={"client_state": body})
        for query, after in (("limit=1", "a"), ("after=a", None), ("ids=a,b", "a"), ("ids=a,b&after=a", None)):
            answer = await client.get(f"/tasks?{query}")
            assert answer.json()["after"] == answer.headers.get("hypertask-after") == after, query
            assert (await client.head(f"/tasks?{query}")).headers.get("hypertask-after") == after, query


async def test_what_is_deleted_leaves_the_map(client: httpx.AsyncClient) -> None:
    await client.post("/task/a", json={"client_state": A})
    before = (await client.get("/hashes")).headers["hypertask-cursor"]
    assert (await client.delete("/task/a")).status_code == 200
    assert (await client.get("/hashes")).json() == {}
    changed = (await client.get("/hashes", params={"since": before})).json()
    assert changed["hashes"] == {"a": None}


async def test_what_changed_comes_with_its_states_where_they_are_asked_for(client: httpx.AsyncClient) -> None:
    for body in (A, B):
        await client.post(f"/task/{body['id']}", json={"client_state": body})
    before = (await client.get("/hashes")).headers["hypertask-cursor"]
    asked = {"since": before, "states": "1"}
    assert "tasks" not in (await client.get("/hashes", params=asked)).json()
    await client.post("/task/a", json={"client_state": {**A, "title": "new"}})
    await client.delete("/task/b")
    assert "tasks" not in (await client.get("/hashes", params={"since": before})).json()
    answer = (await client.get("/hashes", params=asked)).json()
    shown = (await client.get("/tasks", params={"ids": "a,b"})).json()["tasks"]
    assert answer["tasks"] == shown and shown["a"]["server_state"]["title"] == "new"
    assert answer["hashes"] == {"a": shown["a"]["hash"], "b": None}


async def test_few_changes_are_read_with_their_states_at_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await client.get("/hashes")).headers["hypertask-cursor"]
    for body in (A, B):
        await client.post(f"/task/{body['id']}", json={"client_state": body})
    pages: list[str] = []
    page = MemoryDocumentStore.page

    def noted(*given: Any, **named: Any) -> Any:
        pages.append("asked")
        return page(*given, **named)

    monkeypatch.setattr(MemoryDocumentStore, "page", noted)
    answer = (await client.get("/hashes", params={"since": before, "states": "1"})).json()
    assert not pages and answer["tasks"].keys() == {"a", "b"} and not answer["more"]
    first = (await client.get("/hashes", params={"since": before, "states": "1", "limit": "1"})).json()
    assert pages and first["more"] and first["tasks"] == {"a": answer["tasks"]["a"]}


async def test_of_the_states_no_more_come_than_a_batch_and_a_mebibyte(client: httpx.AsyncClient) -> None:
    before = (await client.get("/hashes")).headers["hypertask-cursor"]
    text = "x" * 300_000
    await client.post("/tasks", json={"tasks": {d: {"client_state": {"id": d, "text": text}} for d in "abcde"}})
    answer = (await client.get("/hashes", params={"since": before, "states": "1"})).json()
    assert answer["hashes"].keys() == {*"abcde"} and answer["tasks"].keys() == {*"abcd"}


async def test_another_space_sees_nothing(service: Service, client: httpx.AsyncClient) -> None:
    await client.post("/task/a", json={"client_state": A})
    token = await service.token(space="other")
    there = {"authorization": f"Bearer {token}"}
    assert (await client.get("/hashes", headers=there)).json() == {}
    assert (await client.get("/task/a", headers=there)).status_code == 404


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (("GET", "/nowhere", None), 404, "not-found"),
        (("PUT", "/hashes", None), 405, "method-not-allowed"),
        (("POST", "/task/a", b"{"), 400, "malformed-json"),
        (("POST", "/task/a", b'{"client_state": {"id": "b"}}'), 422, "invalid-document"),
        (("POST", "/task/a", b'{"client_state": {"id": "a"}, "more": 1}'), 400, "malformed-request"),
        (("GET", "/hashes?since=junk", None), 410, "cursor-gone"),
        (("GET", "/hashes?since=junk&states=yes", None), 400, "malformed-request"),
    ],
)
async def test_bad_input_is_a_problem_with_a_code(
    client: httpx.AsyncClient, sent: tuple[str, str, bytes | None], status: int, code: str
) -> None:
    method, path, body = sent
    answer = await client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_without_a_token_nothing_is_answered(client: httpx.AsyncClient) -> None:
    for headers in ({"authorization": "Bearer nobody"}, {"authorization": "Basic xyz"}):
        assert (await client.get("/hashes", headers=headers)).status_code == 401


async def test_no_worker_is_503_with_a_time_to_come_back() -> None:
    service = Service(replace(Settings(), submit_deadline_seconds=0.05))
    service.queue.on_waiting = lambda space: None
    async with service.client() as client:
        answer = await client.post("/task/a", json={"client_state": A})
    assert answer.status_code == 503 and "retry-after" in answer.headers


async def test_a_change_wakes_who_waits_for_it(
    service: Service, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself it looks again after some seconds, and at the end of its time.
    monkeypatch.setattr("api.streams.live._RECHECK_SECONDS", 10 * PATIENCE_SECONDS)
    monkeypatch.setattr("api.routes.hashes._wait", lambda request: 10 * PATIENCE_SECONDS)
    cursor = (await client.get("/hashes")).headers["hypertask-cursor"]
    waiting = asyncio.create_task(client.get("/hashes", params={"since": cursor, "wait": 20}))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not service.is_followed(SpaceId("s")):
            await asyncio.sleep(0.001)
    assert not waiting.done()
    await client.post("/task/a", json={"client_state": A})
    assert (await asyncio.wait_for(waiting, PATIENCE_SECONDS)).json()["hashes"] == {"a": content_hash(A)}


async def test_what_is_exported_is_what_is_there(service: Service, client: httpx.AsyncClient) -> None:
    for state in (A, {**A, "title": "1"}, B):
        await client.post(f"/task/{state['id']}", json={"client_state": state})
    rows = [json.loads(line) for line in (await client.get("/export")).text.splitlines()]
    assert [row["kind"] for row in rows if row["kind"] in ("document", "end")] == ["document", "document", "end"]
    head = await service.documents.head(SpaceId("s"), DocumentId("a"))
    assert head is not None and head.body in [row.get("state") for row in rows]


@pytest.mark.parametrize("coding", ["identity", *CODINGS])
async def test_an_export_is_put_back_however_it_is_compressed(
    service: Service, client: httpx.AsyncClient, coding: str
) -> None:
    await client.post("/task/a", json={"client_state": A})
    export = (await client.get("/export")).content
    await client.delete("/task/a")
    body = export if coding == "identity" else compress(coding, export)
    answer = await client.post("/import", content=body, headers={"content-encoding": coding})
    assert answer.status_code == 200 and answer.json()["documents"] == 1
