"""The hash map of a space as it is now: cached, and never stale."""

from __future__ import annotations

import logging

from api.coalesced import Coalesced
from shared.core.documents import Position, Sequence, SpaceId
from shared.core.hash_map import BucketedMap
from shared.observability import event
from shared.ports import DocumentStore, HashMapCache, UnavailableError

logger = logging.getLogger(__name__)

_NOTHING = Sequence(0)
_LOOKS = 4
_SPACES_AT_ONCE = 500


class HashMaps:
    """The store says where the space stands; the cached map is served if it stands there too, brought up if
    it is behind, built anew if it is missing or not of this space's history. So whatever happens to the
    cache costs time and nothing else."""

    def __init__(self, store: DocumentStore, cache: HashMapCache) -> None:
        self._store = store
        self._cache = cache
        self._positions = Coalesced(store.positions, most=_SPACES_AT_ONCE)

    async def position(self, space: SpaceId) -> Position:
        """Where the space stands: every write that was acknowledged before the call is in it."""
        position = await self._positions.get(space)
        if position is None:
            raise UnavailableError("the database does not know the space")
        return position

    async def current(self, space: SpaceId) -> BucketedMap:
        """Law: every write that was acknowledged before the call is in it."""
        position = await self.position(space)
        try:
            return await self._through_cache(space, position)
        except UnavailableError as error:
            # Raised again by the store if it was the store's.
            event(logger, logging.WARNING, "hash_map_uncached", space=space, cause=error)
            return await self._built(space)

    async def _through_cache(self, space: SpaceId, position: Position) -> BucketedMap:
        for _ in range(_LOOKS):
            cached = await self._cache.load(space)
            if cached is not None and _usable(cached.position, position):
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
        new, touched = cached.patched(changes.position, changes.hashes)
        await self._cache.patch(space, cached.position, new, touched)
        return new

    async def _built(self, space: SpaceId) -> BucketedMap:
        changes = await self._store.changes(space, _NOTHING)
        live = {document: hash_ for document, hash_ in changes.hashes.items() if hash_ is not None}
        return BucketedMap.of(changes.position, live)


def _usable(cached: Position, now: Position) -> bool:
    # A map that is ahead of what the store said may be a moment newer. It may as well be of a history that
    # the store has lost (a restored backup keeps the epoch); so it is not believed.
    return cached.epoch == now.epoch and cached.sequence <= now.sequence
