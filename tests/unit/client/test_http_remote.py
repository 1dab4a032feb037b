"""The HTTP adapter: every answer and every failure becomes a value or an error of the port's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from client.push.http_remote import FIRST_CONTACT, OF_THE_DOCUMENT, TURNED_AWAY, HttpRemote, connect
from client.push.remote import (
    Correct,
    ForbiddenError,
    NotHypertaskError,
    Refused,
    RemoteError,
    TokenNotAcceptedError,
    UnavailableError,
    UnreachableError,
)
from client.sync.retry import Backoff
from shared.core.documents import DocumentId
from tests.unit.client.stub_server import StubServer, hash_of, problem

A = DocumentId("a")
ATTEMPTS = 5
URL = "http://server.example"

Call = Callable[[HttpRemote], Any]
CALLS: list[Call] = [
    lambda remote: remote.hashes(),
    lambda remote: remote.submit(A, {"id": "a"}),
    lambda remote: remote.read(A),
]
every_call = pytest.mark.parametrize("call", CALLS, ids=["hashes", "submit", "read"])


@asynccontextmanager
async def remote_to(
    answer: Callable[[httpx.Request], httpx.Response], waits: list[float] | None = None, url: str = URL
) -> AsyncIterator[HttpRemote]:
    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    backoff = Backoff(attempts=ATTEMPTS, uniform=lambda low, high: high)
    async with connect(url, "good-token", backoff=backoff, transport=httpx.MockTransport(answer)) as remote:
        remote._sleep = sleep
        yield remote


def failing(errors: Iterator[httpx.Response | Exception], stub: StubServer) -> StubServer:
    stub.trouble = lambda request: next(errors, None)
    return stub


# --- what v1.0 says ----------------------------------------------------------------------------------------


async def test_hashes(stub: StubServer) -> None:
    stub.documents = {"a": {"id": "a"}, "b": {"id": "b", "x": 1}}
    async with remote_to(stub.answer) as remote:
        assert await remote.hashes() == {name: hash_of(body) for name, body in stub.documents.items()}


async def test_what_is_sent() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"server_state": None})

    async with remote_to(answer, url="https://h.example:444/some/where/") as remote:
        await remote.submit(A, {"id": "a", "text": "é\n"})
    [request] = requests
    assert str(request.url) == "https://h.example:444/some/where/task/a"
    assert json.loads(request.content) == {"client_state": {"id": "a", "text": "é\n"}}
    assert request.headers["authorization"] == "Bearer good-token"
    assert request.headers["content-type"] == "application/json"


async def test_the_answer_is_the_correct_state(stub: StubServer) -> None:
    stub.documents = {"a": {"id": "a", "theirs": 1}}
    stub.deleted = {"b"}
    async with remote_to(stub.answer) as remote:
        assert await remote.submit(A, {"id": "a", "ours": 2}) == Correct({"id": "a", "theirs": 1, "ours": 2})
        assert await remote.submit(DocumentId("b"), {"id": "b"}) == Correct(None)


async def test_additions_to_an_answer_are_ignored() -> None:
    answer = {"server_state": {"id": "a"}, "rev": "1", "outcome": "applied"}
    async with remote_to(lambda request: httpx.Response(200, json=answer)) as remote:
        assert await remote.submit(A, {"id": "a"}) == Correct({"id": "a"})


async def test_reading(stub: StubServer) -> None:
    stub.documents = {"a": {"id": "a"}}
    async with remote_to(stub.answer) as remote:
        assert await remote.read(A) == {"id": "a"}
        assert await remote.read(DocumentId("b")) is None
    assert not stub.posts


async def test_reading_by_v1_alone(stub: StubServer) -> None:
    stub.documents, stub.readable = {"a": {"id": "a"}}, False
    async with remote_to(stub.answer) as remote:
        assert [await remote.read(A), await remote.read(A)] == [{"id": "a"}] * 2
        assert await remote.read(DocumentId("b")) is None
    assert stub.reads == ["a"]  # it is asked once whether it can be
    assert stub.posts == ["a", "a", "b"]
    assert stub.documents == {"a": {"id": "a"}}


# --- refusals concern one document -------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(OF_THE_DOCUMENT))
async def test_a_refusal_is_a_value_with_its_reason(status: int) -> None:
    refusal = problem(status, "some-code", "Too much of it.", pointer="/client_state/x", request_id="r1")
    async with remote_to(lambda request: refusal) as remote:
        answer = await remote.submit(A, {"id": "a"})
    assert isinstance(answer, Refused)
    assert answer.code == "some-code"
    assert answer.reason.startswith("Too much of it. At /client_state/x.")
    assert ("r1" in answer.reason) == (status >= 500)


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b"null", b"{}"])
async def test_a_refusal_by_something_before_the_server(content: bytes) -> None:
    async with remote_to(lambda request: httpx.Response(413, content=content)) as remote:
        assert await remote.submit(A, {"id": "a"}) == Refused("Request Entity Too Large.", "413")


# --- errors end it -----------------------------------------------------------------------------------------


@every_call
@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, TokenNotAcceptedError, "the token is not accepted: .*--token or HYPERTASK_TOKEN"),
        (403, ForbiddenError, "the token does not allow this"),
        (302, NotHypertaskError, "redirects to 'https://elsewhere.example/'.*--url or HYPERTASK_URL"),
        (418, NotHypertaskError, "status 418"),
    ],
)
async def test_each_error_names_the_fix(call: Call, status: int, error: type[RemoteError], words: str) -> None:
    headers = {"location": "https://elsewhere.example/"}
    async with remote_to(lambda request: httpx.Response(status, headers=headers)) as remote:
        with pytest.raises(error, match=words):
            await call(remote)


@pytest.mark.parametrize("call", CALLS[:2], ids=["hashes", "submit"])
async def test_a_wrong_path(call: Call) -> None:
    async with remote_to(lambda request: httpx.Response(404)) as remote:
        with pytest.raises(NotHypertaskError, match="Is the address right"):
            await call(remote)


@every_call
async def test_no_error_shows_the_token(call: Call) -> None:
    for status in (301, 401, 403, 404, 418, 503):
        answer = httpx.Response(status, headers={"location": "/x", "retry-after": "0"})
        async with remote_to(lambda request, answer=answer: answer) as remote:  # type: ignore[misc]
            try:
                await call(remote)
            except RemoteError as error:
                assert "good-token" not in str(error)


@pytest.mark.parametrize(
    ("call", "content"),
    [
        (CALLS[0], b"<html>"),
        (CALLS[0], b"[]"),
        (CALLS[0], b'{"a": 1}'),
        (CALLS[1], b"<html>"),
        (CALLS[1], b"{}"),
        (CALLS[1], b"[]"),
        (CALLS[1], b'{"server_state": 1}'),
        (CALLS[1], b'{"server_state": {}}'),
        (CALLS[1], b'{"server_state": {"id": "b"}}'),
        (CALLS[2], b"<html>"),
    ],
)
async def test_an_answer_that_is_none(call: Call, content: bytes) -> None:
    async with remote_to(lambda request: httpx.Response(200, content=content)) as remote:
        with pytest.raises(NotHypertaskError, match="does not answer as a Hypertask server"):
            await call(remote)


# --- trying again ------------------------------------------------------------------------------------------


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

    async with remote_to(answer) as remote:
        with pytest.raises((UnreachableError, NotHypertaskError), match="it broke"):
            await call(remote)


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
    async with remote_to(failing(iter(troubles), stub).answer, waits) as remote:
        assert await call(remote)
    assert waits == [0.25, 0.5, 1.0, 2.0]


@every_call
@pytest.mark.parametrize("status", sorted(TURNED_AWAY))
async def test_it_gives_up(call: Call, status: int, stub: StubServer) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return problem(status, "busy", "Come back later.")

    async with remote_to(answer) as remote:
        with pytest.raises(UnavailableError, match="Come back later"):
            await call(remote)
    assert len(seen) == ATTEMPTS


@every_call
async def test_retry_after_is_honoured(call: Call, stub: StubServer) -> None:
    stub.documents = {"a": {"id": "a"}}
    busy = httpx.Response(429, headers={"retry-after": "7"})
    waits: list[float] = []
    async with remote_to(failing(iter([busy, busy]), stub).answer, waits) as remote:
        await call(remote)
    assert waits == [7.25, 7.25]


async def test_too_long_a_wait_is_an_error_at_once() -> None:
    waits: list[float] = []
    async with remote_to(lambda request: httpx.Response(503, headers={"retry-after": "3600"}), waits) as remote:
        with pytest.raises(UnavailableError):
            await remote.hashes()
    assert waits == []


async def test_a_server_that_never_answered_is_given_up_sooner(stub: StubServer) -> None:
    stub.trouble = lambda request: httpx.ConnectError("refused")
    waits: list[float] = []
    async with remote_to(stub.answer, waits) as remote:
        with pytest.raises(UnreachableError, match="Is the server running"):
            await remote.hashes()
        assert len(waits) == FIRST_CONTACT - 1
        stub.trouble = lambda request: None
        await remote.hashes()
        waits.clear()
        stub.trouble = lambda request: httpx.ConnectError("refused")
        with pytest.raises(UnreachableError):
            await remote.hashes()
        assert len(waits) == ATTEMPTS - 1


async def test_connections_are_bounded() -> None:
    open_now = most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.01)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            open_now -= 1
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, connect(f"http://127.0.0.1:{port}", "t", connections=3) as remote:
        await asyncio.gather(*(remote.hashes() for _ in range(20)))
    assert most == 3
