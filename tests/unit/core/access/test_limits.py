"""The laws of shared/core/access/limits.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.access.limits import (
    OF_SPACE,
    OF_USER,
    ONLY_LOWER,
    Limit,
    Rate,
    RateState,
    invalid_override,
    limit_of,
    network_of,
    rate_fields,
    window_left,
)

LIMITS = st.sampled_from(sorted(OF_USER))
AMOUNTS = st.integers(0, 10**9)
OVERRIDES = st.dictionaries(LIMITS, AMOUNTS, max_size=3)


@given(LIMITS, AMOUNTS, OVERRIDES, OVERRIDES)
def test_the_first_override_holds(
    limit: Limit, setting: int, own: dict[str, float], of_owner: dict[str, float]
) -> None:
    expected = own.get(limit, of_owner.get(limit, setting))
    if limit in ONLY_LOWER:
        expected = min(expected, setting)
    assert limit_of(limit, setting, own, of_owner) == expected


@given(st.sampled_from(sorted(Limit)), st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0, 3600))
def test_an_answer_says_what_is_left_and_when_to_come_back(
    limit: Limit, amount: int, left: int, seconds: float
) -> None:
    state = RateState(Rate(limit, amount), left > 0, left, seconds)
    fields = rate_fields([state])
    assert bool(fields) is (left == 0 or 2 * left < amount)
    if fields:
        assert fields["ratelimit-policy"] == f'"{limit}";q={amount};w=60'
        said = re.fullmatch(rf'"{limit}";r=(\d+);t=(\d+)', fields["ratelimit"])
        assert said is not None
        assert int(said[1]) == left
        assert seconds <= int(said[2]) <= seconds + 1
        assert int(said[2]) >= 1


def test_several_rates_are_one_list() -> None:
    states = [
        RateState(Rate(Limit.REQUESTS_PER_TOKEN, 10), True, 1, 2.5),
        RateState(Rate(Limit.REQUESTS_PER_USER, 20), False, 0, 7),
    ]
    assert rate_fields(states) == {
        "ratelimit-policy": '"requests_per_token";q=10;w=60, "requests_per_user";q=20;w=60',
        "ratelimit": '"requests_per_token";r=1;t=3, "requests_per_user";r=0;t=7',
    }


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("space_documents", 10, True),
        ("space_documents", 0, True),
        ("space_documents", -1, False),
        ("space_documents", 1.5, False),
        ("space_documents", True, False),
        ("space_documents", 2**53, False),
        ("requests_per_address", 1, False),
        ("mongo_url", 1, False),
        ("max_document_bytes", 0, False),
        ("max_document_bytes", 1000, True),
    ],
)
def test_what_an_override_can_be(name: str, value: object, fits: bool) -> None:
    assert (invalid_override(name, value, OF_USER) is None) is fits


def test_a_space_has_no_limits_of_users() -> None:
    assert invalid_override("requests_per_token", 1, OF_SPACE) is not None
    assert OF_SPACE < OF_USER


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_client_has_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.integers(1, 1000), st.integers(0, 1000), st.floats(0, 60), st.integers(0, 1000), st.floats(60, 120))
def test_what_a_window_has_left(
    amount: int, previous: int, previous_seconds: float, current: int, current_seconds: float
) -> None:
    left, seconds = window_left(
        Rate(Limit.REQUESTS_PER_USER, amount), previous, previous_seconds, current, current_seconds
    )
    assert 0 <= left <= amount
    assert 0 <= seconds <= 120
    assert left >= amount - previous - current


def test_a_full_window_that_has_just_begun_is_waited_for_to_its_end() -> None:
    assert window_left(Rate(Limit.REQUESTS_PER_USER, 10), 0, 0.0, 10, 120.0) == (0, 66.0)
    assert window_left(Rate(Limit.REQUESTS_PER_USER, 10), 10, 45.0, 0, 105.0) == (3, 3.0)
