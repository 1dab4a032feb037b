"""The hash map of a space as it is now: cached, and never stale."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final
from weakref import WeakValueDictionary

from api.http.codings import IDENTITY
from api.reads.batch_loader import BatchLoader
from api.reads.beside import Beside
from api.reads.cached_hash_map import CachedHashMap, CachedHashMaps
from shared import metrics
from shared.core.documents import Position, SpaceId
from shared.core.index.cursors import is_behind
from shared.core.index.hash_map import BucketedMap, Gathering
from shared.core.index.lineage import Lineage
from shared.observability import event
from shared.ports import DocumentStore, HashMapCache, UnavailableError

logger = logging.getLogger(__name__)

KEPT_BYTES: Final = 4 * 1024 * 1024
"""A map of so much text is kept by the store when it was made of all documents. A smaller one is made in a tenth of a
second."""
KEPT_CHANGES: Final = 20_000
"""It is kept anew by who finds so many changes since. To read them takes a tenth of a second."""
PART_CHANGED: Final = 6
"""A document that changed takes so many times as long to put into a map as one of which a map is made."""
BYTES_OF_DOCUMENT: Final = 50
"""In a map's text, about."""
KEPT_AFTER_SECONDS: Final = 1.0
"""When it was made: who asked has it compressed and sent meanwhile, which takes as many processors as there are."""
_ATTEMPTS = 4
_SPACES_AT_ONCE = 500
_SPACES_REMEMBERED = 10_000


class _NotNowError(Exception):
    """What is made before anybody asks for it is not to be made now."""


class HashMaps:
    """The store says where the space stands; a map that is known - to this process, or in the cache that all
    share - is served if it stands there too, brought up to date if it is behind, and rebuilt if it is missing or not
    of this space's lineage: from the one that the store keeps, or from all documents. So whatever happens to the
    cache, or to what is kept, costs time and nothing else.

    What this process, the cache or a client knows may also be further than the store: then the store was put back
    to an earlier moment, and its current history must end before the same positions are given out again."""

    def __init__(self, store: DocumentStore, cache: HashMapCache, *, max_bytes: int) -> None:
        self._store = store
        self._cache = cache
        self._lineages = BatchLoader(store.lineages, most=_SPACES_AT_ONCE)
        self._reached: OrderedDict[SpaceId, Position] = OrderedDict()
        self._kept = CachedHashMaps(max_bytes)
        self._keeping: Beside[SpaceId] = Beside("hash_map_not_kept")
        self._one_keeps = asyncio.Lock()
        self._locks: WeakValueDictionary[SpaceId, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Ends what is done beside requests."""
        await self._keeping.close()

    async def lineage(self, space: SpaceId) -> Lineage:
        """Where the space stands: every write that was acknowledged before the call is in it."""
        lineage = await self._read(space)
        reached = self._reached.get(space)
        if reached is not None and lineage.is_ahead(reached):
            lineage = await self._end_history(space, reached)
        self._reached[space] = lineage.position
        self._reached.move_to_end(space)
        if len(self._reached) > _SPACES_REMEMBERED:
            self._reached.popitem(last=False)
        return lineage

    async def note_position(self, space: SpaceId, position: Position, lineage: Lineage) -> None:
        """A client has this position. If it is further than the store, which was at `lineage` just now, the store was
        put back. A history without a write cannot have been told further, so that a client can only end one in
        which something happened since."""
        if lineage.is_ahead(position) and lineage.sequence >= lineage.histories[-1].first:
            await self._end_history(space, position)

    async def _read(self, space: SpaceId) -> Lineage:
        lineage = await self._lineages.get(space)
        if lineage is None:
            raise UnavailableError("the database does not know the space")
        return lineage

    async def _end_history(self, space: SpaceId, reached: Position) -> Lineage:
        await self._store.begin_history(space, reached)
        lineage = await self._read(space)
        if lineage.current != reached.epoch:
            event(logger, logging.WARNING, "store_put_back", space=space, told=reached.sequence, has=lineage.sequence)
        return lineage

    async def current(self, space: SpaceId) -> CachedHashMap:
        """Law: every write that was acknowledged before the call is in it."""
        return await self.at_least(space, await self.lineage(space))

    async def at_least(self, space: SpaceId, lineage: Lineage, coding: str = IDENTITY) -> CachedHashMap:
        """The map as the space stands in `lineage`, which the store said just now, or at a later moment. `coding`:
        in which its body will be asked for then."""
        known = self._kept.get(space)
        if known is not None and known.position == lineage.position:
            metrics.HASH_MAPS_KNOWN.inc()
            return known
        lock = self._locks.get(space)
        if lock is None:
            lock = self._locks[space] = asyncio.Lock()
        async with lock:
            known = self._kept.get(space)
            if known is not None and known.position == lineage.position:
                return known
            if known is not None and not is_behind(known.position, lineage):
                # Somebody went ahead while this one waited, or the store has lost what it had.
                lineage = await self.lineage(space)
            hash_map = await self._hash_map(space, known, lineage, coding)
            self._kept.put(space, hash_map)
            return hash_map

    async def make_ahead(self, space: SpaceId, *, goes_on: Callable[[], bool]) -> bool:
        """Has the store keep the map as it is now, for who asks first, while that goes on; `goes_on` is asked in a
        thread. The map itself is not kept here or in the cache, where it would take the room of maps that somebody
        asked for. Returns whether it was made."""
        async with await self._cache.build(space) as mine:
            if not mine:
                return False
            try:
                await self._built(space, goes_on)
            except _NotNowError:
                return False
            await self._keeping.over(space)  # who asks meanwhile waits, and finds it
            return True

    async def body(self, space: SpaceId, hash_map: CachedHashMap, coding: str) -> list[bytes]:
        """The map as JSON text in parts, compressed if asked."""
        body = await hash_map.body(coding)
        if self._kept.get(space) is hash_map:
            self._kept.put(space, hash_map)
        return body

    async def _hash_map(
        self, space: SpaceId, known: CachedHashMap | None, lineage: Lineage, coding: str
    ) -> CachedHashMap:
        try:
            if known is not None and known.position == lineage.position:
                return known
            if known is not None and _is_worth_patching(known.map, lineage):
                metrics.HASH_MAPS_PATCHED.inc()
                return CachedHashMap(await self._up_to_date(space, known.map, lineage), known)
            return await self._through_cache(space, lineage, coding)
        except UnavailableError as error:
            # Raised again by the store if it was the store's.
            event(logger, logging.WARNING, "hash_map_uncached", space=space, cause=error)
            return CachedHashMap(await self._built(space))

    async def _through_cache(self, space: SpaceId, lineage: Lineage, coding: str) -> CachedHashMap:
        for _ in range(_ATTEMPTS):
            current = await self._from_cache(space, lineage)
            if current is not None:
                return CachedHashMap(current)
            async with await self._cache.build(space) as mine:
                if mine:
                    # Another process may have built it between the look and the lock.
                    current = await self._from_cache(space, lineage)
                    if current is not None:
                        return CachedHashMap(current)
                    built = CachedHashMap(await self._built(space))
                    built.begin(coding)  # while the cache takes all of it
                    await self._cache.replace(space, built.map)
                    return built
        return CachedHashMap(await self._built(space))

    async def _from_cache(self, space: SpaceId, lineage: Lineage) -> BucketedMap | None:
        """What is cached, brought up to date; None if there is none for which that is worth it."""
        cached = await self._cache.load(space)
        if cached is None:
            return None
        if lineage.is_ahead(cached.position):
            # It may be a moment newer; or the store has lost what the map was made of.
            lineage = await self.lineage(space)
            if lineage.is_ahead(cached.position):
                lineage = await self._end_history(space, cached.position)
        if not _is_worth_patching(cached, lineage):
            return None
        metrics.HASH_MAPS_CACHED.inc()
        return await self._up_to_date(space, cached, lineage)

    async def _up_to_date(self, space: SpaceId, cached: BucketedMap, lineage: Lineage) -> BucketedMap:
        if cached.position == lineage.position:
            return cached
        changes = await self._store.changes(space, cached.position.sequence)
        if not changes.lineage.holds(cached.position):
            return await self._built(space)
        new, touched = await asyncio.to_thread(cached.patched, changes.position, changes.hashes)
        await self._cache.patch(space, cached.position, new, touched)
        return new

    async def _built(self, space: SpaceId, ahead_while: Callable[[], bool] | None = None) -> BucketedMap:
        """Of the one that the store keeps and what changed since, or of all documents. `ahead_while`: nobody asked.
        Then it is kept at once, and _NotNowError is raised when that does not go on."""
        keep_after = KEPT_AFTER_SECONDS if ahead_while is None else 0.0
        kept = await self._store.kept_map(space)
        current = None if kept is None else await self._since_kept(space, kept, keep_after)
        if current is not None:
            return current
        metrics.HASH_MAPS_BUILT.inc()
        gathering = Gathering()

        def add(documents: Sequence[tuple[bytes, bytes]]) -> None:
            if ahead_while is not None and not ahead_while():
                raise _NotNowError
            gathering.add(documents)

        lineage = await self._store.live(space, add)
        # In a thread: of a million documents it takes half a second.
        built = await asyncio.to_thread(gathering.map, lineage.position)
        self._keep(space, built, keep_after)
        return built

    async def _since_kept(self, space: SpaceId, kept: BucketedMap, keep_after: float) -> BucketedMap | None:
        """None if the map is not of this space's lineage, or too much came since."""
        lineage = await self._read(space)
        if lineage.holds(kept.position) and not _is_worth_patching(kept, lineage):
            return None
        changes = await self._store.changes(space, kept.position.sequence)
        if changes.lineage.is_ahead(kept.position):
            await self._end_history(space, kept.position)
        if not changes.lineage.holds(kept.position):
            return None
        metrics.HASH_MAPS_KEPT.inc()
        current, _ = await asyncio.to_thread(kept.patched, changes.position, changes.hashes)
        if len(changes.hashes) >= KEPT_CHANGES:
            self._keep(space, current, keep_after)
        return current

    def _keep(self, space: SpaceId, map_: BucketedMap, after: float) -> None:
        """So many seconds later, beside what else there is to do, and not if an earlier one waits for that."""
        if map_.text_bytes >= KEPT_BYTES:
            self._keeping.begin(space, space, lambda: self._kept_by_store(space, map_, after))

    async def _kept_by_store(self, space: SpaceId, map_: BucketedMap, after: float) -> None:
        await asyncio.sleep(after)
        async with self._one_keeps:
            try:
                await self._store.keep_map(space, map_)
            except UnavailableError as error:
                event(logger, logging.WARNING, "hash_map_not_kept", space=space, cause=error)


def _is_worth_patching(map_: BucketedMap, lineage: Lineage) -> bool:
    """Whether the map is of this lineage, and to bring it up to date takes less time than to make it anew."""
    if not lineage.holds(map_.position):
        return False
    written = lineage.sequence - map_.position.sequence
    if written <= KEPT_CHANGES:
        return True
    documents = map_.text_bytes // BYTES_OF_DOCUMENT
    return written * PART_CHANGED <= documents
