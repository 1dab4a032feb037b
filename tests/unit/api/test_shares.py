"""Whose share of a process's memory and time a request takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any

import httpx
import pytest

from api.authentication.auth import Devices
from api.http.codings import compress
from api.http.connection import LASTING, Connection
from api.limits import pace as pacing
from api.limits.bounds import DECISIONS_BESIDE_OTHERS, DECISIONS_OF_SHARE, NOBODY, ByteBudget, Gate
from api.limits.pace import Pace
from api.pages import web_client
from api.pages.site import Visit
from api.requests.body import BYTES_OF_A_REQUEST
from api.routes import oauth, service
from shared.adapters.argon2 import Argon2Hasher
from shared.core.documents import Device, DeviceId, SpaceId, UserId, UserName, share_of
from tests.unit.api.people import People, people


@pytest.fixture
async def server() -> AsyncIterator[People]:
    async with people() as found:
        yield found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> set[SpaceId]:
    """Whose requests were counted by the pace."""
    shares: set[SpaceId] = set()

    async def throttle(pace: Pace, space: SpaceId, connection: Connection = LASTING) -> None:
        shares.add(space)

    monkeypatch.setattr(Pace, "throttle", throttle)
    return shares


def device(*, every_space: bool, owner: str | None = "u1") -> Device:
    user = None if owner is None else UserId(owner)
    return Device(DeviceId("d"), UserName("u"), "d", SpaceId("s"), 0.0, owner=user, every_space=every_space)


def test_a_token_has_one_share_however_many_spaces_it_opens() -> None:
    assert device(every_space=True).share == share_of("u1") != SpaceId("u1")
    assert device(every_space=False).share == device(every_space=True, owner=None).share == SpaceId("s")


async def test_what_is_large_counts_for_the_user_in_all_of_his_spaces(
    server: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await server.join("anna")
    other = (await anna.call("POST", "/spaces", 201, json={"name": "Other"}))["space"]
    shares: set[SpaceId] = set()
    entered, taken = Gate.enter, ByteBudget.take

    async def enter(gate: Gate, space: SpaceId) -> None:
        shares.add(space)
        await entered(gate, space)

    def take(budget: ByteBudget, space: SpaceId, size: int) -> None:
        shares.add(space)
        taken(budget, space, size)

    monkeypatch.setattr(Gate, "enter", enter)
    monkeypatch.setattr(ByteBudget, "take", take)
    large = {"client_state": {"id": "a", "text": "x" * 300_000}}
    for space in (await anna.home(), other):
        laptop = server.device(await anna.token(every_space=True), space)
        for method, path, body in (
            ("POST", "/task/a", large),
            ("POST", "/tasks", {"tasks": {"a": large}}),
            ("POST", "/hashes/diff", {"ranges": {"": "0" * 32}}),
            ("PUT", "/policies", {}),
            ("GET", "/tasks", None),
            ("GET", "/tasks?ids=a", None),
            ("GET", "/task/a", None),
            ("GET", "/task/a/revisions", None),
            ("GET", "/export", None),
        ):
            answer = await laptop.request(method, path, json=body)
            assert answer.status_code == 200, answer.text
        export = (await laptop.get("/export")).content
        answer = await laptop.post("/import", content=export, headers={"content-type": "application/x-ndjson"})
        assert answer.status_code == 200, answer.text
    await anna.client.get("/me/export")
    assert shares == {share_of(anna.user)}


async def test_requests_count_for_the_user_in_all_of_his_spaces(server: People, counted: set[SpaceId]) -> None:
    anna = await server.join("anna")
    token = await anna.token(every_space=True)
    spaces = [await anna.home(), (await anna.call("POST", "/spaces", 201, json={"name": "Other"}))["space"]]
    counted.clear()
    for space in spaces:
        assert (await server.device(token, space).get("/hashes")).status_code == 200
    assert (await server.device(token).get("/spaces")).status_code == 200
    assert counted == {share_of(anna.user)}


@pytest.mark.parametrize("path", ["/me", "/spaces", "/sessions", "/account", "/account/spaces"])
async def test_requests_of_a_session_count(server: People, counted: set[SpaceId], path: str) -> None:
    anna = await server.join("anna")
    counted.clear()
    assert (await anna.client.get(path)).status_code == 200
    assert counted == {share_of(anna.user)}


@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("/docs", {NOBODY}),
        ("/openapi.json", {NOBODY}),
        ("/none", {NOBODY}),
        ("/hashes", {NOBODY}),
        ("/healthz", set()),
    ],
)
async def test_requests_of_nobody_count_together(
    server: People, counted: set[SpaceId], path: str, share: set[SpaceId]
) -> None:
    await server.client().get(path)
    assert counted == share


@pytest.mark.parametrize(
    ("asked", "with_token", "work"),
    [
        ("POST /session", False, (Argon2Hasher, "verify")),
        ("POST /oauth/token", False, (oauth, "form_of")),
        ("GET /app/sw.js", False, (web_client, "_file")),
        ("GET /app/sw.js", True, (web_client, "_file")),
        ("GET /docs", True, (Visit, "render")),
        ("GET /openapi.json", True, (service, "_json")),
        ("GET /hashes", False, (Devices, "by_hash")),
    ],
)
async def test_the_turn_of_nobody_comes_before_the_work(
    server: People, monkeypatch: pytest.MonkeyPatch, asked: str, with_token: bool, work: tuple[Any, str]
) -> None:
    method, _, path = asked.partition(" ")
    token = await (await server.join("anna")).token()
    acts: list[str] = []

    async def throttle(pace: Pace, space: SpaceId, connection: Connection = LASTING) -> None:
        acts.append(f"turn of {space!r}")

    real = getattr(*work)

    def noted(*arguments: Any, **more: Any) -> Any:
        acts.append("work")
        return real(*arguments, **more)

    monkeypatch.setattr(Pace, "throttle", throttle)
    monkeypatch.setattr(*work, noted)
    client = server.device(token) if with_token else server.client()
    body = {"name": "anna", "password": "wrong"} if path == "/session" else None
    await client.request(method, path, json=body)
    assert acts[0] == f"turn of {NOBODY!r}" and acts.count(acts[0]) == 1, acts


async def test_a_token_that_is_not_known_is_nobodys(server: People, counted: set[SpaceId]) -> None:
    assert (await server.device("none").get("/hashes")).status_code == 401
    assert counted == {NOBODY}


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_large_body_counts_as_many_requests(
    server: People, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    counts: list[int] = []
    monkeypatch.setattr(Pace, "more", lambda pace, space, count: counts.append(count))
    monkeypatch.setattr(pacing, "REQUEST_SECONDS", 1e9)
    anna = await server.join("anna")
    laptop = server.device(await anna.token())
    for size in (100, 20 * BYTES_OF_A_REQUEST):
        counts.clear()
        raw = json.dumps({"client_state": {"id": "a", "text": "x" * size}}).encode()
        body = raw if coding == "identity" else compress(coding, raw)
        answer = await laptop.post("/task/a", content=body, headers={"content-encoding": coding})
        assert answer.status_code == 200
        assert sum(counts) == size // BYTES_OF_A_REQUEST


@pytest.mark.parametrize(
    "path", ["/spaces", "/me", "/devices", "/sessions", "/me/export", "/account", "/account/spaces", "/hashes"]
)
async def test_the_time_of_a_request_is_its_shares(
    server: People, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await server.join("anna")
    client = server.device(await anna.token(every_space=True)) if path == "/hashes" else anna.client
    billed: list[SpaceId] = []
    monkeypatch.setattr(pacing, "REQUEST_SECONDS", 1e-9)
    monkeypatch.setattr(Pace, "more", lambda pace, space, count: billed.append(space))
    assert (await client.get(path)).status_code == 200
    assert set(billed) == {share_of(anna.user)}


async def test_a_token_of_many_spaces_has_few_requests_at_the_workers(
    server: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await server.join("anna")
    app = server.service.state
    spaces = [(await anna.call("POST", "/spaces", 201, json={"name": f"{n}"}))["space"] for n in range(20)]
    token, bound = await anna.token(every_space=True), await server.service.token()
    inside, may_go = 0, asyncio.Event()
    submit, submit_all = app.submissions.submit, app.submissions.submit_all

    async def counted(call: Awaitable[Any]) -> Any:
        nonlocal inside
        inside += 1
        await may_go.wait()
        return await call

    monkeypatch.setattr(app.submissions, "submit", lambda *arguments: counted(submit(*arguments)))
    monkeypatch.setattr(app.submissions, "submit_all", lambda *arguments: counted(submit_all(*arguments)))
    state = {"client_state": {"id": "a"}}

    async def write(client: httpx.AsyncClient, number: int) -> int:
        if number % 2:
            return (await client.post("/task/a", json=state)).status_code
        return (await client.post("/tasks", json={"tasks": {"a": state}})).status_code

    async def inside_when_all_came(writes: Iterable[Awaitable[int]]) -> int:
        nonlocal inside
        inside = 0
        may_go.clear()
        under_way = [asyncio.ensure_future(one) for one in writes]
        async with asyncio.timeout(60):
            while inside + len(app.decisions._waiting.get(share_of(anna.user), ())) < len(under_way):
                await asyncio.sleep(0)
        found = inside
        may_go.set()
        assert set(await asyncio.gather(*under_way)) == {200}
        return found

    app.pace._counts.clear()
    app.pace._before.clear()
    of_many = [write(server.device(token, space), number) for number, space in enumerate(spaces)]
    assert await inside_when_all_came(of_many) == DECISIONS_OF_SHARE
    await server.device(bound).get("/hashes")
    of_many = [write(server.device(token, space), number) for number, space in enumerate(spaces)]
    assert await inside_when_all_came(of_many) == DECISIONS_BESIDE_OTHERS, "the other one asks for something, too"
    of_one = [write(server.device(bound), number) for number in range(20)]
    assert await inside_when_all_came(of_one) == 20, "what is of one space is decided together"
