"""How often a task repeats: what `recur` says. Pure.

    daily weekdays weekly biweekly monthly quarterly yearly ...     the names of Taskwarrior
    3d 2w 6m 1y 2wk 7days 3q 12hrs                                   a number and one of its units
    P1W P1Y2M PT12H                                                  ISO 8601
    FREQ=MONTHLY;BYDAY=1MO                                           RFC 5545, as far as it is said below

Months, quarters and years are those of the calendar, from the first occurrence on: the 31st is not forgotten in
February. Of RFC 5545 all of MONTHLY and YEARLY, and with HOURLY, DAILY and WEEKLY the parts BYDAY and BYMONTH: no
rule of these is looked through in vain for long. UNTIL and COUNT may end each.

Law (tests/unit/client/tasks/test_periods.py): every.nth(first, k) grows with k, and nth(first, 0) == first but for
weekdays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Any, Final

from client.tasks.date_words import months_later
from client.tasks.moments import Point, point_of
from client.tasks.spans import span


class NoPeriodError(ValueError):
    """The message shows what is one."""


@dataclass(frozen=True, slots=True)
class Every:
    """A span that is added again and again: to the wall clock, first the months. `weekdays`: Monday to Friday."""

    months: int = 0
    days: int = 0
    seconds: int = 0
    weekdays: bool = False

    def nth(self, first: datetime, number: int) -> datetime:
        """The occurrence with that number, from 0. Raises ValueError, OverflowError beyond the year 9999."""
        if self.weekdays:
            first += timedelta(days=max(0, 7 - first.weekday()) if first.weekday() > 4 else 0)
            weeks, day = divmod(first.weekday() + number, 5)
            return first + timedelta(days=7 * weeks + day - first.weekday())
        start = months_later(first.date(), number * self.months) if self.months else first.date()
        begin = datetime.combine(start, first.time())
        return begin + timedelta(days=number * self.days, seconds=number * self.seconds)

    def moments(self, first: datetime, now: datetime, most: int) -> Iterator[tuple[int, datetime]]:
        """With their numbers, in order: the last `most` that are not after `now`, and on. Without end."""
        number = max(0, self._last_until(first, now) - most)
        while True:
            try:
                yield number, self.nth(first, number)
            except (ValueError, OverflowError):  # beyond the year 9999
                return
            number += 1

    def _last_until(self, first: datetime, after: datetime) -> int:
        low, high = 0, 1
        while self._is_until(first, high, after):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._is_until(first, middle, after) else (low, middle)
        return low

    def _is_until(self, first: datetime, number: int, after: datetime) -> bool:
        try:
            return self.nth(first, number) <= after
        except (ValueError, OverflowError):
            return False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of RFC 5545. `text` has no UNTIL; `until` is what it said."""

    text: str
    until: Point | None = None

    def moments(self, first: datetime, now: datetime, most: int) -> Iterator[tuple[int, datetime]]:
        """In order: at least those of the `most` times twenty periods before `now`, and on. They are not counted:
        each has the number 0."""
        dates = _dates(self.text, _near(self.text, first, now, 20 * most))
        return ((0, at) for at in dropwhile(lambda at: at < first, dates))


Repetition = Every | Rule


def repetition(text: Any) -> Repetition:
    """What `recur` says. Raises NoPeriodError."""
    if isinstance(text, str):
        word = text.strip()
        if word.upper().startswith(("FREQ=", "RRULE:")) or ";FREQ=" in word.upper():
            return _rule(word)
        if (period := _every(word.lower())) is not None:
            return period
    raise _no_period(text)


def _no_period(text: Any) -> NoPeriodError:
    return NoPeriodError(
        f"{text!r} is not a period. Examples: daily, weekdays, weekly, monthly, yearly, 3d, 2w, 6m, P1W, "
        "FREQ=MONTHLY;BYDAY=1MO"
    )


def _every(word: str) -> Every | None:
    if word == "weekdays":
        return Every(weekdays=True)
    if (by := span(word)) is None:
        return None
    days, seconds = divmod(by.seconds, 86_400)
    return Every(by.months, by.days + days, seconds)


# --- RFC 5545 ------------------------------------------------------------------------------------------------

_ANY_RULE: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH"})
_LONG_RULE: Final = _ANY_RULE | {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}
_MAX_COUNT: Final = 10_000
_FIXED: Final = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}


def parts_of(text: str) -> dict[str, str]:
    """The parts of a rule by their names, both in capitals. Raises NoPeriodError."""
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            raise _no_period(text)
        parts[name] = value
    return parts


def _rule(text: str) -> Rule:
    parts = parts_of(text)
    allowed = {**dict.fromkeys(_FIXED, _ANY_RULE), "MONTHLY": _LONG_RULE, "YEARLY": _LONG_RULE}
    if not parts.keys() <= allowed.get(parts.get("FREQ", ""), frozenset()):
        raise _no_period(text)
    until = None
    if "UNTIL" in parts:
        until = point_of(_spelt(parts.pop("UNTIL")))
        if until is None:
            raise _no_period(text)
    rule = Rule(";".join(f"{name}={value}" for name, value in parts.items()), until)
    try:
        if not 0 < int(parts.get("INTERVAL", 1)) <= 10_000 or not 0 < int(parts.get("COUNT", 1)) <= _MAX_COUNT:
            raise _no_period(text)
        _dates(rule.text, datetime(2000, 1, 1))  # noqa: DTZ001
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise _no_period(text) from None
    return rule


def _dates(text: str, first: datetime) -> Iterable[datetime]:
    """Raises ValueError and its like for what is no rule."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415  most commands need no rule

    return rrulestr(text, dtstart=first)


def _spelt(text: str) -> str:
    """`20300102` as the day that it is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


def _near(text: str, first: datetime, now: datetime, periods: int) -> datetime:
    """A beginning from which the rule gives the same later moments, so many periods before `now`."""
    parts = parts_of(text)
    frequency, interval = parts["FREQ"], int(parts.get("INTERVAL", 1))
    if now <= first or "COUNT" in parts or frequency not in _FIXED:
        return first
    step = _FIXED[frequency] * interval
    return first + max(0, (now - first) // step - periods) * step
