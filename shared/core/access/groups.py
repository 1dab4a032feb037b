"""Roles that the groups of an OpenID provider give. Pure.

Laws (tests/unit/core/access/test_groups.py):
    an owner stays the owner; so does a member whom an owner has invited
    of the spaces that no rule names and no group has given, nothing changes
    what was changed once is not changed again: with the result, the same groups change nothing
    when the last group that gave a role is gone, the role is gone
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.core.access.roles import GRANTED, Role
from shared.core.documents import SpaceId, UserId, is_space_id


class ProviderSignUp(StrEnum):
    """For whom of those that the provider lets in an account is made."""

    GROUPS = "groups"
    """Whose groups give them a role."""
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Whoever is in the group has the role in the space."""

    group: str
    space: SpaceId
    role: Role


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as an OpenID provider knows them, and whose account that is."""

    issuer: str
    subject: str
    user: UserId
    granted: Mapping[SpaceId, Role] = field(default_factory=dict, hash=False)
    """Roles that their groups gave them when they signed in last."""


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """What has to be done, and what the groups have given then."""

    add: Mapping[SpaceId, Role]
    change: Mapping[SpaceId, Role]
    remove: Collection[SpaceId]
    granted: Mapping[SpaceId, Role]


class GroupRules(str):
    """Rules as an operator writes them: `group_rules` has read them."""

    __slots__ = ()


NO_RULES = GroupRules()


def group_rules(text: str) -> list[GroupRule]:
    """`GROUP=SPACE:ROLE`, separated by commas. The group may have any characters but a comma. ValueError for anything
    else."""
    rules = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        group, equals, granted = part.rpartition("=")
        space, colon, role = granted.partition(":")
        if not (group and equals and colon and is_space_id(space) and role in set(GRANTED)):
            raise ValueError(f"{part!r} is no rule; one looks like engineering=s1a2b3:editor")
        rules.append(GroupRule(group.strip(), SpaceId(space), Role(role)))
    return rules


def checked_rules(text: str) -> GroupRules:
    """ValueError if one of them is none."""
    group_rules(text)
    return GroupRules(text)


def roles_of(groups: Collection[str], rules: Collection[GroupRule]) -> dict[SpaceId, Role]:
    """What somebody in these groups may be: an editor where several rules speak of a space and one says so."""
    roles: dict[SpaceId, Role] = {}
    for rule in rules:
        if rule.group in groups and roles.get(rule.space) is not Role.EDITOR:
            roles[rule.space] = rule.role
    return roles


def group_changes(
    wanted: Mapping[SpaceId, Role], granted: Mapping[SpaceId, Role], held: Mapping[SpaceId, Role]
) -> GroupChanges:
    """`wanted`: what the groups say now. `granted`: what they gave before. `held`: what they are in their spaces."""
    add = {space: role for space, role in wanted.items() if space not in held}
    ours = {space for space in granted if held.get(space) not in (None, Role.OWNER)}
    change = {space: role for space, role in wanted.items() if space in ours and held[space] is not role}
    remove = sorted(ours - wanted.keys())
    kept = {space: role for space, role in wanted.items() if space in add or space in ours}
    return GroupChanges(add, change, remove, kept)
