"""Spans of time as people write them: 3d, 2wks, 6mo, P1Y2M. Pure.

The units are those of Taskwarrior. Months, quarters and years are those of the calendar; a part of a month counts
thirty days to the month.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

MONTHS: Final = {
    **dict.fromkeys(("monthly", "months", "month", "mnths", "mths", "mth", "mos", "mo", "m"), 1),
    "bimonthly": 2,
    **dict.fromkeys(("quarterly", "quarters", "quarter", "qrtrs", "qrtr", "qtrs", "qtr", "q"), 3),
    "semiannual": 6,
    **dict.fromkeys(("annual", "yearly", "years", "year", "yrs", "yr", "y"), 12),
    **dict.fromkeys(("biannual", "biyearly"), 24),
}
SECONDS: Final = {
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s"), 1),
    **dict.fromkeys(("minutes", "minute", "mins", "min"), 60),
    **dict.fromkeys(("hourly", "hours", "hour", "hrs", "hr", "h"), 3600),
    **dict.fromkeys(("daily", "days", "day", "d"), 86_400),
    **dict.fromkeys(("weekly", "weeks", "week", "wks", "wk", "w"), 7 * 86_400),
    **dict.fromkeys(("biweekly", "fortnight", "sennight"), 14 * 86_400),
}
"""`sennight` has the fourteen days that it has in Taskwarrior."""

_NUMBERED: Final = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)?\s?([a-z]+)\Z", re.ASCII)
_ISO: Final = re.compile(
    r"P(?=\d|T\d)(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?\Z",
    re.ASCII,
)
_MONTH_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Span:
    """Calendar months and days, and seconds that pass. Never empty."""

    months: int = 0
    days: int = 0
    seconds: int = 0


def span(text: str) -> Span | None:
    """The span that `text` says; None if it says none. A letter without a number is a slip and none."""
    word = text.strip()
    return _numbered(word.lower()) or _iso(word.upper())


def _numbered(word: str) -> Span | None:
    if (match := _NUMBERED.match(word)) is None:
        return None
    count, unit = Fraction(match[1] or 1), match[2]
    if count <= 0 or (match[1] is None and len(unit) == 1):
        return None
    if unit in MONTHS:
        months = count * MONTHS[unit]
        if months.denominator == 1:
            return Span(months=int(months))
        return _of_seconds(int(months * _MONTH_DAYS * 86_400))
    if (seconds := SECONDS.get(unit)) is None:
        return None
    # 24h are hours that pass; a day may have 23 of them.
    return (
        Span(seconds=total)
        if seconds < 86_400 and (total := int(count * seconds))
        else _of_seconds(int(count * seconds))
    )


def _of_seconds(total: int) -> Span | None:
    days, seconds = divmod(total, 86_400)
    return Span(days=days, seconds=seconds) if total else None


def _iso(text: str) -> Span | None:
    if (match := _ISO.match(text)) is None:
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    read = Span(12 * years + months, 7 * weeks + days, 3600 * hours + 60 * minutes + seconds)
    return read if read != Span() else None
