"""Pages of the documents of a space, as a process answered with them last, bounded in bytes.

A device that begins asks for all of them, one after another, and so does the next one. A page is made of one range of
ids; it stays as it is until a document in that range changes, whatever else happens in the space. While a device
takes a page the one after it is made: one ahead of a device, and ahead of a few devices at a time. All pages of a
space are made when somebody has filled it (`FilledSpaces`).

Law (tests/unit/api/test_page_cache.py): what is answered is what the store would answer, at the position of the
cursor that comes with it or a later one. So a page has a position that was read before its rows; one that was made
ahead is looked at again when it is asked for, as all that are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from api.http.codings import IDENTITY
from api.http.compression import MIN_BYTES, compressed
from api.reads.beside import Beside
from api.representations import batches
from shared import metrics
from shared.core.documents import DocumentId, Position, SequenceNumber, SpaceId
from shared.core.index.cursors import cursor_of
from shared.core.index.lineage import Lineage
from shared.ports import DocumentStore
from shared.settings import Settings

_MAX_CHANGES: Final = 1000
"""Of a space since a page was looked at; if there are more it is made again."""
_ANY: Final = SequenceNumber(2**63 - 1)
"""Until which all changes come."""
_WALK: Final = 100
"""Who asks for a first page of so many documents will ask for the next one. Some ask for one to learn the cursor."""
_MOST_AHEAD: Final = 2
"""Pages that are made ahead at a time in one process: what they hold meanwhile is counted nowhere."""


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


class Answered(NamedTuple):
    """The body of a page in parts, its coding, and the id after which the next one begins; None: it is the last."""

    parts: Sequence[bytes]
    coding: str
    last: DocumentId | None


Billed = Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
"""Runs what it is given on the account of who made it necessary."""
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
        self._ahead: Beside[_Key] = Beside("page_ahead_failed")

    async def close(self) -> None:
        """Ends what is made ahead."""
        await self._ahead.close()

    async def answer(
        self, space: SpaceId, lineage: Lineage, after: str, limit: int, coding: str, *, billed: Billed
    ) -> Answered:
        """A page, in the coding that is asked for unless it is small. `lineage`: where the space stands, as the store
        said just now. `billed`: by which the page after it is made."""
        key = (space, after, limit)
        await self._ahead.over(key)
        page = await self._current(key, lineage)
        parts, coding_taken = await self._body(page, lineage, coding)
        self._keep(key, page)
        is_walk = after != "" or limit >= _WALK
        if page.last is not None and is_walk and 2 * page.size <= self._most and len(self._ahead) < _MOST_AHEAD:
            ahead = (space, page.last, limit)
            if ahead not in self._pages:
                self._go_ahead(ahead, lineage, coding, billed)
        return Answered(parts, coding_taken, page.last)

    async def make_all(
        self,
        space: SpaceId,
        lineage: Lineage,
        limit: int,
        coding: str,
        *,
        goes_on: Callable[[], bool],
    ) -> int:
        """Makes the pages of a space in the order in which they are asked for, while that goes on and there is room
        beside all that are kept. Returns how many are there then."""
        after, made = "", 0
        while goes_on():
            key = (space, after, limit)
            if (kept := self._pages.get(key)) is None or kept[0].position != lineage.position:
                self._go_ahead(key, lineage, coding, lambda work: work)
                await self._ahead.over(key)
                kept = self._pages.get(key)
            if kept is None or kept[0].position != lineage.position:  # it could not be made, or has no room
                break
            made += 1
            page, size = kept
            if page.last is None or self._size + size > self._most:
                break
            after = page.last
        return made

    async def _body(self, page: _Page, lineage: Lineage, coding: str) -> tuple[Sequence[bytes], str]:
        cursor = cursor_of(lineage.position)
        parts = batches.page_body(page.rows, cursor=cursor, after=page.last)
        if coding == IDENTITY or sum(map(len, parts)) < MIN_BYTES:
            return parts, IDENTITY
        known = page.bodies.get(coding)
        if known is None or known[0] != cursor:
            known = page.bodies[coding] = cursor, await compressed(coding, parts)
        return [known[1]], coding

    def _go_ahead(self, key: _Key, lineage: Lineage, coding: str, billed: Billed) -> None:
        self._ahead.begin(key, key[0], lambda: billed(self._make_ahead(key, lineage, coding)))

    async def _make_ahead(self, key: _Key, lineage: Lineage, coding: str) -> None:
        page = await self._made(key, lineage)
        await self._body(page, lineage, coding)
        self._keep(key, page)

    async def _current(self, key: _Key, lineage: Lineage) -> _Page:
        kept = self._pages.get(key)
        if kept is not None and await self._is_as_before(key, kept[0], lineage):
            metrics.PAGES_KNOWN.inc()
            return kept[0]
        metrics.PAGES_MADE.inc()
        return await self._made(key, lineage)

    async def _made(self, key: _Key, lineage: Lineage) -> _Page:
        """With the position that was known before its rows are read."""
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
        since = page.position.sequence
        if lineage.sequence - since > _MAX_CHANGES:
            return False
        # Beyond `lineage`, too: what changes once more before this is read has its later sequence alone.
        changes = await self._store.feed(space, since, _ANY, _MAX_CHANGES)
        if len(changes) == _MAX_CHANGES:
            return False
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
