"""What the command line makes of words, for the web client to do the same: python -m tests.web.app_vectors SEED COUNT

JSON on standard output. The zone is the one of the environment (TZ).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Any

from client.tasks.filters import filter_of
from client.tasks.local_time import Here
from client.tasks.modifications import modification_of
from client.tasks.moments import NoMomentError, stored
from client.tasks.periods import NoPeriodError
from client.tasks.recurrence import is_pattern, occurrences
from client.tasks.urgency import urgency
from client.tasks.view import View
from client.tasks.words import WordError
from shared.core.json.strict import FaultError

MOMENTS = [1_774_647_000, 1_792_877_400, 1_798_761_540, 1_709_208_000]
"""Before the clocks change in spring and in autumn, before midnight of New Year's Eve, on a leap day."""
DATES = [
    "today", "tomorrow", "yesterday", "now", "eod", "sod", "eow", "sow", "soww", "eoww", "som", "eom", "sonm", "eopm",
    "soq", "eonq", "soy", "eoy", "monday", "fri", "sunday", "january", "mar", "1st", "23rd", "31st", "11th", "12st",
    "easter", "goodfriday", "pentecost", "midsommar", "midsommarafton", "someday", "2026-12-24", "2026-02-30",
    "2026-12-24T18:00", "2026-12-24T18:00Z", "20261224T180000Z", "2026-12-24T18:00+01:00", "2026-03-29T02:30",
    "2026-W50", "2026-W50-3", "2026w53", "2027-W53", "2026-12", "2026-13", "2026-340", "2026-366", "10:30", "23:59",
    "24:00", "3d", "2w", "6m", "1y", "36h", "-3d", "+2wk", "P1Y2M", "PT3H", "1.5d", "0d", "d", "monday-1d+12h",
    "today+3d", "eom-1w", "now+2h", "2026-01-31+1mo", "eom+2q", "nothing", "12", "", "9999-12-31+2d", "fortnight",
    "2wks", "daily", "annual", "quarterly", "1min", "90min",
]  # fmt: skip
TEXTS = ["milk", "buy", "Note:", "https://example.org", "12:30", "naïve", "a:", "-", "+", "x+y", "/mil/", "été", "3"]
FIELDS = ["project", "priority", "estimate", "area.room", "who", "status", "tags"]
NESTED = ["area", "area.room", "area.room", "area.room.x", "tags", "tags.x"]
"""Which may be inside each other, or named with the dot."""
VALUES = ["home", "home.garden", "H", "3", "2.5", "true", "", "a,b", "x y", "Öl"]
JSONS = ["3", "true", '"x"', "[1,2]", '{"a": 1}', "{", "null", "1e2", "9007199254740993"]
MODIFIERS = ["is", "isnt", "not", "has", "hasnt", "before", "after", "by", "any", "none", "startswith", "endswith",
             "word", "noword", "over", "under", "contains"]  # fmt: skip
TAGS = ["errand", "shop", "next", "OVERDUE", "TODAY", "WEEK", "BLOCKED", "READY", "DUE", "MONTH", "WAITING", "UDA",
        "TAGGED", "YEAR", "QUARTER", "PENDING", "COMPLETED", "TOMORROW", "BLOCKING", "ACTIVE"]  # fmt: skip

PERIODS = ["daily", "weekdays", "weekly", "biweekly", "monthly", "quarterly", "yearly", "3d", "2w", "6m", "1y", "36h",
           "12hrs", "P1W", "P1M2D", "PT12H", "90min", "1.5d", "nothing", "", 3]  # fmt: skip
STARTS = ["2026-03-27", "2026-01-31", "2024-02-29", "2025-06-07", "2026-10-25T02:30:00", "2026-03-29T02:30:00",
          "2026-03-01T09:00:00", "2026-03-20T17:00:00Z", "20260301T180000Z", "2025-10-26T00:30:00Z", "9999-11-30",
          "2030-01-01", "0001-01-05", "soon"]  # fmt: skip
PLACES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Nowhere/At_All", ""]


def change_word(random: Random) -> str:
    way = random.randrange(9)
    if way == 8:
        values = [":", ":x", ":2", ":=null", ":={}", ':={"room": 1}', ':={"room": {"x": 2}}']
        return random.choice(NESTED) + random.choice(values)
    if way == 0:
        return random.choice(["+", "-"]) + random.choice(["errand", "shop", "größe", "a-b"])
    if way == 1:
        return f"{random.choice(['due', 'wait', 'scheduled', 'until'])}:{random.choice(DATES)}"
    if way == 2:
        return f"{random.choice(FIELDS)}:={random.choice(JSONS)}"
    if way in (3, 4):
        return f"{random.choice(FIELDS)}:{random.choice(VALUES)}"
    if way == 5 and random.random() < 0.3:
        return random.choice(["--", "--x", "id:x", "due.before:friday"])
    return random.choice(TEXTS)


def filter_word(random: Random) -> str:
    way = random.randrange(9)
    if way == 0:
        return random.choice(["+", "-", "!+"]) + random.choice(TAGS)
    if way == 1:
        return f"due.{random.choice(['before', 'after', 'by'])}:{random.choice(DATES)}"
    if way == 2:
        return f"{random.choice(['due', 'due.not', 'due.is', 'wait'])}:{random.choice(DATES)}"
    if way == 3:
        return (
            f"{random.choice([*FIELDS, 'description', 'urgency'])}.{random.choice(MODIFIERS)}:{random.choice(VALUES)}"
        )
    if way == 4:
        return f"{random.choice(FIELDS)}:{random.choice(VALUES)}"
    if way == 5:
        return random.choice(["or", "and", "xor", "!", "(", ")", "(+errand or milk)", "!(buy and +shop)"])
    if way == 6:
        return f"{random.choice(FIELDS)}:={random.choice(JSONS)}"
    return random.choice(TEXTS[:2] + TEXTS[5:6] + ["/mil/", "zzz", "task"])


def body(random: Random, number: int, now: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {"id": f"task{number:04}", "description": " ".join(random.choices(TEXTS[:6], k=3))}
    chance: dict[str, Callable[[], Any]] = {
        "status": lambda: random.choice(["pending", "completed", "deleted", "recurring", "waiting", 3]),
        "tags": lambda: random.choice([["errand"], ["shop", "errand"], ["next"], [], "x"]),
        "project": lambda: random.choice(["home", "home.garden", "", "Öl"]),
        "priority": lambda: random.choice(["H", "M", "L", "X"]),
        "estimate": lambda: random.choice([3, 2.5, 100, "3"]),
        "area": lambda: random.choice([{"room": "x y"}, {"room": {"x": 1}, "room.x": 2}, {}, "home"]),
        "area.room": lambda: random.choice(["x", {"x": 3}, None]),
        "depends": lambda: random.choice([["task0001"], "task0002,task0003", ["gone"]]),
        "start": lambda: "2026-01-01T00:00:00Z",
        "annotations": lambda: [{"entry": "2026-01-01T00:00:00Z", "description": "milk"}],
        "done": lambda: random.choice([True, False, None]),
    }
    for name, value in chance.items():
        if random.random() < 0.3:
            found[name] = value()
    for name in ("due", "wait", "scheduled", "entry", "until"):
        if random.random() < 0.4:
            try:
                found[name] = stored(random.choice(DATES), now)
            except NoMomentError:
                found[name] = random.choice(["soon", 12, None, ""])
    return found


def pattern(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"id": f"pattern{random.randrange(9)}", "description": "water", "status": "recurring"}
    found |= {"due": random.choice(STARTS), "recur": random.choice(PERIODS), "tags": ["home"]}
    if random.random() < 0.05:
        found["status"] = "pending"
    chance: dict[str, Callable[[], Any]] = {
        "wait": lambda: random.choice(["2026-03-25", "2026-03-20T08:00:00", "2026-03-19T08:00:00Z", "x"]),
        "scheduled": lambda: random.choice(["2026-03-26", "20260319T080000Z"]),
        "until": lambda: random.choice(["2026-04-01", "2026-03-28", "2026-11-01T00:00:00Z", "2027-01-01T12:00:00"]),
        "made_until": lambda: random.choice(["2026-03-28", "2026-03-27T17:00:00Z", "2026-10-25T02:30:00"]),
        "exdates": lambda: random.sample(["2026-03-28", "2026-03-29", "2026-04-03T17:00:00Z", "2026-10-25", 3], 3),
        "timezone": lambda: random.choice(PLACES),
        "mask": lambda: random.choice(["", "-", "+-X", "------"]),
    }
    for name, value in chance.items():
        if random.random() < 0.25:
            found[name] = value()
    return found


def repeats(random: Random) -> dict[str, Any]:
    """A pattern, and what is to be made of it: null where it is none."""
    at, task = random.choice(MOMENTS), pattern(random)
    taken = random.sample(range(6), random.randrange(3))
    found: dict[str, Any] = {"now": at, "pattern": task, "taken": taken, "made": None}
    if is_pattern(task):
        with suppress(NoPeriodError):
            made, after = occurrences(task, datetime.fromtimestamp(at, Here()), frozenset(taken))
            found["made"] = {"occurrences": made, "pattern": after}
    return found


def outcome(make: Callable[[], Any]) -> Any:
    """What comes of it; `{"error"}` if it is refused."""
    try:
        return {"value": make()}
    except (WordError, NoMomentError, FaultError):
        return {"error": True}


def vectors(seed: int, count: int) -> dict[str, Any]:
    random = Random(seed)
    found: dict[str, list[Any]] = {"dates": [], "changes": [], "filters": [], "urgencies": [], "repeats": []}
    for at in MOMENTS:
        now = datetime.fromtimestamp(at, Here())
        for text in DATES:
            found["dates"].append({"now": at, "text": text, **outcome(lambda: stored(text, now))})  # noqa: B023
    for number in range(count):
        found["repeats"].append(repeats(random))
        at = random.choice(MOMENTS)
        now = datetime.fromtimestamp(at, Here())
        bodies = [body(random, place, now) for place in range(12)]
        changing = [change_word(random) for _ in range(random.randrange(1, 5))]
        made = outcome(lambda: modification_of(changing, now)(bodies[0]))  # noqa: B023
        found["changes"].append({"now": at, "words": changing, "body": bodies[0], **made})
        view, lenient = View.of(bodies, now), View.of(bodies, now)
        lenient.fields = None  # any may be meant: the client says nothing of names that are nearly known
        filtering = [filter_word(random) for _ in range(random.randrange(1, 5))]
        fitting = outcome(
            lambda: [
                one["id"]
                for one in bodies  # noqa: B023
                if filter_of(filtering, now, lenient)(one)  # noqa: B023
            ]
        )
        found["filters"].append({"now": at, "words": filtering, "bodies": bodies, **fitting})
        if number % 10 == 0:
            values = [urgency(one, view) for one in bodies]
            found["urgencies"].append({"now": at, "bodies": bodies, "value": values})
    return found


if __name__ == "__main__":
    json.dump(vectors(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
