"""Browser clients of other origins (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol), by a list.

They send a token in `Authorization`: cookies are of no use to them, so answers never allow credentials.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.fields import fields_of

METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
SENT: Final = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Hypertask-Confirm",
    "Hypertask-Space",
    "If-None-Match",
    "Last-Event-ID",
)
"""Headers of requests that a script may set."""
SHOWN: Final = (
    "Accept-Encoding",
    "Allow",
    "ETag",
    "Hypertask-After",
    "Hypertask-Cursor",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
)
"""Headers of answers that a script may read, beside those that it always may."""
_KEPT_SECONDS: Final = 600
_VARY_OF_PREFLIGHT: Final = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


class Cors:
    """Answers preflights of the origins, and lets their scripts read answers. Other origins are answered as those who
    are no browsers: without a word of this, so that browsers give them nothing."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = fields_of(scope)
        origin = headers.get("origin")
        allowed = origin in self._origins

        async def send_with_origin(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                fields = MutableHeaders(scope=message)
                fields.add_vary_header("Origin")  # whoever asks: a cache has one answer for those of each origin
                if allowed:
                    fields["access-control-allow-origin"] = str(origin)
                    fields["access-control-expose-headers"] = ", ".join(SHOWN)
            await send(message)

        if allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(str(origin), send)
        else:
            await self._app(scope, receive, send_with_origin)


async def _preflight(origin: str, send: Send) -> None:
    fields = {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": ", ".join(SENT),
        "access-control-max-age": str(_KEPT_SECONDS),
        "vary": _VARY_OF_PREFLIGHT,
    }
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
