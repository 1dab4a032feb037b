"""People, sessions, devices, spaces, members and invitations as routes show them; times are seconds since 1970."""

from __future__ import annotations

from typing import Any

from shared.core.access.invitations import Invitation
from shared.core.access.people import User
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.access.sessions import WebSession, WebSessionId
from shared.core.documents import Device, SequenceNumber, UserName


def own_row(user: User) -> dict[str, Any]:
    """Of a user, as shown to that user."""
    return {
        "user": user.id,
        "name": user.name,
        "email": user.email,
        "has_password": user.has_password,
        "administrator": user.administrator,
        "created_at": user.created_at,
        "exported_at": user.exported_at,
        "delete_at": user.delete_at,
    }


def session_row(session: WebSession, current: WebSessionId | None) -> dict[str, Any]:
    return {
        "session": session.id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "last_seen": session.last_seen,
        "address": session.address,
        "agent": session.agent,
        "current": session.id == current,
    }


def space_row(profile: SpaceProfile, role: Role) -> dict[str, Any]:
    return {
        "space": profile.id,
        "name": profile.name,
        "role": role.value,
        "created_at": profile.created_at,
        "archived_at": profile.archived_at,
        "delete_at": profile.delete_at,
    }


def member_row(member: Membership, user: User | None) -> dict[str, Any]:
    return {
        "user": member.user,
        "name": None if user is None else user.name,
        "role": member.role.value,
        "joined_at": member.joined_at,
    }


def invitation_row(invitation: Invitation) -> dict[str, Any]:
    return {
        "invitation": invitation.id,
        "space": invitation.space,
        "role": None if invitation.role is None else invitation.role.value,
        "created_by": invitation.created_by,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }


def device_row(
    device: Device, *, user: UserName | None = None, head: SequenceNumber | None = None, current: bool = False
) -> dict[str, Any]:
    """A device as `GET /devices` shows it; times are seconds since 1970. `user`: what its user is called now.
    `head`: the sequence of its space, for how many changes it has not been told of."""
    synced = device.synced.get(device.space)
    return {
        "device": device.id,
        "user": device.user if user is None else user,
        "name": device.name,
        "space": device.space,
        "created_at": device.created_at,
        "last_seen": device.last_seen,
        "last_sync": None if synced is None else synced.at,
        "lag": None if synced is None or head is None else max(head - synced.sequence, 0),
        "client": device.client,
        "every_space": device.every_space,
        "expires_at": device.expires_at,
        "current": current,
    }
