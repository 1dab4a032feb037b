"""Which limits hold for a user and a space: the settings, and what an administrator has set for them beside."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Generic, TypeVar

from api.reads.batch_loader import BatchLoader
from shared.core.access.limits import Limit, Overrides, Rate, limit_of
from shared.core.documents import SpaceId, UserId
from shared.core.protocol import Limits
from shared.core.resolution.usage import Quota
from shared.ports.access import AccessStores, SpaceOverrides
from shared.settings import Settings
from shared.space_quotas import quota_in_force

K = TypeVar("K")
V = TypeVar("V")

KNOWN_SECONDS: Final = 5.0
"""A change of limits is heard of within this time."""
_KEPT: Final = 10_000
_AT_ONCE: Final = 500
_NOTHING: Final[Overrides] = {}


class LimitsInForce:
    """Of one process."""

    def __init__(self, stores: AccessStores, settings: Settings) -> None:
        self._settings = settings
        self._stores = stores
        self._users = _Known(self._of_users)
        self._spaces = _Known(stores.spaces.overrides)

    def of_nobody(self, limit: Limit) -> int:
        """What the setting says."""
        setting: int = getattr(self._settings, limit.value)
        return setting

    async def of_user(self, limit: Limit, user: UserId | None) -> int:
        """Of a user."""
        overrides = _NOTHING if user is None else await self._users.get(user, _NOTHING)
        return limit_of(limit, self.of_nobody(limit), overrides)

    async def of_bodies(self, user: UserId | None) -> Limits:
        """What a user may send."""
        limits = self._settings.limits
        if user is None or not (overrides := await self._users.get(user, _NOTHING)):
            return limits
        document = limit_of(Limit.MAX_DOCUMENT_BYTES, limits.max_document_bytes, overrides)
        batch = limit_of(Limit.MAX_BATCH_BYTES, limits.max_batch_bytes, overrides)
        return limits._replace(max_document_bytes=document, max_batch_bytes=batch)

    async def of_space(self, limit: Limit, space: SpaceId) -> int:
        """Of a space: its own, or else its owner's."""
        known = await self._spaces.get(space, SpaceOverrides())
        return limit_of(limit, self.of_nobody(limit), known.own, known.of_owner)

    async def quota_of(self, space: SpaceId) -> Quota:
        """What the space may hold."""
        known = await self._spaces.get(space, SpaceOverrides())
        return quota_in_force(self._settings, known)

    async def rate_of_user(self, limit: Limit, user: UserId | None) -> Rate:
        return Rate(limit, await self.of_user(limit, user))

    async def rate_of_space(self, limit: Limit, space: SpaceId) -> Rate:
        return Rate(limit, await self.of_space(limit, space))

    async def _of_users(self, users: Collection[UserId]) -> Mapping[UserId, Overrides]:
        known = await self._stores.users.by_ids(users)
        return {user: known[user].overrides for user in known}


class _Known(Generic[K, V]):
    """Look-ups that are trusted for KNOWN_SECONDS."""

    def __init__(self, fetch: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._loader = BatchLoader(fetch, most=_AT_ONCE)
        self._known: dict[K, tuple[float, V]] = {}

    async def get(self, key: K, default: V) -> V:
        now = time.monotonic()
        known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        loaded = await self._loader.get(key)
        value = default if loaded is None else loaded
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = (now + KNOWN_SECONDS, value)
        return value
