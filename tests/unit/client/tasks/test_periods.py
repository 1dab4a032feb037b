"""How often a task repeats."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.periods import Every, NoPeriodError, Rule, repetition

FIRST = datetime(2026, 1, 31, 9)  # noqa: DTZ001  a local time, a Saturday
HALF = 12 * 3600
TAKEN = {
    **dict.fromkeys(("daily", "day", "1d", "1 days"), Every(days=1)),
    **dict.fromkeys(("weekly", "Weekly", "week", "wk", "7days", "P1W"), Every(days=7)),
    **dict.fromkeys(("biweekly", "fortnight", "sennight", "2wk", "2 wks", "2weeks", "p14d"), Every(days=14)),
    **dict.fromkeys(("monthly", "month", "mth", "mo", "1m", "P1M"), Every(1)),
    **dict.fromkeys(("bimonthly", "2mnths", "2months", "2mths"), Every(2)),
    **dict.fromkeys(("quarterly", "quarter", "qtr", "qrtr", "1q", "3mos"), Every(3)),
    **dict.fromkeys(("semiannual", "2qtrs", "2qrtrs", "2quarters", "6m"), Every(6)),
    **dict.fromkeys(("annual", "yearly", "year", "yr", "1y", "P1Y"), Every(12)),
    **dict.fromkeys(("biannual", "biyearly", "2yrs", "2years"), Every(24)),
    **dict.fromkeys(("hour", "hr", "1h", "60min", "PT1H"), Every(seconds=3600)),
    **dict.fromkeys(("12hrs", "12hours", "PT12H"), Every(seconds=HALF)),
    **dict.fromkeys(("minute", "60secs", "60seconds", "1mins", "1minutes"), Every(seconds=60)),
    "36h": Every(days=1, seconds=HALF),
    "1.5weeks": Every(days=10, seconds=HALF),
    "1.5mo": Every(days=45),
    "P1Y2M3DT4H5M6S": Every(14, 3, 14706),
    "weekdays": Every(weekdays=True),
}


@pytest.mark.parametrize("text", TAKEN)
def test_all_durations_of_taskwarrior_repeat(text: str) -> None:
    assert repetition(text) == TAKEN[text]


@pytest.mark.parametrize(
    "text",
    [
        *("often", "0d", "", None, 3, "d", "-1d", "P", "PT", "P0D", "FREQ=", "FREQ=SECONDLY", "FREQ=WEEKLY;X=1"),
        *("FREQ=DAILY;BYMONTHDAY=30", "FREQ=WEEKLY;INTERVAL=0", "FREQ=WEEKLY;COUNT=1000000000"),
        *("FREQ=MONTHLY;BYDAY=XX", "FREQ=WEEKLY;UNTIL=soon"),
    ],
)
def test_what_is_no_period_shows_what_is(text: object) -> None:
    with pytest.raises(NoPeriodError, match="weekly"):
        repetition(text)


@given(st.sampled_from(list(TAKEN.values())), st.integers(0, 50), st.datetimes(max_value=FIRST))
def test_occurrences_grow(every: Every, number: int, first: datetime) -> None:
    at = [every.nth(first, number + n) for n in range(6)]
    assert at == sorted(set(at))
    if not every.weekdays:
        assert every.nth(first, 0) == first
    else:
        assert all(one.weekday() < 5 for one in at)
        between = [at[0] + timedelta(days=n) for n in range((at[-1] - at[0]).days + 1)]
        assert [one for one in between if one.weekday() < 5] == at


@given(st.sampled_from(list(TAKEN.values())), st.integers(0, 300), st.integers(0, 20))
def test_the_last_before_now_are_found_without_counting_to_them(every: Every, number: int, most: int) -> None:
    now = every.nth(FIRST, number)
    found = every.moments(FIRST, now, most)
    assert next(found) == (max(0, number - most), every.nth(FIRST, max(0, number - most)))


def test_a_rule_is_not_counted_through_from_the_year_one() -> None:
    for text in (
        "FREQ=DAILY",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
        "FREQ=MONTHLY;BYDAY=-1FR",
    ):
        rule = repetition(text)
        assert isinstance(rule, Rule)
        first, now = datetime(1, 1, 1, 9), datetime(2026, 11, 1)  # noqa: DTZ001
        assert any(at > now for _, at in islice(rule.moments(first, now, 100), 50_000))
