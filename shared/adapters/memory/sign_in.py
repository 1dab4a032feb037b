"""Stores of signing in without a password, in memory. One event loop: what a method changes it changes atomically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.adapters.memory.access import Tables
from shared.core.access.audit import AuditEntry
from shared.core.access.device_grants import SLOW_DOWN_SECONDS, Approval, DeviceGrant, GrantDecision, UserCode
from shared.core.access.groups import Identity
from shared.core.access.roles import Role
from shared.core.access.sessions import ProviderFlow
from shared.core.documents import SpaceId, UserId
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
        grants = [grant for grant in self._grants.values() if grant.user_code == code and grant.waits(now)]
        return grants[0] if grants else None

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


class MemoryIdentityStore:
    """IdentityStore in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def by_subject(self, issuer: str, subject: str) -> Identity | None:
        return self._tables.identities.get((issuer, subject))

    async def of_user(self, user: UserId) -> list[Identity]:
        return [identity for identity in self._tables.identities.values() if identity.user == user]

    async def add(self, identity: Identity, entry: AuditEntry | None) -> Identity:
        known = self._tables.identities.setdefault((identity.issuer, identity.subject), identity)
        if known is identity and entry is not None:
            self._tables.audit.append(entry)
        return known

    async def set_granted(self, issuer: str, subject: str, granted: Mapping[SpaceId, Role]) -> None:
        known = self._tables.identities.get((issuer, subject))
        if known is not None:
            self._tables.identities[issuer, subject] = replace(known, granted=dict(granted))


class MemoryProviderFlowStore:
    """ProviderFlowStore in memory."""

    def __init__(self) -> None:
        self._flows: dict[str, ProviderFlow] = {}

    async def add(self, flow: ProviderFlow, state_hash: str) -> None:
        self._flows[state_hash] = flow

    async def take(self, state_hash: str, now: float) -> ProviderFlow | None:
        flow = self._flows.pop(state_hash, None)
        return flow if flow is not None and now < flow.expires_at else None
