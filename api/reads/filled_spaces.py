"""Pages and maps of spaces that were filled just now, made before anybody asks for them.

Who fills a space with a first push has other devices, which begin next. Once nothing more has come for a moment, the
pages with which they begin are made and kept (`PageCache`), one after another, of one space at a time.

What that costs is bounded by what was written: the pages of a space are made again when as many documents have come
in large batches as were in those made before. They take free room of the cache alone, and moments in which nobody
else asks for anything; it ends when more is written.

After its pages the hash map of a large space is made, and kept by the store, if a quarter of all that was ever
written to the space has come since its map was made last.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.reads.beside import Beside
from api.reads.hash_maps import BYTES_OF_DOCUMENT, KEPT_BYTES, HashMaps
from api.reads.page_cache import PageCache
from shared.core.documents import Device, SpaceId

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
LARGE_MAP: Final = KEPT_BYTES // BYTES_OF_DOCUMENT
"""Documents, about: the map of fewer is not kept by the store."""
_PART_OF_MAP: Final = 4
_SPACES: Final = 1000
"""Of which it is remembered what came."""


@dataclass(slots=True)
class _Filling:
    came: int = 0
    """Documents since its pages were made last."""
    made: int = 0
    """Documents in those, about."""
    came_since_map: int = 0
    """The same, since its map was made."""
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """Some came."""

    @property
    def is_due(self) -> bool:
        return self.came >= max(MANY_DOCUMENTS, self.made)


class FilledSpaces:
    """Of one process."""

    def __init__(self, pages: PageCache, maps: HashMaps, *, most: int, is_alone: Callable[[SpaceId], bool]) -> None:
        """`most`: documents that a page may have. `is_alone`: whether nobody but this share asked for anything of
        late."""
        self._pages = pages
        self._maps = maps
        self._is_alone = is_alone
        self._limit = min(_PAGE_DOCUMENTS, most)
        self._fillings: OrderedDict[SpaceId, _Filling] = OrderedDict()
        self._making: Beside[SpaceId] = Beside("filled_space_failed")
        self._one_space = asyncio.Lock()

    async def close(self) -> None:
        """Ends what is made."""
        await self._making.close()

    def came(self, device: Device, documents: int) -> None:
        """So many were posted by the device in one batch."""
        if documents < LARGE_BATCH:
            return
        space = device.space
        filling = self._fillings.setdefault(space, _Filling())
        self._fillings.move_to_end(space)
        if len(self._fillings) > _SPACES:
            self._fillings.popitem(last=False)
        filling.came += documents
        filling.came_since_map += documents
        filling.more.set()
        if filling.is_due:
            self._making.begin(space, space, lambda: self._when_quiet(device, filling))

    async def _when_quiet(self, device: Device, filling: _Filling) -> None:
        while filling.is_due:
            filling.more.clear()
            try:
                await asyncio.wait_for(filling.more.wait(), QUIET_SECONDS)
            except TimeoutError:
                await self._make(device, filling)

    async def _make(self, device: Device, filling: _Filling) -> None:
        def goes_on() -> bool:
            return not filling.more.is_set() and self._is_alone(device.share)

        async with self._one_space:
            filling.came = 0
            lineage = await self._maps.lineage(device.space)
            pages = await self._pages.make_all(device.space, lineage, self._limit, _CODING, goes_on=goes_on)
            filling.made = pages * self._limit
            written = lineage.sequence
            if written >= LARGE_MAP and filling.came_since_map * _PART_OF_MAP >= written and goes_on():
                came = filling.came_since_map
                if await self._maps.make_ahead(device.space, goes_on=goes_on):
                    filling.came_since_map -= came
