"""`POST /import`: an export (`GET /export`) put into the space of the token."""

from __future__ import annotations

import asyncio
import tempfile
import time
from typing import BinaryIO, Final

from starlette.requests import Request
from starlette.responses import Response

from api.body import enter_large, pieces_of
from api.errors import INVALID_EXPORT, ProblemError
from api.importing import import_into
from api.representations.imports import Import, InvalidExportError, read_export
from api.state import state
from shared import codec
from shared.core.protocol import Limits

MAX_BYTES: Final = 1024 * 1024 * 1024
_KINDS: Final = ("application/x-ndjson", "application/octet-stream", "application/json")


async def post_import(request: Request) -> Response:
    """All of it is checked before anything is stored; then it is stored a few hundred documents at a time. Sent
    again, it goes on where it was stopped."""
    app = state(request)
    device = await app.devices.of(request)
    await enter_large(request, device.space)
    with tempfile.TemporaryFile() as file:
        async for piece in pieces_of(request, MAX_BYTES, _KINDS):
            await asyncio.to_thread(file.write, piece)
        found = await asyncio.to_thread(_checked, file, app.settings.limits)
        report = await import_into(
            app.documents,
            device.space,
            found,
            max_bytes=app.settings.limits.max_request_bytes,
            at=time.time(),
            announce=lambda announcement: app.live.tell_changed(device.space, announcement),
        )
    return Response(codec.dumps(report), media_type="application/json")


def _checked(file: BinaryIO, limits: Limits) -> Import:
    file.seek(0)
    try:
        return read_export(file, limits)
    except InvalidExportError as error:
        extensions = {} if error.line is None else {"line": error.line}
        detail = f"Nothing was stored: {error}."
        raise ProblemError(INVALID_EXPORT, detail, pointer=error.pointer, extensions=extensions) from None
