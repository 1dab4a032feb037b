"""A span for each request that is answered, around all that is done for it."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes import events
from shared import tracing


class Traced:
    """Middleware. Event streams, which are open for days, have no span."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route]) -> None:
        self._app = app
        self._routes = {id(route.endpoint): route.path for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == events.PATH:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        parent = headers.get(b"traceparent", b"").decode("latin-1") or None
        attributes = {"http.request.method": scope["method"]}
        with tracing.span(scope["method"], "server", parent=parent, attributes=attributes) as span:

            async def sent(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    route = self._routes.get(id(scope.get("endpoint")), "other")
                    span.rename(f"{scope['method']} {route}")
                    identity = dict(message["headers"]).get(b"x-request-id", b"").decode("ascii")
                    status = message["status"]
                    span.note({"http.route": route, "http.response.status_code": status, "request.id": identity})
                    if status >= 500:
                        span.fail()
                await send(message)

            await self._app(scope, receive, sent)
