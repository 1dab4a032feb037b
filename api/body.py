"""Request bodies, bounded while they are read: each of them, all together, and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from starlette.requests import ClientDisconnect, Request

from api.compression import CODINGS, IDENTITY, BrokenError, Decoder
from api.errors import (
    MALFORMED_REQUEST,
    RATE_LIMITED,
    REQUEST_TIMEOUT,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
)
from api.room import HOLDING, RETRY_SECONDS, Holding
from api.state import state
from shared.core.documents import SpaceId

SLOWEST: Final = 16 * 1024
"""Bytes in a second that a body has to come with, beyond the seconds that any body is given."""
_SLICE_BYTES: Final = 256 * 1024
_LARGE_BYTES: Final = 256 * 1024
_CLOSE: Final = {"connection": "close"}


async def read_json_body(request: Request, space: SpaceId, max_bytes: int) -> bytes:
    """The body, decompressed. 413 as soon as it is known to be longer, 415 if it says that it is no JSON or
    compressed in a way that is not known, 408 if it does not come in time, 429 if the space sends too much at a time.

    Content-Type may be missing, and curl's default for --data is let pass: v1.0 asks for no header.
    """
    room, holding = state(request).bodies, _holding(request)
    parts: list[bytes] = []
    size = 0
    try:
        async for piece in pieces_of(
            request, max_bytes, ("application/json",), taken=lambda size: holding.take(room, space, size)
        ):
            parts.append(piece)
            before, size = size, size + len(piece)
            if before < _LARGE_BYTES <= size:
                await holding.enter(state(request).large_bodies, space)
    except ProblemError as error:
        if error.kind is RATE_LIMITED:
            # Who does not wait as it is told to is made to, and holds nothing meanwhile.
            holding.end()
            parts.clear()
            await asyncio.sleep(RETRY_SECONDS)
        raise
    return b"".join(parts)


async def pieces_of(
    request: Request, max_bytes: int, kinds: Sequence[str], *, taken: Callable[[int], None] = lambda size: None
) -> AsyncIterator[bytes]:
    """The body piece by piece, with the errors of `read_json_body`. `kinds`: content types that it may have, the
    first of them the one that it should. `taken` hears how long each piece is, before it is given out."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind in ("", *kinds, "application/x-www-form-urlencoded") or kind.endswith("+json")):
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"The body must be {kinds[0]}.")
    coding = request.headers.get("content-encoding", IDENTITY).strip().lower().removeprefix("x-")
    if coding not in (IDENTITY, *CODINGS):
        detail = f"A body may be compressed with one of: {', '.join(CODINGS)}."
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, detail, headers={"accept-encoding": ", ".join(CODINGS)})
    too_large = ProblemError(TOO_LARGE, f"A body may have {max_bytes} bytes, decompressed.", headers=_CLOSE)
    length = request.headers.get("content-length", "0")
    if not (length.isdecimal() and len(length) < 20):
        raise ProblemError(MALFORMED_REQUEST, "Content-Length is not a number.")
    if int(length) > max_bytes:
        raise too_large
    size = 0
    try:
        async for piece in _pieces(request, coding, taken):
            size += len(piece)
            if size > max_bytes:
                raise too_large
            yield piece
    except ClientDisconnect:
        raise ProblemError(MALFORMED_REQUEST, "The connection ended before the body did.") from None
    except BrokenError as error:
        raise ProblemError(MALFORMED_REQUEST, f"The body is not {coding}: {error}.") from None


async def _pieces(request: Request, coding: str, taken: Callable[[int], None]) -> AsyncIterator[bytes]:
    """Decompressed. What is taken is held until the request is answered."""
    decoder = None if coding == IDENTITY else Decoder(coding)
    since = 0
    async for part in _in_time(request):
        if decoder is None:
            taken(len(part))
            yield part
            continue
        for piece in decoder.feed(part):
            taken(len(piece))
            yield piece
            since += len(piece)
            if since >= _SLICE_BYTES:
                since = 0
                await asyncio.sleep(0)  # others have their turn
    if decoder is not None:
        decoder.close()


async def _in_time(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. A part may be waited for until the whole would be too slow."""
    seconds = state(request).settings.body_seconds
    began, size = asyncio.get_running_loop().time(), 0
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(began + seconds + size / SLOWEST):
                part = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            detail = (
                f"A body is waited for {seconds:g} seconds (HYPERTASK_BODY_SECONDS), and another one for each "
                f"{SLOWEST} bytes of it."
            )
            raise ProblemError(REQUEST_TIMEOUT, detail, headers=_CLOSE) from None
        size += len(part)
        yield part


async def enter_large(request: Request, space: SpaceId) -> None:
    """Before a large answer is made: waits for its turn, which ends when it is sent."""
    await _holding(request).enter(state(request).large_answers, space)


def _holding(request: Request) -> Holding:
    """Of this request; the middleware ends it."""
    holding = request.scope[HOLDING]
    assert isinstance(holding, Holding)
    return holding
