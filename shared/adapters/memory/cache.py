"""HashMapCache, MapAcknowledgements and Announcements that are nothing but memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from shared import announcement_messages
from shared.core.documents import DeviceId, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.resolution.context import AcknowledgedMap
from shared.ports import Announcement


class MemoryHashMapCache:
    """HashMapCache. It forgets nothing."""

    def __init__(self) -> None:
        self._maps: dict[SpaceId, BucketedMap] = {}
        self._building: dict[SpaceId, asyncio.Event] = {}

    async def load(self, space: SpaceId) -> BucketedMap | None:
        return self._maps.get(space)

    async def replace(self, space: SpaceId, new: BucketedMap) -> None:
        known = self._maps.get(space)
        if known is not None and known.position.epoch == new.position.epoch:
            new = max(known, new, key=lambda one: one.position.sequence)
        self._maps[space] = new

    async def patch(self, space: SpaceId, old: Position, new: BucketedMap, touched: AbstractSet[str]) -> None:
        known = self._maps.get(space)
        if known is not None and known.position == old:
            self._maps[space] = new

    async def build(self, space: SpaceId) -> _MemoryBuilderLock:
        return _MemoryBuilderLock(self._building, space)


class _MemoryBuilderLock:
    """BuilderLock."""

    def __init__(self, building: dict[SpaceId, asyncio.Event], space: SpaceId) -> None:
        self._building = building
        self._space = space
        self._done: asyncio.Event | None = None

    async def __aenter__(self) -> bool:
        if (other := self._building.get(self._space)) is not None:
            await other.wait()
            return False
        self._done = self._building[self._space] = asyncio.Event()
        return True

    async def __aexit__(self, *exc: object) -> None:
        if self._done is not None:
            del self._building[self._space]
            self._done.set()


@dataclass(slots=True)
class _Listed:
    """What a device was given last, and the newest map that it acknowledged."""

    last: AcknowledgedMap | None = None
    acknowledged: AcknowledgedMap | None = None


class MemoryMapAcknowledgements:
    """MapAcknowledgements. It forgets nothing."""

    def __init__(self) -> None:
        self._known: dict[tuple[SpaceId, DeviceId], _Listed] = {}

    async def listed(self, space: SpaceId, device: DeviceId, at: float, sequence: SequenceNumber) -> None:
        known = self._known.setdefault((space, device), _Listed())
        known.acknowledged = known.last or known.acknowledged
        known.last = AcknowledgedMap(at, sequence)

    async def posted(
        self, senders: Collection[tuple[SpaceId, DeviceId]]
    ) -> dict[tuple[SpaceId, DeviceId], AcknowledgedMap]:
        acknowledged: dict[tuple[SpaceId, DeviceId], AcknowledgedMap] = {}
        for sender in senders:
            if (known := self._known.get(sender)) is not None:
                known.last = None
                if known.acknowledged is not None:
                    acknowledged[sender] = known.acknowledged
        return acknowledged


class MemoryAnnouncements:
    """Announcements within one process, with the callbacks of those on Redis. Use `async with`."""

    def __init__(
        self,
        *,
        changed: Callable[[SpaceId, bytes], None],
        lost: Callable[[SpaceId], None],
        revoked: Callable[[SpaceId, DeviceId], None],
        access: Callable[[SpaceId], None],
    ) -> None:
        self._changed = changed
        self._revoked = revoked
        self._access = access
        self.listened_to: set[SpaceId] = set()

    async def __aenter__(self) -> MemoryAnnouncements:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.listened_to.clear()

    async def listen(self, space: SpaceId) -> None:
        self.listened_to.add(space)

    async def unlisten(self, space: SpaceId) -> None:
        self.listened_to.discard(space)

    async def tell_changed(self, space: SpaceId, announcement: Announcement) -> None:
        if space in self.listened_to:
            self._changed(space, announcement_messages.dump_announcement(announcement))

    async def tell_revoked(self, space: SpaceId, device: DeviceId) -> None:
        if space in self.listened_to:
            self._revoked(space, device)

    async def tell_access(self, space: SpaceId) -> None:
        if space in self.listened_to:
            self._access(space)
