"""What Redis keeps for speed, and any of which may be lost: hash maps, acknowledgements, announcements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from shared.core.documents import (
    DeviceId,
    Epoch,
    Position,
    SequenceNumber,
    SpaceId,
)
from shared.core.index.hash_map import BucketedMap
from shared.core.resolution.batch import Change
from shared.core.resolution.context import (
    AcknowledgedMap,
)


class HashMapCache(Protocol):
    """Hash maps, cached. It may forget or garble anything at any time: what it returns is checked, and
    None is always an answer. Errors: UnavailableError."""

    async def load(self, space: SpaceId) -> BucketedMap | None:
        """The map as it stood at its position, whole and intact, or None."""
        ...

    async def replace(self, space: SpaceId, new: BucketedMap) -> None:
        """Puts `new` in place of whatever is there, unless that is newer and of the same epoch."""
        ...

    async def patch(self, space: SpaceId, old: Position, new: BucketedMap, touched: AbstractSet[str]) -> None:
        """Turns the map at position `old` into `new` by writing the `touched` buckets alone. Does nothing
        when another position is there by now."""
        ...

    async def build(self, space: SpaceId) -> BuilderLock:
        """The right to build the map, one builder at a time; see BuilderLock."""
        ...


class BuilderLock(Protocol):
    """`async with await cache.build(space) as mine:` - `mine` is True for the one builder. False: another
    one was at it and is done now (or has died); look again."""

    async def __aenter__(self) -> bool: ...
    async def __aexit__(self, *exc: object) -> None: ...


class MapAcknowledgements(Protocol):
    """Which maps a device was given, and whether it posted between them: a device that asks twice and posts
    nothing between has what the first map lists: it has acknowledged that map. Evidence for resolve, not truth: it
    may be forgotten at any time, and None is always an answer. Errors: UnavailableError."""

    async def listed(self, space: SpaceId, device: DeviceId, at: float, sequence: SequenceNumber) -> None:
        """The device asked at `at`, in seconds since 1970, and got the map of this sequence."""
        ...

    async def posted(
        self, senders: Collection[tuple[SpaceId, DeviceId]]
    ) -> dict[tuple[SpaceId, DeviceId], AcknowledgedMap]:
        """These devices post now. Returns the newest map that each of them is known to have acknowledged."""
        ...


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a committed transaction changed: the sequences `first` to `last`, of each document its last state.
    `history`: that of `last`; None: the oldest.
    `changes` None: too many to be said; they can be read."""

    first: SequenceNumber
    last: SequenceNumber
    history: Epoch | None
    changes: tuple[Change, ...] | None


Announce = Callable[[SpaceId, Announcement], Awaitable[None]]
"""As `Announcements.tell_changed`."""


class Announcements(Protocol):
    """Hears what is committed, while it lives: for speed, since any of it may be lost."""

    async def listen(self, space: SpaceId) -> None:
        """What is announced for the space after this returned is heard."""
        ...

    async def unlisten(self, space: SpaceId) -> None: ...

    async def tell_changed(self, space: SpaceId, announcement: Announcement) -> None:
        """Says to all processes what was committed, where no worker does."""
        ...

    async def tell_revoked(self, space: SpaceId, device: DeviceId) -> None:
        """Says to all processes that a device of the space was revoked."""
        ...

    async def tell_access(self, space: SpaceId) -> None:
        """Says to all processes that somebody may do less in the space than before."""
        ...
