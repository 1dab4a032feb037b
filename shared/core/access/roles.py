"""Spaces, their members, and what a member may do. Pure.

Laws (tests/unit/core/access/test_access.py):
    whatever a role may do, a higher one may do
    what is refused to an active owner of an active space is refused to everybody
    verdict_on(None, act) is Verdict.UNKNOWN: a space of others and no space at all are the same
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.core.access.people import AccountState
from shared.core.documents import SpaceId, UserId


class Role(StrEnum):
    """Of a member in a space. A space has one owner, always."""

    READER = "reader"
    EDITOR = "editor"
    OWNER = "owner"


GRANTED: Final = (Role.EDITOR, Role.READER)
"""Roles that an owner can give: a second owner is made by transfer alone."""


class Act(StrEnum):
    """What somebody wants to do in a space."""

    READ = "read"
    """Documents, their history, changes as they come; who the members are."""
    WRITE = "write"
    """Documents and policies."""
    MANAGE = "manage"
    """The name, the members, invitations, archiving, deletion."""


_NEEDED: Final[Mapping[Act, Role]] = {Act.READ: Role.READER, Act.WRITE: Role.EDITOR, Act.MANAGE: Role.OWNER}
_RANK: Final[Mapping[Role, int]] = {Role.READER: 0, Role.EDITOR: 1, Role.OWNER: 2}


def may(role: Role, act: Act) -> bool:
    """Whether the role is enough for the act."""
    return _RANK[role] >= _RANK[_NEEDED[act]]


class SpaceState(StrEnum):
    """What a space is."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    """It can be read."""
    DELETED = "deleted"
    """Its owner can take that back until the grace period ends; for everybody else it is gone."""


@dataclass(frozen=True, slots=True)
class SpaceProfile:
    """What people know of a space beside its documents. Times are seconds since 1970."""

    id: SpaceId
    name: str
    created_at: float
    archived_at: float | None = None
    delete_at: float | None = None
    """When its documents are removed, if it was deleted."""
    overrides: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Limits that are other than the settings say, by the setting's name."""

    @property
    def state(self) -> SpaceState:
        if self.delete_at is not None:
            return SpaceState.DELETED
        return SpaceState.ACTIVE if self.archived_at is None else SpaceState.ARCHIVED


@dataclass(frozen=True, slots=True)
class Membership:
    """A user in a space."""

    space: SpaceId
    user: UserId
    role: Role
    joined_at: float


@dataclass(frozen=True, slots=True)
class Access:
    """What is known of a user and a space that they are a member of."""

    role: Role
    space: SpaceState = SpaceState.ACTIVE
    account: AccountState = AccountState.ACTIVE


class Verdict(StrEnum):
    """Whether an act is allowed, and why not."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    """As if there were no such space."""
    READ_ONLY = "read-only"
    NOT_OWNER = "not-owner"
    ARCHIVED = "archived"


def verdict_on(access: Access | None, act: Act) -> Verdict:
    """Whether a user may do this; None: the space is unknown, or the user is no member of it."""
    if access is None or access.account is not AccountState.ACTIVE:
        return Verdict.UNKNOWN
    if access.space is SpaceState.DELETED and not (access.role is Role.OWNER and act is Act.MANAGE):
        return Verdict.UNKNOWN
    if not may(access.role, act):
        return Verdict.READ_ONLY if act is Act.WRITE else Verdict.NOT_OWNER
    if access.space is SpaceState.ARCHIVED and act is Act.WRITE:
        return Verdict.ARCHIVED
    return Verdict.ALLOWED
