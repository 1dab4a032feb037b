"""What administrators do, over HTTP and at the command line. Every change is in the audit log."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from api.access.spaces import new_space_id
from api.errors import (
    EMAIL_TAKEN,
    LAST_ADMINISTRATOR,
    MALFORMED_REQUEST,
    NAME_TAKEN,
    NOT_FOUND,
    ProblemError,
)
from shared.core.access.audit import AuditAct, Origin
from shared.core.access.limits import OF_SPACE, OF_USER, Limit, Overrides, invalid_override, limit_of
from shared.core.access.people import AccountState, User
from shared.core.access.roles import Role, SpaceProfile
from shared.core.documents import SpaceId, UserId, UserName
from shared.core.resolution.usage import Usage
from shared.ports import DocumentStore
from shared.ports.access import AccessStores, PasswordHasher, SpaceOverrides, Taken
from shared.settings import Settings

FIRST_SPACE: Final = "My documents"
PAGE: Final = 100
TellFollowers = Callable[[Sequence[SpaceId]], Awaitable[None]]
"""After something was taken away: whoever holds something open in these spaces is looked at again."""
AdminRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Administration:
    """Of one process. 404 for users and spaces that there are not."""

    stores: AccessStores
    documents: DocumentStore
    passwords: PasswordHasher
    settings: Settings
    tell: TellFollowers

    # Users

    async def add_user(
        self,
        origin: Origin,
        name: str,
        *,
        email: str | None = None,
        password: str | None = None,
        administrator: bool = False,
    ) -> tuple[User, str | None]:
        """A new user with a space of their own, and the password that was made for them if none is given, which is
        nowhere else. 409 if somebody has that name or address."""
        password_made = None if password is not None else new_password()
        now = time.time()
        identity = UserId("u" + secrets.token_hex(12))
        user = User(identity, UserName(name), now, email, administrator=administrator, has_password=True)
        entry = origin.entry(AuditAct.USER_ADDED, now, user=identity, administrator=administrator)
        space = SpaceProfile(new_space_id(), FIRST_SPACE, now)
        hash_ = await self.passwords.hash(password or password_made or "")
        taken = await self.stores.users.add(user, hash_, entry, space=space)
        if taken is Taken.NAME:
            raise ProblemError(NAME_TAKEN, "Choose another name; names are compared without case.", pointer="/name")
        if taken is not None:
            raise ProblemError(EMAIL_TAKEN, "An account has this e-mail address.", pointer="/email")
        return user, password_made

    async def users(self, text: str, after: str, most: int) -> list[AdminRow]:
        """Whose name or e-mail address has the text in it, with what they use; by id."""
        users = await self.stores.users.search(text, after, most)
        return list(await asyncio.gather(*map(self._user_row, users)))

    async def user(self, identity: UserId) -> AdminRow:
        """With the limits that hold for them, and their spaces."""
        user = await self._user(identity)
        members = await self.stores.members.of_user(identity)
        return {
            **await self._user_row(user),
            "limits": _limits_row(self.settings, OF_USER, user.overrides),
            "spaces": [{"space": member.space, "role": member.role.value} for member in members],
        }

    async def set_disabled(self, origin: Origin, identity: UserId, *, disabled: bool) -> None:
        """Nothing opens for them from then on, and what they hold open ends. 409 for the last administrator."""
        user = await self._user(identity)
        if disabled:
            await self._unless_last_administrator(user)
        act = AuditAct.USER_DISABLED if disabled else AuditAct.USER_ENABLED
        now = time.time()
        entry = origin.entry(act, now, user=identity)
        if await self.stores.users.set_disabled(identity, now if disabled else None, entry):
            await self._tell_of(identity)

    async def set_administrator(self, origin: Origin, identity: UserId, *, administrator: bool) -> None:
        """409 for the last administrator."""
        user = await self._user(identity)
        if not administrator:
            await self._unless_last_administrator(user)
        entry = origin.entry(AuditAct.USER_ADMINISTRATOR, time.time(), user=identity, administrator=administrator)
        await self.stores.users.set_administrator(identity, administrator, entry)

    async def reset(self, origin: Origin, identity: UserId, *, devices: bool) -> str:
        """A new password, which is nowhere else; all sessions end, and with `devices` the tokens open nothing."""
        await self._user(identity)
        now, password = time.time(), new_password()
        hash_ = await self.passwords.hash(password)
        await self.stores.users.set_password(
            identity, hash_, origin.entry(AuditAct.USER_PASSWORD_CHANGED, now, user=identity)
        )
        ended = origin.entry(AuditAct.SESSION_ENDED, now, user=identity, all=True)
        await self.stores.sessions.end_all(identity, ended)
        if devices:
            for device in await self.stores.devices.list_of(identity):
                await self.stores.devices.revoke(
                    device.id, origin.entry(AuditAct.DEVICE_REVOKED, now), owner=identity
                )
        await self._tell_of(identity)
        return password

    async def set_user_limits(self, origin: Origin, identity: UserId, limits: Mapping[str, object]) -> AdminRow:
        """All that are other than the settings say. 400 for what is no limit of a user."""
        overrides = _checked(limits, OF_USER)
        await self._user(identity)
        entry = origin.entry(AuditAct.USER_LIMITS_CHANGED, time.time(), user=identity)
        entry = replace(entry, details=overrides)
        await self.stores.users.set_overrides(identity, overrides, entry)
        return await self.user(identity)

    # Spaces

    async def spaces(self, text: str, after: str, most: int) -> list[AdminRow]:
        """Whose id or name has the text in it, with what they hold; by id."""
        spaces = await self.stores.spaces.search(text, after, most)
        used = await self.documents.usage([space.id for space in spaces])
        return [_space_row(space, used.get(space.id, Usage())) for space in spaces]

    async def space(self, identity: SpaceId) -> AdminRow:
        """How a space is: what it holds, who is in it, how far devices are behind, and the limits that hold."""
        known = (await self.stores.spaces.by_ids([identity])).get(identity)
        if known is None:
            raise ProblemError(NOT_FOUND, "There is no such space.")
        used = (await self.documents.usage([identity])).get(identity, Usage())
        lineage = (await self.documents.lineages([identity]))[identity]
        overrides = (await self.stores.spaces.overrides([identity])).get(identity, SpaceOverrides())
        members = await self.stores.members.of_space(identity)
        users = await self.stores.users.by_ids([member.user for member in members])
        return {
            **_space_row(known, used),
            "sequence": lineage.sequence,
            "histories": len(lineage.histories),
            "members": [
                {
                    "user": member.user,
                    "name": users[member.user].name if member.user in users else None,
                    "role": member.role.value,
                }
                for member in members
            ],
            "devices": await self._followers(identity, [member.user for member in members], lineage.sequence),
            "limits": _limits_row(self.settings, OF_SPACE, overrides.own, overrides.of_owner),
        }

    async def set_space_limits(self, origin: Origin, identity: SpaceId, limits: Mapping[str, object]) -> AdminRow:
        """All that are other than its owner's, or the settings, say. 400 for what is no limit of a space."""
        overrides = _checked(limits, OF_SPACE)
        entry = origin.entry(AuditAct.SPACE_LIMITS_CHANGED, time.time(), space=identity)
        entry = replace(entry, details=overrides)
        if not await self.stores.spaces.set_overrides(identity, overrides, entry):
            raise ProblemError(NOT_FOUND, "There is no such space.")
        return await self.space(identity)

    # The audit log

    async def audit(
        self, *, space: SpaceId | None = None, user: UserId | None = None, before: float | None = None, most: int
    ) -> list[AdminRow]:
        """The newest rows first."""
        entries = await self.stores.audit.read(space=space, user=user, before=before, most=most)
        return [entry.fields() for entry in entries]

    async def by_name(self, name: str) -> UserId:
        """Of the user with this name, e-mail address or id."""
        known = await self.stores.users.by_login(name)
        if known is not None:
            return known[0].id
        return (await self._user(UserId(name))).id

    async def _user(self, identity: UserId) -> User:
        known = (await self.stores.users.by_ids([identity])).get(identity)
        if known is None:
            raise ProblemError(NOT_FOUND, "There is no such user.")
        return known

    async def _user_row(self, user: User) -> AdminRow:
        members = await self.stores.members.of_user(user.id)
        owned = [member.space for member in members if member.role is Role.OWNER]
        used = await self.documents.usage(owned)
        total = Usage()
        for one in used.values():
            total = total.plus(one)
        return {
            "user": user.id,
            "name": user.name,
            "email": user.email,
            "state": user.state.value,
            "administrator": user.administrator,
            "has_password": user.has_password,
            "created_at": user.created_at,
            "delete_at": user.delete_at,
            "overrides": dict(user.overrides),
            "used": {
                "spaces": len(owned),
                "devices": len(await self.stores.devices.list_of(user.id)),
                **_usage_row(total),
            },
        }

    async def _followers(self, space: SpaceId, users: Sequence[UserId], sequence: int) -> list[AdminRow]:
        rows = []
        for user in users:
            for device in await self.stores.devices.list_of(user):
                synced = device.synced.get(space)
                if device.space != space and synced is None:
                    continue
                rows.append(
                    {
                        "device": device.id,
                        "user": user,
                        "client": device.client,
                        "last_seen": device.last_seen,
                        "last_sync": None if synced is None else synced.at,
                        "lag": None if synced is None else max(sequence - synced.sequence, 0),
                    }
                )
        return rows

    async def _unless_last_administrator(self, user: User) -> None:
        if not user.administrator or user.state is AccountState.DISABLED:
            return
        others = [one for one in await self.stores.users.administrators() if one.id != user.id]
        if not any(one.state is AccountState.ACTIVE for one in others):
            raise ProblemError(LAST_ADMINISTRATOR, "Make somebody else an administrator first.")

    async def _tell_of(self, user: UserId) -> None:
        await self.tell([member.space for member in await self.stores.members.of_user(user)])


def new_password() -> str:
    """About 95 random bits, in groups that can be read aloud."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def _checked(limits: Mapping[str, object], allowed: frozenset[Limit]) -> dict[str, int]:
    checked: dict[str, int] = {}
    for name, value in limits.items():
        wrong = invalid_override(name, value, allowed)
        if wrong is not None or not isinstance(value, int):
            raise ProblemError(MALFORMED_REQUEST, f"{wrong}.", pointer=f"/limits/{name}")
        checked[Limit(name).value] = value
    return checked


def _limits_row(settings: Settings, which: frozenset[Limit], *overrides: Overrides) -> AdminRow:
    return {limit.value: limit_of(limit, getattr(settings, limit.value), *overrides) for limit in sorted(which)}


def _usage_row(usage: Usage) -> AdminRow:
    """Null: it is not counted yet."""
    return {"documents": usage.documents, "bytes": usage.size, "history_bytes": usage.history_size}


def _space_row(space: SpaceProfile, usage: Usage) -> AdminRow:
    return {
        "space": space.id,
        "name": space.name,
        "state": space.state.value,
        "created_at": space.created_at,
        "archived_at": space.archived_at,
        "delete_at": space.delete_at,
        "overrides": dict(space.overrides),
        "used": _usage_row(usage),
    }
