"""Whether a request comes within the rates of its address, its token, its user and its space."""

from __future__ import annotations

from starlette.types import Scope

from api.limits.bounds import HOLDING
from api.limits.limits_in_force import LimitsInForce
from api.limits.rates import RequestRates, refused
from shared.core.access.limits import HOUR_SECONDS, Limit, Rate, network_of
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
            rate, key = self._limits.nobody.of_address, _network(scope)
            if not self._rates.passes(rate, key):
                await self._admit(scope, rate, key)

    async def sign_up(self, scope: Scope) -> None:
        """Of one who wants a new account."""
        amount = self._limits.nobody.limit(Limit.SIGN_UPS_PER_ADDRESS)
        await self._admit(scope, Rate(Limit.SIGN_UPS_PER_ADDRESS, amount, HOUR_SECONDS), _network(scope))

    async def device(self, scope: Scope, device: Device, space: SpaceId | None) -> None:
        """Of a token that was looked up; `space` None: its request is about no space."""
        user, passes = device.owner, self._rates.passes
        limits = await self._limits.user(user)
        if not passes(limits.of_token, device.id):
            await self._admit(scope, limits.of_token, device.id)
        if user is not None and not passes(limits.of_user, user):
            await self._admit(scope, limits.of_user, user)
        if space is None:
            return
        rate = (await self._limits.space(space)).of_space
        if not passes(rate, space):
            await self._admit(scope, rate, space)

    async def user(self, scope: Scope, user: UserId) -> None:
        """Of one who has a web session."""
        rate = (await self._limits.user(user)).of_user
        if not self._rates.passes(rate, user):
            await self._admit(scope, rate, user)

    async def _admit(self, scope: Scope, rate: Rate, key: str) -> None:
        """What does not pass by what is known already."""
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
