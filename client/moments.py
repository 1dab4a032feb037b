"""Moments as people write and read them: tomorrow, friday, 3d, 2026-12-24. Pure: what is now is told.

A moment in a task is RFC 3339 in UTC (`2026-12-24T00:00:00Z`); Taskwarrior's form is read, too. A day without a time
is its beginning where the user is.

Laws (tests/unit/client/test_moments.py):
    moment(written(t), now) == t for every t of whole seconds
    the result does not depend on the zone that `now` is told in, as long as the text has one itself
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from shared.core.clock import instant

FIELDS: Final = frozenset({"due", "wait", "scheduled", "until", "start", "end", "entry"})
"""Fields of a task whose values are moments."""

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS: Final = {"min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN: Final = re.compile(r"\+?(\d{1,5})(min|h|d|w|m|y)\Z", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?\Z", re.ASCII)


class NoMomentError(ValueError):
    """The message shows what is one."""


def moment(text: str, now: datetime) -> datetime:
    """The moment that `text` says, in UTC. `now` has an offset. Raises NoMomentError."""
    word = text.strip().lower()
    try:
        if (at := instant(text)) is not None:
            return datetime.fromtimestamp(at, UTC)
        found = _named(word, now) or _after(word, now) or _on_day(word, now)
        found = found and found.astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February, the year 12000
        found = None
    if found is None:
        raise NoMomentError(
            f'"{text}" is no date; these are: 2026-12-24, 2026-12-24T18:00, tomorrow, friday, 3d, 2w, eom'
        )
    return found


def utc(value: Any) -> datetime | None:
    """The moment that a field says; None if it is none, or one that no calendar of Python has."""
    at = instant(value)
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError):
        return None


def written(at: datetime) -> str:
    """As it stands in a task; without what is shorter than a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def shown(value: Any, now: datetime) -> str:
    """The day, and the time if it is not midnight, where the user is; what is no moment as it stands."""
    at = instant(value)
    if at is None:
        return str(value)
    try:
        local = datetime.fromtimestamp(at, now.tzinfo)
    except (ValueError, OverflowError):  # the last day of the year 9999 is over somewhere
        return str(value)
    return local.strftime("%Y-%m-%d" if local.time() == time(0) else "%Y-%m-%d %H:%M")


def _named(word: str, now: datetime) -> datetime | None:
    today = now.date()
    match word:
        case "now":
            return now.replace(microsecond=0)
        case "today" | "sod":
            return _begin(today, now)
        case "yesterday":
            return _begin(today - timedelta(days=1), now)
        case "tomorrow" | "eod":
            return _begin(today + timedelta(days=1), now)
        case "eow":
            return _begin(today + timedelta(days=7 - today.weekday()), now)
        case "eom":
            return _begin(months_later(today.replace(day=1), 1), now)
        case "eoy":
            return _begin(date(today.year + 1, 1, 1), now)
    days = [day for day, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)]
    if not days:
        return None
    return _begin(today + timedelta(days=(days[0] - today.weekday() - 1) % 7 + 1), now)


def _after(word: str, now: datetime) -> datetime | None:
    if (match := _SPAN.match(word)) is None:
        return None
    count, unit = int(match[1]), match[2]
    start = now.replace(microsecond=0)
    if unit in ("m", "y"):
        day = months_later(start.date(), count * (12 if unit == "y" else 1))
        return datetime.combine(day, start.timetz())
    if unit in ("min", "h"):  # hours that pass, whatever is done to the clocks
        return start.astimezone(UTC) + timedelta(seconds=count * _UNITS[unit])
    return start + timedelta(seconds=count * _UNITS[unit])


def _on_day(word: str, now: datetime) -> datetime | None:
    if (match := _DAY.match(word.upper())) is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=now.tzinfo)


def _begin(day: date, now: datetime) -> datetime:
    return datetime.combine(day, time(0), now.tzinfo)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    month = day.month - 1 + months
    first = date(day.year + month // 12, month % 12 + 1, 1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))
