"""Files that pages load: all of them are this server's."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.errors import NOT_FOUND, ProblemError
from api.pages.site import Visit

_KINDS: Final = {
    "pages.css": "text/css",
    "join.js": "text/javascript",
    "docs.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_SWAGGER_UI: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""Of the package swagger-ui-py. It is read, not imported: it is made for other frameworks."""
KEPT: Final = "public, max-age=86400"
"""Their addresses name the release; they belong to nobody."""


async def show_docs(visit: Visit) -> Response:
    """The OpenAPI document as a page."""
    return visit.render("docs.html")


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    kind = (_KINDS | _SWAGGER_UI).get(name)
    if kind is None:
        raise ProblemError(NOT_FOUND, "There is no such file.")
    headers = {"cache-control": KEPT, "cross-origin-resource-policy": "same-origin"}
    return Response(_read(name), headers=headers, media_type=kind)


@cache
def _read(name: str) -> bytes:
    if name not in _SWAGGER_UI:
        return resources.files("api.pages").joinpath("static", name).read_bytes()
    package = find_spec("swagger_ui")
    if package is None or package.origin is None:
        raise RuntimeError("swagger-ui-py is not installed")
    return Path(package.origin).with_name("static").joinpath(name).read_bytes()
