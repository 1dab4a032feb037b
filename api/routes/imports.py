"""`POST /import`: an export (`GET /export`) put into the space of the token."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.body import coding_of, enter_import, pieces_of
from api.importing import ImportBounds
from api.state import state
from shared import codec
from shared.core.access.limits import Limit
from shared.core.access.roles import Act

_KINDS: Final = ("application/x-ndjson", "application/octet-stream", "application/json")


async def post_import(request: Request) -> Response:
    """All of it is checked before anything is stored; then it is stored a few hundred documents at a time. Sent
    again, it goes on where it was stopped."""
    app = state(request)
    device = await app.devices.of(request, Act.WRITE)
    coding = coding_of(request, _KINDS)
    await enter_import(request, device.space)
    max_bytes = await app.limits.of_user(Limit.IMPORT_BYTES, device.owner)
    bounds = ImportBounds(max_bytes, await app.limits.quota_of(device.space))
    report = await app.importer(device.space, pieces_of(request, max_bytes, coding), coding, bounds)
    return Response(codec.dumps(report), media_type="application/json")
