"""What is found by the hash of a secret, in memory: invitations, web sessions, devices; and wrong passwords, and the
audit log. See access.py."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from shared.adapters.memory.access import (
    MemoryMembershipStore,
    MemorySpaceStore,
    MemoryUserStore,
    Tables,
    accept,
)
from shared.adapters.memory.sign_in import MemoryDeviceGrantStore, MemoryIdentityStore, MemoryProviderFlowStore
from shared.core.access.audit import AuditEntry
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.limits import Limit
from shared.core.access.sessions import NO_FAILURES, Failures, WebSession, WebSessionId
from shared.core.documents import Device, DeviceId, SpaceId, Synced, UserId
from shared.ports.access import AcceptFailure, AccessStores, DeviceExistsError


class MemoryInvitationStore:
    """InvitationStore in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, invitation: Invitation, secret_hash: str, entry: AuditEntry) -> None:
        self._tables.invitations[secret_hash] = invitation
        self._tables.audit.append(entry)

    async def by_secret(self, secret_hash: str) -> Invitation | None:
        return self._tables.invitations.get(secret_hash)

    async def list_of(self, space: SpaceId | None) -> list[Invitation]:
        waiting = [one for one in self._tables.invitations.values() if one.used_at is None and one.revoked_at is None]
        matching = [one for one in waiting if one.space == space]
        return sorted(matching, key=lambda one: (one.created_at, one.id), reverse=True)

    async def accept(
        self, secret_hash: str, user: UserId, now: float, entry: AuditEntry
    ) -> Invitation | AcceptFailure:
        return accept(self._tables, secret_hash, user, now, entry)

    async def revoke(self, invitation: InvitationId, space: SpaceId | None, at: float, entry: AuditEntry) -> bool:
        for key, known in self._tables.invitations.items():
            waits = known.used_at is None and known.revoked_at is None
            if known.id == invitation and known.space == space and waits:
                self._tables.invitations[key] = replace(known, revoked_at=at)
                self._tables.audit.append(entry)
                return True
        return False


class MemorySessionStore:
    """SessionStore in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, session: WebSession, token_hash: str, entry: AuditEntry) -> None:
        self._tables.sessions[token_hash] = session
        self._tables.audit.append(entry)

    async def by_token_hash(self, token_hash: str) -> WebSession | None:
        return self._tables.sessions.get(token_hash)

    async def list_of(self, user: UserId) -> list[WebSession]:
        matching = [session for session in self._tables.sessions.values() if session.user == user]
        return sorted(matching, key=lambda session: (session.created_at, session.id))

    async def seen(self, session: WebSessionId, at: float) -> None:
        for key, known in self._tables.sessions.items():
            if known.id == session:
                self._tables.sessions[key] = replace(known, last_seen=max(at, known.last_seen))

    async def end(self, session: WebSessionId, user: UserId, entry: AuditEntry) -> bool:
        return bool(self._end([s for s in await self.list_of(user) if s.id == session], entry))

    async def end_all(self, user: UserId, entry: AuditEntry, *, keep: WebSessionId | None = None) -> int:
        return self._end([session for session in await self.list_of(user) if session.id != keep], entry)

    async def forget(self, now: float) -> int:
        return self._end([s for s in self._tables.sessions.values() if s.expires_at <= now], None)

    def _end(self, ended: list[WebSession], entry: AuditEntry | None) -> int:
        kept = {key: session for key, session in self._tables.sessions.items() if session not in ended}
        self._tables.sessions = kept
        if ended and entry is not None:
            self._tables.audit.append(entry)
        return len(ended)


class MemoryDeviceStore:
    """DeviceStore in memory. No process of an earlier release adds to it: an owner is always known."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, device: Device, token_hash: str, entry: AuditEntry) -> None:
        self._tables.devices[token_hash] = (device, None)
        self._tables.audit.append(entry)

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        known = {key: self._tables.devices[key] for key in token_hashes if key in self._tables.devices}
        return {key: device for key, (device, revoked_at) in known.items() if revoked_at is None}

    async def list_of(self, owner: UserId, space: SpaceId | None = None) -> list[Device]:
        matching = [device for device in await self.list_all() if device.owner == owner]
        return [device for device in matching if space in (None, device.space)]

    async def add_bounded(
        self, device: Device, token_hash: str, entry: AuditEntry, *, most: int, since: float, most_of_user: int = 0
    ) -> Limit | None:
        those = [one for one, at in self._tables.devices.values() if at is None or at >= since]
        if most and sum(one.space == device.space for one in those) >= most:
            return Limit.DEVICES_PER_SPACE
        if most_of_user and device.owner and sum(one.owner == device.owner for one in those) >= most_of_user:
            return Limit.DEVICES_PER_USER
        if any(one.id == device.id for one, _ in self._tables.devices.values()):
            raise DeviceExistsError(device.id)
        await self.add(device, token_hash, entry)
        return None

    async def list_all(self) -> list[Device]:
        devices = [device for device, revoked_at in self._tables.devices.values() if revoked_at is None]
        return sorted(devices, key=lambda device: (device.created_at, device.id))

    async def rotate(
        self, device: DeviceId, token_hash: str, entry: AuditEntry, *, owner: UserId, space: SpaceId | None = None
    ) -> Device | None:
        key = self._key(device, owner, space)
        if key is None:
            return None
        known = self._tables.devices[token_hash] = self._tables.devices.pop(key)
        self._note(entry, known[0])
        return known[0]

    async def revoke(
        self, device: DeviceId, entry: AuditEntry, *, owner: UserId | None = None, space: SpaceId | None = None
    ) -> Device | None:
        key = self._key(device, owner, space)
        if key is None:
            return None
        known = self._tables.devices[key][0]
        self._tables.devices[key] = (known, time.time())
        self._note(entry, known)
        return known

    async def seen(
        self,
        device: DeviceId,
        at: float,
        *,
        client: str | None = None,
        synced: Mapping[SpaceId, Synced] | None = None,
    ) -> None:
        key = self._key(device, None, None)
        if key is None:
            return
        known = self._tables.devices[key][0]
        followed = dict(known.synced)
        for space, new in (synced or {}).items():
            old = followed.get(space, new)
            followed[space] = Synced(max(old.at, new.at), max(old.sequence, new.sequence))
        seen_at = at if known.last_seen is None else max(at, known.last_seen)
        changed = replace(
            known, last_seen=seen_at, synced=followed, client=known.client if client is None else client
        )
        self._tables.devices[key] = (changed, None)

    def _key(self, device: DeviceId, owner: UserId | None, space: SpaceId | None) -> str | None:
        for key, (known, revoked_at) in self._tables.devices.items():
            is_meant = known.id == device and owner in (None, known.owner) and space in (None, known.space)
            if is_meant and revoked_at is None:
                return key
        return None

    def _note(self, entry: AuditEntry, device: Device) -> None:
        self._tables.audit.append(replace(entry, device=device.id, user=device.owner, space=device.space))


class MemorySignInFailureStore:
    """SignInFailureStore in memory."""

    def __init__(self) -> None:
        self._failures: dict[str, Failures] = {}

    async def read(self, keys: Collection[str]) -> dict[str, Failures]:
        return {key: self._failures[key] for key in keys if key in self._failures}

    async def add(self, keys: Collection[str], at: float) -> None:
        for key in keys:
            known = self._failures.get(key, NO_FAILURES)
            self._failures[key] = Failures(known.count + 1, max(known.at, at))

    async def forget(self, keys: Collection[str]) -> None:
        for key in keys:
            self._failures.pop(key, None)


class MemoryAuditLog:
    """AuditLog in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def append(self, entry: AuditEntry) -> None:
        self._tables.audit.append(entry)

    async def read(
        self,
        *,
        space: SpaceId | None = None,
        user: UserId | None = None,
        before: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        entries = [
            entry
            for entry in reversed(self._tables.audit)
            if space in (None, entry.space)
            and user in (None, entry.actor, entry.user)
            and (before is None or entry.at < before)
        ]
        return sorted(entries, key=lambda entry: -entry.at)[:most]


def access_stores() -> AccessStores:
    """New and empty."""
    tables = Tables()
    return AccessStores(
        MemoryUserStore(tables),
        MemorySpaceStore(tables),
        MemoryMembershipStore(tables),
        MemoryInvitationStore(tables),
        MemorySessionStore(tables),
        MemoryDeviceStore(tables),
        MemorySignInFailureStore(),
        MemoryAuditLog(tables),
        MemoryDeviceGrantStore(),
        MemoryIdentityStore(tables),
        MemoryProviderFlowStore(),
    )
