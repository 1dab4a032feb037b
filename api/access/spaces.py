"""Spaces, their members, and invitations to them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from typing import Final

from api.access.callers import Caller
from api.authentication.auth import Devices, token_hash
from api.errors import (
    ALREADY_MEMBER,
    INVITATION_GONE,
    NOT_FOUND,
    NOT_OWNER,
    OWNER_REQUIRED,
    RATE_LIMITED,
    SESSION_REQUIRED,
    ProblemError,
    quota_exceeded,
)
from api.limits.limits_in_force import LimitsInForce
from api.streams.live import Live
from shared.core.access.audit import AuditAct, Origin
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.limits import NO_LIMIT, Limit
from shared.core.access.people import AccountState
from shared.core.access.roles import Access, Act, Membership, Role, SpaceProfile, SpaceState, Verdict, verdict_on
from shared.core.documents import SpaceId, UserId, UserName, is_space_id
from shared.ports.access import AcceptFailure, AccessStores, TransferFailure
from shared.settings import Settings

_DAY_SECONDS: Final = 86_400.0
MOST_INVITATIONS: Final = 1000
_RETRY_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class InvitationPreview:
    """What somebody is told who has the secret of an invitation, before signing in or up."""

    invitation: Invitation
    space: SpaceProfile | None
    """None: it is an invitation to the server alone."""
    by: UserName | None
    """Who made it; None: an operator."""


@dataclass(frozen=True, slots=True)
class Spaces:
    """Of one process. Every method but `add` and those of invitations by secret begins with `entered`."""

    stores: AccessStores
    devices: Devices
    live: Live
    settings: Settings
    limits: LimitsInForce

    async def entered(self, caller: Caller, space: str, act: Act) -> Access:
        """What the caller is in the space. 404 for a space of others as for none; 403 if they may not do that there,
        or not with this token."""
        if not is_space_id(space) or caller.bound not in (None, space):
            raise unknown_space()
        access = await self.devices.access(SpaceId(space), caller.user.id)
        verdict = verdict_on(access, act)
        if access is None or verdict is Verdict.UNKNOWN:
            raise unknown_space()
        if act is Act.MANAGE and caller.bound is not None:
            raise ProblemError(SESSION_REQUIRED, "This token opens the documents of one space. Sign in to do that.")
        if verdict is not Verdict.ALLOWED:
            raise ProblemError(NOT_OWNER, "Only the owner of the space may do that.")
        return access

    async def profile(self, space: SpaceId) -> SpaceProfile:
        """Of a space that was entered."""
        known = await self.stores.spaces.by_ids([space])
        return known.get(space, SpaceProfile(space, space, 0.0))

    async def add(self, caller: Caller, name: str) -> SpaceProfile:
        """507 if they own as many as they may."""
        now = time.time()
        space = SpaceProfile(new_space_id(), name, now)
        entry = caller.origin.entry(AuditAct.SPACE_ADDED, now, space=space.id, user=caller.user.id)
        most = await self.limits.of_user(Limit.SPACES_PER_USER, caller.user.id)
        if most == NO_LIMIT:
            await self.stores.spaces.add(space, caller.user.id, entry)
        elif not await self.stores.spaces.add_bounded(space, caller.user.id, entry, most=most):
            todo = "Deleted ones count until they are removed. Hand over what others need, or ask for more."
            raise quota_exceeded(Limit.SPACES_PER_USER, most, most, todo)
        return space

    async def rename(self, caller: Caller, space: SpaceId, name: str) -> None:
        entry = caller.origin.entry(AuditAct.SPACE_RENAMED, time.time(), space=space)
        await self.stores.spaces.rename(space, name, entry)

    async def archive(self, caller: Caller, space: SpaceId, *, archived: bool) -> None:
        """Nothing in it changes any more, or again."""
        now = time.time()
        act = AuditAct.SPACE_ARCHIVED if archived else AuditAct.SPACE_UNARCHIVED
        entry = caller.origin.entry(act, now, space=space)
        if await self.stores.spaces.set_archived(space, now if archived else None, entry):
            await self.live.tell_access(space)

    async def delete(self, caller: Caller, space: SpaceId) -> float:
        """When its documents will be removed. Until then its owner can take that back; nobody opens it."""
        now = time.time()
        delete_at = now + self.settings.grace_days * _DAY_SECONDS
        entry = caller.origin.entry(AuditAct.SPACE_DELETED, now, space=space, delete_at=delete_at)
        if not await self.stores.spaces.set_delete_at(space, delete_at, entry):
            return (await self.profile(space)).delete_at or delete_at
        await self.live.tell_access(space)
        return delete_at

    async def restore(self, caller: Caller, space: SpaceId) -> None:
        """404 when the grace period has ended: it is being removed."""
        delete_at = (await self.profile(space)).delete_at
        if delete_at is not None and delete_at <= time.time():
            raise unknown_space()
        entry = caller.origin.entry(AuditAct.SPACE_RESTORED, time.time(), space=space)
        if await self.stores.spaces.set_delete_at(space, None, entry):
            await self.live.tell_access(space)

    async def transfer(self, caller: Caller, space: SpaceId, to: UserId) -> None:
        """The caller is an editor then. 404 if the space is deleted, `to` is no member, or that account is not
        active; 507 if they own as many spaces as they may."""
        access = (await self.stores.members.access([(space, to)])).get((space, to))
        if access is None or access.account is not AccountState.ACTIVE:
            raise unknown_member()
        if access.space is SpaceState.DELETED:  # whoever got it would find it among their own, and its time running
            raise unknown_space()
        if to == caller.user.id:
            raise ProblemError(OWNER_REQUIRED, "You are the owner.")
        most = await self.limits.of_user(Limit.SPACES_PER_USER, to)
        now = time.time()
        entry = caller.origin.entry(AuditAct.SPACE_TRANSFERRED, now, space=space, user=to)
        failure = await self.stores.members.transfer(space, caller.user.id, to, entry, most=most)
        if failure is TransferFailure.FULL:
            raise quota_exceeded(Limit.SPACES_PER_USER, most, most, "That member can own no more spaces.")
        if failure is not None:
            raise unknown_member()
        await self.live.tell_access(space)

    async def set_role(self, caller: Caller, space: SpaceId, user: UserId, role: Role) -> None:
        """404 if they are no member, 409 if they are the owner."""
        member = await self._member(space, user)
        entry = caller.origin.entry(
            AuditAct.MEMBER_ROLE_CHANGED, time.time(), space=space, user=user, role=role.value
        )
        if member.role is Role.OWNER:
            raise ProblemError(OWNER_REQUIRED, "Hand the space over first: POST /spaces/{space}/transfer.")
        if await self.stores.members.set_role(space, user, role, entry):
            await self.live.tell_access(space)

    async def remove(self, caller: Caller, space: SpaceId, user: UserId) -> None:
        """Of a member, or leaving. What they wrote stays; what they hold open there ends."""
        member = await self._member(space, user)
        if member.role is Role.OWNER:
            detail = "Hand the space over (POST /spaces/{space}/transfer) or delete it."
            raise ProblemError(OWNER_REQUIRED, detail)
        entry = caller.origin.entry(AuditAct.MEMBER_REMOVED, time.time(), space=space, user=user)
        if not await self.stores.members.remove(space, user, entry):
            raise unknown_member()
        await self.live.tell_access(space)

    async def _member(self, space: SpaceId, user: UserId) -> Membership:
        for member in await self.stores.members.of_space(space):
            if member.user == user:
                return member
        raise unknown_member()

    # Invitations

    async def invite(
        self,
        origin: Origin,
        space: SpaceId | None,
        role: Role | None,
        *,
        seconds: float | None = None,
        by_administrator: bool = False,
    ) -> tuple[Invitation, str]:
        """As `new_invitation`. 429 if the space has as many as it may have."""
        if space is not None:
            await self._check_invitations(space)
        days = self.settings.invitation_days if seconds is None else seconds / _DAY_SECONDS
        return await new_invitation(self.stores, origin, space, role, days=days, by_administrator=by_administrator)

    async def _check_invitations(self, space: SpaceId) -> None:
        now = time.time()
        listed = await self.stores.invitations.list_of(space)
        # Those of the last day count when they have expired, too: else one could make any number that expire at once.
        if sum(one.expires_at > now or one.created_at > now - _DAY_SECONDS for one in listed) >= MOST_INVITATIONS:
            detail = f"A space may have {MOST_INVITATIONS} invitations that were not used. Revoke some of them."
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(_RETRY_SECONDS)})

    async def revoke_invitation(self, origin: Origin, space: SpaceId | None, invitation: InvitationId) -> None:
        """404 if there is none that waits."""
        now = time.time()
        entry = origin.entry(AuditAct.INVITATION_REVOKED, now, space=space, invitation=invitation)
        if not await self.stores.invitations.revoke(invitation, space, now, entry):
            raise ProblemError(NOT_FOUND, "There is no such invitation, or it was used or revoked before.")

    async def preview(self, secret: str) -> InvitationPreview:
        """Who invites to what. 410 if the invitation is of no use."""
        invitation = await self.stores.invitations.by_secret(token_hash(secret))
        if invitation is None or not invitation.is_valid(time.time()):
            raise gone()
        users = await self.stores.users.by_ids([invitation.created_by] if invitation.created_by else [])
        profile = None
        if invitation.space is not None:
            profile = (await self.stores.spaces.by_ids([invitation.space])).get(invitation.space)
            if profile is None or profile.state is SpaceState.DELETED:
                raise gone()
        return InvitationPreview(invitation, profile, next((user.name for user in users.values()), None))

    async def accept(self, caller: Caller, secret: str) -> Invitation:
        """The caller is a member then. 410 if it is of no use, 409 if they are a member already."""
        return await self.accept_hashed(caller, token_hash(secret))

    async def accept_hashed(self, caller: Caller, secret_hash: str) -> Invitation:
        """As `accept`."""
        now = time.time()
        entry = caller.origin.entry(AuditAct.INVITATION_ACCEPTED, now)
        accepted = await self.stores.invitations.accept(secret_hash, caller.user.id, now, entry)
        if accepted is AcceptFailure.ALREADY_MEMBER:
            raise ProblemError(ALREADY_MEMBER, "The invitation can be used by somebody else.")
        if isinstance(accepted, AcceptFailure):
            raise gone()
        return accepted


async def new_invitation(
    stores: AccessStores,
    origin: Origin,
    space: SpaceId | None,
    role: Role | None,
    *,
    days: float,
    by_administrator: bool = False,
) -> tuple[Invitation, str]:
    """An invitation and its secret, which is nowhere else. `space` None: to the server alone."""
    secret = "hi_" + secrets.token_urlsafe(32)
    now = time.time()
    identity = InvitationId("i" + secrets.token_hex(8))
    until = now + days * _DAY_SECONDS
    invitation = Invitation(identity, origin.actor, now, until, space, role, by_administrator)
    details = {} if role is None else {"role": role.value}
    entry = origin.entry(AuditAct.INVITATION_ADDED, now, space=space)
    entry = replace(entry, details={"invitation": identity, **details})
    await stores.invitations.add(invitation, token_hash(secret), entry)
    return invitation, secret


def new_space_id() -> SpaceId:
    """That nobody can guess, and nobody chooses: who may choose learns which there are."""
    return SpaceId("s" + secrets.token_hex(10))


def gone() -> ProblemError:
    """An invitation that was never made, was used or revoked, or has expired: which of them is not said."""
    return ProblemError(INVITATION_GONE, "It was used or revoked, or has expired. Ask for another one.")


def unknown_space() -> ProblemError:
    return ProblemError(NOT_FOUND, "You are a member of no such space. See GET /spaces.")


def unknown_member() -> ProblemError:
    return ProblemError(NOT_FOUND, "The space has no such member.")
