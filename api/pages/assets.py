"""Files that pages load: all of them are this server's."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.errors import NOT_FOUND, ProblemError

_KINDS: Final = {
    "pages.css": "text/css",
    "join.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
KEPT: Final = "public, max-age=86400"
"""Their addresses name the release; they belong to nobody."""


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _KINDS:
        raise ProblemError(NOT_FOUND, "There is no such file.")
    headers = {"cache-control": KEPT, "cross-origin-resource-policy": "same-origin"}
    return Response(_read(name), headers=headers, media_type=_KINDS[name])


@cache
def _read(name: str) -> bytes:
    return resources.files("api.pages").joinpath("static", name).read_bytes()
