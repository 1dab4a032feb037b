"""Requests to a server: every answer and every failure becomes a value or an error of the port's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.sync.engine.records import NotNow, Pending, Refused, UpstreamReply
from client.sync.upstream import (
    NotAnUpstreamError,
    Outgoing,
    RefusedAccessError,
    UpstreamError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import CONNECTIONS, FIRST_CONTACT, TURNED_AWAY, Channel
from client.upstreams.http_submission import OF_THE_DOCUMENT
from shared.core.documents import DocumentId
from shared.retry import Backoff
from tests.certificate import certificate
from tests.patience import PATIENCE_SECONDS
from tests.unit.client.stub_server import StubServer, hash_of, problem
from tests.unit.client.workspace.since_server import SinceServer

A = DocumentId("a")
ATTEMPTS = 5
STATE = Outgoing(A, Pending({"id": "a"}, hash_of({"id": "a"}), None))  # type: ignore[arg-type]

Call = Callable[[HttpUpstream], Any]


async def submitted(upstream: HttpUpstream, one: Outgoing) -> UpstreamReply:
    [replies] = [portion async for portion in upstream.submit([one])]
    return replies[A]


CALLS: list[Call] = [
    lambda upstream: upstream.changes(None),
    lambda upstream: submitted(upstream, STATE),
    lambda upstream: submitted(upstream, Outgoing(A)),
]
every_call = pytest.mark.parametrize("call", CALLS, ids=["changes", "submit", "read"])


@asynccontextmanager
async def upstream_at(
    answer: Callable[[httpx.Request], httpx.Response], waits: list[float] | None = None
) -> AsyncIterator[HttpUpstream]:
    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    channel = Channel(
        "http://server.example",
        "good-token",
        backoff=Backoff(attempts=ATTEMPTS, uniform=lambda low, high: high),
        transport=httpx.MockTransport(answer),
        sleep=sleep,
    )
    upstream = HttpUpstream(channel, {"asked_at": 1e12})
    try:
        yield upstream
    finally:
        await upstream.close()


def failing(errors: Iterator[httpx.Response | Exception], stub: StubServer) -> StubServer:
    stub.trouble = lambda request: next(errors, None)
    return stub


@pytest.mark.parametrize("status", sorted(OF_THE_DOCUMENT | {500}))
async def test_a_refusal_concerns_one_document_and_has_its_reason(status: int) -> None:
    refusal = problem(status, "some-code", "Too much of it.", pointer="/client_state/x", request_id="r1")
    async with upstream_at(lambda request: refusal) as upstream:
        reply = await submitted(upstream, STATE)
    if status == 500:
        assert isinstance(reply, NotNow) and reply.reason.endswith("Request r1.")
    else:
        assert isinstance(reply, Refused) and reply.code == "some-code"
        assert reply.reason == "Too much of it. At /client_state/x."


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b"null", b"{}"])
async def test_a_refusal_by_something_before_the_server(content: bytes) -> None:
    async with upstream_at(lambda request: httpx.Response(413, content=content)) as upstream:
        assert await submitted(upstream, STATE) == Refused("413", "Request Entity Too Large.")


@every_call
@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, RefusedAccessError, "does not accept the token.*hypertask connect"),
        (403, RefusedAccessError, "does not permit this"),
    ],
)
async def test_each_error_names_the_fix(call: Call, status: int, error: type[UpstreamError], words: str) -> None:
    async with upstream_at(lambda request: httpx.Response(status)) as upstream:
        with pytest.raises(error, match=words):
            await call(upstream)


@pytest.mark.parametrize("status", [302, 404, 418])
async def test_a_wrong_address_is_said_so(status: int) -> None:
    async with upstream_at(lambda request: httpx.Response(status, headers={"location": "/x"})) as upstream:
        with pytest.raises(NotAnUpstreamError, match="Is the address right"):
            await upstream.changes(None)


@every_call
async def test_no_error_shows_the_token(call: Call) -> None:
    for status in (301, 401, 403, 404, 418, 503):
        answer = httpx.Response(status, headers={"location": "/x", "retry-after": "0"})
        async with upstream_at(lambda request, answer=answer: answer) as upstream:  # type: ignore[misc]
            try:
                assert "good-token" not in str(await call(upstream))
            except UpstreamError as error:
                assert "good-token" not in str(error)


@pytest.mark.parametrize(
    ("call", "content"),
    [
        (CALLS[0], b"<html>"),
        (CALLS[0], b"[]"),
        (CALLS[0], b'{"a": 1}'),
        (CALLS[1], b"<html>"),
        (CALLS[1], b'{"server_state": 1}'),
        (CALLS[1], b'{"server_state": {}}'),
        (CALLS[1], b'{"server_state": {"id": "b"}}'),
        (CALLS[2], b"<html>"),
    ],
)
async def test_what_is_no_answer_of_the_protocol(call: Call, content: bytes) -> None:
    async with upstream_at(lambda request: httpx.Response(200, content=content)) as upstream:
        with pytest.raises(NotAnUpstreamError, match="does not answer as a Hypertask server"):
            await call(upstream)


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


@every_call
@pytest.mark.parametrize("kind", list(subclasses(httpx.HTTPError)), ids=lambda kind: kind.__name__)
async def test_no_failure_of_the_library_escapes(call: Call, kind: type[Exception]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        response = httpx.Response(500, request=request)
        raise (
            kind("it broke", request=request, response=response)
            if kind is httpx.HTTPStatusError
            else kind("it broke")
        )

    async with upstream_at(answer) as upstream:
        with pytest.raises((UpstreamUnreachableError, NotAnUpstreamError), match="it broke"):
            await call(upstream)


@every_call
async def test_lost_connections_and_busy_servers_are_waited_for(call: Call, stub: StubServer) -> None:
    stub.documents = {"a": {"id": "a"}}
    troubles: list[httpx.Response | Exception] = [
        httpx.ConnectError("refused"),
        problem(503, "unavailable", "later"),
        httpx.RemoteProtocolError("gone"),
        httpx.Response(502, content=b"<html>"),
    ]
    waits: list[float] = []
    async with upstream_at(failing(iter(troubles), stub).answer, waits) as upstream:
        assert await call(upstream)
    assert waits == [0.25, 0.5, 1.0, 2.0]


@every_call
@pytest.mark.parametrize("status", sorted(TURNED_AWAY))
async def test_it_gives_up(call: Call, status: int) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return problem(status, "busy", "Come back later.")

    async with upstream_at(answer) as upstream:
        with pytest.raises(UpstreamUnavailableError, match="Come back later"):
            await call(upstream)
    assert len(seen) == ATTEMPTS


@every_call
async def test_retry_after_is_honoured(call: Call, stub: StubServer) -> None:
    stub.documents = {"a": {"id": "a"}}
    busy = httpx.Response(429, headers={"retry-after": "7"})
    waits: list[float] = []
    async with upstream_at(failing(iter([busy, busy]), stub).answer, waits) as upstream:
        await call(upstream)
    assert waits == [7.25, 7.25]


async def test_too_long_a_wait_is_an_error_at_once() -> None:
    waits: list[float] = []
    busy = httpx.Response(503, headers={"retry-after": "3600"})
    async with upstream_at(lambda request: busy, waits) as upstream:
        with pytest.raises(UpstreamUnavailableError):
            await upstream.changes(None)
    assert waits == []


async def test_a_server_that_never_answered_is_given_up_sooner(stub: StubServer) -> None:
    stub.trouble = lambda request: httpx.ConnectError("refused")
    waits: list[float] = []
    async with upstream_at(stub.answer, waits) as upstream:
        with pytest.raises(UpstreamUnreachableError, match="Is the server running"):
            await upstream.changes(None)
        assert len(waits) == FIRST_CONTACT - 1
        stub.trouble = lambda request: None
        await upstream.changes(None)
        waits.clear()
        stub.trouble = lambda request: httpx.ConnectError("refused")
        with pytest.raises(UpstreamUnreachableError):
            await upstream.changes(None)
        assert len(waits) == ATTEMPTS - 1


async def test_requests_under_way_are_bounded() -> None:
    now = most = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        document = request.url.path.removeprefix("/task/")
        return httpx.Response(200, json={"server_state": {"id": document}})

    channel = Channel("http://server.example", "good-token", transport=httpx.MockTransport(answer))
    upstream = HttpUpstream(channel, {"asked_at": 1e12})
    wanted = [Outgoing(DocumentId(f"d{n}")) for n in range(100)]
    assert sum([len(replies) async for replies in upstream.submit(wanted)]) == 100
    await upstream.close()
    assert most == CONNECTIONS


async def test_a_scheme_in_capitals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same authorities are trusted."""
    certificate(tmp_path, "server")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    server = SinceServer()
    channel = Channel(server.start(tmp_path).replace("https", "HTTPS"), server.token, backoff=Backoff(1, 0.0, 0.0))
    try:
        assert (await asyncio.wait_for(channel.request("GET", "/hashes"), PATIENCE_SECONDS)).status_code == 200
    finally:
        await channel.close()
        server.stop()
