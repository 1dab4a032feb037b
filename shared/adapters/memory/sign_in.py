"""DeviceGrantStore in memory. One event loop: what a method changes it changes atomically."""

from __future__ import annotations

from dataclasses import replace

from shared.core.access.device_grants import SLOW_DOWN_SECONDS, Approval, DeviceGrant, GrantDecision, UserCode
from shared.ports.sign_in import GrantFailure


class MemoryDeviceGrantStore:
    """DeviceGrantStore in memory."""

    def __init__(self) -> None:
        self._grants: dict[str, DeviceGrant] = {}
        """By the hash of the secret."""

    async def add(self, grant: DeviceGrant, secret_hash: str, *, most: int) -> GrantFailure | None:
        now = grant.created_at
        known = [one for one in self._grants.values() if now < one.expires_at]
        if any(one.user_code == grant.user_code for one in known):
            return GrantFailure.CODE_TAKEN
        if sum(one.address == grant.address and one.waits(now) for one in known) >= most:
            return GrantFailure.TOO_MANY
        self._grants[secret_hash] = grant
        return None

    async def poll(self, secret_hash: str, now: float) -> DeviceGrant | None:
        grant = self._grants.get(secret_hash)
        if grant is not None:
            interval = grant.interval + (SLOW_DOWN_SECONDS if grant.is_early(now) else 0.0)
            self._grants[secret_hash] = replace(grant, polled_at=now, interval=interval)
        return grant

    async def waiting(self, code: UserCode, now: float) -> DeviceGrant | None:
        found = [grant for grant in self._grants.values() if grant.user_code == code and grant.waits(now)]
        return found[0] if found else None

    async def decide(self, code: UserCode, now: float, approval: Approval | None) -> bool:
        for key, grant in self._grants.items():
            if grant.user_code == code and grant.waits(now):
                decision = GrantDecision.DENIED if approval is None else GrantDecision.APPROVED
                self._grants[key] = replace(grant, decision=decision, approval=approval)
                return True
        return False

    async def use(self, secret_hash: str, now: float) -> DeviceGrant | None:
        grant = self._grants.get(secret_hash)
        if grant is None or grant.decision is not GrantDecision.APPROVED or now >= grant.expires_at or grant.used_at:
            return None
        used = self._grants[secret_hash] = replace(grant, used_at=now)
        return used
