"""Counts requests by their routes: how many, how they were answered, how soon, and their bytes; and logs each."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, MutableMapping
from typing import Any, Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes import events
from shared import metrics
from shared.observability import event, level_of

logger = logging.getLogger(__name__)

_OTHER: Final = "other"
"""Of an address that is no route: whoever asks chooses it, so it is no label. The same of methods."""
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
Message = MutableMapping[str, Any]


class Metered:
    """Middleware."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route]) -> None:
        self._app = app
        self._routes = {id(route.endpoint): route.path for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == events.PATH and scope["method"] == "GET":
            # Thousands of streams are open for days: nothing more than this is kept for each.
            metrics.REQUESTS.answer(events.PATH, "GET", "stream", None)
            await self._app(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        waits = b"wait=" in scope["query_string"]

        async def received() -> Message:
            message = await receive()
            if body := message.get("body"):
                metrics.REQUESTS.receive(len(body))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = self._routes.get(id(scope.get("endpoint")), _OTHER)
                method = scope["method"] if scope["method"] in _METHODS else _OTHER
                seconds = time.perf_counter() - began
                metrics.REQUESTS.answer(route, method, str(message["status"]), None if waits else seconds)
                level = logging.DEBUG if waits else level_of(seconds)
                if logger.isEnabledFor(level):
                    fields = {"route": route, "method": method, "status": message["status"]}
                    event(logger, level, "request_answered", **fields, seconds=round(seconds, 4))
            if body := message.get("body"):
                metrics.REQUESTS.send(len(body))
            await send(message)

        await self._app(scope, received, sent)
