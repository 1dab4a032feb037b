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


class LimitsInForce:
    """Of one process."""

    def __init__(self, stores: AccessStores, settings: Settings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._stores = stores
        self._users = _Known(self._of_users)
        self._spaces = _Known(self._of_spaces)
        self.nobody = Limited(settings, ())
        """What the settings say."""

    async def user(self, user: UserId | None) -> Limited:
        if user is None:
            return self.nobody
        return self._users.known(user) or await self._users.get(user, self.nobody)

    async def space(self, space: SpaceId) -> Limited:
        """Its own limits, or else its owner's."""
        return self._spaces.known(space) or await self._spaces.get(space, self.nobody)

    async def of_user(self, limit: Limit, user: UserId | None) -> int:
        """Of a user."""
        return (await self.user(user)).limit(limit)

    async def of_bodies(self, user: UserId | None) -> Limits:
        """What a user may send."""
        limits = self._limits
        overrides = (await self.user(user)).overrides
        if not any(overrides):
            return limits
        document = limit_of(Limit.MAX_DOCUMENT_BYTES, limits.max_document_bytes, *overrides)
        batch = limit_of(Limit.MAX_BATCH_BYTES, limits.max_batch_bytes, *overrides)
        return limits._replace(max_document_bytes=document, max_batch_bytes=batch)

    async def of_space(self, limit: Limit, space: SpaceId) -> int:
        """Of a space: its own, or else its owner's."""
        return (await self.space(space)).limit(limit)

    async def quota_of(self, space: SpaceId) -> Quota:
        """What the space may hold."""
        known = (await self.space(space)).overrides
        return quota_in_force(self._settings, SpaceOverrides(*known))

    async def _of_users(self, users: Collection[UserId]) -> Mapping[UserId, Limited]:
        known = await self._stores.users.by_ids(users)
        return {user: Limited(self._settings, (known[user].overrides,)) for user in known}

    async def _of_spaces(self, spaces: Collection[SpaceId]) -> Mapping[SpaceId, Limited]:
        known = await self._stores.spaces.overrides(spaces)
        return {space: Limited(self._settings, (those.own, those.of_owner)) for space, those in known.items()}


class Limited:
    """What holds for one user, or one space, by what was looked up."""

    __slots__ = ("_settings", "of_address", "of_space", "of_token", "of_user", "overrides")

    def __init__(self, settings: Settings, overrides: tuple[Overrides, ...]) -> None:
        """`overrides`: the first one that has a limit holds."""
        self._settings = settings
        self.overrides = overrides
        self.of_address, self.of_token, self.of_user, self.of_space = (
            Rate(limit, self.limit(limit))
            for limit in (
                Limit.REQUESTS_PER_ADDRESS,
                Limit.REQUESTS_PER_TOKEN,
                Limit.REQUESTS_PER_USER,
                Limit.REQUESTS_PER_SPACE,
            )
        )
        """The rates of requests: every request asks for them."""

    def limit(self, limit: Limit) -> int:
        return limit_of(limit, getattr(self._settings, limit.value), *self.overrides)


class _Known(Generic[K, V]):
    """Look-ups that are trusted for KNOWN_SECONDS."""

    def __init__(self, fetch: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._loader = BatchLoader(fetch, most=_AT_ONCE)
        self._known: dict[K, tuple[float, V]] = {}

    def known(self, key: K) -> V | None:
        """What was looked up a moment ago."""
        known = self._known.get(key)
        return known[1] if known is not None and time.monotonic() < known[0] else None

    async def get(self, key: K, default: V) -> V:
        now = time.monotonic()
        known = self.known(key)
        if known is not None:
            return known
        loaded = await self._loader.get(key)
        value = default if loaded is None else loaded
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = (now + KNOWN_SECONDS, value)
        return value
