"""Pages of spaces that were filled just now, made before anybody asks for them.

Who fills a space with a first push has other devices, which begin next. Once nothing more has come for a moment, the
pages with which they begin are made and kept (`PageCache`), one after another, of one space at a time.

What that costs is bounded by what was written: the pages of a space are made again when as many documents have come
in large batches as were in those made before. They take free room of the cache alone, and end when more is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from api.reads.hash_maps import HashMaps
from api.reads.page_cache import Billed, PageCache
from shared.core.documents import SpaceId
from shared.ports import UnavailableError

logger = logging.getLogger(__name__)

LARGE_BATCH: Final = 100
"""Documents. Smaller ones are edits, not a first push."""
MANY_DOCUMENTS: Final = 1000
"""As few are read as fast as they are sent."""
QUIET_SECONDS: Final = 0.25
"""Nothing came for so long: between two batches of a push it is less."""
_PAGE_DOCUMENTS: Final = 1000
"""As our clients ask for them, if a request may have so many,"""
_CODING: Final = "zstd"
"""and in which coding."""
_SPACES: Final = 1000
"""Of which it is remembered what came."""


@dataclass(slots=True)
class _Filling:
    came: int = 0
    """Documents since its pages were made last."""
    made: int = 0
    """Documents in those, about."""
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """Some came."""

    @property
    def is_due(self) -> bool:
        return self.came >= max(MANY_DOCUMENTS, self.made)


class FilledSpaces:
    """Of one process."""

    def __init__(self, pages: PageCache, maps: HashMaps, *, most: int) -> None:
        """`most`: documents that a page may have."""
        self._pages = pages
        self._maps = maps
        self._limit = min(_PAGE_DOCUMENTS, most)
        self._fillings: OrderedDict[SpaceId, _Filling] = OrderedDict()
        self._tasks: dict[SpaceId, asyncio.Task[None]] = {}
        self._one_space = asyncio.Lock()

    async def close(self) -> None:
        """Ends what is made."""
        under_way = list(self._tasks.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def came(self, space: SpaceId, documents: int, billed: Billed) -> None:
        """So many were posted in one batch. `billed`: by which the pages are made."""
        if documents < LARGE_BATCH:
            return
        filling = self._fillings.setdefault(space, _Filling())
        self._fillings.move_to_end(space)
        if len(self._fillings) > _SPACES:
            self._fillings.popitem(last=False)
        filling.came += documents
        filling.more.set()
        if filling.is_due and space not in self._tasks:
            self._tasks[space] = task = asyncio.create_task(self._when_quiet(space, filling, billed))
            task.add_done_callback(lambda _: self._tasks.pop(space))

    async def _when_quiet(self, space: SpaceId, filling: _Filling, billed: Billed) -> None:
        try:
            while filling.is_due:
                filling.more.clear()
                try:
                    await asyncio.wait_for(filling.more.wait(), QUIET_SECONDS)
                except TimeoutError:
                    await self._make(space, filling, billed)
        except UnavailableError:
            pass  # who asks for a page is told
        except Exception:
            logger.exception("filled_space_failed", extra={"fields": {"space": space}})

    async def _make(self, space: SpaceId, filling: _Filling, billed: Billed) -> None:
        async with self._one_space:
            filling.came = 0
            lineage = await self._maps.lineage(space)
            pages = await self._pages.make_all(
                space, lineage, self._limit, _CODING, billed=billed, goes_on=lambda: not filling.more.is_set()
            )
            filling.made = pages * self._limit
