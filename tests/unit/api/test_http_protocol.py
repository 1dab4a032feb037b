"""What a connection keeps of requests that came before their turn."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from api.http_protocol import HttpProtocol

ONE = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class Connection:
    """A connection to an application that answers when it is told to."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.transport = Mock(asyncio.Transport)
        self.transport.is_closing.return_value = False
        self.transport.get_extra_info.return_value = None
        config = Config(self._app, interface="asgi3", http=HttpProtocol, ws="none", log_config=None)
        config.load()
        self.protocol = HttpProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.transport)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
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


async def test_few_requests_wait_and_all_are_answered() -> None:
    connection = Connection()
    connection.protocol.data_received(ONE * 3000)
    connection.protocol.data_received(ONE * 10)
    assert len(connection.protocol.pipeline) <= 16 + 2048 // len(ONE) + 1
    assert not connection.is_read()
    connection.may_answer.set()
    async with asyncio.timeout(20):
        while connection.answers < 3010:
            await asyncio.sleep(0.01)
            assert len(connection.protocol.pipeline) <= 16 + 2048 // len(ONE) + 1
    assert connection.is_read()
    connection.protocol.connection_lost(None)


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
    async with asyncio.timeout(20):
        while not connection.answers:
            await asyncio.sleep(0.01)
    connection.protocol.connection_lost(None)
