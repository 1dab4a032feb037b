"""Rates of requests: of an address, a token, a user and a space, over all processes.

A process asks the shared counter for a few requests at a time, one in four hundred of the rate, and gives them out
itself: most requests wait for nothing, and no more than that is ever unused. Without the counter (Redis) it counts by
itself, by the same rates, until the counter answers again: see docs/decisions/0046.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from api.errors import RATE_LIMITED, ProblemError
from shared.core.access.limits import NO_LIMIT, Limit, Rate, RateState
from shared.observability import event
from shared.ports import Counted, RateCounter, UnavailableError

logger = logging.getLogger(__name__)

_PARTS: Final = 400
_KEPT_PART: Final = 0.1
"""Of a window: so long what was taken may be given out."""
_REFUSED_SECONDS: Final = 0.1
"""So long a refusal is not asked about again."""
_AWAY_SECONDS: Final = 1.0
"""So long a counter that did not answer is not asked again."""
_KEYS_KEPT: Final = 50_000
_WHOSE: Final = {
    Limit.REQUESTS_PER_ADDRESS: "an address",
    Limit.REQUESTS_PER_TOKEN: "a token",
    Limit.REQUESTS_PER_USER: "a user",
    Limit.REQUESTS_PER_SPACE: "a space",
    Limit.SIGN_UPS_PER_ADDRESS: "new accounts from an address",
}


class _Portion:
    """What this process has taken of one rate for one key."""

    __slots__ = ("left", "refill", "refused_until", "remaining", "reset_at", "until", "waiting")

    def __init__(self) -> None:
        self.left = 0
        self.until = 0.0
        self.refused_until = 0.0
        self.remaining = 0
        self.reset_at = 0.0
        self.waiting = 0
        self.refill: asyncio.Task[None] | None = None

    def take(self, rate: Rate) -> RateState | None:
        """One request. None: the shared counter has to be asked."""
        now = time.monotonic()
        if self.left > 0 and now < self.until:
            self.left -= 1
            return RateState(rate, True, self.remaining + self.left, max(self.reset_at - now, 0.0))
        if now < self.refused_until:
            return RateState(rate, False, self.remaining + self.left, max(self.reset_at - now, 0.0))
        return None


class RequestRates:
    """Of one process. `alone`: counts where `shared` does not answer."""

    def __init__(self, shared: RateCounter, alone: RateCounter) -> None:
        self._shared = shared
        self._alone = alone
        self._away_until = 0.0
        self._portions: dict[str, _Portion] = {}
        """By the limit and whose it is, in one text: to hash a member of an enumeration is a call of its own."""

    def passes(self, rate: Rate, key: str) -> bool:
        """Counts one request of this key if it is known already that it may be, and that so much is left that nothing
        is to be said of it, or that there is no limit. Else nothing is counted, and `admit` says what is."""
        if rate.amount == NO_LIMIT:
            return True
        portion = self._portions.get(rate.limit + " " + key)
        if (
            portion is None
            or portion.left <= 0
            or time.monotonic() >= portion.until
            or 2 * (portion.remaining + portion.left - 1) < rate.amount
        ):
            return False
        portion.left -= 1
        return True

    async def admit(self, rate: Rate, key: str) -> RateState | None:
        """One request of this key. None: there is no limit."""
        if rate.amount == NO_LIMIT:
            return None
        portion = self._portion(rate, key)
        while True:
            if (state := portion.take(rate)) is not None:
                return state
            portion.waiting += 1
            try:
                if portion.refill is None:
                    portion.refill = asyncio.create_task(self._refill(portion, rate, key))
                await asyncio.shield(portion.refill)  # others may wait for it, too
            finally:
                portion.waiting -= 1

    async def _refill(self, portion: _Portion, rate: Rate, key: str) -> None:
        try:
            counted = await self._counted(rate, key, max(rate.amount // _PARTS, portion.waiting, 1))
            now = time.monotonic()
            portion.left, portion.remaining = counted.granted, counted.remaining
            portion.until = now + rate.seconds * _KEPT_PART
            portion.reset_at = now + counted.reset_seconds
            if not counted.granted:
                portion.refused_until = now + min(max(counted.reset_seconds, 0.001), _REFUSED_SECONDS)
        finally:
            portion.refill = None

    async def _counted(self, rate: Rate, key: str, count: int) -> Counted:
        if time.monotonic() >= self._away_until:
            try:
                return await self._shared.take(rate, key, count)
            except UnavailableError as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                event(logger, logging.WARNING, "rates_counted_alone", cause=error.__cause__)
        return await self._alone.take(rate, key, count)

    def _portion(self, rate: Rate, key: str) -> _Portion:
        name = rate.limit + " " + key
        portion = self._portions.get(name)
        if portion is None:
            if len(self._portions) >= _KEYS_KEPT:
                now = time.monotonic()
                self._portions = {
                    known: one for known, one in self._portions.items() if one.waiting or now < one.until
                }
            portion = self._portions[name] = _Portion()
        return portion


def refused(state: RateState) -> ProblemError:
    """429: which limit, what is left (nothing), and when to come back. The fields RateLimit and RateLimit-Policy come
    with every answer of which a rate is low (`api.app.RequestEnvelope`)."""
    rate = state.rate
    what = "of " + _WHOSE[rate.limit] if rate.limit is not Limit.SIGN_UPS_PER_ADDRESS else "for " + _WHOSE[rate.limit]
    detail = (
        f"{rate.amount} requests {what} are taken in {rate.seconds} seconds (HYPERTASK_{rate.limit.upper()}). "
        f"Come back in {state.retry_after} seconds."
    )
    extensions = {"limit": rate.limit.value, "quota": rate.amount, "remaining": max(state.remaining, 0)}
    return ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(state.retry_after)}, extensions=extensions)
