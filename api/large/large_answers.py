"""Large answers: sent piece by piece, at a pace that leaves time for others, and bounded in bytes meanwhile.

A client that reads slowly keeps its answer in the memory of this process. So answers count against a bound, of a
space and of all, until they are sent; who has too many under way is told to come again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.errors import ProblemError
from api.http.answer import TOGETHER
from api.limits.bounds import HOLDING, ByteBudget, Holding
from api.limits.pace import Pace
from shared.ports import OverloadedError

PIECE_BYTES: Final = 64 * 1024
"""Of an answer that are sent at a time."""
_SHARED: Final = "hypertask.shared"


class Parts(Response):
    """A JSON answer that is made of texts, which are never joined. Its length is known, so it has Content-Length."""

    media_type = "application/json"

    def __init__(
        self, parts: Sequence[bytes], headers: dict[str, str] | None = None, *, shared: bool = False
    ) -> None:
        """`shared`: the texts are kept in any case, so that they do not count while they are sent."""
        self._length = sum(map(len, parts))
        super().__init__(b"", headers={**(headers or {}), "content-length": str(self._length)})
        self._parts = parts
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if self._length <= PIECE_BYTES and scope.get(TOGETHER) and scope["method"] != "HEAD":
            await send({**start, "body": b"".join(self._parts)})
            return
        await send({**start, _SHARED: self._shared})
        if self._length <= PIECE_BYTES:
            await send({"type": "http.response.body", "body": b"".join(self._parts)})
            return
        if scope["method"] != "HEAD":
            for piece in _pieces(self._parts):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Of PIECE_BYTES, of about as many as small parts come to, or what is left. A part of up to twice as many is not
    copied."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        if len(part) <= PIECE_BYTES:
            waiting.append(part)
            size += len(part)
        if size >= PIECE_BYTES or (waiting and len(part) > PIECE_BYTES):
            yield b"".join(waiting)
            waiting, size = [], 0
        if PIECE_BYTES < len(part) <= 2 * PIECE_BYTES:
            yield part
        elif len(part) > PIECE_BYTES:
            yield from _slices(part)
    if waiting:
        yield b"".join(waiting)


def _slices(body: bytes) -> Iterator[bytes]:
    for begin in range(0, len(body), PIECE_BYTES):
        yield body[begin : begin + PIECE_BYTES]


class LargeAnswers:
    """The middleware. What is smaller than a piece goes through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        return self._app(scope, receive, _Sending(scope, receive, send).send)


class _Sending:
    """The answer to one request."""

    __slots__ = ("_holding", "_is_head", "_receive", "_refused", "_scope", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._holding: Holding = scope[HOLDING]
        self._refused = False
        self._is_head = scope["method"] == "HEAD"

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self._refused:
            return
        if message["type"] == "http.response.start":
            if "body" in message:  # all of it, which is not large
                await self._send(message)
            else:
                await self._begin(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._is_head:  # what comes in pieces would be compressed in pieces, which its head must say
            await self._send({**message, "body": body if len(body) <= PIECE_BYTES else b""})
            return
        if len(body) <= PIECE_BYTES and not more:
            await self._send(message)
            return
        # One that is whole has to leave in pieces, or it would be compressed whole, which its head must say as well.
        pieces = [body] if more and len(body) <= 2 * PIECE_BYTES else list(_slices(body))
        for number, piece in enumerate(pieces):
            await self._send({**message, "body": piece, "more_body": more or number + 1 < len(pieces)})
            await self._pace().give_way(self._holding.space, len(piece))

    async def _begin(self, start: Message) -> None:
        shared = start.pop(_SHARED, False)
        length = int(next((value for name, value in start["headers"] if name == b"content-length"), 0))
        if length > PIECE_BYTES and not shared and not self._is_head:
            try:
                self._holding.take(self._budget(), self._holding.space, length)
            except (ProblemError, OverloadedError) as error:
                self._refused = True
                await errors.render(errors.problem(error))(self._scope, self._receive, self._send)
                return
        await self._send(start)

    def _budget(self) -> ByteBudget:
        budget: ByteBudget = self._scope["state"]["hypertask"].answers
        return budget

    def _pace(self) -> Pace:
        pace: Pace = self._scope["state"]["hypertask"].pace
        return pace
