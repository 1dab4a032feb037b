"""Announcements on Redis pub/sub: one subscription a process, which all its streams share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import announcement_messages
from shared.adapters.redis.connection import errors_mapped
from shared.adapters.redis.keys import space_key
from shared.cancellation import repeat
from shared.core.documents import DeviceId, SpaceId
from shared.observability import event
from shared.ports import Announcement, UnavailableError

logger = logging.getLogger(__name__)

_CONFIRM_SECONDS = 2.0
_AGAIN_SECONDS = 0.2
_REVOKED = b"revoked "
"""Then the device's id. No announcement of changes begins so."""
_ACCESS = b"access"
"""All of it. Processes of an earlier release take it for an announcement that they cannot read, and look after all
that follow the space, too."""


class RedisAnnouncements:
    """Announcements. `changed` is called with each announcement of changes as it was sent; `lost` for a space of
    which some may have been missed, since the connection was gone; `revoked` for a device that was revoked; `access`
    for a space in which somebody may do less than before. Use `async with`."""

    def __init__(
        self,
        redis: Redis,
        *,
        changed: Callable[[SpaceId, bytes], None],
        lost: Callable[[SpaceId], None],
        revoked: Callable[[SpaceId, DeviceId], None],
        access: Callable[[SpaceId], None],
    ) -> None:
        self._redis = redis
        self._revoked = revoked
        self._access = access
        self._pubsub = redis.pubsub()
        self._changed = changed
        self._lost = lost
        self._spaces: dict[bytes, SpaceId] = {}
        self._confirmed: dict[bytes, asyncio.Event] = {}
        self._reader: asyncio.Task[None] | None = None
        self._some = asyncio.Event()
        self._gone = False

    async def __aenter__(self) -> RedisAnnouncements:
        self._reader = asyncio.create_task(repeat(self._read, "announcements"))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def listen(self, space: SpaceId) -> None:
        channel = _channel(space)
        confirmed = self._confirmed.get(channel)
        if confirmed is None:
            confirmed = self._confirmed[channel] = asyncio.Event()
            self._spaces[channel] = space
            with errors_mapped():
                await self._pubsub.subscribe(_NOBODY, channel)
            self._some.set()
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await confirmed.wait()
        except TimeoutError:
            raise UnavailableError("the cache does not answer") from None

    async def unlisten(self, space: SpaceId) -> None:
        channel = _channel(space)
        self._spaces.pop(channel, None)
        self._confirmed.pop(channel, None)
        with errors_mapped():
            await self._pubsub.unsubscribe(channel)

    async def tell_changed(self, space: SpaceId, announcement: Announcement) -> None:
        await announce_changed(self._redis, space, announcement)

    async def tell_revoked(self, space: SpaceId, device: DeviceId) -> None:
        await announce_revoked(self._redis, space, device)

    async def tell_access(self, space: SpaceId) -> None:
        await announce_access(self._redis, space)

    async def _read(self) -> None:
        await self._some.wait()
        try:
            message = await self._pubsub.get_message(timeout=10)
        except (RedisError, OSError) as error:
            # Its next call connects and subscribes again.
            if not self._gone:
                event(logger, logging.WARNING, "announcements_unreachable", cause=error)
            self._gone = True
            await asyncio.sleep(_AGAIN_SECONDS)
            return
        self._gone = False
        if message is not None:
            self._take(message["type"], message["channel"], message["data"])

    def _take(self, kind: str, channel: bytes, data: bytes) -> None:
        if kind == "subscribe" and channel in self._confirmed:
            if self._confirmed[channel].is_set():
                self._lost(self._spaces[channel])  # a new connection: what was said between is not known
            self._confirmed[channel].set()
        elif kind == "message" and channel in self._spaces and data.startswith(_REVOKED):
            self._revoked(self._spaces[channel], DeviceId(data.removeprefix(_REVOKED).decode()))
        elif kind == "message" and channel in self._spaces and data == _ACCESS:
            self._access(self._spaces[channel])
        elif kind == "message" and channel in self._spaces:
            self._changed(self._spaces[channel], data)


_NOBODY: Final = b"ht:nobody"
"""A channel that nobody speaks on, and that is never left: the driver checks a connection without any channel by
reading from it, while the reader here is reading."""


async def announce_changed(redis: Redis, space: SpaceId, announcement: Announcement) -> None:
    """Says to all API processes what was committed. Raises UnavailableError."""
    with errors_mapped():
        await redis.publish(*changed_message(space, announcement))


def changed_message(space: SpaceId, announcement: Announcement) -> tuple[bytes, bytes]:
    """The channel and the message of `announce_changed`, for whoever publishes together with other commands."""
    return _channel(space), announcement_messages.dump_announcement(announcement)


async def announce_revoked(redis: Redis, space: SpaceId, device: DeviceId) -> None:
    """Says to all API processes that the device was revoked. Raises UnavailableError."""
    with errors_mapped():
        await redis.publish(_channel(space), _REVOKED + device.encode())


async def announce_access(redis: Redis, space: SpaceId) -> None:
    """Says to all API processes that somebody may do less in the space than before. Raises UnavailableError."""
    with errors_mapped():
        await redis.publish(_channel(space), _ACCESS)


def _channel(space: SpaceId) -> bytes:
    return space_key(space, "changed").encode()
