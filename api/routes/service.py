"""What the server is and how it is: `/`, `/healthz`, `/readyz`, `/openapi.json`."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import VERSION
from api.errors import UNAVAILABLE, ProblemError
from api.state import state
from shared import codec, probe
from shared.core.protocol import AUTH_SCHEMES, PROTOCOL_VERSIONS

SUPPORTS = [
    "base",
    "versions",
    "tombstones",
    "dry-run",
    "revisions",
    "restore",
    "policies",
    "devices",
    "batch",
    "pages",
    "gzip",
    "zstd",
    "etag",
    "since",
    "states",
    "wait",
    "diff",
    "events",
    "export",
]
"""Names of the additions (docs/protocol.md)."""


async def about(request: Request) -> Response:
    """For people who type the address into a browser: the way to the web client. Programs do not ask for a page."""
    if request.headers.get("accept", "").startswith("text/html"):
        return RedirectResponse("/app/", 303, headers={"vary": "Accept"})
    limits = state(request).settings.limits
    return _json(
        {
            "name": "hypertask",
            "version": VERSION,
            "protocol_versions": PROTOCOL_VERSIONS,
            "auth_schemes": AUTH_SCHEMES,
            "supports": SUPPORTS,
            "limits": {
                "document_bytes": limits.max_document_bytes,
                "request_bytes": limits.max_request_bytes,
                "depth": limits.max_depth,
                "batch_documents": limits.max_batch_documents,
                "batch_bytes": limits.max_batch_bytes,
            },
        }
    )


async def healthz(request: Request) -> Response:
    """The process answers."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """The database and the cache answer it, too."""
    status = await probe.statuses(state(request).checks)
    if missing := " and ".join(name for name, reached in status.items() if reached != "ok"):
        detail = f"The {missing} does not answer."
        raise ProblemError(UNAVAILABLE, detail, headers={"retry-after": "1"}, extensions=status)
    return _json({"status": "ok", **status})


async def openapi(request: Request) -> Response:
    """The description of all this for machines: api/openapi.yaml."""
    return Response(_described(), headers={"cache-control": "no-cache"}, media_type="application/json")


@cache
def _described() -> bytes:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return codec.dumps(yaml.load(resources.files("api").joinpath("openapi.yaml").read_bytes(), loader))  # noqa: S506


def _json(value: object, status: int = 200) -> Response:
    return Response(codec.dumps(value), status, headers={"cache-control": "no-store"}, media_type="application/json")
