"""The laws of shared/core/access/device_grants.py."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.access.device_grants import (
    CODE_ALPHABET,
    CODE_LENGTH,
    REPEAT_SECONDS,
    Approval,
    DeviceGrant,
    GrantDecision,
    Poll,
    UserCode,
    poll,
    shown,
    user_code_of,
)
from shared.core.documents import SpaceId, UserId

CODES = st.text(CODE_ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH).map(UserCode)
APPROVAL = Approval(UserId("u"), "Laptop", SpaceId("s"), "session w")
GRANT = DeviceGrant(UserCode("BCDFGHJK"), "laptop", 0.0, 100.0)
GRANTS = st.builds(
    DeviceGrant,
    CODES,
    st.just("laptop"),
    st.just(0.0),
    st.floats(1, 1000),
    interval=st.floats(0, 60),
    polled_at=st.none() | st.floats(0, 1000),
    decision=st.none() | st.sampled_from(GrantDecision),
    used_at=st.none() | st.floats(0, 1000),
)
TIMES = st.floats(0, 2000)


def test_a_code_has_no_letter_that_looks_like_another_one_and_makes_no_word() -> None:
    assert not set(CODE_ALPHABET) & set("AEIOUY01258")
    assert len(set(CODE_ALPHABET)) ** CODE_LENGTH > 2**34


@given(CODES, st.randoms())
def test_a_code_is_understood_as_people_type_it(code: UserCode, random: object) -> None:
    assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", shown(code))
    for typed in (shown(code), shown(code).lower(), f"  {code} ", code.replace("", " ")):
        assert user_code_of(typed) == code


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ0", "BCDF_GHJK", "ＢCDFGHJK"])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert user_code_of(typed) is None


@given(GRANTS, TIMES)
def test_nothing_is_given_after_the_end_or_twice(grant: DeviceGrant, now: float) -> None:
    if now >= grant.expires_at or (grant.used_at is not None and now >= grant.used_at + REPEAT_SECONDS):
        assert poll(grant, now) is Poll.EXPIRED
    assert poll(None, now) is Poll.EXPIRED


@given(GRANTS, TIMES)
def test_only_what_was_approved_is_answered_so(grant: DeviceGrant, now: float) -> None:
    if poll(grant, now) is Poll.APPROVED:
        assert grant.decision is GrantDecision.APPROVED
    assert not (grant.waits(now) and grant.decision is not None)


@pytest.mark.parametrize(
    ("grant", "now", "answer"),
    [
        (GRANT, 0.0, Poll.PENDING),
        (replace(GRANT, polled_at=1.0), 2.4, Poll.SLOW_DOWN),
        (replace(GRANT, polled_at=1.0), 2.6, Poll.PENDING),
        (replace(GRANT, decision=GrantDecision.APPROVED, approval=APPROVAL), 1.0, Poll.APPROVED),
        (replace(GRANT, decision=GrantDecision.DENIED), 1.0, Poll.DENIED),
        (replace(GRANT, decision=GrantDecision.DENIED), 100.0, Poll.EXPIRED),
    ],
)
def test_answers(grant: DeviceGrant, now: float, answer: Poll) -> None:
    assert poll(grant, now) is answer
