"""How a process that serves no HTTP says how it is: `GET /healthz` and `GET /readyz` at a port of its own.

It listens on loopback alone. Asking a process that runs costs nothing beside starting a second one to look at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from shared.ports import UnavailableError

HOST: Final = "127.0.0.1"
_CHECK_SECONDS: Final = 5.0
_REQUEST_SECONDS: Final = 8.0
_HEAD_BYTES: Final = 4096
_REASONS: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}

Checks = Mapping[str, Callable[[], Awaitable[None]]]
"""By name: what the process needs. A check raises UnavailableError, or takes too long, when it does not answer."""


async def statuses(checks: Checks) -> dict[str, str]:
    """`ok` or `unavailable` of each, asked at the same time."""
    reached = await asyncio.gather(*map(_answers, checks.values()))
    return {name: "ok" if fine else "unavailable" for name, fine in zip(checks, reached, strict=True)}


@contextlib.asynccontextmanager
async def served(port: int, checks: Checks) -> AsyncIterator[int | None]:
    """Answers until the end of the block, unless `port` is 0. The port. OSError if another process has it."""
    if not port:
        yield None
        return

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _answer(head, checks))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, HOST, port, limit=_HEAD_BYTES)
    try:
        yield port
    finally:
        server.close()


async def _answer(head: bytes, checks: Checks) -> bytes:
    path = head.split(b" ", 2)[1] if head.startswith(b"GET ") else b""
    result: dict[str, str] = {}
    status = 200 if path in (b"/healthz", b"/readyz") else 404
    if path == b"/readyz":
        result = await statuses(checks)
        status = 200 if set(result.values()) <= {"ok"} else 503
    body = json.dumps({"status": _REASONS[status].lower(), **result}).encode()
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def _answers(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except (UnavailableError, TimeoutError):
        return False
    return True
