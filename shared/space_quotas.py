"""The quota of each space, for whoever decides what is stored in it."""

from __future__ import annotations

import logging
import time
from typing import Final

from shared.core.access.limits import Limit, limit_of
from shared.core.documents import SpaceId
from shared.core.resolution.usage import Quota
from shared.observability import event
from shared.ports import UnavailableError
from shared.ports.access import SpaceOverrides, SpaceStore
from shared.settings import Settings

logger = logging.getLogger(__name__)

_KNOWN_SECONDS: Final = 5.0
"""A change of limits is heard of within this time."""
_KEPT: Final = 10_000


def quota_in_force(settings: Settings, overrides: SpaceOverrides) -> Quota:
    """Of a space: its own, or else its owner's, or else the settings."""
    documents, size, history = (
        limit_of(limit, getattr(settings, limit.value), overrides.own, overrides.of_owner)
        for limit in (Limit.SPACE_DOCUMENTS, Limit.SPACE_BYTES, Limit.SPACE_HISTORY_BYTES)
    )
    return Quota(documents, size, history)


class SpaceQuotas:
    """Looked up, and trusted for a few seconds. Of one process."""

    def __init__(self, spaces: SpaceStore, settings: Settings) -> None:
        self._spaces = spaces
        self._settings = settings
        self._known: dict[SpaceId, tuple[float, Quota]] = {}

    async def of(self, space: SpaceId) -> Quota:
        """What the space may hold. If that cannot be looked up, what was known of it last, or else the settings."""
        now = time.monotonic()
        before = self._known.get(space)
        if before is not None and now < before[0]:
            return before[1]
        known = quota_in_force(self._settings, SpaceOverrides()) if before is None else before[1]
        try:
            overrides = (await self._spaces.overrides([space])).get(space, SpaceOverrides())
        except UnavailableError as error:
            event(logger, logging.WARNING, "quota_not_looked_up", space=space, cause=error.__cause__)
            return known
        if len(self._known) >= _KEPT:
            self._known.clear()
        quota = quota_in_force(self._settings, overrides)
        self._known[space] = (now + _KNOWN_SECONDS, quota)
        return quota
