"""Users, spaces, members and invitations that the contract suites of access store."""

from __future__ import annotations

import uuid

from shared.core.access.audit import BY_OPERATOR, AuditAct, AuditEntry
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.people import User
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.documents import SpaceId, UserId, UserName
from shared.ports.access import AccessStores


def new_id(kind: str) -> str:
    return kind + uuid.uuid4().hex[:16]


def new_entry(act: AuditAct = AuditAct.USER_ADDED, at: float = 1.0) -> AuditEntry:
    return BY_OPERATOR.entry(act, at)


async def new_user(stores: AccessStores, *, email: str | None = None, password: str | None = None) -> User:
    identity = UserId(new_id("u"))
    user = User(identity, UserName(f"Name {identity}"), 1.0, email, has_password=password is not None)
    assert await stores.users.add(user, password, new_entry()) is None
    return user


async def new_space(stores: AccessStores, owner: User) -> SpaceProfile:
    space = SpaceProfile(SpaceId(new_id("s")), "Plans", 2.0)
    assert await stores.spaces.add(space, owner.id, new_entry(AuditAct.SPACE_ADDED))
    return space


async def new_member(stores: AccessStores, space: SpaceProfile, role: Role, at: float = 3.0) -> User:
    user = await new_user(stores)
    assert await stores.members.add(Membership(space.id, user.id, role, at), new_entry(AuditAct.MEMBER_ADDED))
    return user


async def new_invitation(
    stores: AccessStores, space: SpaceId | None, role: Role | None = None
) -> tuple[Invitation, str]:
    secret = new_id("hash-")
    invitation = Invitation(InvitationId(new_id("i")), None, 5.0, 100.0, space, role)
    await stores.invitations.add(invitation, secret, new_entry(AuditAct.INVITATION_ADDED))
    return invitation, secret


ACCEPTED = new_entry(AuditAct.INVITATION_ACCEPTED, 9.0)
