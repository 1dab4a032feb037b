"""Announcements as they travel between processes. Private to one release."""

from __future__ import annotations

from typing import Any, Final

import orjson

from shared.core.documents import Epoch, SequenceNumber
from shared.ports import Announcement

_MAX_BODY_BYTES: Final = 2048
_MAX_BODIES_BYTES: Final = 32 * 1024


def dump_announcement(announcement: Announcement) -> bytes:
    """`[first, last, history, [[id, hash, rev, version | null, body?], ...] | null]`, with small bodies only."""
    rows: list[list[Any]] | None = None
    if announcement.changes is not None:
        rows = []
        room = _MAX_BODIES_BYTES
        for change in announcement.changes:
            row: list[Any] = [change.document, change.hash, change.rev, change.version]
            if room > 0 and change.body is not None:
                data = orjson.dumps(change.body)
                room -= len(data)
                if len(data) <= _MAX_BODY_BYTES:
                    row.append(orjson.Fragment(data))
            rows.append(row)
    return orjson.dumps([announcement.first, announcement.last, announcement.history, rows])


def load_announcement(data: bytes) -> tuple[SequenceNumber, SequenceNumber, Epoch, list[list[Any]] | None]:
    """First, last, history, rows. Raises ValueError for anything else."""
    first, last, history, rows = orjson.loads(data)
    return first, last, history, rows
