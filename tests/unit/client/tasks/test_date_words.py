"""The words for days, and the arithmetic with them, at one moment: Sunday, 29 November 2026, 03:00."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.date_words import named
from client.tasks.local_time import Here
from client.tasks.moments import NoMomentError, moment, stored
from client.tasks.spans import Span, span

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
days = st.dates(date(1, 1, 8), date(9998, 12, 1))


@pytest.mark.parametrize(
    ("word", "day"),
    [
        ("today", "2026-11-29"), ("sod", "2026-11-29"), ("eod", "2026-11-29"), ("tomorrow", "2026-11-30"),
        ("yesterday", "2026-11-28"), ("sow", "2026-11-23"), ("eow", "2026-11-29"), ("som", "2026-11-01"),
        ("eom", "2026-11-30"), ("soq", "2026-10-01"), ("eoq", "2026-12-31"), ("soy", "2026-01-01"),
        ("eoy", "2026-12-31"), ("sonw", "2026-11-30"), ("eonw", "2026-12-06"), ("sopw", "2026-11-16"),
        ("eopw", "2026-11-22"), ("sonm", "2026-12-01"), ("eonm", "2026-12-31"), ("sopm", "2026-10-01"),
        ("eopm", "2026-10-31"), ("sonq", "2027-01-01"), ("eonq", "2027-03-31"), ("sopq", "2026-07-01"),
        ("eopq", "2026-09-30"), ("sony", "2027-01-01"), ("eony", "2027-12-31"), ("sopy", "2025-01-01"),
        ("eopy", "2025-12-31"), ("soww", "2026-11-23"), ("eoww", "2026-11-27"), ("monday", "2026-11-30"),
        ("mon", "2026-11-30"), ("sun", "2026-12-06"), ("december", "2026-12-01"), ("nov", "2027-11-01"),
        ("jan", "2027-01-01"), ("1st", "2026-12-01"), ("23rd", "2026-12-23"), ("29th", "2026-12-29"),
        ("30th", "2026-11-30"), ("31st", "2026-12-31"), ("2026-12", "2026-12-01"), ("2026-340", "2026-12-06"),
        ("2026-W50", "2026-12-07"), ("2026-W50-3", "2026-12-09"), ("2026W503", "2026-12-09"),
        ("easter", "2027-03-28"), ("goodfriday", "2027-03-26"), ("ascension", "2027-05-06"),
        ("pentecost", "2027-05-16"), ("midsommar", "2027-06-26"), ("midsommarafton", "2027-06-25"),
        ("someday", "9999-12-30"), ("today+3d", "2026-12-02"), ("eom-1w", "2026-11-23"), ("eom+1mo", "2026-12-30"),
        ("monday-1d", "2026-11-29"), ("2027-01-31+1month", "2027-02-28"), ("friday+2wks", "2026-12-18"),
        ("today+P1M2D", "2026-12-31"),
    ],
)  # fmt: skip
def test_a_word_is_that_day(word: str, day: str) -> None:
    assert stored(word, NOW) == day


@pytest.mark.parametrize(
    ("word", "at"),
    [
        ("now+2h", "2026-11-29T05:00:00Z"),
        ("today+90min", "2026-11-29T01:30:00"),
        ("monday-1d+12h", "2026-11-29T12:00:00"),
        ("10:30", "2026-11-29T10:30:00"),
        ("2:00", "2026-11-30T02:00:00"),
        ("-3d", "2026-11-26T03:00:00"),
        ("PT36H", "2026-11-30T15:00:00Z"),
    ],
)
def test_a_sum_with_hours_is_that_moment(word: str, at: str) -> None:
    assert stored(word, NOW) == at


@pytest.mark.parametrize(
    "word", ["32nd", "1th", "0th", "2026-W54", "2026-366", "2026-13", "25:00", "mo", "eomm", "today+", "today+3", "+"]
)
def test_what_no_calendar_has_is_no_date(word: str) -> None:
    with pytest.raises(NoMomentError):
        stored(word, NOW)


def test_an_hour_is_one_that_passes_and_a_day_is_one_of_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        now = datetime(2026, 10, 25, 0, 30, tzinfo=Here())  # at 3 it is 2 again
        assert moment("now+3h", now) - moment("now", now) == timedelta(hours=3)
        assert moment("now+1d", now) - moment("now", now) == timedelta(hours=25)
    finally:
        monkeypatch.undo()
        time.tzset()


@given(days, st.sampled_from(("monday", "wed", "sun", "1st", "31st", "29th", "january", "feb")))
def test_a_day_that_comes_again_comes_after_today(day: date, word: str) -> None:
    found = named(word, datetime(day.year, day.month, day.day, 12, tzinfo=timezone(timedelta(hours=5))))
    assert isinstance(found, date)
    assert found > day


@given(days, st.sampled_from("wmqy"))
def test_periods_follow_each_other_without_a_gap(day: date, unit: str) -> None:
    now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    edges = [named(f"{side}o{which}{unit}", now) for which in ("p", "", "n") for side in "se"]
    found = [edge for edge in edges if isinstance(edge, date)]
    assert len(found) == 6
    assert found[1] + timedelta(days=1) == found[2] <= day <= found[3]
    assert found[3] + timedelta(days=1) == found[4]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3d", Span(days=3)), ("2wks", Span(days=14)), ("6mo", Span(months=6)), ("1.5y", Span(months=18)),
        ("0.5mo", Span(days=15)), ("24h", Span(seconds=86_400)), ("quarterly", Span(months=3)),
        ("P1Y2M3DT4H", Span(14, 3, 14_400)), ("fortnight", Span(days=14)), ("d", None), ("0d", None), ("P", None),
        ("3x", None), ("PT", None),
    ],
)  # fmt: skip
def test_spans(text: str, meant: Span | None) -> None:
    assert span(text) == meant
