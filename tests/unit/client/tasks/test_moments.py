"""The laws of client.tasks.moments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.date_words import months_later
from client.tasks.local_time import Here
from client.tasks.moments import NoMomentError, moment, shown, written

BERLIN = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 23, 7, 30, tzinfo=BERLIN)  # a Monday

times = st.integers(-62_000_000_000, 253_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(times, times, zones)
def test_what_is_written_is_read(at: datetime, now: datetime, zone: timezone) -> None:
    assert moment(written(at), now.replace(tzinfo=zone)) == at


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", "2026-11-22T23:00:00Z"),
        ("tomorrow", "2026-11-23T23:00:00Z"),
        ("now", "2026-11-23T06:30:00Z"),
        ("monday", "2026-11-29T23:00:00Z"),
        ("fri", "2026-11-26T23:00:00Z"),
        ("eom", "2026-11-30T23:00:00Z"),
        ("eow", "2026-11-29T23:00:00Z"),
        ("eoy", "2026-12-31T23:00:00Z"),
        ("3d", "2026-11-26T06:30:00Z"),
        ("+2w", "2026-12-07T06:30:00Z"),
        ("90min", "2026-11-23T08:00:00Z"),
        ("3m", "2027-02-23T06:30:00Z"),
        ("1y", "2027-11-23T06:30:00Z"),
        ("2026-12-24", "2026-12-23T23:00:00Z"),
        ("2026-12-24T18:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24 18:00:30", "2026-12-24T17:00:30Z"),
        ("2026-12-24T18:00:00+03:00", "2026-12-24T15:00:00Z"),
        ("20261224T180000Z", "2026-12-24T18:00:00Z"),
    ],
)
def test_what_people_write(text: str, meant: str) -> None:
    assert written(moment(text, NOW)) == meant


@pytest.mark.parametrize("text", ["", "sometime", "2026-02-30", "99999y", "12", "mo", "2026-13-01", "3x"])
def test_what_is_no_moment_shows_what_is(text: str) -> None:
    with pytest.raises(NoMomentError, match="tomorrow, friday"):
        moment(text, NOW)


def test_a_month_has_its_last_day() -> None:
    assert months_later(NOW.date().replace(month=1, day=31), 1).isoformat() == "2026-02-28"
    assert months_later(NOW.date().replace(month=1, day=31), 12 + 1).isoformat() == "2027-02-28"


def test_shown_where_the_user_is() -> None:
    assert shown("2026-12-23T23:00:00Z", NOW) == "2026-12-24"
    assert shown("2026-12-24T17:00:00Z", NOW) == "2026-12-24 18:00"
    assert shown("soon", NOW) == "soon"


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield Here()
    monkeypatch.undo()
    time.tzset()


def test_a_day_begins_where_the_user_is_in_summer_and_in_winter(berlin: Here) -> None:
    now = datetime(2026, 11, 23, 7, 30, tzinfo=berlin)
    assert written(now) == "2026-11-23T06:30:00Z"
    for day, begins in [("2026-12-24", "2026-12-23T23:00:00Z"), ("2026-07-01", "2026-06-30T22:00:00Z")]:
        assert written(moment(day, now)) == begins
        assert shown(begins, now) == day
    assert shown("2026-07-01T12:00:00Z", now) == "2026-07-01 14:00"
    before = datetime(2026, 3, 28, 12, 0, tzinfo=berlin)  # the clocks are changed in the night
    assert written(moment("1d", before)) == "2026-03-29T10:00:00Z"
    assert written(moment("24h", before)) == "2026-03-29T11:00:00Z"
    assert (now.tzname(), before.dst()) == ("CET", timedelta(0))


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_the_ends_of_time(berlin: Here, text: str) -> None:
    now = datetime(2026, 11, 23, 7, 30, tzinfo=berlin)
    assert isinstance(shown(text, now), str)
    try:
        assert isinstance(moment(text, now), datetime)
    except NoMomentError:
        assert "+14" in text
    assert isinstance(moment("9999-12-31", now.replace(tzinfo=BERLIN)), datetime)
