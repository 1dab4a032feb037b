"""`GET /export`: everything that a space holds, line by line."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import StreamingResponse

from api.http.codings import IDENTITY, Encoder
from api.http.compression import accepted
from api.representations import export
from api.requests.body import enter_large
from api.state import AppState, state
from shared.core.documents import Position, SpaceId
from shared.core.index.cursors import cursor_of

_PIECE_BYTES = 64 * 1024


async def get_export(request: Request) -> StreamingResponse:
    """The cursor in the first line was taken before anything was read: who has the export, and then what changed
    since, has everything. It is whole if, and only if, the last line says so."""
    app = state(request)
    device = await app.devices.of(request)
    position = (await app.hash_maps.lineage(device.space)).position
    await enter_large(request, device.share)
    coding = accepted(request.headers.get("accept-encoding"))
    headers = {"cache-control": "no-store", "vary": "accept-encoding"}
    if coding != IDENTITY:
        headers["content-encoding"] = coding
    lines = space_lines(app, device.space, position) if request.method != "HEAD" else nothing()
    token = app.devices.credential(request)

    async def still_open() -> bool:
        return await app.devices.opens(token, device.space)

    pieces = pieces_of(lines, Encoder(coding), still_open)
    return StreamingResponse(pieces, headers=headers, media_type="application/x-ndjson")


async def space_lines(app: AppState, space: SpaceId, position: Position) -> AsyncIterator[bytes]:
    """All that the space holds; `position` was taken before."""
    yield export.first_line(space, cursor_of(position), time.time())
    yield export.policies_line(await app.documents.policies(space))
    documents = revisions = 0
    async for exported in app.documents.everything(space):
        documents += exported.is_head
        revisions += not exported.is_head
        yield export.line_of(exported)
    yield export.last_line(documents, revisions)


async def nothing() -> AsyncIterator[bytes]:
    """Of an answer that is asked for without its body."""
    for line in list[bytes]():
        yield line


async def pieces_of(
    lines: AsyncIterator[bytes], encoder: Encoder, still_open: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Many lines at a time: one by one they would cost more to send than to read; and a long one in parts. Cut,
    without the last line, when what was asked with opens it no more."""
    waiting: list[bytes] = []
    size = 0
    async for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _PIECE_BYTES:
            if not await still_open():
                waiting = []
                break
            data = b"".join(waiting)
            for begin in range(0, len(data), _PIECE_BYTES):  # others come in between
                yield encoder.feed(data[begin : begin + _PIECE_BYTES])
            waiting, size = [], 0
    yield encoder.feed(b"".join(waiting)) + encoder.close()
