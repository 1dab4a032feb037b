"""What a connection keeps of requests that came before their turn, and what it refuses to take apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from api.errors import ProblemError
from api.http.connection import WHOLE, connection_of
from api.http.http_protocol import MOST_HEAD_BYTES, HttpProtocol
from tests.patience import PATIENCE_SECONDS

ONE = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class Connection:
    """A connection to an application that answers when it is told to."""

    tasks: ClassVar[set[asyncio.Task[Any]]] = set()
    """Of the requests of all connections."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.scopes: list[Any] = []
        self.transport = Mock(asyncio.Transport)
        self.transport.is_closing.return_value = False
        self.transport.get_extra_info.return_value = None
        config = Config(self._app, interface="asgi3", http=HttpProtocol, ws="none", log_config=None)
        config.load()
        state = ServerState()
        state.tasks = self.tasks
        self.protocol = HttpProtocol(config, state, {})
        self.protocol.connection_made(self.transport)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def is_read(self) -> bool:
        """Whether the transport reads on."""
        calls = [name for name, *_ in self.transport.method_calls if name in ("pause_reading", "resume_reading")]
        return not calls or calls[-1] == "resume_reading"

    @property
    def sent(self) -> bytes:
        return b"".join(call.args[0] for call in self.transport.write.call_args_list)

    @property
    def answers(self) -> int:
        return self.sent.count(b"HTTP/1.1 200")


@pytest.fixture(autouse=True)
async def requests_end() -> AsyncIterator[None]:
    """With their test. Where one is cut short the next one of its connection begins: one that is left when the loop
    is closed is told of by the collector, in whatever test that runs."""
    yield
    while Connection.tasks:
        for task in Connection.tasks:
            task.cancel()
        await asyncio.wait(Connection.tasks)


@pytest.mark.parametrize(
    ("field", "together"),
    [((b"content-length", b"0"), True), ((b"cache-control", b"no-store"), False)],
    ids=["known", "unknown"],
)
async def test_a_head_leaves_with_its_body_if_that_comes_at_once_and_else_at_once(
    field: tuple[bytes, bytes], together: bool
) -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (
            {"type": "http.response.start", "status": 200, "headers": [field]},
            {"type": "http.response.body", "body": b"", "more_body": True},
            {"type": "http.response.body", "body": b""},
        ):
            await send(message)
            sent.append(connection.answers)

    connection = Connection()
    connection.protocol.app = app
    connection.protocol.data_received(ONE)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(sent) < 3:
            await asyncio.sleep(0)
    assert sent == [0 if together else 1, 1, 1]


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        (b"HEAD", 200, [(b"content-length", b"3")]),
        (b"HEAD", 200, [(b"cache-control", b"no-store")]),
        (b"GET", 204, []),
        (b"GET", 304, [(b"etag", b'"a"')]),
    ],
)
async def test_an_answer_without_a_body_is_its_head(
    method: bytes, status: int, fields: list[tuple[bytes, bytes]]
) -> None:
    connection = Connection()
    connection.protocol.data_received(ONE.replace(b"GET", method))
    cycle = connection.protocol.cycle
    await cycle.send({"type": "http.response.start", "status": status, "headers": fields})
    await cycle.send({"type": "http.response.body", "body": b"" if method == b"GET" else b"abc"})
    first, *others = connection.sent.split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status) and cycle.response_complete
    assert others == [*(b"%s: %s" % field for field in fields), b"", b""]
    connection.protocol.connection_lost(None)


async def test_what_fails_before_its_body_ends_its_connection_and_sends_nothing() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        raise ZeroDivisionError

    connection = Connection()
    connection.protocol.app = app
    connection.protocol.data_received(ONE)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not connection.transport.close.called:
            await asyncio.sleep(0)
    assert connection.sent == b""


async def test_few_requests_wait_and_all_are_answered() -> None:
    connection = Connection()
    connection.protocol.data_received(ONE * 300)
    connection.protocol.data_received(ONE * 10)
    assert len(connection.protocol.pipeline) <= 16 + 2048 // len(ONE) + 1
    assert not connection.is_read()
    connection.may_answer.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while connection.answers < 310:
            await asyncio.sleep(0.01)
            assert len(connection.protocol.pipeline) <= 16 + 2048 // len(ONE) + 1
    assert connection.is_read()
    connection.protocol.connection_lost(None)


async def test_a_request_can_tell_when_its_connection_has_ended() -> None:
    connection = Connection()
    connection.protocol.data_received(ONE)
    await asyncio.sleep(0)
    callback = Mock()
    [scope] = connection.scopes
    with connection_of(scope).telling(callback):
        connection_of(scope).check()
        callback.assert_not_called()
        connection.protocol.connection_lost(None)
        callback.assert_called_once()
    with pytest.raises(ProblemError):
        connection_of(scope).check()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n",
        b"GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n",
        *(b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n" for host in (b"a/b", b"u@a", b"a b", b"a?x", b"a:b", b"[::1")),
    ],
)
async def test_a_request_has_one_host_that_is_one(head: bytes) -> None:
    connection = Connection()
    connection.protocol.data_received(head + b"\r\n")
    assert connection.sent.startswith(b"HTTP/1.1 400") and b'"malformed-request"' in connection.sent
    assert connection.transport.close.called
    connection.protocol.connection_lost(None)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.0\r\n",
        *(
            b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n"
            for host in (b"a_b.example:80", b"[::1]:8000", b"", b"10.0.0.1")
        ),
    ],
)
async def test_a_host_may_be_a_name_or_an_address(head: bytes) -> None:
    connection = Connection()
    connection.may_answer.set()
    connection.protocol.data_received(head + b"\r\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not connection.answers:
            await asyncio.sleep(0.01)
    connection.protocol.connection_lost(None)


@pytest.mark.parametrize("begun", [b"GET /", b"GET / HTTP/1.1\r\nhost: a\r\nx: "], ids=["address", "header"])
async def test_a_head_has_so_many_bytes_and_no_more(begun: bytes) -> None:
    connection = Connection()
    connection.protocol.data_received(begun + b"x" * (MOST_HEAD_BYTES - len(begun)))
    assert connection.sent == b""
    connection.protocol.data_received(b"x")
    assert connection.sent.startswith(b"HTTP/1.1 431") and b'"headers-too-large"' in connection.sent
    connection.protocol.connection_lost(None)


CHUNKS = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begun", "part", "most", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", b"x: y\r\n", 200, 431, id="headers"),
        pytest.param(CHUNKS, b"1\r\n \r\n", 1032, 400, id="chunks"),
        pytest.param(CHUNKS + b"0\r\n", b"x: y\r\n", 20, 400, id="trailers"),
    ],
)
async def test_a_request_has_so_many_parts_and_no_more(begun: bytes, part: bytes, most: int, status: int) -> None:
    connection = Connection()
    connection.protocol.data_received(begun + part * most)
    assert connection.sent == b""
    connection.protocol.data_received(part * 2)  # of the last one it is not known yet whether it is over
    assert connection.sent.startswith(b"HTTP/1.1 %d" % status)
    connection.protocol.connection_lost(None)


@pytest.mark.parametrize(("part", "most"), [(b"&", 199), (b"%2C", 4096)])
async def test_an_address_has_so_many_parameters_and_escapes_and_no_more(part: bytes, most: int) -> None:
    for count in (most, most + 1):
        connection = Connection()
        connection.protocol.data_received(b"GET /tasks?" + part * count + b" HTTP/1.1\r\nhost: a\r\n\r\n")
        assert connection.sent.startswith(b"HTTP/1.1 400") == (count > most)
        connection.protocol.connection_lost(None)


@pytest.mark.parametrize("before", [1, 3])
async def test_what_is_wrong_is_answered_after_what_came_before_it(before: int) -> None:
    """Else a client takes the error for the answer to a write that was done."""
    connection = Connection()
    connection.protocol.data_received(ONE * before + b"nothing that could be a request\r\n\r\n")
    assert connection.sent == b""
    connection.may_answer.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while b"HTTP/1.1 400" not in connection.sent:
            await asyncio.sleep(0.01)
    assert connection.sent[: connection.sent.index(b"HTTP/1.1 400")].count(b"HTTP/1.1 200") == before
    connection.protocol.connection_lost(None)


OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
LENGTH = b"POST / HTTP/1.1\r\nhost: a\r\n%bcontent-length: 5\r\n\r\nabcde"
CHUNKED = b"POST / HTTP/1.1\r\nhost: a\r\n%btransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("request_", [LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_an_offer_of_another_protocol_is_passed_over(request_: bytes, size: int) -> None:
    """curl --http2 and Java's client make it with every request."""
    connection = Echo()
    offered = ONE.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n")
    raw = request_ % OFFER + offered + request_ % b"" + request_ % OFFER + ONE
    for begin in range(0, len(raw), size):
        connection.protocol.data_received(raw[begin : begin + size])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(connection.bodies) < 5:
            await asyncio.sleep(0.01)
    assert connection.bodies == [b"abcde", b"", b"abcde", b"abcde", b""]
    connection.protocol.connection_lost(None)


async def test_an_offer_before_a_broken_body_is_refused() -> None:
    connection = Echo()
    connection.protocol.data_received((CHUNKED % OFFER).replace(b"3\r\n", b"x\r\n"))
    assert connection.sent.startswith(b"HTTP/1.1 400") and b'"malformed-request"' in connection.sent
    connection.protocol.connection_lost(None)


class Echo(Connection):
    """Its application keeps the bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__()
        self.may_answer.set()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                self.bodies.append(body)
                break
        await super()._app(scope, receive, send)


async def test_a_body_that_is_all_there_is_known_to_be() -> None:
    """Then nothing waits for it, and no timer is needed."""
    post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n"
    connection = Connection()
    connection.protocol.data_received(post + b"ab")
    await asyncio.sleep(0)
    [scope] = connection.scopes
    assert WHOLE not in scope
    connection.protocol.data_received(b"cd")
    assert scope[WHOLE]
    connection.protocol.data_received(post)
    assert WHOLE not in connection.protocol.scope, "that was the one before"
    connection.protocol.connection_lost(None)


@pytest.mark.parametrize("field", [(b"a", b"b\r\nc: d"), (b"a\r\nb", b"c"), (b"a b", b"c"), (b"a", b"\0")])
async def test_no_field_of_an_answer_begins_another_line(field: tuple[bytes, bytes]) -> None:
    connection = Connection()
    connection.protocol.data_received(ONE)
    for _ in range(2):  # also not when it was seen before
        cycle = connection.protocol.cycle
        cycle.response_started = False
        with pytest.raises(RuntimeError):
            await cycle.send({"type": "http.response.start", "status": 200, "headers": [field]})
    assert connection.sent == b""
    connection.protocol.connection_lost(None)


@pytest.mark.parametrize(("said", "bodies"), [(2, [b"abc"]), (3, [b"ab", b"c", b"d"]), (4, [b"abc"])])
async def test_an_answer_is_as_long_as_it_says(said: int, bodies: list[bytes]) -> None:
    connection = Connection()
    connection.protocol.data_received(ONE)
    cycle = connection.protocol.cycle
    headers = [(b"content-length", b"%d" % said)]
    await cycle.send({"type": "http.response.start", "status": 200, "headers": headers})
    with pytest.raises(RuntimeError):
        for number, body in enumerate(bodies, 1):
            await cycle.send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})
    connection.protocol.connection_lost(None)


async def test_a_second_head_is_not_the_end_of_an_answer() -> None:
    """Who reads it would take half of an answer for the whole."""
    connection = Connection()
    connection.protocol.data_received(ONE)
    cycle = connection.protocol.cycle
    head: Any = {"type": "http.response.start", "status": 200, "headers": []}
    await cycle.send(head)
    await cycle.send({"type": "http.response.body", "body": b"abc", "more_body": True})
    with pytest.raises(RuntimeError):
        await cycle.send(head)
    assert connection.sent.endswith(b"\r\n\r\n3\r\nabc\r\n")
    connection.protocol.connection_lost(None)


async def test_an_answer_of_no_length_comes_in_chunks_and_its_connection_ends_if_it_says_so() -> None:
    connection = Connection()
    connection.protocol.data_received(ONE)
    cycle = connection.protocol.cycle
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await cycle.send({"type": "http.response.body", "body": b"abc", "more_body": True})
    await cycle.send({"type": "http.response.body", "body": b"", "more_body": True})
    await cycle.send({"type": "http.response.body", "body": b""})
    head, _, body = connection.sent.partition(b"\r\n\r\n")
    assert head.endswith(b"connection: close\r\ntransfer-encoding: chunked")
    assert body == b"3\r\nabc\r\n0\r\n\r\n"
    assert connection.transport.close.called
    connection.protocol.connection_lost(None)
