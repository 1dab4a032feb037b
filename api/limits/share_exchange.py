"""Who asks other processes for something, so that the pace of this one knows it.

Without that, a token that asks all processes would be alone in those that a quiet client with one connection does not
ask, and could take the processor, and the workers, as if there were nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from api.limits.pace import Pace
from shared.cancellation import repeat
from shared.observability import event
from shared.ports import ActiveShares, UnavailableError

logger = logging.getLogger(__name__)

_TELL_SECONDS: Final = 0.5


@asynccontextmanager
async def exchanging(pace: Pace, shares: ActiveShares) -> AsyncIterator[None]:
    """Until the end of the block the pace knows what other processes are asked for."""
    task = asyncio.create_task(ShareExchange(pace, shares).keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class ShareExchange:
    """Of one process."""

    def __init__(self, pace: Pace, shares: ActiveShares) -> None:
        self._pace = pace
        self._shares = shares
        self._name = secrets.token_hex(8)
        self._is_away = False

    async def keep(self) -> None:
        """Until it is cancelled."""
        await repeat(self.tell, "share exchange", every=_TELL_SECONDS)

    async def tell(self) -> None:
        """Nothing while nobody asks: then nobody has to wait either."""
        if not (asked := self._pace.quietest()):
            return
        try:
            elsewhere = await self._shares.tell(self._name, asked)
        except UnavailableError as error:
            if not self._is_away:
                event(logger, logging.WARNING, "paced_alone", cause=error.__cause__)
            self._is_away = True
        else:
            self._pace.note_elsewhere(elsewhere, time.monotonic())
            self._is_away = False
