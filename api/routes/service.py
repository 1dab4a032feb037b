"""What the server is and how it is: `/`, `/healthz`, `/readyz`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from api import VERSION
from api.state import state
from shared import wire
from shared.core.protocol import AUTH_SCHEMES, PROTOCOL_VERSIONS
from shared.ports import UnavailableError

SUPPORTS = [
    "base",
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
    "wait",
    "diff",
    "events",
    "export",
]
"""Names of the additions (docs/protocol.md)."""


async def about(request: Request) -> Response:
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
    names, checks = zip(*state(request).checks.items(), strict=True)
    async with asyncio.timeout(5):
        results = await asyncio.gather(*(check() for check in checks), return_exceptions=True)
    found = dict(zip(names, results, strict=True))
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, UnavailableError):
            raise result
    bad = {name: str(result) for name, result in found.items() if result is not None}
    status = {name: "unavailable" if name in bad else "ok" for name in names}
    return _json({"status": "unavailable" if bad else "ok", **status}, 503 if bad else 200)


def _json(value: object, status: int = 200) -> Response:
    return Response(wire.dumps(value), status, headers={"cache-control": "no-store"}, media_type="application/json")
