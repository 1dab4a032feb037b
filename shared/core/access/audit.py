"""What the audit log says of one act on people, spaces and devices: who, what, from where; no contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from shared.core.documents import DeviceId, SpaceId, UserId


class AuditAct(StrEnum):
    """What was done."""

    USER_ADDED = "user-added"
    USER_RENAMED = "user-renamed"
    USER_EMAIL_CHANGED = "user-email-changed"
    USER_PASSWORD_CHANGED = "user-password-changed"  # noqa: S105  a name
    USER_DISABLED = "user-disabled"
    USER_ENABLED = "user-enabled"
    USER_ADMINISTRATOR = "user-administrator"
    USER_LIMITS_CHANGED = "user-limits-changed"
    USER_DELETED = "user-deleted"
    USER_RESTORED = "user-restored"
    USER_REMOVED = "user-removed"
    USER_LINKED = "user-linked"
    SESSION_BEGUN = "session-begun"
    SESSION_ENDED = "session-ended"
    SPACE_ADDED = "space-added"
    SPACE_RENAMED = "space-renamed"
    SPACE_ARCHIVED = "space-archived"
    SPACE_UNARCHIVED = "space-unarchived"
    SPACE_DELETED = "space-deleted"
    SPACE_RESTORED = "space-restored"
    SPACE_REMOVED = "space-removed"
    SPACE_TRANSFERRED = "space-transferred"
    SPACE_LIMITS_CHANGED = "space-limits-changed"
    MEMBER_ADDED = "member-added"
    MEMBER_ROLE_CHANGED = "member-role-changed"
    MEMBER_REMOVED = "member-removed"
    INVITATION_ADDED = "invitation-added"
    INVITATION_ACCEPTED = "invitation-accepted"
    INVITATION_REVOKED = "invitation-revoked"
    DEVICE_ADDED = "device-added"
    DEVICE_ROTATED = "device-rotated"
    DEVICE_REVOKED = "device-revoked"


OPERATOR: Final = "operator"
"""Whoever has a shell on the server."""
SERVER: Final = "server"
"""The server itself: what it does when time has passed."""
Detail = str | int | float | bool


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row. `at`: seconds since 1970."""

    act: AuditAct
    at: float
    by: str
    """`device d...`, `session w...`, OPERATOR or SERVER."""
    actor: UserId | None = None
    """Whose device or session that is."""
    address: str | None = None
    """From where, as far as it is known."""
    space: SpaceId | None = None
    user: UserId | None = None
    """To whom it was done."""
    device: DeviceId | None = None
    details: Mapping[str, Detail] = field(default_factory=dict, hash=False)
    """Roles, ids and settings; never contents, names of documents or secrets."""

    def fields(self) -> dict[str, Any]:
        """All fields by their names, as JSON values."""
        return {
            "act": self.act.value,
            "at": self.at,
            "by": self.by,
            "actor": self.actor,
            "address": self.address,
            "space": self.space,
            "user": self.user,
            "device": self.device,
            "details": dict(self.details),
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, and from where."""

    by: str
    """As in AuditEntry."""
    actor: UserId | None = None
    address: str | None = None

    def entry(
        self,
        act: AuditAct,
        at: float,
        *,
        space: SpaceId | None = None,
        user: UserId | None = None,
        device: DeviceId | None = None,
        **details: Detail,
    ) -> AuditEntry:
        """What they did."""
        return AuditEntry(act, at, self.by, self.actor, self.address, space, user, device, details)


BY_OPERATOR: Final = Origin(OPERATOR)
BY_SERVER: Final = Origin(SERVER)
