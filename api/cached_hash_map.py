"""The hash maps that a process answered with last, as texts in every coding, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from api.codings import IDENTITY
from api.compression import compressed
from shared.core.documents import Position, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.index.reconciliation import Comparison, Fingerprint, Prefix, Tree


class CachedHashMap:
    """One map, and its bodies as far as they were asked for."""

    def __init__(self, map_: BucketedMap, before: CachedHashMap | None = None) -> None:
        self.map = map_
        self._before = before._tree if before is not None else None
        self._tree: Tree | None = None
        self._bodies: dict[str, bytes] = {}
        self._compressing: dict[str, asyncio.Task[bytes]] = {}

    @property
    def position(self) -> Position:
        return self.map.position

    async def body(self, coding: str) -> list[bytes]:
        """The JSON object, in parts. Compressing costs much more than sending the buckets, so it is done once, for
        those too that ask meanwhile."""
        if coding == IDENTITY:
            return self.map.parts()
        if coding not in self._bodies:
            task = self._compressing.get(coding)
            if task is None:
                task = self._compressing[coding] = asyncio.create_task(compressed(coding, self.map.parts()))
                task.add_done_callback(lambda _: self._compressing.pop(coding, None))
            self._bodies[coding] = await asyncio.shield(task)
        return [self._bodies[coding]]

    async def compare(self, asked: Mapping[Prefix, Fingerprint]) -> Comparison:
        """The map with another one, by ranges. It may take long, so it is done beside other requests. A map that was
        patched takes over what was added up for the one before."""
        return await asyncio.to_thread(self._compare, asked)

    def _compare(self, asked: Mapping[Prefix, Fingerprint]) -> Comparison:
        tree = self._tree
        if tree is None:
            tree = Tree(self.map, self._before.sums if self._before is not None else None)
            self._tree, self._before = tree, None
        return tree.compare(asked)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.map.buckets.values())) + sum(map(len, self._bodies.values()))


class CachedHashMaps:
    """The newest one of each space, the spaces that were asked for last."""

    def __init__(self, max_bytes: int) -> None:
        self._most = max_bytes
        self._known: OrderedDict[SpaceId, tuple[CachedHashMap, int]] = OrderedDict()
        self._size = 0

    def get(self, space: SpaceId) -> CachedHashMap | None:
        cached = self._known.get(space)
        if cached is None:
            return None
        self._known.move_to_end(space)
        return cached[0]

    def put(self, space: SpaceId, listing: CachedHashMap) -> None:
        """To be called again when a body was made: its size has changed."""
        _, old = self._known.pop(space, (None, 0))
        self._known[space] = listing, listing.size
        self._size += listing.size - old
        while self._size > self._most:
            _, (_, size) = self._known.popitem(last=False)
            self._size -= size
