"""Days and moments: as people write them (tomorrow, friday, 3d, 2026-12-24), and as they stand in a task. Pure: what
is now is told, and with it the zone of the user.

In a task stands one of three things (a Point):

    2026-12-24                a day: all of it, the same day in every zone
    2026-12-24T18:00:00       a local time: what the clock on the user's wall shows, in summer and in winter
    2026-12-24T17:00:00Z      an instant (RFC 3339, or Taskwarrior's 20261224T170000Z): the same everywhere

What people write without a time is stored as a day, a time without a zone as a local time. A day and a local time are
compared with instants as what they are where the user is; a day is then its beginning.

Laws (tests/unit/client/tasks/test_moments.py):
    moment(written(t), now) == t for every t of whole seconds
    point_of(text_of_point(p)) == p
    stored(stored(text, now), now) == stored(text, now)
    the day that is shown of a day does not depend on the zone
    the result does not depend on the zone that `now` is told in, as long as the text has one itself
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any, Final

from shared.core.merge.clock import instant

Point = date | datetime
"""A day (`date`), a local time (`datetime` without an offset) or an instant (`datetime` with one)."""
FIELDS: Final = frozenset({"due", "wait", "scheduled", "until", "start", "end", "entry"})
"""Fields of a task whose values are days or moments."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH).total_seconds()
_END: Final = (datetime.max.replace(tzinfo=UTC, microsecond=0) - _EPOCH).total_seconds()
"""Of the instants that Python has a calendar for."""


class NoMomentError(ValueError):
    """The message shows what is one."""


# --- what people write ---------------------------------------------------------------------------------------


def moment(text: str, now: datetime) -> datetime:
    """The moment that `text` says, in UTC; of a day the beginning. `now` has an offset. Raises NoMomentError."""
    try:
        point = _meant(text, now)
        if point is not None and is_end(text) and not isinstance(point, datetime):
            point += timedelta(days=1)
        if point is not None:
            return _in_utc(placed(point, now.tzinfo))
    except (ValueError, OverflowError):  # the 30th of February, the year 12000
        pass
    raise _no_moment(text)


def _in_utc(at: datetime) -> datetime:
    """In the first and last hours of the calendar the nearest moment that UTC has."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if at.year == 1 else datetime.max.replace(tzinfo=UTC)


def stored(text: str, now: datetime) -> str:
    """What `text` says, as it stands in a task: a day where no time was said. Raises NoMomentError."""
    try:
        point = _meant(text, now)
    except (ValueError, OverflowError):
        point = None
    if point is None:
        raise _no_moment(text)
    return text_of_point(point)


def _no_moment(text: str) -> NoMomentError:
    return NoMomentError(
        f'"{text}" is not a date. Examples: 2026-12-24, 2026-12-24T18:00, tomorrow, friday, 3d, 2w, eom'
    )


def _meant(text: str, now: datetime) -> Point | None:
    """Raises ValueError, OverflowError."""
    word = text.strip().lower()
    if (at := instant(text.strip())) is not None:
        return datetime.fromtimestamp(at, UTC)
    if (day := _on_day(word)) is not None:
        return day
    from client.tasks.date_words import named  # noqa: PLC0415  what stands in tasks has no words

    return named(word, now) or _summed(word, now)


def _summed(word: str, now: datetime) -> Point | None:
    """A word with spans behind it, or a span alone: from now on, or `-3d` before now."""
    from client.tasks.date_words import shifted, span, summed  # noqa: PLC0415  as above

    sign, alone = (-1, word[1:]) if word.startswith("-") else (1, word.removeprefix("+"))
    if (alone[:1].isdigit() or alone[:1] == "p") and (alone_span := span(alone)) is not None:
        return shifted(now.replace(microsecond=0).astimezone(UTC), sign, alone_span, now)
    if (parts := summed(word)) is None or (start := _meant(parts[0], now)) is None:
        return None
    point: Point = start
    for sign, by in parts[1]:
        point = shifted(point, sign, by, now)
    return point


def is_end(text: str) -> bool:
    """Whether `text` says the end of a period: client/tasks/date_words.py."""
    from client.tasks import date_words  # noqa: PLC0415  as above

    return date_words.is_end(text)


@cache
def _day_and_local() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Made when they are needed: that takes time."""
    return (
        re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z", re.ASCII),
        re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?\Z", re.ASCII),
    )


def _on_day(word: str) -> Point | None:
    """Raises ValueError for a day that no month has."""
    day_alone, local = _day_and_local()
    if match := day_alone.match(word):
        return date(*map(int, match.groups()))
    if match := local.match(word):
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        return datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001  a local time
    return None


# --- what stands in a task -----------------------------------------------------------------------------------


def point_of(value: Any) -> Point | None:
    """The day or moment that a field says; None if it is none, or one that no calendar of Python has. Instants are
    in UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = instant(value)
        return _on_day(value) if at is None else datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError):
        return None


def text_of_point(point: Point) -> str:
    """As it stands in a task; without what is shorter than a second."""
    if not isinstance(point, datetime):
        return point.isoformat()
    if point.tzinfo is None:
        return point.replace(microsecond=0, fold=0).isoformat()
    return written(point)


def is_day(value: Any) -> bool:
    """Whether a field says a day and no time."""
    point = point_of(value)
    return point is not None and not isinstance(point, datetime)


def placed(point: Point, zone: tzinfo | None) -> datetime:
    """The instant where the user is: of a day its beginning. It has an offset."""
    if not isinstance(point, datetime):
        point = datetime.combine(point, time(0))
    return point.replace(tzinfo=zone or UTC) if point.tzinfo is None else point


def seconds(value: Any, zone: tzinfo | None) -> float | None:
    """When that is, in seconds since 1970; None if the field says no moment."""
    if isinstance(value, str) and (at := instant(value)) is not None and _FIRST <= at < _END and at.is_integer():
        return at  # as nearly all are
    point = point_of(value)
    return None if point is None else since_1970(point, zone)


def since_1970(point: Point, zone: tzinfo | None) -> float:
    """Also of the first and the last day of the calendar, which begin outside it somewhere."""
    return (placed(point, zone) - _EPOCH).total_seconds()


def day_of(value: Any, zone: tzinfo | None) -> date | None:
    """The day that this is where the user is."""
    point = point_of(value)
    if isinstance(point, datetime) and point.tzinfo is not None:
        try:
            return point.astimezone(zone or UTC).date()
        except (ValueError, OverflowError):  # the last day of the year 9999 is over somewhere
            return None
    return point.date() if isinstance(point, datetime) else point


def utc(value: Any) -> datetime | None:
    """The instant that a field says; None if it says none, a day or a local time."""
    point = point_of(value)
    return point if isinstance(point, datetime) and point.tzinfo is not None else None


def written(at: datetime) -> str:
    """An instant as it stands in a task; without what is shorter than a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def shown(value: Any, now: datetime) -> str:
    """The day, and the time if it is not midnight, where the user is; what is no moment as it stands."""
    point = point_of(value)
    if point is None:
        return str(value)
    if not isinstance(point, datetime):
        return point.isoformat()
    try:
        local = point if point.tzinfo is None else point.astimezone(now.tzinfo)
    except (ValueError, OverflowError):  # the last day of the year 9999 is over somewhere
        return str(value)
    return local.date().isoformat() + ("" if local.time() == time(0) else local.strftime(" %H:%M"))
