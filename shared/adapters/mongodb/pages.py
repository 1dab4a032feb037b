"""Pages of the current documents of a space, bounded in bytes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import ASCENDING

from shared.adapters.mongodb.bodies import body_text
from shared.adapters.mongodb.client import Row, errors_mapped
from shared.adapters.mongodb.raw_rows import one_by_one
from shared.adapters.mongodb.rows import history_in, version_in
from shared.core.documents import DocumentId, SpaceId
from shared.core.resolution.revs import make_rev
from shared.ports import Current

_SMALL_BYTES: Final = 4096
"""Of a row that comes with its size. Of a larger one only the size comes until it is known that the page has room."""
_SIZE: Final = {"$bsonSize": "$$ROOT"}
_CURRENT: Final = {"seq": 1, "hash": 1, "body": 1, "history": 1, "version": 1}
_SIZED: Final = {
    **_CURRENT,
    "body": {"$cond": [{"$lte": [_SIZE, _SMALL_BYTES]}, "$body", "$$REMOVE"]},
    "size": _SIZE,
}
_FIRST_ROWS: Final = 16
"""That are looked at before it is known how large they are; the database reads all of a document to tell its size."""
_MORE_ROWS: Final = 8
"""So many times as many are looked at next."""


class Pages:
    """Of the collection of current documents."""

    def __init__(self, documents: AsyncIOMotorCollection[Row]) -> None:
        self._documents = documents

    async def read(
        self, space: SpaceId, after: str, most: int, among: Collection[DocumentId] | None, max_bytes: int | None
    ) -> tuple[list[Current], DocumentId | None]:
        """As `DocumentStore.page` says."""
        prefix = len(space) + 1
        asked = None if among is None else sorted(f"{space}/{document}" for document in among)[:most]
        with errors_mapped():
            currents, more = await self._small(space, after, most, asked, max_bytes)
            large = [key for key, current in currents.items() if current is None]
            if large:
                async for row in one_by_one(self._documents.find_raw_batches({"_id": {"$in": large}}, _CURRENT)):
                    if asked is not None or "body" in row:  # it may have been deleted meanwhile
                        currents[row["_id"]] = _current(row, prefix)
        last = DocumentId(next(reversed(currents))[prefix:]) if more else None
        return [current for current in currents.values() if current is not None], last

    async def _small(
        self, space: SpaceId, after: str, most: int, asked: list[str] | None, max_bytes: int | None
    ) -> tuple[dict[str, Current | None], bool]:
        """The documents of a page by their keys, None for a large one, and whether there may be more."""
        currents: dict[str, Current | None] = {}
        prefix = len(space) + 1
        most = most if asked is None else len(asked)
        size, portion, last, seen = 0, most if max_bytes is None else _FIRST_ROWS, f"{space}/{after}", 0
        while seen < most:
            portion = min(portion, most - seen)
            query: Row = {"_id": {"$gt": last, "$lt": f"{space}0"}, "body": {"$exists": True}}
            if asked is not None:
                query = {"_id": {"$in": asked[seen : seen + portion]}}
            rows = self._documents.find_raw_batches(query, _SIZED, batch_size=portion, limit=portion)
            came = 0
            async for row in one_by_one(rows.sort("_id", ASCENDING)):
                came += 1
                last = row["_id"]
                currents[last] = _current(row, prefix) if row["size"] <= _SMALL_BYTES else None
                size += row["size"]
                if max_bytes is not None and size >= max_bytes:
                    return currents, asked is None or last != asked[-1]
            if asked is None and came < portion:
                return currents, False
            seen += portion
            portion *= _MORE_ROWS
        return currents, asked is None


def _current(row: Row, prefix: int) -> Current:
    """`prefix`: characters of a key before the id."""
    version = version_in(row)
    body = body_text(row["body"]) if "body" in row else None
    rev = make_rev(row["seq"], row["hash"], deleted=body is None, history=history_in(row), version=version)
    return Current(DocumentId(row["_id"][prefix:]), rev, row["hash"], body, version)
