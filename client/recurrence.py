"""Repeating tasks. Pure: what is now is told.

A task of the status `recurring` with `due` and `recur` is a pattern; each time it is due is a task of its own, its
occurrence, whose id comes from the pattern's id and that moment and which has nothing in it that depends on who makes
it or when. So two devices that both make an occurrence make the same one. `made_until` in the pattern says up to
which moment they were made; an occurrence that was deleted is not made again.

Patterns of Taskwarrior (they have a `mask`) are Taskwarrior's to make tasks of.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from client.ids import derived_id
from client.moments import months_later, utc, written
from shared.core.clock import instant
from shared.core.documents import Body

MOST: Final = 100
"""After a long absence the last so many are made; nobody waters plants of three years ago."""
_OF_THE_PATTERN: Final = frozenset({"id", "status", "recur", "made_until", "until", "modified", "due"})
_NAMES: Final = {
    "daily": (1, "d"),
    "weekdays": (1, "weekday"),
    "weekly": (1, "w"),
    "biweekly": (2, "w"),
    "fortnight": (2, "w"),
    "monthly": (1, "m"),
    "quarterly": (3, "m"),
    "semiannual": (6, "m"),
    "yearly": (1, "y"),
    "annual": (1, "y"),
}
_PERIOD: Final = re.compile(r"(\d{1,4})(d|w|m|y)\Z", re.ASCII)


class NoPeriodError(ValueError):
    """The message shows what is one."""


def period(text: Any) -> tuple[int, str]:
    """How many of which unit: d, w, m, y or weekday. Raises NoPeriodError."""
    if isinstance(text, str):
        if text in _NAMES:
            return _NAMES[text]
        if (match := _PERIOD.match(text)) and int(match[1]):
            return int(match[1]), match[2]
    raise NoPeriodError(f"{text!r} is no period; these are: daily, weekdays, weekly, monthly, yearly, 3d, 2w, 6m")


def is_pattern(body: Body) -> bool:
    return body.get("status") == "recurring" and "mask" not in body and utc(body.get("due")) is not None


def occurrences(pattern: Body, now: datetime) -> tuple[list[Body], Body]:
    """What is to be made now - all that is due, and the next one - and the pattern afterwards. Raises NoPeriodError.

    Doing it again with the pattern afterwards, at the same moment, makes nothing.
    """
    until = instant(pattern.get("until"))
    made = instant(pattern.get("made_until"))
    found: deque[datetime] = deque(maxlen=MOST)
    for due in _moments(pattern, now):
        if until is not None and due.timestamp() > until:
            break
        if made is None or due.timestamp() > made:
            found.append(due)
        if due > now:
            break
    after = {**pattern, "made_until": written(found[-1])} if found else pattern
    return [occurrence(pattern, due) for due in found], after


def occurrence(pattern: Body, due: datetime) -> Body:
    """The task for one moment of the pattern."""
    moment = written(due)
    inherited = {name: value for name, value in pattern.items() if name not in _OF_THE_PATTERN}
    identity = derived_id("occurrence", pattern["id"], moment)
    return {"id": identity, **inherited, "status": "pending", "due": moment, "parent": pattern["id"]}


def _moments(pattern: Body, now: datetime) -> Iterator[datetime]:
    """In order; of those before `now` at least the last MOST."""
    first = utc(pattern["due"])
    if first is None:
        return
    count, unit = period(pattern.get("recur"))
    days = {"d": count, "w": 7 * count, "weekday": 1}.get(unit)
    # Weekends are no weekdays, so twice as many as needed.
    number = max(0, (now - first).days // days - 2 * MOST) if days else 0
    due = first + timedelta(days=number * (days or 0))
    while True:
        if unit != "weekday" or due.weekday() < 5:
            yield due
        number += 1
        try:
            match unit:
                case "d" | "weekday":
                    due = first + timedelta(days=number * count)
                case "w":
                    due = first + timedelta(weeks=number * count)
                case _:
                    # From the first one on: the 31st is not forgotten in February.
                    months = number * count * (12 if unit == "y" else 1)
                    due = datetime.combine(months_later(first.date(), months), first.timetz())
        except (OverflowError, ValueError):  # beyond the year 9999
            return
