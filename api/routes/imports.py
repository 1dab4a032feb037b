"""`POST /import`: an export (`GET /export`) put into the space of the token."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.imports.importing import ImportBounds
from api.requests.body import coding_of, enter_import, pieces_of
from api.state import state
from shared import codec
from shared.core.access.limits import Limit
from shared.core.access.roles import Act
from shared.ports import UnavailableError

_KINDS: Final = ("application/x-ndjson", "application/octet-stream", "application/json")


async def post_import(request: Request) -> Response:
    """All of it is checked before anything is stored; then it is stored a few hundred documents at a time. Sent
    again, it goes on where it was stopped. It ends when the user may not write any more."""
    app = state(request)
    device = await app.devices.of(request, Act.WRITE)
    coding = coding_of(request, _KINDS)
    await enter_import(request, device.share)
    max_bytes = await app.limits.of_user(Limit.IMPORT_BYTES, device.owner)
    bounds = ImportBounds(max_bytes, await app.limits.quota_of(device.space))
    running = asyncio.ensure_future(app.importer(device.space, pieces_of(request, max_bytes, coding), coding, bounds))
    try:
        async with app.live.guarded(device, app.devices.credential(request), Act.WRITE, running.cancel):
            await asyncio.wait([running])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    if running.cancelled():
        await app.devices.of(request, Act.WRITE)  # 401 or 403
        raise UnavailableError("the import was stopped; what was stored is stored")
    report = running.result()
    return Response(codec.dumps(report), media_type="application/json")
