"""Inserting many rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from shared.adapters.mongodb.client import Row

_ROWS: Final = 1000
_BYTES: Final = 1024 * 1024
"""Of bodies, as JSON. BSON may take eight times as much, and the keys of what is gone as much again; what a command
brings is at most 48 MB."""


def insert(collection: Collection[Row], rows: Sequence[Row], session: ClientSession) -> None:
    """In any order. A row without `_id` gets one. Raises BulkWriteError, as the driver's `insert_many`."""
    if not _are_few(rows):
        collection.insert_many(rows, ordered=False, session=session)
        return
    # The driver's own way looks at each row and makes an `_id` for it: as long again as all the rest. Without one the
    # database makes it.
    command = {"insert": collection.name, "documents": rows, "ordered": False}
    answer = collection.database.command(command, session=session)
    if "writeErrors" in answer:
        raise BulkWriteError(answer)


def _are_few(rows: Sequence[Row]) -> bool:
    """Whether it is certain that one command can bring them."""
    return (
        len(rows) <= _ROWS
        and not any("conflicts" in row or ("body" in row and "size" not in row) for row in rows)
        and sum([row.get("size", 0) for row in rows]) <= _BYTES
    )
