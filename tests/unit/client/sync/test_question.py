"""What an upstream is asked ahead, and what it tells of a state along with its hash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.folder.task_folder import TaskFolder
from client.sync.question import Question
from client.sync.report import SyncReport
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Sync
from client.sync.upstream import UpstreamChanges, UpstreamUnavailableError, UpstreamUnreachableError
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.identifiers import DocumentId
from tests.unit.api.in_memory import Service

Asked = list[str | None]


class Heard:
    """An upstream that is only asked what changed; `open`: it answers."""

    def __init__(self) -> None:
        self.asked_for: Asked = []
        self.left: Asked = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        self.asked_for.append(cursor)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.left.append(cursor)
            raise
        if self.error is not None:
            raise self.error
        return UpstreamChanges({}, cursor, is_complete=False)


class Ahead(Heard):
    async def asked(self, cursor: str | None) -> asyncio.Task[UpstreamChanges]:
        task = asyncio.create_task(self.changes(cursor))
        await asyncio.sleep(0)
        return task


async def test_a_question_is_asked_once_and_answered_once() -> None:
    upstream = Ahead()
    question = Question(upstream)  # type: ignore[arg-type]
    await question.ask("1")
    await question.ask("1")
    assert upstream.asked_for == ["1"]
    upstream.open.set()
    assert (await question.answer("1")).cursor == "1"
    await question.answer("1")
    assert upstream.asked_for == ["1", "1"] and upstream.left == []


@pytest.mark.parametrize("asks", [True, False], ids=["asked again", "answered"])
async def test_a_question_about_another_cursor_is_taken_back(asks: bool) -> None:
    upstream = Ahead()
    question = Question(upstream)  # type: ignore[arg-type]
    await question.ask("1")
    if asks:
        await question.ask(None)
    asyncio.get_running_loop().call_soon(upstream.open.set)
    assert (await question.answer(None)).cursor is None
    assert upstream.asked_for == ["1", None] and upstream.left == ["1"]


async def test_who_cannot_be_asked_ahead_is_asked_when_the_answer_is_wanted() -> None:
    upstream = Heard()
    question = Question(upstream)  # type: ignore[arg-type]
    await question.ask("1")
    assert upstream.asked_for == []
    upstream.open.set()
    assert (await question.answer("1")).cursor == "1"


async def test_what_became_of_a_question_that_was_taken_back_is_nobodys() -> None:
    said: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
    upstream = Ahead()
    upstream.error = UpstreamUnreachableError("away")
    upstream.open.set()
    question = Question(upstream)  # type: ignore[arg-type]
    await question.ask("1")
    await asyncio.sleep(0)
    question.take_back()
    question.take_back()
    del question
    await asyncio.sleep(0)
    assert said == []


# --- a sync with a server ---------------------------------------------------------------------------------------


class Requests(httpx.AsyncBaseTransport):
    """Notes what was asked, in `said`, and refuses what `refuses` names."""

    def __init__(self, inner: httpx.AsyncBaseTransport, said: list[str]) -> None:
        self._inner = inner
        self.said = said
        self.refuses = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        query = "&states" if b"states=1" in request.url.query else ""
        self.said.append(f"{request.method} {request.url.path}{query}")
        if request.method == self.refuses:
            return httpx.Response(503, request=request)
        return await self._inner.handle_async_request(request)


class Desk:
    """Two devices of one space: `there` on raw HTTP, `here` a folder. `said`: requests and steps of syncs."""

    def __init__(self, root: Path, there: httpx.AsyncClient, token: str) -> None:
        self.there = there
        self.said: list[str] = []
        inner = there._transport
        self.network = Requests(inner, self.said)
        channel = Channel("http://test", token, transport=self.network, sleep=self._no_wait)
        self.upstream = HttpUpstream(channel, {})
        self.folder = TaskFolder(root)
        self.folder.make()
        self.store = SyncStateStore.open(self.folder.state / "memory.sqlite")

    async def _no_wait(self, seconds: float) -> None:
        pass

    async def sync(self) -> SyncReport:
        self.said.clear()
        return await Sync(self.folder, self.store, "up", self.upstream, self.said.append).run()

    async def write_there(self, **titles: str) -> None:
        for document, title in titles.items():
            rev = (await self.there.get(f"/task/{document}")).headers.get("hypertask-rev", "0")
            body = {"client_state": {"id": document, "title": title}, "base": rev}
            (await self.there.post(f"/task/{document}", json=body)).raise_for_status()

    def write_here(self, **titles: str) -> None:
        for document, title in titles.items():
            self.folder.path(DocumentId(document)).write_text(json.dumps({"id": document, "title": title}))

    def titles(self) -> dict[str, str]:
        bodies = [json.loads(path.read_bytes()) for path in self.folder.root.glob("*.json")]
        return {body["id"]: body["title"] for body in bodies}

    @property
    def requests(self) -> list[str]:
        return [one for one in self.said if " /" in one]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    service = Service()
    async with service.client() as there:
        desk = Desk(tmp_path / "tasks", there, await service.token())
        await desk.write_there(a="old", b="old", c="old")
        assert (await desk.sync()).agreed
        yield desk
        await desk.upstream.close()
        desk.store.close()


async def test_what_changed_there_comes_in_one_answer(desk: Desk) -> None:
    await desk.write_there(a="new", d="new")
    rev = (await desk.there.get("/task/b")).headers["hypertask-rev"]
    assert (await desk.there.delete("/task/b", headers={"if-match": rev})).json()["server_state"] is None
    report = await desk.sync()
    assert report.agreed and report.fetched == 2 and report.removed == 1
    assert desk.titles() == {"a": "new", "c": "old", "d": "new"}
    assert desk.requests == ["GET /hashes&states"]


async def test_what_arrives_is_put_into_files_while_the_server_decides_what_was_sent(desk: Desk) -> None:
    await desk.write_there(a="new")
    desk.write_here(b="mine")
    assert (await desk.sync()).agreed
    assert desk.titles() == {"a": "new", "b": "mine", "c": "old"}
    # What was sent is not told again.
    assert desk.requests == ["GET /hashes&states", "POST /tasks", "GET /hashes"]
    placed, asked_again = desk.said.index("placed all"), len(desk.said) - 1 - desk.said[::-1].index("GET /hashes")
    assert desk.said.index("POST /tasks") < placed < asked_again
    assert desk.said[asked_again + 1] != "listened", "it is asked before the last answers are applied"
    await desk.write_there(c="new")
    assert (await desk.sync()).agreed and desk.requests == ["GET /hashes&states"]


async def test_what_arrives_is_put_into_files_though_nothing_can_be_sent(desk: Desk) -> None:
    await desk.write_there(a="new")
    desk.write_here(b="mine")
    desk.network.refuses = "POST"
    with pytest.raises(UpstreamUnavailableError):
        await desk.sync()
    assert desk.titles()["a"] == "new"
    desk.network.refuses = ""
    assert (await desk.sync()).agreed and desk.titles() == {"a": "new", "b": "mine", "c": "old"}


async def test_both_sides_of_an_edit_are_merged_though_the_other_one_came_along(desk: Desk) -> None:
    await desk.write_there(a="new")
    desk.folder.path(DocumentId("a")).write_text(json.dumps({"id": "a", "title": "old", "mine": 1}))
    assert (await desk.sync()).agreed
    body = json.loads(desk.folder.path(DocumentId("a")).read_bytes())
    assert body == {"id": "a", "title": "new", "mine": 1}


async def test_what_was_not_remembered_of_a_copy_is_not_counted(tmp_path: Path) -> None:
    service = Service()
    async with service.client() as there:
        desk = Desk(tmp_path / "tasks", there, await service.token())
        await desk.write_there(a="old", b="old")

        def step(name: str) -> None:
            if name == "staged":
                raise OSError("no room")

        failed = Sync(desk.folder, desk.store, "up", desk.upstream, step)
        with pytest.raises(OSError, match="no room"):
            await failed.run()
        assert failed.report.fetched == 0
        assert (await desk.sync()).fetched == 2 and desk.titles() == {"a": "old", "b": "old"}
        await desk.upstream.close()
        desk.store.close()


@pytest.mark.parametrize("mine", [{"id": "a", "mine": 1}, {"id": "a", "title": "old"}, {"id": "a", "title": "mine"}])
async def test_a_file_that_is_made_while_an_empty_folder_is_filled_stays_in_what_arrives(
    tmp_path: Path, mine: dict[str, Any]
) -> None:
    service = Service()
    async with service.client() as there:
        desk = Desk(tmp_path / "tasks", there, await service.token())
        await desk.write_there(a="old", b="old")
        path = desk.folder.path(DocumentId("a"))

        def step(name: str) -> None:
            if name == "staged" and not path.exists():
                path.write_text(json.dumps(mine))

        assert (await Sync(desk.folder, desk.store, "up", desk.upstream, step).run()).agreed
        body = json.loads(path.read_bytes())
        assert body == {"id": "a", "title": "old", **mine}
        assert (await there.get("/task/a")).json() == body
        assert desk.titles()["b"] == "old"
        await desk.upstream.close()
        desk.store.close()
