"""Request bodies, bounded while they are read: each of them, all together, and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.types import Message

from api.errors import (
    MALFORMED_REQUEST,
    RATE_LIMITED,
    REQUEST_TIMEOUT,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
)
from api.http.codings import CODINGS, IDENTITY, BrokenError, ReceivedBody, decompressed, expected_size
from api.http.connection import WHOLE
from api.large.parser_pool import SMALL_BYTES
from api.limits.bounds import HOLDING, RETRY_SECONDS, Holding
from api.state import AppState, state
from shared.core.documents import Device, SpaceId

SLOWEST: Final = 16 * 1024
"""Bytes in a second that a body has to come with, beyond the seconds that any body is given."""
_OVERHEAD: Final = 1024
BYTES_OF_A_REQUEST: Final = 32 * 1024
"""A body of so many, decompressed, takes about as much as a small request."""
_LARGE_BYTES: Final = 256 * 1024
_CLOSE: Final = {"connection": "close"}


async def read_json_body(request: Request, space: SpaceId, max_bytes: int) -> bytes:
    """As `read_body`, decompressed whatever it takes: for bodies that may have SMALL_BYTES at most."""
    assert max_bytes <= SMALL_BYTES
    return (await read_body(request, space, max_bytes)).data


async def read_body(request: Request, space: SpaceId, max_bytes: int) -> ReceivedBody:
    """The body; compressed still if it has more than SMALL_BYTES. 413 as soon as it is known to be longer, 415 if it
    says that it is no JSON or compressed in a way that is not known, 408 if it does not come in time, 429 if the
    space sends too much at a time.

    What is compressed is decompressed when all of it is there, not before: bodies whose end is withheld cost no more
    than was sent. Content-Type may be missing, and curl's default for --data is let pass: v1.0 asks for no header.
    """
    app, holding = state(request), _holding(request)
    try:
        coding = coding_of(request, ("application/json",))
        if request.scope.get(WHOLE):
            data = await _whole(request, space, max_bytes, coding)
        else:
            data = await _gathered(app, _Arrival(request, max_bytes, coding), holding, space)
        size = len(data)
        app.pace.more(space, size // BYTES_OF_A_REQUEST)
        if coding == IDENTITY:
            return ReceivedBody(data)
        plain = _decompressed(coding, data, min(SMALL_BYTES, max_bytes))
        if plain is not None:
            return ReceivedBody(plain)
        if max_bytes <= SMALL_BYTES:
            raise _too_large(max_bytes)
        expected = min(expected_size(coding, data), max_bytes)
        holding.take(app.bodies, space, expected)
        app.pace.more(space, expected // BYTES_OF_A_REQUEST)
        if size < _LARGE_BYTES <= expected:
            await holding.enter(app.large_bodies, space)
        return ReceivedBody(
            data, coding, max_bytes, lambda size: holding.take(app.bodies, space, max(size - expected, 0))
        )
    except ProblemError as error:
        if error.kind is RATE_LIMITED:
            # Who does not wait as it is told to is made to, and holds nothing meanwhile.
            holding.end()
            await asyncio.sleep(RETRY_SECONDS)
        raise


async def _whole(request: Request, space: SpaceId, max_bytes: int, coding: str) -> bytes:
    """All of it, which is there: nothing is waited for, but for the turn of a large one. Raises what `_Arrival`
    raises."""
    message = await request.receive()
    if message["type"] != "http.request":
        raise _ended()
    data: bytes = message.pop("body")
    try:
        if len(data) > _most_bytes(max_bytes, coding):
            raise _too_large(max_bytes)
        app, holding = state(request), _holding(request)
        holding.take(app.bodies, space, len(data))
        if len(data) >= _LARGE_BYTES:
            await holding.enter(app.large_bodies, space)
    except ProblemError:
        data = b""  # the error, which knows of it, may be waited with
        raise
    return data


def _most_bytes(max_bytes: int, coding: str) -> int:
    """Of a body as it comes: what is compressed has not more bytes than it may have decompressed, but for what the
    coding itself takes."""
    return max_bytes if coding == IDENTITY else max_bytes + max_bytes // 256 + _OVERHEAD


def _ended() -> ProblemError:
    return ProblemError(MALFORMED_REQUEST, "The connection ended before the body did.")


async def _gathered(app: AppState, arrival: _Arrival, holding: Holding, space: SpaceId) -> bytes:
    """All of it. One that does not come as a whole counts until its end."""
    parts: list[bytes] = []
    size, counted = 0, False
    try:
        while not arrival.is_whole:
            piece = await arrival.piece()
            if not counted and not arrival.is_whole:
                app.arriving.enter(space)
                counted = True
            holding.take(app.bodies, space, len(piece))
            parts.append(piece)
            before, size = size, size + len(piece)
            if before < _LARGE_BYTES <= size:
                await holding.enter(app.large_bodies, space)
    except ProblemError:
        parts.clear()  # the error, which knows of them, may be waited with
        raise
    finally:
        if counted:
            app.arriving.leave(space)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decompressed(coding: str, data: bytes, max_bytes: int) -> bytes | None:
    try:
        return decompressed(coding, data, max_bytes)
    except BrokenError as error:
        raise ProblemError(MALFORMED_REQUEST, f"The body is not {coding}: {error}.") from None


def coding_of(request: Request, kinds: Sequence[str]) -> str:
    """How the body is compressed. 415 if in no way that is known, or if it is of none of the `kinds`: content types
    that it may have, the first of them the one that it should."""
    fields = request.headers
    kind = fields.get("content-type", "")
    if kind and kind not in kinds:
        kind = kind.partition(";")[0].strip().lower()
        if not (kind in ("", *kinds, "application/x-www-form-urlencoded") or kind.endswith("+json")):
            raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"The body must be {kinds[0]}.")
    coding = fields.get("content-encoding")
    if coding is None:
        return IDENTITY
    coding = coding.strip().lower().removeprefix("x-")
    if coding not in (IDENTITY, *CODINGS):
        detail = f"A body may be compressed with one of: {', '.join(CODINGS)}."
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, detail, headers={"accept-encoding": ", ".join(CODINGS)})
    return coding


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(TOO_LARGE, f"A body may have {max_bytes} bytes, decompressed.", headers=_CLOSE)


async def pieces_of(request: Request, max_bytes: int, coding: str) -> AsyncIterator[bytes]:
    """The body piece by piece, as it comes. Raises what `_Arrival` raises."""
    arrival = _Arrival(request, max_bytes, coding)
    while not arrival.is_whole:
        yield await arrival.piece()


class _Arrival:
    """A body as it comes: ProblemError 413, 408, or 400 if it ends too early."""

    __slots__ = ("_began", "_max_bytes", "_most", "_request", "_size", "is_whole")

    def __init__(self, request: Request, max_bytes: int, coding: str) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self._most = _most_bytes(max_bytes, coding)
        self._began = asyncio.get_running_loop().time()
        self._size = 0
        self.is_whole = False
        length = request.headers.get("content-length", "0")
        if not (length.isdecimal() and len(length) < 20):
            raise ProblemError(MALFORMED_REQUEST, "Content-Length is not a number.")
        if int(length) > self._most:
            raise _too_large(max_bytes)

    async def piece(self) -> bytes:
        """What has come since the last one; perhaps nothing. Only of a body that is not whole."""
        if self._request.scope.get(WHOLE):  # nothing is waited for
            message = await self._request.receive()
        else:
            message = await self._message_in_time()
        if message["type"] != "http.request":
            raise _ended()
        piece: bytes = message.get("body", b"")
        self.is_whole = not message.get("more_body", False)
        self._size += len(piece)
        if self._size > self._most:
            raise _too_large(self._max_bytes)
        return piece

    async def _message_in_time(self) -> Message:
        """A part may be waited for until the whole would be too slow."""
        seconds = state(self._request).settings.body_seconds
        try:
            async with asyncio.timeout_at(self._began + seconds + self._size / SLOWEST):
                return await self._request.receive()
        except TimeoutError:
            detail = (
                f"A body is waited for {seconds:g} seconds (HYPERTASK_BODY_SECONDS), and another one for each "
                f"{SLOWEST} bytes of it."
            )
            raise ProblemError(REQUEST_TIMEOUT, detail, headers=_CLOSE) from None


async def enter_large(request: Request, space: SpaceId) -> None:
    """Before a large answer is made: waits for its turn, which ends when it is sent."""
    await _holding(request).enter(state(request).large_answers, space)


async def enter_import(request: Request, space: SpaceId) -> None:
    """Before the body of an import is read: waits for its turn, which ends when it is answered."""
    await _holding(request).enter(state(request).imports, space)


async def enter_decisions(request: Request, device: Device) -> None:
    """Before what the device sent goes to the workers. What waits for one space is decided together, but each of many
    spaces takes a worker's turn of its own: a token that opens them has a few at a time."""
    if device.share != device.space:
        await _holding(request).enter(state(request).decisions, device.share)


def _holding(request: Request) -> Holding:
    """Of this request; the middleware ends it."""
    holding = request.scope[HOLDING]
    assert isinstance(holding, Holding)
    return holding
