"""`/events`: what changes, as it changes (server-sent events)."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import errors
from api.reads.change_feed import cursor_in
from api.state import state
from api.streams.stream import EventStream, start
from shared.core.documents import Device, Position

PATH = "/events"


class Events:
    """Serves GET /events beside the framework: what lies between the server and a handler there - middleware, router,
    exception handlers - would be kept alive for each idle stream, and is half of what one costs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            return self._app(scope, receive, send)
        return self._served(scope, receive, send)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await _position(Request(scope, receive))
                await send(start())
                await send({"type": "http.response.body", "body": b""})
                return
            stream = await _opened(Request(scope, receive), send)
        except Exception as error:  # noqa: BLE001  all of them have an answer in the table
            answer = errors.respond(Request(scope, receive), error)
            await answer(scope, receive, send)
            return
        await stream.run(receive)


async def _opened(request: Request, send: Send) -> EventStream:
    app = state(request)
    device, position = await _position(request)
    stream = EventStream(app.live, device, position, send)
    await app.live.follow(device, app.devices.credential(request), stream)
    return stream


async def _position(request: Request) -> tuple[Device, Position]:
    """Where the stream begins: at `Last-Event-ID` or `?since=`, else now. 410 for a cursor of another history."""
    app = state(request)
    device = await app.devices.of(request)
    text = request.headers.get("last-event-id") or request.query_params.get("since")
    position = (await app.hash_maps.lineage(device.space)).position
    if text is not None:
        position = cursor_in(text)
        await app.live.feed.page(device.space, position, 1)  # 410 as an answer, not as an event
    return device, position


async def get_events(request: Request) -> Response:
    """Never called: `Events` comes first. The router knows the address for what it says of other methods."""
    raise RuntimeError("GET /events is served by Events")
