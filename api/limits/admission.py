"""Whether a request comes within the rates of its address, its token, its user and its space."""

from __future__ import annotations

from starlette.types import Scope

from api.limits.bounds import HOLDING
from api.limits.limits_in_force import LimitsInForce
from api.limits.rates import RequestRates, refused
from shared.core.access.limits import HOUR_SECONDS, NO_LIMIT, Limit, Rate, network_of
from shared.core.documents import Device, SpaceId, UserId

UNCOUNTED = ("/healthz", "/readyz")
"""Whoever looks after the process asks them."""


class Admission:
    """Of one process. Every method raises ProblemError 429 with the limit that was reached. The narrowest rate is
    asked first: one token that sends too much takes nothing of what its user, or its space, has left."""

    def __init__(self, rates: RequestRates, limits: LimitsInForce) -> None:
        self._rates = rates
        self._limits = limits

    async def address(self, scope: Scope) -> None:
        """Of any request, before it is known who asks."""
        if scope["path"] not in UNCOUNTED:
            await self._admit(scope, self._limits.nobody.rate(Limit.REQUESTS_PER_ADDRESS), _network(scope))

    async def sign_up(self, scope: Scope) -> None:
        """Of one who wants a new account."""
        amount = self._limits.nobody.limit(Limit.SIGN_UPS_PER_ADDRESS)
        await self._admit(scope, Rate(Limit.SIGN_UPS_PER_ADDRESS, amount, HOUR_SECONDS), _network(scope))

    async def device(self, scope: Scope, device: Device, space: SpaceId | None) -> None:
        """Of a token that was looked up; `space` None: its request is about no space."""
        user = device.owner
        limits = await self._limits.user(user)
        await self._admit(scope, limits.rate(Limit.REQUESTS_PER_TOKEN), device.id)
        if user is not None:
            await self._admit(scope, limits.rate(Limit.REQUESTS_PER_USER), user)
        if space is not None:
            await self._admit(scope, (await self._limits.space(space)).rate(Limit.REQUESTS_PER_SPACE), space)

    async def user(self, scope: Scope, user: UserId) -> None:
        """Of one who has a web session."""
        await self._admit(scope, (await self._limits.user(user)).rate(Limit.REQUESTS_PER_USER), user)

    async def _admit(self, scope: Scope, rate: Rate, key: str) -> None:
        if rate.amount == NO_LIMIT or self._rates.passes(rate, key):
            return
        state = await self._rates.admit(rate, key)
        if state is None:
            return
        if state.is_low and HOLDING in scope:
            scope[HOLDING].rates.append(state)
        if not state.allowed:
            raise refused(state)


def _network(scope: Scope) -> str:
    client = scope.get("client")
    return network_of(client[0]) if client else ""
