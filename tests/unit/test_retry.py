"""The laws of shared.retry."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.retry import Backoff, retry_after_seconds

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@settings(deadline=None)
@given(st.integers(1, 7), st.integers())
def test_without_a_wish_of_the_server(failures: int, seed: int) -> None:
    backoff = Backoff(uniform=random.Random(seed).uniform)
    delay = backoff.delay(failures)
    assert delay is not None
    assert 0 <= delay <= min(backoff.cap, backoff.base * 2**failures)


@settings(deadline=None)
@given(st.integers(1, 7), st.floats(0, 60), st.integers())
def test_the_wish_of_the_server_is_kept(failures: int, wish: float, seed: int) -> None:
    backoff = Backoff(uniform=random.Random(seed).uniform)
    delay = backoff.delay(failures, wish)
    assert delay is not None
    assert wish <= delay <= wish + backoff.base


def test_it_ends() -> None:
    assert Backoff(attempts=3).delay(2) is not None
    assert Backoff(attempts=3).delay(3) is None
    assert Backoff(attempts=3).delay(3, 0.0) is None
    assert Backoff(patience=60).delay(1, 61.0) is None


def test_it_grows_up_to_the_cap_and_differs() -> None:
    longest = Backoff(uniform=lambda low, high: high)
    assert [longest.delay(n) for n in range(1, 8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0]
    assert len({Backoff().delay(5) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 99 Jan 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@settings(deadline=None)
@given(st.text())
def test_any_header(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or seconds >= 0


@settings(deadline=None)
@given(st.datetimes(datetime(2026, 1, 2), datetime(2030, 1, 1)))  # noqa: DTZ001  bounds of naive times
def test_dates_as_servers_write_them(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert retry_after_seconds(format_datetime(moment, usegmt=True), NOW) == (moment - NOW).total_seconds()
