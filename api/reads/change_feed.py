"""What changed since a cursor, in pages. It is read from the store, so nothing is ever skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from api.errors import CURSOR_GONE, ProblemError
from api.reads.hash_maps import HashMaps
from shared.core.documents import ContentHash, DocumentId, Position, SequenceNumber, SpaceId
from shared.core.index.cursors import is_behind, parse_cursor
from shared.core.index.lineage import Lineage
from shared.ports import DocumentStore

PAGE = 5000
_GONE = "Nothing is known of what happened since this cursor. Get the whole map, and go on from its cursor."


@dataclass(frozen=True, slots=True)
class Page:
    """Who was at the cursor that was asked for is at `position` when these are applied."""

    hashes: dict[DocumentId, ContentHash | None]
    position: Position
    more: bool
    rows: list[bytes] | None = None
    """The documents as members of `tasks`; None: they were not read."""


ReadWhole = Callable[[SequenceNumber, SequenceNumber], Awaitable["list[Whole] | None"]]
"""All documents whose last change is of these sequences, the first one excluded. None: they may be too much."""


class Whole(NamedTuple):
    """Some documents that changed."""

    hashes: dict[DocumentId, ContentHash | None]
    rows: bytes


def cursor_in(text: str) -> Position:
    """410 for what is no cursor."""
    position = parse_cursor(text)
    if position is None:
        raise ProblemError(CURSOR_GONE, _GONE)
    return position


class ChangeFeed:
    """Pages, of which those that many ask for at the same time are read once."""

    def __init__(self, store: DocumentStore, maps: HashMaps) -> None:
        self._store = store
        self._maps = maps
        self._under_way: dict[tuple[SpaceId, Position, int], asyncio.Task[Page]] = {}

    async def page(
        self, space: SpaceId, cursor: Position, most: int = PAGE, *, whole: ReadWhole | None = None
    ) -> Page:
        """The page after `cursor`. Every write that was acknowledged before the call is in it, or comes after it.
        `whole` reads the documents themselves if all that changed is on the page. Raises ProblemError, 410, if the
        cursor is not of this space, or lost."""
        now = await self._maps.lineage(space)
        behind = is_behind(cursor, now)
        if behind is None:
            await self._maps.note_position(space, cursor, now)
            raise ProblemError(CURSOR_GONE, _GONE)
        if not behind:
            return Page({}, now.position, more=False)
        if whole is not None and now.sequence - cursor.sequence <= most:
            parts = await whole(cursor.sequence, now.sequence)
            if parts is not None:
                hashes = {document: hash_ for part in parts for document, hash_ in part.hashes.items()}
                return Page(hashes, now.position, more=False, rows=[part.rows for part in parts])
        key = (space, cursor, most)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._read(space, cursor, now, most))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        page = await asyncio.shield(task)
        # Another one's page may end before what this one knows of.
        return replace(page, more=page.more or page.position.sequence < now.sequence)

    async def _read(self, space: SpaceId, cursor: Position, now: Lineage, most: int) -> Page:
        # One that changes again while this is read has a later sequence then: it comes on a later page.
        rows = await self._store.feed(space, cursor.sequence, now.sequence, most)
        hashes = {document: hash_ for _, document, hash_ in rows}
        if len(rows) < most:
            return Page(hashes, now.position, more=False)
        last = rows[-1][0]
        position = Position(now.history_of(last), last)
        return Page(hashes, position, more=position.sequence < now.sequence)
