"""Invitations: to a space, or to the server. Pure.

Laws (tests/unit/core/access/test_access.py):
    an invitation that was used, revoked or has expired is never valid again
    who may sign up: whom `closed` lets in, `invited` does too; whom `invited` lets in, `open` does too
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from shared.core.access.roles import Role
from shared.core.documents import SpaceId, UserId

InvitationId = NewType("InvitationId", str)


class SignUp(StrEnum):
    """Who may make an account."""

    CLOSED = "closed"
    """Whom an administrator invites."""
    INVITED = "invited"
    """Whom anybody invites."""
    OPEN = "open"
    """Anybody."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that works once. Its secret is kept as a hash alone. Times are seconds since 1970."""

    id: InvitationId
    created_by: UserId | None
    """None: by an operator at the command line."""
    created_at: float
    expires_at: float
    space: SpaceId | None = None
    """None: to the server alone."""
    role: Role | None = None
    by_administrator: bool = False
    """Whoever follows it may make an account even where sign-up is closed."""
    used_at: float | None = None
    used_by: UserId | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it can be accepted."""
        return self.used_at is None and self.revoked_at is None and now < self.expires_at


def may_sign_up(mode: SignUp, invitation: Invitation | None, now: float) -> bool:
    """Whether somebody may make an account, with this invitation or without one."""
    if mode is SignUp.OPEN:
        return True
    if invitation is None or not invitation.is_valid(now):
        return False
    return mode is SignUp.INVITED or invitation.by_administrator
