"""The stores of people, spaces and devices in memory: for tests of what stands on them, under the contract of the
stores in the database. One event loop; what a method changes it changes between two awaits, so atomically."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from shared.core.access.audit import AuditAct, AuditEntry
from shared.core.access.groups import Identity
from shared.core.access.invitations import Invitation
from shared.core.access.people import User, email_key, name_key
from shared.core.access.roles import Access, Membership, Role, SpaceProfile
from shared.core.access.sessions import WebSession
from shared.core.documents import Device, SpaceId, UserId, UserName
from shared.ports.access import AcceptFailure, SpaceOverrides, Taken, TransferFailure


@dataclass(slots=True)
class Tables:
    """What the stores share."""

    users: dict[UserId, tuple[User, str | None]] = field(default_factory=dict)
    spaces: dict[SpaceId, SpaceProfile] = field(default_factory=dict)
    members: dict[tuple[SpaceId, UserId], Membership] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    """By the hash of the secret."""
    sessions: dict[str, WebSession] = field(default_factory=dict)
    """By the hash of the token."""
    devices: dict[str, tuple[Device, float | None]] = field(default_factory=dict)
    """By the hash of the token, with when it was revoked."""
    identities: dict[tuple[str, str], Identity] = field(default_factory=dict)
    """By issuer and subject."""
    audit: list[AuditEntry] = field(default_factory=list)


class MemoryUserStore:
    """UserStore in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(
        self,
        user: User,
        password_hash: str | None,
        entry: AuditEntry,
        *,
        space: SpaceProfile | None = None,
        invitation: str | None = None,
    ) -> Taken | AcceptFailure | None:
        tables = self._tables
        if (taken := self._taken(user)) is not None:
            return taken
        if invitation is not None:
            accepted = accept(tables, invitation, user.id, user.created_at, entry)
            if isinstance(accepted, AcceptFailure):
                return accepted
        tables.users[user.id] = (replace(user, has_password=password_hash is not None), password_hash)
        tables.audit.append(entry)
        if space is not None:
            tables.spaces[space.id] = space
            tables.members[space.id, user.id] = Membership(space.id, user.id, Role.OWNER, space.created_at)
        return None

    async def by_ids(self, users: Collection[UserId]) -> dict[UserId, User]:
        return {user: self._tables.users[user][0] for user in users if user in self._tables.users}

    async def by_login(self, login: str) -> tuple[User, str | None] | None:
        for user, password in self._tables.users.values():
            if name_key(user.name) == name_key(login):
                return user, password
        email = email_key(login)
        for user, password in self._tables.users.values():
            if email is not None and user.email is not None and email_key(user.email) == email:
                return user, password
        return None

    async def password_hash(self, user: UserId) -> str | None:
        return self._tables.users[user][1] if user in self._tables.users else None

    async def set_password(self, user: UserId, password_hash: str | None, entry: AuditEntry | None) -> bool:
        if user not in self._tables.users:
            return False
        known = replace(self._tables.users[user][0], has_password=password_hash is not None)
        self._tables.users[user] = (known, password_hash)
        if entry is not None:
            self._tables.audit.append(entry)
        return True

    async def rename(self, user: UserId, name: UserName, entry: AuditEntry) -> Taken | None:
        known = self._known(user)
        return None if known is None else self._unless_taken(replace(known, name=name), entry)

    async def set_email(self, user: UserId, email: str | None, entry: AuditEntry) -> Taken | None:
        known = self._known(user)
        return None if known is None else self._unless_taken(replace(known, email=email), entry)

    async def set_disabled(self, user: UserId, at: float | None, entry: AuditEntry) -> bool:
        known = self._known(user)
        if known is None or (known.disabled_at is None) is (at is None):
            return False
        return self._change(replace(known, disabled_at=at), entry)

    async def set_administrator(self, user: UserId, administrator: bool, entry: AuditEntry) -> bool:
        known = self._known(user)
        if known is None or known.administrator is administrator:
            return False
        return self._change(replace(known, administrator=administrator), entry)

    async def set_overrides(self, user: UserId, overrides: Mapping[str, float], entry: AuditEntry) -> bool:
        known = self._known(user)
        return known is not None and self._change(replace(known, overrides=dict(overrides)), entry)

    async def set_delete_at(self, user: UserId, at: float | None, entry: AuditEntry) -> bool:
        known = self._known(user)
        if known is None or (known.delete_at is None) is (at is None):
            return False
        return self._change(replace(known, delete_at=at), entry)

    async def exported(self, user: UserId, at: float) -> None:
        known = self._known(user)
        if known is not None:
            self._change(replace(known, exported_at=max(at, known.exported_at or at)), None)

    async def search(self, text: str, after: str, most: int) -> list[User]:
        part = name_key(text)
        users = [user for user, _ in self._tables.users.values() if user.id > after]
        matching = [u for u in users if part in name_key(u.name) or part in (email_key(u.email or "") or "")]
        return sorted(matching, key=lambda user: user.id)[:most]

    async def administrators(self) -> list[User]:
        return [user for user, _ in self._tables.users.values() if user.administrator]

    async def due(self, now: float, most: int) -> list[UserId]:
        users = [user for user, _ in self._tables.users.values()]
        return [user.id for user in users if user.delete_at is not None and user.delete_at <= now][:most]

    async def remove(self, user: UserId, now: float, entry: AuditEntry) -> bool:
        tables = self._tables
        members = [member for member in tables.members.values() if member.user == user]
        owns = any(member.role is Role.OWNER for member in members)
        if owns or user not in await self.due(now, len(tables.users)):
            return False
        del tables.users[user]
        for member in members:
            del tables.members[member.space, user]
        tables.sessions = {key: session for key, session in tables.sessions.items() if session.user != user}
        tables.devices = {key: known for key, known in tables.devices.items() if known[0].owner != user}
        tables.identities = {key: one for key, one in tables.identities.items() if one.user != user}
        tables.audit.append(entry)
        return True

    def _known(self, user: UserId) -> User | None:
        return self._tables.users[user][0] if user in self._tables.users else None

    def _change(self, user: User, entry: AuditEntry | None) -> bool:
        self._tables.users[user.id] = (user, self._tables.users[user.id][1])
        if entry is not None:
            self._tables.audit.append(entry)
        return True

    def _unless_taken(self, changed: User, entry: AuditEntry) -> Taken | None:
        if (taken := self._taken(changed)) is None:
            self._change(changed, entry)
        return taken

    def _taken(self, user: User) -> Taken | None:
        others = [other for other, _ in self._tables.users.values() if other.id != user.id]
        if name_key(user.name) in {name_key(other.name) for other in others}:
            return Taken.NAME
        addresses = {email_key(other.email) for other in others if other.email is not None}
        return Taken.EMAIL if user.email is not None and email_key(user.email) in addresses else None


class MemorySpaceStore:
    """SpaceStore in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, space: SpaceProfile, owner: UserId, entry: AuditEntry) -> bool:
        if space.id in self._tables.spaces:
            return False
        self._tables.spaces[space.id] = space
        self._tables.members[space.id, owner] = Membership(space.id, owner, Role.OWNER, space.created_at)
        self._tables.audit.append(entry)
        return True

    async def add_bounded(self, space: SpaceProfile, owner: UserId, entry: AuditEntry, *, most: int) -> bool:
        members = self._tables.members.values()
        if sum(member.user == owner and member.role is Role.OWNER for member in members) >= most:
            return False
        return await self.add(space, owner, entry)

    async def by_ids(self, spaces: Collection[SpaceId]) -> dict[SpaceId, SpaceProfile]:
        return {space: self._tables.spaces[space] for space in spaces if space in self._tables.spaces}

    async def rename(self, space: SpaceId, name: str, entry: AuditEntry) -> bool:
        known = self._tables.spaces.get(space)
        return known is not None and known.name != name and self._change(replace(known, name=name), entry)

    async def set_archived(self, space: SpaceId, at: float | None, entry: AuditEntry) -> bool:
        known = self._tables.spaces.get(space)
        if known is None or (known.archived_at is None) is (at is None):
            return False
        return self._change(replace(known, archived_at=at), entry)

    async def set_delete_at(self, space: SpaceId, at: float | None, entry: AuditEntry) -> bool:
        known = self._tables.spaces.get(space)
        if known is None or (known.delete_at is None) is (at is None):
            return False
        return self._change(replace(known, delete_at=at), entry)

    async def set_overrides(self, space: SpaceId, overrides: Mapping[str, float], entry: AuditEntry) -> bool:
        known = self._tables.spaces.get(space)
        return known is not None and self._change(replace(known, overrides=dict(overrides)), entry)

    async def overrides(self, spaces: Collection[SpaceId]) -> dict[SpaceId, SpaceOverrides]:
        tables = self._tables
        owners = {one.space: one.user for one in tables.members.values() if one.role is Role.OWNER}
        return {
            space: SpaceOverrides(
                tables.spaces[space].overrides if space in tables.spaces else {},
                tables.users[owners[space]][0].overrides if owners[space] in tables.users else {},
            )
            for space in spaces
            if space in owners
        }

    async def search(self, text: str, after: str, most: int) -> list[SpaceProfile]:
        part = text.lower()
        spaces = [space for space in self._tables.spaces.values() if space.id > after]
        matching = [space for space in spaces if part in space.id.lower() or part in space.name.lower()]
        return sorted(matching, key=lambda space: space.id)[:most]

    async def due(self, now: float, most: int) -> list[SpaceId]:
        spaces = self._tables.spaces.values()
        return [space.id for space in spaces if space.delete_at is not None and space.delete_at <= now][:most]

    async def remove(self, space: SpaceId, now: float, entry: AuditEntry) -> bool:
        tables = self._tables
        if space not in await self.due(now, len(tables.spaces)):
            return False
        del tables.spaces[space]
        tables.members = {key: member for key, member in tables.members.items() if member.space != space}
        tables.invitations = {key: one for key, one in tables.invitations.items() if one.space != space}
        tables.audit.append(entry)
        return True

    def _change(self, space: SpaceProfile, entry: AuditEntry) -> bool:
        self._tables.spaces[space.id] = space
        self._tables.audit.append(entry)
        return True


class MemoryMembershipStore:
    """MembershipStore in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def access(self, pairs: Collection[tuple[SpaceId, UserId]]) -> dict[tuple[SpaceId, UserId], Access]:
        tables = self._tables
        return {
            (space, user): Access(
                tables.members[space, user].role,
                tables.spaces.get(space, SpaceProfile(space, "", 0.0)).state,
                tables.users[user][0].state,
            )
            for space, user in pairs
            if (space, user) in tables.members and user in tables.users
        }

    async def of_user(self, user: UserId) -> list[Membership]:
        return self._sorted([member for member in self._tables.members.values() if member.user == user])

    async def of_space(self, space: SpaceId) -> list[Membership]:
        return self._sorted([member for member in self._tables.members.values() if member.space == space])

    async def add(self, membership: Membership, entry: AuditEntry) -> bool:
        key = membership.space, membership.user
        if key in self._tables.members:
            return False
        self._tables.members[key] = membership
        self._tables.audit.append(entry)
        return True

    async def set_role(self, space: SpaceId, user: UserId, role: Role, entry: AuditEntry) -> bool:
        known = self._tables.members.get((space, user))
        if known is None or known.role in (Role.OWNER, role):
            return False
        self._tables.members[space, user] = replace(known, role=role)
        self._tables.audit.append(entry)
        return True

    async def remove(self, space: SpaceId, user: UserId, entry: AuditEntry) -> bool:
        known = self._tables.members.get((space, user))
        if known is None or known.role is Role.OWNER:
            return False
        del self._tables.members[space, user]
        self._tables.audit.append(entry)
        return True

    async def transfer(
        self, space: SpaceId, owner: UserId, to: UserId, entry: AuditEntry, *, most: int = 0
    ) -> TransferFailure | None:
        members = self._tables.members
        before, after = members.get((space, owner)), members.get((space, to))
        if before is None or before.role is not Role.OWNER or after is None or after.role is Role.OWNER:
            return TransferFailure.NO_MEMBER
        if most and sum(one.user == to and one.role is Role.OWNER for one in members.values()) >= most:
            return TransferFailure.FULL
        members[space, owner] = replace(before, role=Role.EDITOR)
        members[space, to] = replace(after, role=Role.OWNER)
        self._tables.audit.append(entry)
        return None

    @staticmethod
    def _sorted(members: list[Membership]) -> list[Membership]:
        return sorted(members, key=lambda member: (member.joined_at, member.space, member.user))


def accept(
    tables: Tables, secret_hash: str, user: UserId, now: float, entry: AuditEntry
) -> Invitation | AcceptFailure:
    """As `InvitationStore.accept`."""
    known = tables.invitations.get(secret_hash)
    if known is not None and known.used_by == user:
        return known
    if known is None or not known.is_valid(now):
        return AcceptFailure.GONE
    if known.space is not None:
        profile = tables.spaces.get(known.space)
        if profile is None or profile.delete_at is not None:
            return AcceptFailure.GONE
        if (known.space, user) in tables.members:
            return AcceptFailure.ALREADY_MEMBER
        tables.members[known.space, user] = Membership(known.space, user, known.role or Role.READER, now)
    used = tables.invitations[secret_hash] = replace(known, used_at=now, used_by=user)
    details = {"invitation": known.id, **({"role": known.role.value} if known.role else {})}
    done = replace(entry, act=AuditAct.INVITATION_ACCEPTED, space=known.space, user=user, details=details)
    tables.audit.append(done)
    return used
