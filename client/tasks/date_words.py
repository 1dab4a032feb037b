"""Words for days: today, friday, eom, 23rd, january, easter, 2026-W50, and the arithmetic with them. Pure.

    sod eod sow eow som eom soq eoq soy eoy       start and end of this day, week, month, quarter, year
    sonw eonw sopw eopw ...                       of the next one, of the previous one
    soww eoww                                     Monday and Friday of this week
    monday mon ... january jan ...                the next one after today
    1st 23rd                                      the next such day of a month, after today
    2026-12 2026-340 2026-W50 2026-W50-3          first of the month, day of the year, ISO week and its day
    10:30                                         the next time that the clock shows this
    easter goodfriday ascension pentecost midsommar later someday
    today+3d eom-1w now+2h monday-1d+12h          any of them, and spans

Weeks begin on Monday.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from client.tasks.moments import Point
from client.tasks.spans import Span, span

__all__ = ["is_end", "months_later", "named", "shifted", "span", "summed"]

_ENDS: Final = frozenset({"eod", *(f"eo{which}{unit}" for which in ("", "n", "p") for unit in "wmqy"), "eoww"})
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PERIOD: Final = re.compile(r"([se])o([np]?)([wmqy])\Z", re.ASCII)
_ORDINAL: Final = re.compile(r"(\d{1,2})(st|nd|rd|th)\Z", re.ASCII)
_WEEK: Final = re.compile(r"(\d{4})-?w(\d\d)(?:-?([1-7]))?\Z", re.ASCII)
_MONTH: Final = re.compile(r"(\d{4})-(\d\d)\Z", re.ASCII)
_DAY_OF_YEAR: Final = re.compile(r"(\d{4})-(\d{3})\Z", re.ASCII)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\Z", re.ASCII)
_SUM: Final = re.compile(r"(.+?)\s*((?:[+-]\s*(?:\d{1,5}(?:\.\d{1,3})?\s?[a-z]+|p[0-9tymwdhs]+)\s*)+)\Z", re.ASCII)
_TERM: Final = re.compile(r"([+-])\s*([^+-]+)")
_EASTER: Final = {"goodfriday": -2, "easter": 0, "eastermonday": 1, "ascension": 39, "pentecost": 49}


def named(word: str, now: datetime) -> Point | None:
    """The day or moment of a word in lower case; None if it is none. Raises ValueError for what no calendar has."""
    today = now.date()
    match word:
        case "now":
            return now.replace(microsecond=0).astimezone(UTC)
        case "today" | "sod" | "eod":
            return today
        case "yesterday":
            return today - timedelta(days=1)
        case "tomorrow":
            return today + timedelta(days=1)
        case "later" | "someday":
            return date(9999, 12, 30)
        case "soww":
            return today - timedelta(days=today.weekday())
        case "eoww":
            return today + timedelta(days=4 - today.weekday())
    if match_ := _PERIOD.match(word):
        return _period(today, *match_.groups())
    return _weekday(word, today) or _month(word, today) or _feast(word, today) or _numbers(word, now)


def summed(word: str) -> tuple[str, list[tuple[int, Span]]] | None:
    """A date word with spans behind it, taken apart: the word, and each span with 1 or -1. None: it is no sum."""
    if (match := _SUM.match(word)) is None:
        return None
    terms = [(1 if sign == "+" else -1, span(text)) for sign, text in _TERM.findall(match[2])]
    read = [(sign, one) for sign, one in terms if one is not None]
    return (match[1], read) if len(read) == len(terms) else None


def is_end(text: str) -> bool:
    """Whether `text` says the end of a period, also of one that days are added to: as a day its last one, as a moment
    the moment after it."""
    word = text.strip().lower()
    parts = summed(word)
    return (word if parts is None else parts[0]) in _ENDS and not any(by.seconds for _, by in (parts or ("", []))[1])


def shifted(point: Point, sign: int, by: Span, now: datetime) -> Point:
    """`point` and a span. A day stays a day unless hours are added; hours of an instant are hours that pass, days and
    months are those of the wall clock. Raises ValueError, OverflowError beyond the calendar."""
    if not isinstance(point, datetime):
        if not by.seconds:
            return _moved(point, sign, by)
        point = datetime.combine(point, time(0))
    if point.tzinfo is not None:
        if not by.months and not by.days:
            return point + timedelta(seconds=sign * by.seconds)
        point = point.astimezone(now.tzinfo).replace(tzinfo=None, fold=0)
    wall = datetime.combine(_moved(point.date(), sign, by), point.time())
    return wall + timedelta(seconds=sign * by.seconds)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    month = day.month - 1 + months
    first = date(day.year + month // 12, month % 12 + 1, 1)
    return first.replace(day=min(day.day, monthrange(first.year, first.month)[1]))


def _moved(day: date, sign: int, by: Span) -> date:
    return months_later(day, sign * by.months) + timedelta(days=sign * by.days)


def _period(today: date, side: str, which: str, unit: str) -> date:
    step = {"": 0, "n": 1, "p": -1}[which]
    if unit == "w":
        start = today + timedelta(days=7 * step - today.weekday())
        return start if side == "s" else start + timedelta(days=6)
    months = {"m": 1, "q": 3, "y": 12}[unit]
    first = today.replace(day=1, month=today.month - (today.month - 1) % months)
    start = months_later(first, months * step)
    return start if side == "s" else months_later(start, months) - timedelta(days=1)


def _weekday(word: str, today: date) -> date | None:
    days = [day for day, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)]
    return today + timedelta(days=(days[0] - today.weekday() - 1) % 7 + 1) if days else None


def _month(word: str, today: date) -> date | None:
    numbers = [number for number, name in enumerate(_MONTHS, 1) if len(word) >= 3 and name.startswith(word)]
    if not numbers:
        return None
    return date(today.year + (numbers[0] <= today.month), numbers[0], 1)


def _feast(word: str, today: date) -> date | None:
    if word not in _EASTER and word not in ("midsommar", "midsommarafton"):
        return None
    for year in (today.year, today.year + 1):
        if (day := _feast_of(word, year)) >= today:
            return day
    return None


def _feast_of(word: str, year: int) -> date:
    if word in _EASTER:
        return _easter(year) + timedelta(days=_EASTER[word])
    saturday = date(year, 6, 20) + timedelta(days=(5 - date(year, 6, 20).weekday()) % 7)
    return saturday if word == "midsommar" else saturday - timedelta(days=1)


def _easter(year: int) -> date:
    """The anonymous Gregorian algorithm (Meeus, Jones, Butcher)."""
    golden, century, rest = year % 19, *divmod(year, 100)
    leap, left = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - correction + 15) % 30
    quarter, over = divmod(rest, 4)
    weekday = (32 + 2 * left + 2 * quarter - epact - over) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _numbers(word: str, now: datetime) -> Point | None:
    today = now.date()
    if match := _ORDINAL.match(word):
        return _ordinal(int(match[1]), match[2], today)
    if match := _WEEK.match(word):
        return date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
    if match := _MONTH.match(word):
        return date(int(match[1]), int(match[2]), 1)
    if match := _DAY_OF_YEAR.match(word):
        day = date(int(match[1]), 1, 1) + timedelta(days=int(match[2]) - 1)
        return day if day.year == int(match[1]) else None
    if match := _CLOCK.match(word):
        at = datetime.combine(today, time(int(match[1]), int(match[2]), int(match[3] or 0)))
        return at if at > now.replace(tzinfo=None, fold=0) else at + timedelta(days=1)
    return None


def _ordinal(number: int, ending: str, today: date) -> date | None:
    right = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    if ending != right or not 1 <= number <= 31:
        return None
    for month in range(13):
        first = months_later(today.replace(day=1), month)
        if number <= monthrange(first.year, first.month)[1] and (day := first.replace(day=number)) > today:
            return day
    return None
