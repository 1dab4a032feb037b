"""Removing the bodies of old revisions, as the retention says."""

from __future__ import annotations

import logging
import time
from typing import Any

from shared.core.resolution.retention import Retention
from shared.observability import event
from shared.ports import DocumentStore

logger = logging.getLogger(__name__)


async def prune_all(ctx: dict[Any, Any]) -> None:
    """The arq cron job: every space, one after another. Interrupted, it goes on next time."""
    await ctx["pruner"].run(time.time())


class Pruner:
    """Goes through the spaces."""

    def __init__(self, store: DocumentStore, retention: Retention) -> None:
        self._store = store
        self._retention = retention

    async def run(self, now: float) -> None:
        for space in await self._store.spaces():
            if await self._store.count_sizes(space):
                event(logger, logging.INFO, "sizes_counted", space=space)
            pruned = await self._store.prune(space, self._retention, now)
            if pruned.bodies or pruned.rows:
                event(
                    logger,
                    logging.INFO,
                    "pruned",
                    space=space,
                    bodies=pruned.bodies,
                    bytes=pruned.size,
                    rows=pruned.rows,
                )
