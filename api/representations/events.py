"""Server-sent events of `GET /events`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from shared.core.documents import ContentHash
from shared.representations import stored_version


def changed_event(cursor: str, rows: Iterable[Sequence[Any]]) -> bytes:
    """A server-sent event with the changes `[id, hash | None, rev?, version | None, body?]`; documents of which rev
    and content are known stand under `tasks` as `GET /tasks` shows them."""
    hashes: dict[str, ContentHash | None] = {}
    tasks: dict[str, Any] = {}
    for row in rows:
        hashes[row[0]] = row[1]
        match row:
            case [document, None, rev, version]:
                tasks[document] = {"server_state": None, "rev": rev, "hash": None} | stored_version(version)
            case [document, hash_, rev, version, body]:
                tasks[document] = {"server_state": body, "rev": rev, "hash": hash_} | stored_version(version)
    data: dict[str, Any] = {"cursor": cursor, "hashes": hashes}
    if tasks:
        data["tasks"] = tasks
    return b"event: changed\nid: %s\ndata: %s\n\n" % (cursor.encode(), orjson.dumps(data))


def ready_event(cursor: str) -> bytes:
    """The first event of a stream: it is open, and goes on from here."""
    return b"event: ready\nid: %s\ndata: %s\n\n" % (cursor.encode(), orjson.dumps({"cursor": cursor}))


def gone_event(code: str) -> bytes:
    """The last event of a stream that cannot go on."""
    return b"event: gone\ndata: %s\n\n" % orjson.dumps({"code": code})
