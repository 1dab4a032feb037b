"""The hash map of a space as it is now: cached, and never stale."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from api.coalesced import Coalesced
from api.listings import Listing, Listings
from shared.core.cursors import is_behind
from shared.core.documents import Position, Sequence, SpaceId
from shared.core.hash_map import BucketedMap
from shared.observability import event
from shared.ports import Changes, DocumentStore, HashMapCache, UnavailableError

logger = logging.getLogger(__name__)

_NOTHING = Sequence(0)
_LOOKS = 4
_SPACES_AT_ONCE = 500


class HashMaps:
    """The store says where the space stands; a map that is known - to this process, or in the cache that all
    share - is served if it stands there too, brought up if it is behind, built anew if it is missing or not of
    this space's history. So whatever happens to the cache costs time and nothing else."""

    def __init__(self, store: DocumentStore, cache: HashMapCache, *, most_bytes: int) -> None:
        self._store = store
        self._cache = cache
        self._positions = Coalesced(store.positions, most=_SPACES_AT_ONCE)
        self._listings = Listings(most_bytes)
        self._locks: WeakValueDictionary[SpaceId, asyncio.Lock] = WeakValueDictionary()

    async def position(self, space: SpaceId) -> Position:
        """Where the space stands: every write that was acknowledged before the call is in it."""
        position = await self._positions.get(space)
        if position is None:
            raise UnavailableError("the database does not know the space")
        return position

    async def current(self, space: SpaceId) -> Listing:
        """Law: every write that was acknowledged before the call is in it."""
        return await self.at_least(space, await self.position(space))

    async def at_least(self, space: SpaceId, position: Position) -> Listing:
        """The map at `position`, which the store said just now, or at a later one."""
        known = self._listings.get(space)
        if known is not None and known.position == position:
            return known
        lock = self._locks.get(space)
        if lock is None:
            lock = self._locks[space] = asyncio.Lock()
        async with lock:
            known = self._listings.get(space)
            if known is not None and known.position == position:
                return known
            if known is not None and not is_behind(known.position, position):
                # Somebody went ahead while this one waited, or the store has lost what it had.
                position = await self.position(space)
            listing = await self._found(space, known, position)
            self._listings.put(space, listing)
            return listing

    async def body(self, space: SpaceId, listing: Listing, coding: str) -> bytes:
        """The listing as JSON text, compressed if asked."""
        body = await listing.body(coding)
        if self._listings.get(space) is listing:
            self._listings.put(space, listing)
        return body

    async def _found(self, space: SpaceId, known: Listing | None, position: Position) -> Listing:
        try:
            if known is not None and known.position == position:
                return known
            if known is not None and is_behind(known.position, position):
                return Listing(await self._brought_up(space, known.map, position), known)
            return Listing(await self._through_cache(space, position))
        except UnavailableError as error:
            # Raised again by the store if it was the store's.
            event(logger, logging.WARNING, "hash_map_uncached", space=space, cause=error)
            return Listing(await self._built(space))

    async def _through_cache(self, space: SpaceId, position: Position) -> BucketedMap:
        for _ in range(_LOOKS):
            cached = await self._cache.load(space)
            # A map that is ahead of what the store said may be a moment newer. It may as well be of a history
            # that the store has lost (a restored backup keeps the epoch); so it is not believed.
            if cached is not None and is_behind(cached.position, position) is not None:
                return await self._brought_up(space, cached, position)
            async with await self._cache.build(space) as mine:
                if mine:
                    built = await self._built(space)
                    await self._cache.replace(space, built)
                    return built
        return await self._built(space)

    async def _brought_up(self, space: SpaceId, cached: BucketedMap, position: Position) -> BucketedMap:
        if cached.position.sequence >= position.sequence:
            return cached
        changes = await self._store.changes(space, cached.position.sequence)
        if changes.position.epoch != cached.position.epoch:
            return await self._built(space)
        new, touched = await asyncio.to_thread(cached.patched, changes.position, changes.hashes)
        await self._cache.patch(space, cached.position, new, touched)
        return new

    async def _built(self, space: SpaceId) -> BucketedMap:
        return await asyncio.to_thread(_listed, await self._store.changes(space, _NOTHING))


def _listed(changes: Changes) -> BucketedMap:
    """In a thread: a map of a million documents takes two seconds."""
    live = {document: hash_ for document, hash_ in changes.hashes.items() if hash_ is not None}
    return BucketedMap.of(changes.position, live)
