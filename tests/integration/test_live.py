"""What changed: tags, cursors, waiting, event streams - through two API processes."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.core.json.canonical import content_hash
from tests.instance import ROOT, Access, Instance
from tests.patience import NEVER_SECONDS, PATIENCE_SECONDS


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Two processes of each kind, that look for nothing which they were not told of."""
    constants = {
        "api.routes.hashes._MAX_WAIT_SECONDS": NEVER_SECONDS,
        "api.streams.live.HEARTBEAT_SECONDS": NEVER_SECONDS,
        "api.streams.live._RECHECK_SECONDS": NEVER_SECONDS,
    }
    instance = Instance(tmp_path_factory.mktemp("pair") / "data", api=2, workers=2, constants=constants)
    yield instance.start(HYPERTASK_MAP_CACHE_BYTES="0")
    instance.discard()


@asynccontextmanager
async def client_of(access: Access) -> AsyncIterator[httpx.AsyncClient]:
    """Each on a connection of its own, so that both API processes are met."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=access.url, headers=access.headers, trust_env=False, limits=limits) as http:
        yield http


async def write(http: httpx.AsyncClient, identity: str, n: int) -> str:
    """The content hash."""
    body = {"id": identity, "n": n}
    answer = await http.post(f"/task/{identity}", json={"client_state": body})
    assert answer.status_code == 200, answer.text
    return content_hash(body)


@dataclass
class Event:
    kind: str
    cursor: str
    data: dict[str, Any]


@asynccontextmanager
async def stream(http: httpx.AsyncClient, **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    async with http.stream("GET", "/events", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and fields:
            yield Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


async def test_an_unchanged_map_is_not_sent_again(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        hash_ = await write(http, "a", 1)
        first = await http.get("/hashes")
        tag = first.headers["etag"]
        assert first.json() == {"a": hash_}
        for _ in range(4):
            again = await http.get("/hashes", headers={"if-none-match": tag})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert again.headers["hypertask-cursor"] == first.headers["hypertask-cursor"]
        await write(http, "a", 2)
        for _ in range(4):
            changed = await http.get("/hashes", headers={"if-none-match": tag})
            assert changed.status_code == 200 and changed.headers["etag"] != tag


async def test_since_a_cursor_there_is_what_changed_in_pages(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        expected: dict[str, str | None] = {}
        cursor = (await http.get("/hashes")).headers["hypertask-cursor"]
        for n in range(7):
            expected[f"d{n}"] = await write(http, f"d{n}", n)
        rev = (await http.get("/tasks", params={"ids": "d3"})).json()["tasks"]["d3"]["rev"]
        (await http.delete("/task/d3", headers={"if-match": rev})).raise_for_status()
        expected["d3"] = None
        expected["d0"] = await write(http, "d0", 100)
        found: dict[str, str | None] = {}
        more = True
        while more:
            page = (await http.get("/hashes", params={"since": cursor, "limit": "3"})).raise_for_status().json()
            assert len(page["hashes"]) <= 3
            found |= page["hashes"]
            cursor, more = page["cursor"], page["more"]
        assert found == expected
        assert (await http.get("/hashes", params={"since": cursor})).json() == {
            "hashes": {},
            "cursor": cursor,
            "more": False,
        }


@pytest.mark.parametrize("path", ["/hashes", "/events"])
async def test_a_cursor_of_another_history_is_gone(pair: Instance, path: str) -> None:
    access, stranger = [await asyncio.to_thread(pair.access) for _ in range(2)]
    async with client_of(access) as http, client_of(stranger) as other:
        own = (await http.get("/hashes")).headers["hypertask-cursor"]
        foreign = (await other.get("/hashes")).headers["hypertask-cursor"]
        for cursor in (foreign, own + "9", "0", "x", ""):
            answer = await http.get(path, params={"since": cursor or "?"})
            assert (answer.status_code, answer.json()["code"]) == (410, "cursor-gone"), cursor


async def test_no_write_is_skipped_whoever_writes(pair: Instance) -> None:
    """Five writers; a reader goes from cursor to cursor, and has in the end what the map says."""
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        cursor = (await http.get("/hashes")).headers["hypertask-cursor"]
        held: dict[str, str] = {}

        async def writer(number: int) -> None:
            for n in range(30):
                await write(http, f"d{(n * number) % 11}", n * 10 + number)

        async def step() -> bool:
            nonlocal cursor
            page = (await http.get("/hashes", params={"since": cursor, "limit": "4"})).raise_for_status().json()
            for identity, hash_ in page["hashes"].items():
                if hash_ is None:
                    held.pop(identity, None)
                else:
                    held[identity] = hash_
            cursor = page["cursor"]
            return bool(page["more"])

        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(writer(number)) for number in range(1, 6)]
            while not all(task.done() for task in writers):
                await step()
        while await step():
            pass
        assert held == (await http.get("/hashes")).json()


@pytest.mark.parametrize("way", ["tag", "since"])
async def test_waiting_ends_when_something_changes(pair: Instance, way: str) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        await write(http, "a", 1)
        first = await http.get("/hashes")
        params = {"wait": str(NEVER_SECONDS)}
        headers = {"if-none-match": first.headers["etag"]}
        if way == "since":
            params["since"], headers = first.headers["hypertask-cursor"], {}
        waits = [asyncio.create_task(http.get("/hashes", params=params, headers=headers)) for _ in range(4)]
        done, _ = await asyncio.wait(waits, timeout=0.5)
        assert not done
        hash_ = await write(http, "b", 1)
        for answer in await asyncio.gather(*waits):
            hashes = answer.json() if way == "tag" else answer.json()["hashes"]
            assert hashes["b"] == hash_


async def test_waiting_ends_with_nothing_when_nothing_changes(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        first = await http.get("/hashes")
        headers = {"if-none-match": first.headers["etag"]}
        assert (await http.get("/hashes", params={"wait": "1"}, headers=headers)).status_code == 304
        params = {"wait": "1", "since": first.headers["hypertask-cursor"]}
        assert (await http.get("/hashes", params=params)).json()["hashes"] == {}


async def test_every_stream_hears_of_every_change(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        await write(http, "before", 1)

        async def follow(opened: asyncio.Semaphore) -> tuple[dict[str, str], dict[str, Any]]:
            hashes: dict[str, str] = {}
            tasks: dict[str, Any] = {}
            async with stream(http) as events:
                async for event in events:
                    assert event.cursor == event.data["cursor"]
                    if event.kind == "ready":
                        opened.release()
                        continue
                    hashes |= event.data["hashes"]
                    tasks |= event.data.get("tasks", {})
                    if "last" in hashes:
                        return hashes, tasks
            raise AssertionError("the stream ended")

        opened = asyncio.Semaphore(0)
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            streams = [group.create_task(follow(opened)) for _ in range(6)]
            for _ in streams:
                await opened.acquire()
            expected = {f"d{n}": await write(http, f"d{n}", n) for n in range(10)}
            many = {f"m{n}": {"client_state": {"id": f"m{n}"}} for n in range(300)}  # more than is said one by one
            (await http.post("/tasks", json={"tasks": many})).raise_for_status()
            expected |= {key: content_hash(item["client_state"]) for key, item in many.items()}
            expected["last"] = await write(http, "last", 1)
        for task in streams:
            hashes, tasks = task.result()
            assert hashes == expected
            assert tasks["d3"]["server_state"] == {"id": "d3", "n": 3} and tasks["d3"]["hash"] == expected["d3"]


async def test_a_stream_goes_on_where_it_was(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http, asyncio.timeout(PATIENCE_SECONDS):
        async with stream(http) as events:
            ready = await anext(events)
            await write(http, "a", 1)
            seen = await anext(events)
            assert (ready.kind, seen.kind) == ("ready", "changed")
        missed = {"b": await write(http, "b", 1), "a": await write(http, "a", 2)}
        async with stream(http, **{"last-event-id": seen.cursor}) as events:
            assert (await anext(events)).cursor == seen.cursor
            assert (await anext(events)).data["hashes"] == missed


async def test_revoking_a_device_ends_its_streams_only(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    other = await asyncio.to_thread(lambda: pair.access(space=access.space))
    async with (
        client_of(access) as http,
        client_of(other) as mine,
        stream(http) as kept,
        stream(mine) as ended,
        stream(mine) as ended_too,
    ):
        for events in (kept, ended, ended_too):
            await anext(events)
        (await http.delete(f"/devices/{other.device}")).raise_for_status()
        assert [event async for event in ended] == [event async for event in ended_too] == []
        await write(http, other.device, 1)
        assert other.device in (await anext(kept)).data["hashes"]


async def test_revoking_by_the_operator_ends_what_a_device_has_open(pair: Instance) -> None:
    """Another process than any that holds it: streams, requests that wait, an export that is being sent."""
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http:
        for number in range(100):
            large = {"id": f"large-{number}", "text": secrets.token_hex(100_000)}
            (await http.post(f"/task/{large['id']}", json={"client_state": large})).raise_for_status()
    other = await asyncio.to_thread(lambda: pair.access(space=access.space))
    async with client_of(access) as http, client_of(other) as mine, stream(http) as kept, stream(mine) as ended:
        for events in (kept, ended):
            await anext(events)
        map_ = await mine.get("/hashes")
        cursor, tag = map_.headers["hypertask-cursor"], map_.headers["etag"]
        held = [
            asyncio.create_task(mine.get(f"/hashes?wait={NEVER_SECONDS}&since={cursor}")),
            asyncio.create_task(mine.get(f"/hashes?wait={NEVER_SECONDS}", headers={"if-none-match": tag})),
        ]
        async with mine.stream("GET", "/export", headers={"accept-encoding": "identity"}) as export:
            lines = export.aiter_lines()
            assert json.loads(await anext(lines))["kind"] == "space"
            await asyncio.sleep(0.5)  # the requests are held by now; if not, they are refused as well
            command = [sys.executable, "-m", "api.cli", "--data", str(pair.data), "token", "revoke", other.device]
            done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
            assert [event async for event in ended if event.kind != "changed"] == []
            assert [answer.status_code for answer in await asyncio.gather(*held)] == [401, 401]
            assert '{"kind":"end"' not in [line[:13] async for line in lines]
        await write(http, other.device, 1)
        assert any([other.device in event.data["hashes"] async for event in _until(kept, other.device)])


async def _until(events: AsyncIterator[Event], identity: str) -> AsyncIterator[Event]:
    async for event in events:
        yield event
        if identity in event.data["hashes"]:
            return


async def test_a_device_may_not_have_any_number_of_streams(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    codes = set()
    async with client_of(access) as http, asyncio.TaskGroup() as group:
        full = asyncio.Event()

        async def follow() -> None:
            async with http.stream("GET", "/events") as answer:
                codes.add(answer.status_code)
                if answer.status_code == 429:
                    assert "retry-after" in answer.headers
                    full.set()
                await full.wait()

        for _ in range(2 * pair.settings.streams_per_device + 1):
            group.create_task(follow())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await full.wait()
    assert codes == {200, 429}


async def test_a_stream_survives_the_loss_of_the_cache(pair: Instance) -> None:
    access = await asyncio.to_thread(pair.access)
    async with client_of(access) as http, asyncio.timeout(PATIENCE_SECONDS), stream(http) as events:
        await anext(events)
        await asyncio.to_thread(pair.kill, "redis")
        body = {"client_state": {"id": "a"}}
        while (await http.post("/task/a", json=body)).status_code == 503:
            pass
        assert "a" in (await anext(events)).data["hashes"]


async def test_the_server_stops_though_somebody_listens(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "stopping" / "data")
    await asyncio.to_thread(instance.start)
    try:
        access = await asyncio.to_thread(instance.access)
        async with client_of(access) as http, stream(http) as events:
            await anext(events)
            stopping = asyncio.create_task(asyncio.to_thread(instance.stop))
            assert [event async for event in events] == []
            await stopping
            assert "did not stop" not in instance.log(), "it was cut off"
    finally:
        await asyncio.to_thread(instance.stop)
