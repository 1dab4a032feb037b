"""`/app/`: the files of the web client, which is built from web/app. They hold nothing of anybody's: without a
session the page asks people to sign in."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.errors import NOT_FOUND, ProblemError
from api.http.codings import GZIP
from api.http.compression import accepted_codings
from api.pages.site import HEADERS, Visit, page, to
from api.state import state

ROOT: Final = "/app/"
OFF: Final = "off"
_BUILT: Final = Path(__file__).resolve().parents[2] / "web" / "app" / "dist"
_KINDS: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_WORKER: Final = "sw.js"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_ASKED_FOR: Final = "no-cache"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing comes from another host, and nothing is run that stands in the page."""
LEAVE: Final = b"""\
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("hypertask-app-")) await caches.delete(name);
  await self.registration.unregister();
})()));
"""
"""The service worker where there is no web client: browsers that have one of an earlier release take this
instead, and it removes itself."""


def directory_of(setting: str) -> Path | None:
    """Where the built files are; None: they are not served. `setting`: HYPERTASK_WEB_APP."""
    if setting == OFF:
        return None
    directory = Path(setting) if setting else _BUILT
    return directory if (directory / "index.html").is_file() else None


async def show_missing(visit: Visit) -> Response:
    """The web client is not built here."""
    return visit.render("app_missing.html", 404)


_missing: Final = page(show_missing, signed_in=False)


async def without_slash(request: Request) -> Response:
    """People type it so."""
    return to(ROOT)


async def index(request: Request) -> Response:
    if directory_of(state(request).settings.web_app) is None:
        return await _missing(request)
    return _file(request, "index.html", _ASKED_FOR)


async def file(request: Request) -> Response:
    """What has one address in every release is asked for each time whether it has changed."""
    return _file(request, _checked(request.path_params["name"]), _ASKED_FOR)


async def asset(request: Request) -> Response:
    """The address has the hash of the content."""
    return _file(request, f"assets/{_checked(request.path_params['name'])}", _IMMUTABLE)


def _file(request: Request, name: str, caching: str) -> Response:
    directory = directory_of(state(request).settings.web_app)
    if directory is None:
        if name != _WORKER:
            raise ProblemError(NOT_FOUND, "The web client is not built here.")
        return _answer(request, LEAVE, name, _ASKED_FOR)
    path = directory / name
    if path.suffix not in _KINDS or not path.is_file():
        raise ProblemError(NOT_FOUND, "There is no such file.")
    small = path.with_name(f"{path.name}.gz")
    if GZIP in accepted_codings(request.headers.get("accept-encoding")) and small.is_file():
        return _answer(request, small.read_bytes(), name, caching, coding="gzip")
    return _answer(request, path.read_bytes(), name, caching)


def _answer(request: Request, content: bytes, name: str, caching: str, *, coding: str | None = None) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        **HEADERS,
        "content-security-policy": POLICY,
        "cache-control": caching,
        "etag": tag,
        "vary": "Accept-Encoding",
    }
    if state(request).callers.cookie.secure:
        headers["strict-transport-security"] = "max-age=31536000"
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if coding is not None:
        headers["content-encoding"] = coding
    return Response(content, headers=headers, media_type=_KINDS[Path(name).suffix])


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ProblemError(NOT_FOUND, "There is no such file.")
    return name


WEB_CLIENT: Final = [
    Route("/app", without_slash, methods=["GET"]),
    Route(ROOT, index, methods=["GET"]),
    Route("/app/{name}", file, methods=["GET"]),
    Route("/app/assets/{name}", asset, methods=["GET"]),
]
