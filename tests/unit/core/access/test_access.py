"""The laws of shared/core/access."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.access import sessions
from shared.core.access.invitations import Invitation, InvitationId, SignUp, may_sign_up
from shared.core.access.people import (
    AccountState,
    User,
    email_key,
    is_password,
    is_user_name,
    legacy_user_id,
    name_key,
    password_bytes,
)
from shared.core.access.roles import Access, Act, Role, SpaceProfile, SpaceState, Verdict, may, verdict_on
from shared.core.access.sessions import Failures, delay_of, wait_of
from shared.core.documents import SpaceId, UserId, UserName

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["ſ", "K", "ß", "ﬁ", "İ", "ǰ"]
)
ACCESSES = st.builds(Access, st.sampled_from(Role), st.sampled_from(SpaceState), st.sampled_from(AccountState))
TIMES = st.floats(0, 1e10)
FAILURES = st.builds(Failures, st.integers(0, 10_000), TIMES)

# Names, addresses, passwords


@given(NAMES)
def test_a_name_key_is_its_own_key_and_ignores_case(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)
    assert name_key(name.casefold()) == name_key(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Alice", "alice"), ("ＢＯＢ", "bob"), ("Straße", "STRASSE"), ("a  b", "a b"), ("é", "e\u0301")],
)
def test_names_that_are_taken_for_the_same_share_a_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@given(NAMES)
def test_a_name_that_may_be_chosen_is_no_address(name: str) -> None:
    if is_user_name(name):
        assert email_key(name) is None and name_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a ",
        " a",
        "a@b",
        "a\nb",
        "\u202e",
        "x" * 101,
        "\u3000",
        "\ud800",
        "a\u200bb",
        "a\u200db",
        "\U000e0041x",
        "a\ufe0f",
        "\u3164",
        "a\u00adb",
        "\u2800",
    ],
)
def test_these_names_may_not_be_chosen(name: str) -> None:
    assert not is_user_name(name)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a@example.org", "a@example.org"),
        (" A.B+c@Example.ORG ", "a.b+c@example.org"),
        ("ü@bücher.example", "ü@xn--bcher-kva.example"),
        ("a@localhost", None),
        ("a@-x.org", None),
        ("a@x..org", None),
        ("a@@x.org", None),
        ("a b@x.org", None),
        ("@x.org", None),
        ("a@", None),
        ("a@x.org\n@y.org", None),
        ("\ud800@x.org", None),
        ("a" * 65 + "@x.org", None),
        ("a@" + "x" * 250 + ".org", None),
        ("", None),
    ],
)
def test_the_keys_of_addresses(text: str, key: str | None) -> None:
    assert email_key(text) == key


@given(st.text(max_size=12), st.sampled_from(["x.org", "Ä.example", "a.b.c", "."]))
def test_an_address_key_is_its_own_key(local: str, domain: str) -> None:
    key = email_key(f"{local}@{domain}")
    if key is not None:
        assert email_key(key) == key == email_key(f"{local}@{domain}".swapcase())


@pytest.mark.parametrize(
    ("text", "fits"), [("x" * 9, False), ("x" * 10, True), ("x" * 1000, True), ("x" * 1001, False)]
)
def test_the_length_of_a_password_is_verdict_on(text: str, fits: bool) -> None:
    assert is_password(text) is fits


def test_a_password_is_the_same_however_it_is_composed() -> None:
    assert password_bytes("e\u0301") == password_bytes("é") != password_bytes("e")
    assert not is_password("\ud800" * 10)


@given(NAMES, NAMES)
def test_the_id_of_a_known_name_follows_from_it(one: str, other: str) -> None:
    assert (legacy_user_id(one) == legacy_user_id(other)) is (one == other)
    assert legacy_user_id("owner") == "u4c1029697ee358715d3a14a2", "it is stored: it must stay what it is"


# Roles


@given(st.sampled_from(Role), st.sampled_from(Role), st.sampled_from(Act))
def test_a_higher_role_may_do_what_a_lower_one_may(one: Role, other: Role, act: Act) -> None:
    order = [Role.READER, Role.EDITOR, Role.OWNER]
    if may(one, act) and order.index(other) >= order.index(one):
        assert may(other, act)


def test_what_each_role_may_do() -> None:
    allowed = {role: {act for act in Act if may(role, act)} for role in Role}
    assert allowed == {Role.READER: {Act.READ}, Role.EDITOR: {Act.READ, Act.WRITE}, Role.OWNER: set(Act)}


@given(ACCESSES, st.sampled_from(Act))
def test_what_is_allowed_is_allowed_to_an_active_owner_of_that_space(access: Access, act: Act) -> None:
    if verdict_on(access, act) is Verdict.ALLOWED:
        assert access.account is AccountState.ACTIVE
        assert verdict_on(replace(access, role=Role.OWNER), act) is Verdict.ALLOWED


@pytest.mark.parametrize("act", Act)
def test_a_space_of_others_is_no_space(act: Act) -> None:
    assert verdict_on(None, act) is Verdict.UNKNOWN
    for role in (Role.READER, Role.EDITOR):
        assert verdict_on(Access(role, SpaceState.DELETED), act) is Verdict.UNKNOWN
    for account in (AccountState.DISABLED, AccountState.LEAVING):
        assert verdict_on(Access(Role.OWNER, SpaceState.ACTIVE, account), act) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("access", "act", "verdict"),
    [
        (Access(Role.READER), Act.WRITE, Verdict.READ_ONLY),
        (Access(Role.READER), Act.MANAGE, Verdict.NOT_OWNER),
        (Access(Role.EDITOR), Act.MANAGE, Verdict.NOT_OWNER),
        (Access(Role.OWNER, SpaceState.ARCHIVED), Act.WRITE, Verdict.ARCHIVED),
        (Access(Role.READER, SpaceState.ARCHIVED), Act.WRITE, Verdict.READ_ONLY),
        (Access(Role.READER, SpaceState.ARCHIVED), Act.READ, Verdict.ALLOWED),
        (Access(Role.OWNER, SpaceState.DELETED), Act.MANAGE, Verdict.ALLOWED),
        (Access(Role.OWNER, SpaceState.DELETED), Act.READ, Verdict.UNKNOWN),
    ],
)
def test_why_an_act_is_refused(access: Access, act: Act, verdict: Verdict) -> None:
    assert verdict_on(access, act) is verdict


def test_the_states_of_accounts_and_spaces() -> None:
    user = User(UserId("u1"), UserName("a"), 1.0)
    assert user.state is AccountState.ACTIVE
    assert replace(user, delete_at=2.0).state is AccountState.LEAVING
    assert replace(user, delete_at=2.0, disabled_at=1.5).state is AccountState.DISABLED
    space = SpaceProfile(SpaceId("s"), "a", 1.0)
    assert space.state is SpaceState.ACTIVE
    assert replace(space, archived_at=2.0).state is SpaceState.ARCHIVED
    assert replace(space, archived_at=2.0, delete_at=3.0).state is SpaceState.DELETED


# Invitations

INVITATIONS = st.builds(
    Invitation,
    st.just(InvitationId("i")),
    st.none(),
    TIMES,
    TIMES,
    by_administrator=st.booleans(),
    used_at=st.none() | TIMES,
    revoked_at=st.none() | TIMES,
)


@given(INVITATIONS, TIMES, TIMES)
def test_an_invitation_that_is_not_valid_stays_so(invitation: Invitation, now: float, later: float) -> None:
    if not invitation.is_valid(now):
        assert not invitation.is_valid(now + later)
    assert not replace(invitation, used_at=1.0).is_valid(now)
    assert not replace(invitation, revoked_at=1.0).is_valid(now)
    assert not invitation.is_valid(invitation.expires_at)


@given(st.none() | INVITATIONS, TIMES)
def test_a_wider_sign_up_lets_in_whom_a_narrower_one_does(invitation: Invitation | None, now: float) -> None:
    let_in = [may_sign_up(mode, invitation, now) for mode in (SignUp.CLOSED, SignUp.INVITED, SignUp.OPEN)]
    assert let_in == sorted(let_in) and let_in[-1]
    assert let_in[1] is (invitation is not None and invitation.is_valid(now))
    assert let_in[0] is (let_in[1] and invitation is not None and invitation.by_administrator)


# Wrong passwords


@given(FAILURES, TIMES)
def test_more_failures_never_wait_less(failures: Failures, now: float) -> None:
    more = replace(failures, count=failures.count + 1)
    waits = (partial(wait_of, free=5), sessions.MAX_WAIT_SECONDS), (delay_of, sessions.MAX_DELAY_SECONDS)
    for pause, most in waits:
        assert 0 <= pause(failures, now) <= pause(more, now)
        assert pause(failures, max(now, failures.at)) <= most * (1 + 1e-6)


def test_how_long_it_is_waited() -> None:
    assert [wait_of(Failures(count, 100.0), 100.0, 5) for count in (0, 4, 5, 6, 8, 15, 10_000)] == [
        0, 0, 1, 2, 8, sessions.MAX_WAIT_SECONDS, sessions.MAX_WAIT_SECONDS,
    ]  # fmt: skip
    assert wait_of(Failures(8, 100.0), 107.0, 5) == 1
    assert wait_of(Failures(8, 100.0), 108.0, 5) == 0
    assert wait_of(Failures(10_000, 0.0), sessions.FORGET_SECONDS + 1, 5) == 0
    assert [delay_of(Failures(count, 0.0), 1.0) for count in (19, 10_000)] == [0, sessions.MAX_DELAY_SECONDS]
    assert math.isclose(delay_of(Failures(20, 0.0), 1.0), 0.1)
