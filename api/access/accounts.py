"""Accounts: made, changed and deleted by their users."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Final

from api.access.callers import Caller
from api.access.spaces import gone, new_space_id
from api.errors import (
    ACCOUNT_LEAVING,
    EMAIL_TAKEN,
    EXPORT_FIRST,
    MALFORMED_REQUEST,
    NAME_TAKEN,
    OWNS_SHARED_SPACES,
    SIGN_UP_CLOSED,
    ProblemError,
)
from api.streams.live import Live
from shared.core.access.audit import AuditAct, Origin
from shared.core.access.invitations import may_sign_up
from shared.core.access.people import User
from shared.core.access.roles import Role, SpaceProfile
from shared.core.documents import SpaceId, UserId, UserName
from shared.ports.access import AcceptFailure, AccessStores, PasswordHasher, Taken
from shared.settings import Settings

DAY_SECONDS: Final = 86_400.0
EXPORT_DAYS: Final = 7
"""How old an export may be that is enough for deleting an account."""
FIRST_SPACE: Final = "My documents"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Of one process."""

    stores: AccessStores
    passwords: PasswordHasher
    settings: Settings
    live: Live

    async def sign_up(
        self, *, name: str, password: str, email: str | None, invitation: str | None, address: str | None
    ) -> User:
        """A new user with a space of their own. `invitation`: the hash of its secret. 403 if nobody may come without
        one, 410 if it is of no use, 409 if somebody has that name or address."""
        now = time.time()
        known = await self.stores.invitations.by_secret(invitation) if invitation else None
        if invitation and (known is None or not known.is_valid(now)):
            raise gone()
        if not may_sign_up(self.settings.sign_up, known, now):
            detail = "Ask an administrator of this server for an invitation (HYPERTASK_SIGN_UP)."
            raise ProblemError(SIGN_UP_CLOSED, detail)
        identity = UserId("u" + secrets.token_hex(12))
        user = User(identity, UserName(name), now, email, has_password=True)
        space = SpaceProfile(new_space_id(), FIRST_SPACE, now)
        entry = Origin(f"user {identity}", identity, address).entry(AuditAct.USER_ADDED, now, user=identity)
        password_hash = await self.passwords.hash(password)
        failure = await self.stores.users.add(user, password_hash, entry, space=space, invitation=invitation)
        if isinstance(failure, AcceptFailure):
            raise gone()
        _unless_taken(failure)
        return user

    async def rename(self, caller: Caller, name: str) -> None:
        """409 if somebody else is called so."""
        entry = caller.origin.entry(AuditAct.USER_RENAMED, time.time(), user=caller.user.id)
        _unless_taken(await self.stores.users.rename(caller.user.id, UserName(name), entry))

    async def set_email(self, caller: Caller, email: str | None) -> None:
        """409 if it is somebody else's. None: none."""
        entry = caller.origin.entry(AuditAct.USER_EMAIL_CHANGED, time.time(), user=caller.user.id)
        _unless_taken(await self.stores.users.set_email(caller.user.id, email, entry))

    async def set_password(self, caller: Caller, password: str) -> None:
        """Ends their other sessions. Devices stay: each has a token of its own, to be revoked on its own."""
        user, now = caller.user.id, time.time()
        entry = caller.origin.entry(AuditAct.USER_PASSWORD_CHANGED, now, user=user)
        await self.stores.users.set_password(user, await self.passwords.hash(password), entry)
        ended = caller.origin.entry(AuditAct.SESSION_ENDED, now, user=user, all=True)
        keep = None if caller.session is None else caller.session.id
        if await self.stores.sessions.end_all(user, ended, keep=keep):
            await self.tell_of(user)

    async def tell_of(self, user: UserId) -> None:
        """The user opens less than before: what they hold open without being allowed to ends."""
        await self.live.tell_access(*(member.space for member in await self.stores.members.of_user(user)))

    async def delete(self, caller: Caller) -> float:
        """When the account will be removed, and their spaces with it, which nobody else may be in. What they wrote in
        spaces of others stays. 409 unless they have taken everything along, or if others are in spaces of theirs."""
        user, now = caller.user, time.time()
        shared = await self._shared_spaces(user.id)
        if shared:
            detail = "Hand them over (POST /spaces/{space}/transfer), or remove the members or the spaces."
            raise ProblemError(OWNS_SHARED_SPACES, detail, extensions={"spaces": shared})
        if user.exported_at is None or now - user.exported_at > EXPORT_DAYS * DAY_SECONDS:
            detail = f"GET /me/export gives you everything; it must not be older than {EXPORT_DAYS} days."
            raise ProblemError(EXPORT_FIRST, detail)
        delete_at = now + self.settings.grace_days * DAY_SECONDS
        entry = caller.origin.entry(AuditAct.USER_DELETED, now, user=user.id, delete_at=delete_at)
        await self.stores.users.set_delete_at(user.id, delete_at, entry)
        await self.close(user.id)
        known = (await self.stores.users.by_ids([user.id])).get(user.id)
        return delete_at if known is None or known.delete_at is None else known.delete_at

    async def restore(self, caller: Caller) -> None:
        """Takes the deletion back. 403 when the grace period has ended: it is being removed."""
        if caller.user.delete_at is not None and caller.user.delete_at <= time.time():
            raise ProblemError(ACCOUNT_LEAVING, "The grace period has ended.")
        entry = caller.origin.entry(AuditAct.USER_RESTORED, time.time(), user=caller.user.id)
        if await self.stores.users.set_delete_at(caller.user.id, None, entry):
            await self.close(caller.user.id)

    async def close(self, user: UserId) -> None:
        """After what the account may do has changed: no process goes by what it was, and what it may hold open no
        more ends."""
        await self.live.tell_access(*(member.space for member in await self.stores.members.of_user(user)))

    async def _shared_spaces(self, user: UserId) -> list[SpaceId]:
        owned = [member.space for member in await self.stores.members.of_user(user) if member.role is Role.OWNER]
        profiles = await self.stores.spaces.by_ids(owned)
        stays = [space for space in owned if space not in profiles or profiles[space].delete_at is None]
        return [space for space in stays if len(await self.stores.members.of_space(space)) > 1]


def _unless_taken(taken: Taken | None) -> None:
    if taken is Taken.NAME:
        raise ProblemError(NAME_TAKEN, "Choose another name; names are compared without case.", pointer="/name")
    if taken is Taken.EMAIL:
        raise ProblemError(EMAIL_TAKEN, "An account has this e-mail address.", pointer="/email")


def unless_empty(changes: dict[str, object]) -> None:
    """400 if nothing is to be changed."""
    if not changes:
        raise ProblemError(MALFORMED_REQUEST, "Say what is to be changed.")
