"""The laws of shared/core/access/groups.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.access.groups import GroupRule, group_changes, group_rules, roles_of
from shared.core.access.roles import GRANTED, Role
from shared.core.documents import SpaceId
from shared.settings import Settings

SPACES = st.sampled_from([SpaceId(f"s{number}") for number in range(4)])
GIVEN = st.dictionaries(SPACES, st.sampled_from(GRANTED))
HELD = st.dictionaries(SPACES, st.sampled_from(Role))


def after(
    wanted: dict[SpaceId, Role], granted: dict[SpaceId, Role], held: dict[SpaceId, Role]
) -> tuple[dict[SpaceId, Role], dict[SpaceId, Role]]:
    """What the groups have given, and what he is in his spaces, then."""
    changes = group_changes(wanted, granted, held)
    assert not changes.add.keys() & held.keys()
    assert changes.change.keys() | set(changes.remove) <= held.keys() & granted.keys()
    kept = {space: role for space, role in held.items() if space not in changes.remove}
    return dict(changes.granted), {**kept, **changes.add, **changes.change}


@given(GIVEN, GIVEN, HELD)
def test_owners_and_who_was_invited_stay(
    wanted: dict[SpaceId, Role], granted: dict[SpaceId, Role], held: dict[SpaceId, Role]
) -> None:
    _, now = after(wanted, granted, held)
    for space, role in held.items():
        if role is Role.OWNER or space not in granted:
            assert now[space] is role
    for space in now.keys() | held.keys():
        if space not in wanted and space not in granted:
            assert now.get(space) is held.get(space)


@given(GIVEN, GIVEN, HELD)
def test_the_same_groups_change_nothing_again(
    wanted: dict[SpaceId, Role], granted: dict[SpaceId, Role], held: dict[SpaceId, Role]
) -> None:
    once = after(wanted, granted, held)
    assert after(wanted, *once) == once


@given(GIVEN, HELD)
def test_a_role_goes_with_the_last_group(wanted: dict[SpaceId, Role], held: dict[SpaceId, Role]) -> None:
    granted, now = after(wanted, {}, held)
    assert after({}, granted, now) == ({}, held)


def test_a_group_that_comes_and_goes() -> None:
    plans = SpaceId("plans")
    assert after({plans: Role.READER}, {}, {}) == ({plans: Role.READER}, {plans: Role.READER})
    assert after({plans: Role.EDITOR}, {plans: Role.READER}, {plans: Role.READER})[1] == {plans: Role.EDITOR}
    assert after({}, {plans: Role.READER}, {plans: Role.OWNER}) == ({}, {plans: Role.OWNER})


def test_rules_as_operators_write_them() -> None:
    assert group_rules("a=b=s1:reader, a b=s-2:editor,") == [
        GroupRule("a=b", SpaceId("s1"), Role.READER),
        GroupRule("a b", SpaceId("s-2"), Role.EDITOR),
    ]
    assert roles_of({"x", "y"}, group_rules("x=s:editor,y=s:reader,z=t:reader")) == {SpaceId("s"): Role.EDITOR}
    assert roles_of({"x", "y"}, group_rules("y=s:reader,x=s:editor")) == {SpaceId("s"): Role.EDITOR}


@pytest.mark.parametrize("text", ["a", "a=s", "=s:reader", "a=s:owner", "a=S:reader", "a=s:reader b=s:reader,c"])
def test_what_is_no_rule_is_no_setting(text: str) -> None:
    with pytest.raises(ValueError, match="HYPERTASK_OIDC_GROUPS must be rules"):
        Settings.from_env({"HYPERTASK_OIDC_GROUPS": text})
