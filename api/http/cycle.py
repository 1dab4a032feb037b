"""How an answer is written. As uvicorn's, which looks at each field of each answer for what must not be in it: most
fields are those of the answer before. Where the length of an answer is known its body comes at once, so that its head
waits for it and leaves with it: a packet less, and whoever reads it is woken once."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

_LINES_KEPT: Final = 512
_OF_ONE_ANSWER: Final = frozenset((b"location", b"set-cookie", b"x-request-id"))
"""What is not seen again, and may be a secret: it is not remembered."""
_USUAL: Final = frozenset((b"content-length", b"content-type", b"cache-control", b"x-content-type-options", b"vary"))
"""Of answers that have no other fields, but for their ids, all lines are remembered together."""
_NAME: Final = itemgetter(0)


@lru_cache(maxsize=_LINES_KEPT)
def _line(name: bytes, value: bytes) -> bytes:
    """RuntimeError for what would be another line, or another answer."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError("Invalid HTTP header.")
    return b"%s: %s\r\n" % (name, value)


@lru_cache(maxsize=_LINES_KEPT)
def _is_usual(names: tuple[bytes, ...]) -> bool:
    """Whether an answer has these alone of which others have the same, and an id of its own at the end."""
    *known, last = names or (b"",)
    return last == b"x-request-id" and known.count(b"content-length") == 1 and _USUAL.issuperset(known)


@lru_cache(maxsize=_LINES_KEPT)
def _usual_lines(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, int]:
    """Their text, and what Content-Length says among them."""
    length = int(dict(fields).get(b"content-length", 0))
    return b"".join([_line(name, value) for name, value in fields]), length


class Cycle(RequestResponseCycle):
    """One request and its answer. Names of fields are in lower case, and none of them is Transfer-Encoding."""

    disconnected = response_started = response_complete = False
    more_body = True
    chunked_encoding: bool | None = None
    expected_content_length = 0
    _head = b""
    """Of the answer, while its body is waited for."""

    def __init__(self, protocol: HttpToolsProtocol, *, keep_alive: bool) -> None:
        self.scope, self.transport, self.flow = protocol.scope, protocol.transport, protocol.flow
        self.logger, self.default_headers = protocol.logger, protocol.server_state.default_headers
        self.on_response = protocol.on_response_complete
        self.message_event, self.body = asyncio.Event(), bytearray()
        self.waiting_for_100_continue, self.keep_alive = protocol.expect_100_continue, keep_alive

    async def receive(self) -> Any:
        if self.more_body or self.disconnected or self.response_complete or self.waiting_for_100_continue:
            return await super().receive()
        if not self.message_event.is_set():  # it was taken: the end of the connection is waited for
            return await super().receive()
        # All of it is there.
        self.message_event.clear()
        self.flow.resume_reading()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._send_head(message["status"], message["headers"])
            if "body" in message:  # all of it (TOGETHER)
                self._send_body(message["body"], more=False)
        elif self.response_complete or message["type"] != "http.response.body":
            raise RuntimeError("The answer was complete, or had begun, and something more was sent.")
        else:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))

    def _send_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.keep_alive and _is_usual(tuple(map(_NAME, fields))):
            *known, (name, value) = fields
            text, length = _usual_lines(tuple(known))
            always = _usual_lines(tuple(self.default_headers))[0] if self.default_headers else b""
            self.expected_content_length, self.chunked_encoding = length, False
            self._head = b"%b%b%b%b\r\n" % (STATUS_LINE[status], always, text, _line.__wrapped__(name, value))
            return
        lines, closes = [STATUS_LINE[status]], False
        for name, value in (*self.default_headers, *fields):
            lines.append((_line.__wrapped__ if name in _OF_ONE_ANSWER else _line)(name, value))
            if name == b"content-length":
                self.expected_content_length, self.chunked_encoding = int(value), False
            elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                self.keep_alive, closes = False, True
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        if self.chunked_encoding is not False:
            self._leave(b"")

    def _leave(self, data: bytes) -> None:
        """With the head, if that has not left."""
        head, self._head = self._head, b""
        self.transport.write(head + data if head else data)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            self._leave(b"")
        elif self.chunked_encoding:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            self.transport.write(chunk if more else chunk + b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("The answer is longer than its Content-Length.")
            self._leave(body)
        if more:
            return
        if self.expected_content_length:
            raise RuntimeError("The answer is shorter than its Content-Length.")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
