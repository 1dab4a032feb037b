"""Imports beside the event loop: each has a process of its own, which takes the body as it comes, checks it and
stores it (`api.imports.import_process`)."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from api.errors import INVALID_EXPORT, MALFORMED_REQUEST, TOO_LARGE, ProblemError
from api.imports import import_process
from api.imports.importing import ImportBounds
from shared.core.documents import SpaceId
from shared.observability import event, request_id
from shared.ports import UnavailableError
from shared.python_process import FEW_ARENAS, end_process, start_module
from shared.settings import Settings

logger = logging.getLogger(__name__)

_KINDS: Final = {kind.code: kind for kind in (MALFORMED_REQUEST, TOO_LARGE)}


async def import_in_process(
    settings: Settings, space: SpaceId, pieces: AsyncIterator[bytes], coding: str, bounds: ImportBounds
) -> dict[str, Any]:
    """As `api.imports.importing.Importer`."""
    head = {
        "settings": dataclasses.asdict(settings),
        "space": space,
        "request": request_id(),
        "coding": coding,
        "max_bytes": bounds.max_bytes,
        "quota": dataclasses.asdict(bounds.quota),
    }
    process = await start_module(import_process.__name__, defaults=FEW_ARENAS)
    try:
        answer = await _answer(process, json.dumps(head).encode(), pieces)
    finally:
        await end_process(process)
    if "refused" in answer:
        raise ProblemError(_KINDS[answer["refused"]["code"]], answer["refused"]["detail"])
    if "invalid" in answer:
        invalid = answer["invalid"]
        extensions = {} if invalid["line"] is None else {"line": invalid["line"]}
        detail = f"Nothing was stored: {invalid['detail']}."
        raise ProblemError(INVALID_EXPORT, detail, pointer=invalid["pointer"], extensions=extensions)
    if "unavailable" in answer:
        raise UnavailableError(answer["unavailable"])
    report: dict[str, Any] = answer["report"]
    return report


async def _answer(process: asyncio.subprocess.Process, head: bytes, pieces: AsyncIterator[bytes]) -> dict[str, Any]:
    into, out = process.stdin, process.stdout
    assert into is not None and out is not None
    try:
        await _write(into, head)
        async for piece in pieces:
            if piece:
                await _write(into, piece)
        await _write(into, b"")
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has said what is wrong before it had all of the body
    raw = await out.read()
    try:
        answer: dict[str, Any] = json.loads(raw)
    except ValueError:
        event(logger, logging.ERROR, "import_process_died", status=process.returncode)
        raise UnavailableError("the process that imports ended; what it stored is stored") from None
    return answer


async def _write(into: asyncio.StreamWriter, piece: bytes) -> None:
    into.write(len(piece).to_bytes(4, "big"))
    into.write(piece)
    await into.drain()
