"""The process that reads and stores one import for an API process (`api.imports.import_runner`): `python -m
api.imports.import_process`. Reading an export is computation that takes seconds, and so is storing it.

Its input is pieces, each behind its length (four bytes): first JSON that says what to do, then the body as it was
sent, and an empty one behind the last. Its output is one JSON object: `report`, `invalid`, or `unavailable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from typing import Any, BinaryIO, Final

from api.http.codings import IDENTITY, BrokenError, Decoder
from api.imports.importing import import_into
from api.representations.imports import Import, InvalidExportError, read_export
from shared import observability
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.adapters.redis import connection as redis
from shared.adapters.redis.announcements import announce_changed
from shared.core.documents import SpaceId
from shared.core.resolution.usage import Quota
from shared.ports import Announcement, UnavailableError
from shared.settings import Settings

MAX_MEMORY: Final = 1536 * 1024 * 1024
"""Bytes of address space; an export of a million lines takes a third of it."""
_NICE: Final = 10
_PIECE_BYTES: Final = 1024 * 1024


class _RefusedError(Exception):
    """`code`: "too-large" or "malformed-request"."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def run(source: BinaryIO) -> dict[str, Any]:
    """What is answered."""
    head = json.loads(_piece(source))
    settings = Settings(**head["settings"])
    observability.configure(settings.log_level)
    if head["request"] is not None:
        observability.begin_request(head["request"])
    try:
        with tempfile.TemporaryFile() as file:
            _receive(source, file, head["coding"], head["max_bytes"])
            _end_with_parent(source)
            file.seek(0)
            content = read_export(file, settings.limits)
            return {"report": asyncio.run(_store(settings, SpaceId(head["space"]), content, Quota(**head["quota"])))}
    except InvalidExportError as error:
        return {"invalid": {"detail": str(error), "line": error.line, "pointer": error.pointer}}
    except _RefusedError as error:
        return {"refused": {"code": error.code, "detail": str(error)}}
    except MemoryError:
        return {"refused": {"code": "too-large", "detail": "The export has too many lines to be checked here."}}
    except UnavailableError as error:
        return {"unavailable": str(error)}
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return {"unavailable": "there is no disk space left for the export"}


def _receive(source: BinaryIO, file: BinaryIO, coding: str, max_bytes: int) -> None:
    """The body, decompressed, into the file."""
    decoder = None if coding == IDENTITY else Decoder(coding, piece=_PIECE_BYTES)
    size = 0
    try:
        while piece := _piece(source):
            for part in (piece,) if decoder is None else decoder.feed(piece):
                size += len(part)
                if size > max_bytes:
                    raise _RefusedError("too-large", f"A body may have {max_bytes} bytes, decompressed.")
                file.write(part)
        if decoder is not None:
            decoder.close()
    except BrokenError as error:
        raise _RefusedError("malformed-request", f"The body is not {coding}: {error}.") from None


def _piece(source: BinaryIO) -> bytes:
    """Ends the process where the input ends: the parent has gone, or wants no more of it."""
    length = source.read(4)
    if len(length) < 4:
        os._exit(1)
    return source.read(int.from_bytes(length, "big"))


def _end_with_parent(source: BinaryIO) -> None:
    """Nothing more comes, but the end."""

    def wait() -> None:
        source.read(1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


async def _store(settings: Settings, space: SpaceId, content: Import, quota: Quota) -> dict[str, Any]:
    client = redis.client(settings)

    async def announce(announcement: Announcement) -> None:
        # Without Redis it is heard of with the next change.
        with contextlib.suppress(UnavailableError):
            await announce_changed(client, space, announcement)

    try:
        async with opened(settings) as mongo:
            return await import_into(
                MongoDocumentStore(mongo, give_up_after_seconds=settings.store_timeout_seconds),
                space,
                content,
                max_bytes=settings.limits.max_request_bytes,
                at=time.time(),
                announce=announce,
                quota=quota,
            )
    finally:
        await client.aclose(close_connection_pool=True)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent to say when
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    os.nice(_NICE)
    answer = run(sys.stdin.buffer)
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.buffer.flush()
    os._exit(0)  # a thread still waits for the parent


if __name__ == "__main__":
    main()
