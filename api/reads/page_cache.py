"""Pages of the documents of a space, as a process answered with them last, bounded in bytes.

A device that begins asks for all of them, one after another, and so does the next one. A page is made of one range of
ids; it stays as it is until a document in that range changes, whatever else happens in the space.

Law (tests/unit/api/test_page_cache.py): what is answered is what the store would answer, at the position of the
cursor that comes with it or a later one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from api.http.codings import IDENTITY
from api.http.compression import MIN_BYTES, compressed
from api.representations import batches
from shared import metrics
from shared.core.documents import DocumentId, Position, SpaceId
from shared.core.index.cursors import cursor_of
from shared.core.index.lineage import Lineage
from shared.ports import DocumentStore
from shared.settings import Settings

_MAX_CHANGES: Final = 1000
"""Of a space since a page was looked at; if there are more it is made again."""


@dataclass(slots=True)
class _Page:
    position: Position
    """Up to here nothing has changed in it."""
    rows: list[bytes]
    last: DocumentId | None
    """The id up to which it goes; None: it is the last one."""
    bodies: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """By coding: the cursor in it, and the text."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.rows)) + sum(len(text) for _, text in self.bodies.values())


_Key = tuple[SpaceId, str, int]
"""A space, the id after which a page begins, and how many documents it may have."""


class PageCache:
    """Pages of one process, those that were asked for last."""

    def __init__(self, store: DocumentStore, settings: Settings) -> None:
        self._store = store
        self._most = settings.page_cache_bytes
        self._page_bytes = settings.page_bytes
        self._pages: OrderedDict[_Key, tuple[_Page, int]] = OrderedDict()
        self._size = 0

    async def answer(
        self, space: SpaceId, lineage: Lineage, after: str, limit: int, coding: str
    ) -> tuple[Sequence[bytes], str]:
        """The body of a page in parts, and its coding: the one that is asked for unless it is small. `lineage`: where
        the space stands, as the store said just now."""
        key = (space, after, limit)
        page = await self._current(key, lineage)
        cursor = cursor_of(lineage.position)
        parts = batches.page_body(page.rows, cursor=cursor, after=page.last)
        if coding == IDENTITY or sum(map(len, parts)) < MIN_BYTES:
            self._keep(key, page)
            return parts, IDENTITY
        known = page.bodies.get(coding)
        if known is None or known[0] != cursor:
            known = page.bodies[coding] = cursor, await compressed(coding, parts)
        self._keep(key, page)
        return [known[1]], coding

    async def _current(self, key: _Key, lineage: Lineage) -> _Page:
        kept = self._pages.get(key)
        if kept is not None and await self._is_as_before(key, kept[0], lineage):
            metrics.PAGES_KNOWN.inc()
            return kept[0]
        metrics.PAGES_MADE.inc()
        space, after, limit = key
        rows, last = await self._store.page(space, after, limit, max_bytes=self._page_bytes, made=batches.page_rows)
        return _Page(lineage.position, rows, last)

    async def _is_as_before(self, key: _Key, page: _Page, lineage: Lineage) -> bool:
        """Whether nothing in it has changed until `lineage`."""
        if page.position == lineage.position:
            return True
        if not lineage.holds(page.position):
            return False
        space, after, _ = key
        since, until = page.position.sequence, lineage.sequence
        if until - since > _MAX_CHANGES:
            return False
        changes = await self._store.feed(space, since, until, _MAX_CHANGES)
        if any(after < document and (page.last is None or document <= page.last) for _, document, _ in changes):
            return False
        page.position = lineage.position
        return True

    def _keep(self, key: _Key, page: _Page) -> None:
        _, old = self._pages.pop(key, (None, 0))
        size = page.size
        self._size += size - old
        self._pages[key] = page, size
        while self._size > self._most:
            _, (_, dropped) = self._pages.popitem(last=False)
            self._size -= dropped
