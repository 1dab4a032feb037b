"""Repeating tasks. Pure: what is now is told, and with it the zone of the user.

A task of the status `recurring` with `due` and `recur` is a pattern; each time it is due is a task of its own, its
occurrence, whose id comes from the pattern's id and that moment and which has nothing in it that depends on who makes
it or when. So two devices that both make an occurrence make the same one. `made_until` in the pattern says up to
which moment they were made; an occurrence that was deleted is not made again, nor one that `exdates` names.

A pattern that is due on a day repeats on days, one that is due at a local time at that time of the clock on the wall;
an instant repeats in the zone that `timezone` names, else in UTC. `wait` and `scheduled` keep their distance to
`due`. `until` ends the series; if that is before its second occurrence it is meant for each of them, and moves
likewise.

A pattern of Taskwarrior that Taskwarrior has made tasks of (it has a `mask`) goes on where the mask ends, at the
local time of the user as Taskwarrior does; the id of an occurrence comes from its number (`imask`) then.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from client.tasks.ids import derived_id
from client.tasks.moments import Point, point_of, since_1970, text_of_point, written
from client.tasks.periods import Every, NoPeriodError, Repetition, Rule, repetition
from shared.core.identifiers import Body, DocumentId

__all__ = ["MOST", "NoPeriodError", "Series", "is_pattern", "occurrence", "occurrences", "zone_named"]

MOST: Final = 100
"""After a long absence the last so many are made; nobody waters plants of three years ago."""
MOVING: Final = ("wait", "scheduled", "until")
"""Fields that keep their distance to `due`."""
_OF_THE_PATTERN: Final = frozenset(
    {"id", "status", "recur", "made_until", "until", "modified", "due", "exdates", "timezone", "ical"}
    | {"mask", "uuid", "taskwarrior_id", "taskwarrior_modified", "urgency", "uid"}
)
_BASIC: Final = re.compile(r"\d{8}T\d{6}Z\Z", re.ASCII)


def is_pattern(body: Body) -> bool:
    """Whether tasks are to be made of it; whether its period is understood is another question."""
    return body.get("status") == "recurring" and point_of(body.get("due")) is not None


def occurrences(pattern: Body, now: datetime, taken: AbstractSet[int] = frozenset()) -> tuple[list[Body], Body]:
    """What is to be made now - all that is due, and the next one - and the pattern afterwards. Raises NoPeriodError.

    Doing it again with the pattern afterwards, at the same moment, makes nothing. `taken`: numbers of occurrences
    that Taskwarrior has made.
    """
    series = Series.of(pattern, now.tzinfo)
    due: deque[Occurrence] = deque(maxlen=MOST)
    for one in series.around(now):
        if series.is_over(one.wall):
            break
        if series.is_to_be_made(one) and one.number not in taken:
            due.append(one)
        if series.at(one.wall) > now.timestamp():
            break
    after = {**pattern, "made_until": series.text(due[-1].wall, basic=False)} if due else pattern
    return [series.body(one) for one in due], after


def occurrence(pattern: Body, due: Point, number: int = 0) -> Body:
    """The task for one moment of the pattern. Raises NoPeriodError."""
    series = Series.of(pattern, UTC)
    return series.body(Occurrence(series.wall_of(due), number))


def occurrence_id(series: str, due: Point) -> DocumentId:
    """The id of the occurrence of a series at that day or moment: the same for the day, its midnight in UTC and its
    midnight on the wall, as it was before days were told apart from moments."""
    wall = due if isinstance(due, datetime) else datetime.combine(due, time(0))
    return derived_id("occurrence", series, written(wall if wall.tzinfo else wall.replace(tzinfo=UTC)))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`wall`: what the clock of the series shows, without an offset."""

    wall: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Series:
    """The occurrences of one pattern."""

    pattern: Body
    repeats: Repetition
    first: Point
    zone: tzinfo
    """Where the clock of the series hangs."""
    here: tzinfo
    mask: int | None
    """How many Taskwarrior has made; None: it is no pattern of Taskwarrior's with a mask."""

    @staticmethod
    def of(pattern: Body, here: tzinfo | None) -> Series:
        """Raises NoPeriodError."""
        first = point_of(pattern.get("due"))
        if first is None:
            raise NoPeriodError(f"{pattern.get('due')!r} is neither a day nor a time that a task can repeat from")
        here = here or UTC
        mask = pattern.get("mask")
        made_count = len(mask) if isinstance(mask, str) else None
        named = pattern.get("timezone")
        zone: tzinfo | None = UTC if named is None else zone_named(named)
        if zone is None:
            raise NoPeriodError(f"{named!r} is not a known time zone")
        return Series(
            pattern,
            repetition(pattern.get("recur")),
            first,
            here if made_count is not None else zone,
            here,
            made_count,
        )

    def around(self, now: datetime, most: int = MOST) -> Iterator[Occurrence]:
        """In order: the last `most` before now, if there are so many, and on."""
        first, until = self.wall_of(self.first), now.astimezone(self._clock).replace(tzinfo=None)
        for number, wall in self.repeats.moments(first, until, most):
            yield Occurrence(wall, number)

    def is_over(self, wall: datetime) -> bool:
        ends = self.repeats.until if isinstance(self.repeats, Rule) else None
        if ends is None and not self.until_moves:
            ends = point_of(self.pattern.get("until"))
        return ends is not None and self._is_after(wall, ends)

    def is_to_be_made(self, one: Occurrence) -> bool:
        """Whether it was not made before, nor taken out."""
        if self.mask is not None and one.number < self.mask:
            return False
        made_until = point_of(self.pattern.get("made_until"))
        if made_until is not None and not self._is_after(one.wall, made_until):
            return False
        exdates = self.pattern.get("exdates")
        excluded = map(point_of, exdates if isinstance(exdates, list) else ())
        return all(point is None or self.at(one.wall) != since_1970(point, self.here) for point in excluded)

    def body(self, one: Occurrence) -> Body:
        """The task of that moment."""
        inherited = {name: value for name, value in self.pattern.items() if name not in _OF_THE_PATTERN}
        basic = self.mask is not None and _BASIC.match(self.pattern["due"]) is not None
        due = self.text(one.wall, basic=basic)
        moved: Body = {name: self._moved(self.pattern.get(name), one.wall) for name in MOVING if name in self.pattern}
        if not self.until_moves:
            moved.pop("until", None)
        if self.mask is None:
            identity = occurrence_id(self.pattern["id"], self.point(one.wall))
        else:
            identity = derived_id("occurrence", self.pattern["id"], f"#{one.number}")
            inherited["imask"] = one.number
        parent = self.pattern["id"]
        return {"id": identity, **inherited, **moved, "status": "pending", "due": due, "parent": parent}

    # --- the clock of the series ---

    @property
    def _clock(self) -> tzinfo:
        """What the wall of this series shows: its zone, or the user's for days and local times."""
        point = self.first
        return self.zone if isinstance(point, datetime) and point.tzinfo is not None else self.here

    def wall_of(self, point: Point) -> datetime:
        if not isinstance(point, datetime):
            return datetime.combine(point, time(0))
        if point.tzinfo is None:
            return point
        try:
            return point.astimezone(self._clock).replace(tzinfo=None)
        except (ValueError, OverflowError):  # at the ends of the calendar
            return point.replace(tzinfo=None)

    def point(self, wall: datetime) -> Point:
        """The moment as the pattern's `due` is one: a day, a local time or an instant."""
        if not isinstance(self.first, datetime):
            return wall if self._has_hours else wall.date()
        return wall if self.first.tzinfo is None else wall.replace(tzinfo=self.zone)

    @property
    def _has_hours(self) -> bool:
        """Whether it repeats within a day: what begins on a day goes on at local times then."""
        repeats = self.repeats
        return bool(repeats.seconds) if isinstance(repeats, Every) else "FREQ=HOURLY" in repeats.text

    def at(self, wall: datetime) -> float:
        return since_1970(self.point(wall), self.here)

    def text(self, wall: datetime, *, basic: bool) -> str:
        text = text_of_point(self.point(wall))
        return text.replace("-", "").replace(":", "") if basic else text

    def _is_after(self, wall: datetime, limit: Point) -> bool:
        """A day as a limit is all of it."""
        if not isinstance(limit, datetime):
            return wall.date() > limit
        return self.at(wall) > since_1970(limit, self.here)

    # --- what moves with it ---

    @property
    def until_moves(self) -> bool:
        """Whether `until` is a day or moment of each occurrence: before the second one, a series would be none."""
        until = point_of(self.pattern.get("until"))
        if until is None or self.mask is not None or isinstance(self.repeats, Rule):
            return False
        try:
            first = self.wall_of(self.first)
            return not self._is_after(first, until) and self._is_after(self.repeats.nth(first, 1), until)
        except (ValueError, OverflowError):
            return False

    def _moved(self, value: Any, wall: datetime) -> Any:
        point = point_of(value)
        if point is None:
            return value
        distance = wall - self.wall_of(self.first)
        try:
            moved = _shifted(point, distance, self.zone)
        except (ValueError, OverflowError):
            return value
        text = text_of_point(moved)
        return text.replace("-", "").replace(":", "") if isinstance(value, str) and _BASIC.match(value) else text


def _shifted(point: Point, distance: timedelta, zone: tzinfo) -> Point:
    if not isinstance(point, datetime):
        day: date = point + distance
        return day
    if point.tzinfo is None:
        return point + distance
    return (point.astimezone(zone).replace(tzinfo=None) + distance).replace(tzinfo=zone)


def zone_named(name: Any) -> tzinfo | None:
    """The zone of that name in the IANA database; None if there is none."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
