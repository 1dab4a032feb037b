"""Repeating tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.periods import NoPeriodError, repetition
from client.tasks.recurrence import MOST, is_pattern, occurrences

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
PATTERN: dict[str, Any] = {
    "id": "pattern",
    "status": "recurring",
    "description": "water",
    "tags": ["home"],
    "due": "2026-11-20T12:00:00Z",
    "recur": "daily",
    "modified": "2026-11-19T00:00:00Z",
}
periods = st.sampled_from(("daily", "weekdays", "weekly", "monthly", "3d", "2m", "1y"))


def dues(pattern: dict[str, Any], now: datetime = NOW) -> list[str]:
    return [body["due"] for body in occurrences(pattern, now)[0]]


def test_all_that_is_due_and_the_next() -> None:
    made, after = occurrences(PATTERN, NOW)
    assert [body["due"][:10] for body in made] == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert after == {**PATTERN, "made_until": "2026-11-23T12:00:00Z"}
    assert made[0] == {
        "id": made[0]["id"],
        "status": "pending",
        "description": "water",
        "tags": ["home"],
        "due": "2026-11-20T12:00:00Z",
        "parent": "pattern",
    }
    assert occurrences(after, NOW) == ([], after)


@given(periods, st.integers(0, 400), st.integers(0, 400))
def test_two_devices_make_the_same(recur: str, one: int, more: int) -> None:
    pattern = {**PATTERN, "recur": recur}
    early, late = NOW + timedelta(days=one), NOW + timedelta(days=one + more)
    first, after = occurrences(pattern, early)
    second, _ = occurrences(after, late)
    at_once, _ = occurrences(pattern, late)
    assert (first + second)[-MOST:] == at_once
    assert len({body["id"] for body in at_once}) == len(at_once)


def test_periods() -> None:
    month_end = {**PATTERN, "due": "2026-08-31T12:00:00Z", "recur": "monthly"}
    assert [due[5:10] for due in dues(month_end)] == ["08-31", "09-30", "10-31", "11-30"]
    friday = {**PATTERN, "recur": "weekdays"}
    assert [due[5:10] for due in dues(friday)] == ["11-20", "11-23"]
    assert dues({**PATTERN, "until": "2026-11-21T12:00:00Z"}) == ["2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z"]
    for recur in ("daily", "weekdays", "weekly"):
        made = dues({**PATTERN, "due": "0001-01-01T12:00:00Z", "recur": recur})
        assert len(made) == MOST and made[-2] <= "2026-11-23T07:30:00Z" < made[-1]
    assert dues({**PATTERN, "due": "9999-12-01T00:00:00Z", "recur": "1y"}) == ["9999-12-01T00:00:00Z"]
    for wrong in ("often", "0d", "", None, 3):
        with pytest.raises(NoPeriodError, match="weekly"):
            repetition(wrong)


def test_what_is_a_pattern() -> None:
    assert is_pattern(PATTERN)
    assert is_pattern({**PATTERN, "mask": "--"})
    assert not is_pattern({**PATTERN, "due": "soon"})
    assert not is_pattern({**PATTERN, "status": "pending"})
    assert not is_pattern({**PATTERN, "due": "0001-01-01T00:00:00+14:00"})
