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
_AHEAD: Final = 4
"""When a fourth of what was taken is left, more is asked for ..."""
_LEAST_AHEAD: Final = 100
"""... if that were so many: a small rate is taken as it is needed."""
_KEYS_KEPT: Final = 50_000
_WHOSE: Final = {
    Limit.REQUESTS_PER_ADDRESS: "an address",
    Limit.REQUESTS_PER_TOKEN: "a token",
    Limit.REQUESTS_PER_USER: "a user",
    Limit.REQUESTS_PER_SPACE: "a space",
    Limit.SIGN_UPS_PER_ADDRESS: "new accounts from an address",
}


class _Portion:
    """What this process has taken of one rate for one key: what it gives out, and what comes after that."""

    __slots__ = ("ahead", "left", "low", "refill", "refused_until", "remaining", "reset_at", "until", "waiters")

    def __init__(self) -> None:
        self.left = 0
        self.low = 0
        """When so many are left more is asked for, so that nobody has to wait for it; 0: it is waited for."""
        self.until = 0.0
        self.refused_until = 0.0
        self.remaining = 0
        self.reset_at = 0.0
        self.ahead: tuple[Counted, float] | None = None
        """What was asked for ahead, and when it came."""
        self.waiters: list[asyncio.Future[None]] = []
        self.refill: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return sum(not waiter.done() for waiter in self.waiters)

    def held(self, now: float) -> int:
        """How many may be given out yet of what came first."""
        return self.left if now < self.until else 0

    def has(self, rate: Rate, now: float) -> bool:
        """Whether there is one to give out."""
        if self.left > 0 and now < self.until:
            return True
        if self.ahead is None:
            return False
        (counted, came), self.ahead = self.ahead, None
        self.begin(rate, counted, came)
        return self.held(now) > 0

    def take(self, rate: Rate) -> RateState | None:
        """One request. None: the shared counter has to be asked."""
        now = time.monotonic()
        if self.has(rate, now):
            self.left -= 1
            return RateState(rate, True, self.remaining + self.left, max(self.reset_at - now, 0.0))
        if now < self.refused_until:
            return RateState(rate, False, self.remaining + self.left, max(self.reset_at - now, 0.0))
        return None

    def came(self, rate: Rate, counted: Counted) -> None:
        """More of it, just now."""
        now = time.monotonic()
        if not self.held(now):
            self.begin(rate, counted, now)
        elif counted.granted:  # else it is asked again when these are gone
            self.ahead = counted, now

    def begin(self, rate: Rate, counted: Counted, came: float) -> None:
        self.left, self.remaining = counted.granted, counted.remaining
        self.low = self.left // _AHEAD if self.left >= _LEAST_AHEAD else 0
        self.until = came + rate.seconds * _KEPT_PART
        self.reset_at = came + counted.reset_seconds
        if not counted.granted:
            self.refused_until = came + min(max(counted.reset_seconds, 0.001), _REFUSED_SECONDS)


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
        if portion is None:
            return False
        now = time.monotonic()
        if (portion.left <= 0 or now >= portion.until) and not portion.has(rate, now):
            return False
        if 2 * (portion.remaining + portion.left - 1) < rate.amount:
            return False
        portion.left -= 1
        if portion.left < portion.low and portion.refill is None:
            portion.low = 0  # once
            portion.refill = asyncio.create_task(self._refill(portion, rate, key))
        return True

    async def admit(self, rate: Rate, key: str) -> RateState | None:
        """One request of this key. None: there is no limit."""
        if rate.amount == NO_LIMIT:
            return None
        portion = self._portion(rate, key)
        while True:
            if (state := portion.take(rate)) is not None:
                return state
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            portion.waiters.append(waiter)
            if portion.refill is None:
                portion.refill = asyncio.create_task(self._refill(portion, rate, key))
            await waiter

    async def _refill(self, portion: _Portion, rate: Rate, key: str) -> None:
        failure: Exception | None = None
        try:
            wanted = rate.amount // _PARTS - portion.held(time.monotonic())
            portion.came(rate, await self._counted(rate, key, max(wanted, portion.waiting, 1)))
        except Exception as error:  # noqa: BLE001  whoever waits is told, whatever it was
            failure = error
        finally:
            portion.refill, waiters, portion.waiters = None, portion.waiters, []
            for waiter in waiters:
                if waiter.done():  # whoever asked has gone
                    continue
                if failure is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(failure)
                    waiter.exception()  # retrieved here, should nobody wait any more

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
