"""Values of iCalendar properties: days, times, durations, zones and rules (RFC 5545, section 3.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from io import StringIO
from typing import Final

from client.formats.content_lines import Component, Line
from client.tasks.moments import Point
from client.tasks.periods import Every, NoPeriodError, Rule, parts_of, repetition
from client.tasks.recurrence import zone_named

_DAY: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)\Z", re.ASCII)
_TIME: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d):?(\d\d)?([Zz]?)\Z", re.ASCII)
_DURATION: Final = re.compile(
    r"\+?P(?=\d|T\d)(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?\Z",
    re.ASCII,
)
_ZONE_PARTS: Final = ("BEGIN", "END", "TZID", "DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "TZNAME", "RRULE", "RDATE")
_WORKING_DAYS: Final = "MO,TU,WE,TH,FR"


class BadValueError(ValueError):
    """The message says what is wrong with a value."""


class Zones:
    """The zones of a file: those of the IANA database by their name, others as the file defines them."""

    def __init__(self, calendars: Iterable[Component] = ()) -> None:
        self._defined: dict[str, Component] = {}
        self._made: dict[str, tzinfo | None] = {}
        for calendar in calendars:
            for component in calendar.components():
                name = component.value("TZID")
                if component.name == "VTIMEZONE" and name is not None:
                    self._defined[name] = component

    def name(self, text: str) -> str | None:
        """The name that the IANA database has for it."""
        inside = "/".join(text.strip("/").split("/")[-2:])  # /example.org/Europe/Berlin
        definition = self._defined.get(text)
        lic_location = definition.value("X-LIC-LOCATION") if definition is not None else None
        return next((name for name in (text, inside, lic_location) if zone_named(name) is not None), None)

    def zone(self, text: str) -> tzinfo | None:
        """None where it is neither known nor defined."""
        if text not in self._made:
            name = self.name(text)
            self._made[text] = zone_named(name) if name is not None else self._own(text)
        return self._made[text]

    def definition(self, text: str) -> Component | None:
        return self._defined.get(text)

    def _own(self, text: str) -> tzinfo | None:
        component = self._defined.get(text)
        if component is None:
            return None
        lines = [line for line in component.text().split("\r\n") if re.split("[:;]", line)[0].upper() in _ZONE_PARTS]
        from dateutil.tz import tzical  # noqa: PLC0415

        try:
            return tzical(StringIO("\r\n".join(lines) + "\r\n")).get(text)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None


def point(line: Line, zones: Zones) -> Point:
    """The day or moment that a property says. Raises BadValueError."""
    return one_point(line.value, line.parameters, zones)


def points(line: Line, zones: Zones) -> list[Point]:
    """Of a property with several values. Raises BadValueError."""
    return [one_point(value, line.parameters, zones) for value in line.value.split(",")]


def one_point(value: str, parameters: Mapping[str, str], zones: Zones) -> Point:
    text = value.strip()
    try:
        if match := _DAY.match(text):
            return date(*map(int, match.groups()))
        if match := _TIME.match(text):
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
            local = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001
            if match[7]:
                return local.replace(tzinfo=UTC)
            name = parameters.get("TZID")
            zone = zones.zone(name) if name is not None else None
            return local if zone is None else local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadValueError(f"{text!r} is neither a day nor a time: {error}") from None
    raise BadValueError(f"{text!r} is neither a day nor a time" if text else "it has no value")


def property_of(name: str, at: Point, zone: tzinfo | None = None, zone_name: str | None = None) -> str:
    """The property as a line. An instant is written in the zone, if there is one and it says which instant it is."""
    if not isinstance(at, datetime):
        return f"{name};VALUE=DATE:{_digits(at)}"
    if at.tzinfo is None:
        return f"{name}:{_digits(at)}"
    if zone is not None and zone_name is not None:
        local = at.astimezone(zone).replace(tzinfo=None, fold=0)
        if local.replace(tzinfo=zone).astimezone(UTC) == at:
            return f"{name};TZID={zone_name}:{_digits(local)}"
    return f"{name}:{_digits(at)}"


def _digits(at: Point) -> str:
    if not isinstance(at, datetime):
        return f"{at.year:04}{at.month:02}{at.day:02}"
    utc = at.astimezone(UTC) if at.tzinfo else at
    return f"{_digits(utc.date())}T{utc:%H%M%S}{'Z' if at.tzinfo else ''}"


def duration(value: str) -> timedelta:
    """Raises BadValueError."""
    match = _DURATION.match(value.strip().upper())
    if match is None:
        raise BadValueError(f"{value!r} is not a duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def later(at: Point, span: timedelta) -> Point:
    """A day stays one, if the span has no hours."""
    if isinstance(at, datetime) or not span.seconds:
        return at + span
    return datetime.combine(at, time(0)) + span


# --- rules ---------------------------------------------------------------------------------------------------


def recur_of(rule: str, first: Point) -> tuple[str, Point | None]:
    """What `recur` and `until` say for a rule whose first occurrence is that. Raises NoPeriodError."""
    parts = parts_of(rule)
    repeated = repetition(rule)
    assert isinstance(repeated, Rule)
    days = (first.month, first.day)
    plain = {name: value for name, value in parts.items() if name not in ("UNTIL", "WKST")}
    short = _short(plain, days)
    if short is None or ("WKST" in parts and plain.keys() > {"FREQ"}):
        return rule, None
    every = repetition(short)
    assert isinstance(every, Every)
    if repeated.until is not None and not _reaches_the_second(every, first, repeated.until):
        return rule, None
    return short, repeated.until


def _short(parts: Mapping[str, str], first: tuple[int, int]) -> str | None:
    count = int(parts.get("INTERVAL", 1))
    more = {name: value for name, value in parts.items() if name not in ("FREQ", "INTERVAL")}
    frequency, (_, day) = parts["FREQ"], first
    if count == 1 and frequency in ("DAILY", "WEEKLY") and more == {"BYDAY": _WORKING_DAYS}:
        return "weekdays"
    if frequency == "MONTHLY" and more == (_last_days(day) if day > 28 else {}):
        return f"{count}m"
    if frequency == "YEARLY" and more == (_LEAP_DAY if first == (2, 29) else {}):
        return f"{count}y"
    return f"{count}{frequency[0].lower()}" if frequency in ("DAILY", "WEEKLY") and not more else None


def _reaches_the_second(every: Every, first: Point, until: Point) -> bool:
    wall = first if isinstance(first, datetime) else datetime.combine(first, time(0))
    last = until if isinstance(until, datetime) else datetime.combine(until, time(23, 59, 59))
    try:
        return every.nth(wall.replace(tzinfo=None), 1) <= last.replace(tzinfo=None) - timedelta(hours=14)
    except (ValueError, OverflowError):
        return False


def _last_days(day: int) -> dict[str, str]:
    """The day of a month, or the last of a month that has no such day."""
    return {"BYMONTHDAY": ",".join(map(str, range(28, day + 1))), "BYSETPOS": "-1"}


_LEAP_DAY: Final = {"BYMONTH": "2", "BYMONTHDAY": "28,29", "BYSETPOS": "-1"}


def rule_of(recur: object, first: Point) -> str | None:
    """The rule that says the same, without UNTIL; None where none does."""
    try:
        repeated = repetition(recur)
    except NoPeriodError:
        return None
    if isinstance(repeated, Rule):
        return repeated.text
    parts = _parts(repeated, first)
    return None if parts is None else ";".join(f"{name}={value}" for name, value in parts.items() if value != "1")


def _parts(every: Every, first: Point) -> dict[str, str] | None:
    if every.weekdays:
        return {"FREQ": "WEEKLY", "BYDAY": _WORKING_DAYS}
    if every.months:
        if every.days or every.seconds:
            return None
        if every.months % 12 == 0:
            more = _LEAP_DAY if (first.month, first.day) == (2, 29) else {}
            return {"FREQ": "YEARLY", "INTERVAL": str(every.months // 12), **more}
        more = _last_days(first.day) if first.day > 28 else {}
        return {"FREQ": "MONTHLY", "INTERVAL": str(every.months), **more}
    if not every.seconds:
        weeks, days = divmod(every.days, 7)
        return {"FREQ": "DAILY", "INTERVAL": str(every.days)} if days else {"FREQ": "WEEKLY", "INTERVAL": str(weeks)}
    seconds = every.days * 86_400 + every.seconds
    for name, size in (("HOURLY", 3600), ("MINUTELY", 60), ("SECONDLY", 1)):
        if seconds % size == 0:
            return {"FREQ": name, "INTERVAL": str(seconds // size)}
    return None


# --- zones as they are written -------------------------------------------------------------------------------


def definition_of(name: str, zone: tzinfo, years: Iterable[int]) -> list[str]:
    """The lines of a VTIMEZONE with each change of the clock in these years."""
    wanted = sorted({year for year in years if 1 < year < 9999})
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    begin = datetime(wanted[0] if wanted else 1970, 1, 1, tzinfo=UTC)
    last = begin
    lines += _observance(last, zone)
    for year in range(begin.year, (wanted[-1] if wanted else 1970) + 1):
        for month in range(1, 13):
            start = datetime(year, month, 1, tzinfo=UTC)
            end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
            offsets = {_offset(at, zone) for at in (start, start + (end - start) / 2, end)}
            if len(offsets) > 1:
                lines += _changes(start, end, zone)
    return [*lines, "END:VTIMEZONE"]


def _changes(start: datetime, end: datetime, zone: tzinfo) -> list[str]:
    lines = list[str]()
    hours = int((end - start).total_seconds()) // 3600
    low = 0
    for high in range(24, hours + 1, 24):
        before, after = _offset(start + timedelta(hours=low), zone), _offset(start + timedelta(hours=high), zone)
        if before != after:
            change = next(
                minute for minute in range(low * 60, high * 60 + 1, 15)
                if _offset(start + timedelta(minutes=minute), zone) == after
            )  # fmt: skip
            lines += _observance(start + timedelta(minutes=change), zone)
        low = high
    return lines


def _observance(at: datetime, zone: tzinfo) -> list[str]:
    before, after = _offset(at - timedelta(minutes=15), zone), _offset(at, zone)
    kind = "DAYLIGHT" if at.astimezone(zone).dst() else "STANDARD"
    local = (at + before).replace(tzinfo=None)
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{_digits(local)}",
        f"TZOFFSETFROM:{_signed(before)}",
        f"TZOFFSETTO:{_signed(after)}",
        f"END:{kind}",
    ]


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _signed(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
