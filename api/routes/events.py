"""`/events`: what changes, as it changes (server-sent events)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.auth import hash_of_token
from api.replays import cursor_in
from api.state import state
from api.streams import EventStream


async def get_events(request: Request) -> Response:
    """From `Last-Event-ID` or `?since=` on, else from now on. 410 for a cursor of another history."""
    here = state(request)
    device = await here.devices.of(request)
    text = request.headers.get("last-event-id") or request.query_params.get("since")
    position = await here.hash_maps.position(device.space)
    if text is not None:
        position = cursor_in(text)
        await here.live.replays.page(device.space, position, 1)  # 410 as an answer, not as an event
    return EventStream(here.live, device, hash_of_token(request), position)
