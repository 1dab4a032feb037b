"""Rows of users, spaces, members, invitations and sessions, and what they are to the rules. Pure."""

from __future__ import annotations

from typing import Any, Final

from shared.adapters.mongodb.client import Row
from shared.core.access.audit import AuditAct, AuditEntry
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.people import AccountState, User, email_key, name_key
from shared.core.access.roles import Access, Membership, Role, SpaceProfile
from shared.core.access.sessions import WebSession, WebSessionId
from shared.core.documents import DeviceId, SpaceId, UserId, UserName
from shared.ports.access import SpaceOverrides

SPACE_FIELDS: Final = ("name", "created_at", "archived_at", "delete_at")


def user_row(user: User, password_hash: str | None) -> Row:
    row: Row = {
        "_id": user.id,
        "name": user.name,
        "name_key": name_key(user.name),
        "created_at": user.created_at,
        "email": user.email,
        "email_key": None if user.email is None else email_key(user.email),
        "password": password_hash,
        "administrator": user.administrator or None,
        "disabled_at": user.disabled_at,
        "delete_at": user.delete_at,
        "exported_at": user.exported_at,
        "overrides": dict(user.overrides) or None,
    }
    return present(row)


def user_of(row: Row) -> User:
    return User(
        UserId(row["_id"]),
        UserName(row["name"]),
        row["created_at"],
        row.get("email"),
        bool(row.get("administrator", False)),
        row.get("disabled_at"),
        row.get("delete_at"),
        row.get("exported_at"),
        row.get("password") is not None,
        row.get("overrides") or {},
    )


def profile_row(space: SpaceProfile) -> Row:
    row = {name: getattr(space, name) for name in SPACE_FIELDS}
    return present({"_id": space.id, **row, "overrides": dict(space.overrides) or None})


def profile_of(row: Row) -> SpaceProfile:
    fields: dict[str, Any] = {name: row.get(name) for name in SPACE_FIELDS}
    return SpaceProfile(SpaceId(row["_id"]), **fields, overrides=row.get("overrides") or {})


def member_key(space: SpaceId, user: UserId) -> str:
    """Cannot be ambiguous: a slash occurs in neither."""
    return f"{space}/{user}"


def member_row(member: Membership) -> Row:
    return {
        "_id": member_key(member.space, member.user),
        "space": member.space,
        "user": member.user,
        "role": member.role.value,
        "joined_at": member.joined_at,
    }


def member_of(row: Row) -> Membership:
    return Membership(SpaceId(row["space"]), UserId(row["user"]), Role(row["role"]), row["joined_at"])


def access_of(row: Row) -> Access | None:
    """Of a membership with its `account` and its `profile` as lists. None: its user is gone."""
    if not row["account"]:
        return None
    account: Row = row["account"][0]
    profile: Row = row["profile"][0] if row["profile"] else {}
    state = AccountState.ACTIVE if account.get("delete_at") is None else AccountState.LEAVING
    if account.get("disabled_at") is not None:
        state = AccountState.DISABLED
    space = SpaceProfile(SpaceId(row["space"]), "", 0.0, profile.get("archived_at"), profile.get("delete_at"))
    return Access(Role(row["role"]), space.state, state)


def overrides_of(row: Row) -> SpaceOverrides:
    """Of an owner's membership with its `account` and its `profile` as lists."""
    own, of_owner = (row[name][0].get("overrides") or {} if row[name] else {} for name in ("profile", "account"))
    return SpaceOverrides(own, of_owner)


def invitation_row(invitation: Invitation, secret_hash: str) -> Row:
    return present(
        {
            "_id": invitation.id,
            "secret_hash": secret_hash,
            "space": invitation.space,
            "role": None if invitation.role is None else invitation.role.value,
            "created_by": invitation.created_by,
            "created_at": invitation.created_at,
            "expires_at": invitation.expires_at,
            "by_administrator": invitation.by_administrator,
        }
    )


def invitation_of(row: Row) -> Invitation:
    role = row.get("role")
    return Invitation(
        InvitationId(row["_id"]),
        row.get("created_by"),
        row["created_at"],
        row["expires_at"],
        row.get("space"),
        None if role is None else Role(role),
        row["by_administrator"],
        row.get("used_at"),
        row.get("used_by"),
        row.get("revoked_at"),
    )


def session_row(session: WebSession, token_hash: str) -> Row:
    return {
        "_id": session.id,
        "token_hash": token_hash,
        "user": session.user,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "last_seen": session.last_seen,
        "address": session.address,
        "agent": session.agent,
    }


def session_of(row: Row) -> WebSession:
    return WebSession(
        WebSessionId(row["_id"]),
        UserId(row["user"]),
        row["created_at"],
        row["expires_at"],
        row["last_seen"],
        row["address"],
        row["agent"],
    )


def audit_of(row: Row) -> AuditEntry:
    device = row.get("device")
    return AuditEntry(
        AuditAct(row["act"]),
        row["at"],
        row["by"],
        row.get("actor"),
        row.get("address"),
        row.get("space"),
        row.get("user"),
        None if device is None else DeviceId(device),
        row.get("details") or {},
    )


def present(row: Row) -> Row:
    """Without what is None: indexes that are partial leave out fields that are missing."""
    return {name: value for name, value in row.items() if value is not None}
