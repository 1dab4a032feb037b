"""Pages of the current documents of a space, bounded in bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from bson import decode_all
from pymongo import ASCENDING

from shared.adapters.mongodb.bodies import may_have_other_names, restored
from shared.adapters.mongodb.client import Row, errors_mapped
from shared.adapters.mongodb.commands import find_command
from shared.adapters.mongodb.raw_rows import slices
from shared.adapters.mongodb.reads import Reads
from shared.core.documents import DocumentId, SequenceNumber, SpaceId
from shared.core.resolution.revs import make_rev, plain_rev
from shared.ports import Current

T = TypeVar("T")

_CURRENT: Final = {"seq": 1, "hash": 1, "body": 1, "history": 1, "version": 1}
"""Fields as they are: if it has to compute one, such as a row's size, a row takes the database twice as long."""
_FIRST_ROWS: Final = 16
"""That are asked for if it is not known how large they are."""
_SPACES: Final = 1000
"""Of which it is remembered how large their rows are."""


class Pages:
    """Of the collection of current documents.

    So many rows are asked for as should come to the page's bytes, by those of the space that came last. If others are
    larger, more may come than the page takes: as much as the database puts into an answer, 16 MB, as for an export.
    """

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._row_bytes: OrderedDict[SpaceId, int] = OrderedDict()

    async def read(
        self,
        space: SpaceId,
        after: str,
        most: int,
        among: Collection[DocumentId] | None,
        *,
        max_bytes: int | None,
        made: Callable[[Sequence[Current]], T],
    ) -> tuple[list[T], DocumentId | None]:
        """As `DocumentStore.page` says."""
        prefix = len(space) + 1
        asked = None if among is None else sorted(f"{space}/{document}" for document in among)[:most]
        most = most if asked is None else len(asked)
        portions: list[T] = []
        last, looked_at, came, size = DocumentId(after), 0, 0, 0
        is_last = True
        while looked_at < most:
            room = None if max_bytes is None else max_bytes - size
            portion = min(most - looked_at, self._rows_in(space, room))
            # The row behind a page says whether there is another one.
            rows = portion + 1 if asked is None and looked_at + portion == most else portion
            query: Row = {"_id": {"$gt": f"{space}/{last}", "$lt": f"{space}0"}, "body": {"$exists": True}}
            if asked is not None:
                query = {"_id": {"$in": asked[looked_at : looked_at + portion]}}
            looked_at += portion
            with errors_mapped():
                order = [("_id", ASCENDING)]
                find = find_command("documents", query, _CURRENT, order=order, limit=rows, together=rows)
                async with aclosing(self._reads.batches(find)) as batches:
                    async for piece in slices(batches, room):
                        currents = _currents(piece, prefix)
                        if came + len(currents) > most:
                            currents.pop()
                            is_last = False
                        if currents:
                            portions.append(made(currents))
                            last, came = currents[-1].document, came + len(currents)
                        size += len(piece)
                is_full = max_bytes is not None and size >= max_bytes
            if came:
                self._note(space, size // came)
            if is_full:
                return portions, last if asked is None or f"{space}/{last}" != asked[-1] else None
            if asked is None and came < looked_at:
                return portions, None
        return portions, None if is_last else last

    async def changed(
        self,
        space: SpaceId,
        after: SequenceNumber,
        until: SequenceNumber,
        *,
        max_bytes: int,
        made: Callable[[Sequence[Current]], T],
    ) -> list[T] | None:
        """As `DocumentStore.changed` says."""
        prefix = len(space) + 1
        most = until - after
        if most > self._rows_in(space, max_bytes):
            return None
        portions: list[T] = []
        came, size = 0, 0
        with errors_mapped():
            query = {"space": space, "seq": {"$gt": after, "$lte": until}}
            find = find_command("documents", query, _CURRENT, order=[("seq", ASCENDING)], limit=most, together=most)
            async with aclosing(self._reads.batches(find)) as batches:
                async for piece in slices(batches, max_bytes):
                    currents = _currents(piece, prefix)
                    portions.append(made(currents))
                    came += len(currents)
                    size += len(piece)
        if came:
            self._note(space, size // came)
        return None if size >= max_bytes else portions

    def _rows_in(self, space: SpaceId, room: int | None) -> int:
        """That should come to so many bytes."""
        known = self._row_bytes.get(space)
        if room is None:
            return sys.maxsize
        return _FIRST_ROWS if known is None else room // known + 1

    def _note(self, space: SpaceId, row_bytes: int) -> None:
        self._row_bytes[space] = row_bytes
        self._row_bytes.move_to_end(space)
        if len(self._row_bytes) > _SPACES:
            self._row_bytes.popitem(last=False)


def _currents(piece: memoryview, prefix: int) -> list[Current]:
    """`prefix`: characters of a key before the id."""
    rows = decode_all(piece)
    if may_have_other_names(piece):
        for row in rows:
            row["body"] = restored(row.get("body"))
    return [_current(row, prefix) for row in rows]


def _current(row: Row, prefix: int) -> Current:
    hash_, body, history, version = row["hash"], row.get("body"), row.get("history"), row.get("version")
    if body is not None and history is not None and version is None:
        rev = plain_rev(row["seq"], hash_, history)
    else:
        rev = make_rev(row["seq"], hash_, deleted=body is None, history=history, version=version)
    # By its name a named tuple takes twice as long to make.
    return tuple.__new__(Current, (row["_id"][prefix:], rev, hash_, body, version))
