"""Tasks for the comparison with Taskwarrior: the same for the same seed."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

WORDS: Final = ["buy", "call", "write", "read", "paint", "mend", "water", "plan", "send", "fix"]
THINGS: Final = ["milk", "Ann", "report", "book", "wall", "bicycle", "garden", "holiday", "letter", "roof"]
PROJECTS: Final = ("home", "home.garden", "home.kitchen", "work", "work.reports", "club")
TAGS: Final = ("errand", "shop", "office", "phone", "next", "slow")


def seeded(count: int, now: datetime, seed: int = 16) -> list[dict[str, Any]]:
    """So many tasks as `task import` takes them: pending, waiting, begun, done, with dependencies and notes. No
    moment is nearer to `now` than an hour, nor on the edge of a day."""
    chance = random.Random(seed)

    def at(days: float) -> str:
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        moment = noon + timedelta(days=int(days), minutes=chance.choice((-200, -77, 61, 133)))
        return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    tasks: list[dict[str, Any]] = []
    for number in range(count):
        kind = chance.random()
        task: dict[str, Any] = {
            "uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "description": f"{chance.choice(WORDS)} {chance.choice(THINGS)} {number}",
            "entry": at(-chance.randint(2, 500)),
            "status": "completed" if kind < 0.25 else "pending",
        }
        task["modified"] = task["entry"]
        if task["status"] == "completed":
            task["end"] = at(-chance.randint(1, 2))
        optional = {
            "project": (0.6, lambda: chance.choice(PROJECTS)),
            "priority": (0.4, lambda: chance.choice("HML")),
            "tags": (0.5, lambda: sorted(chance.sample(TAGS, chance.randint(1, 3)))),
            "due": (0.5, lambda: at(chance.choice((-40, -9, -3, -1, 1, 2, 4, 6, 9, 20, 45, 200, 400)))),
            "scheduled": (0.2, lambda: at(chance.choice((-5, -1, 3, 30)))),
            "wait": (0.15, lambda: at(chance.choice((-3, 2, 20)))),
            "start": (0.1, lambda: at(-1)),
            "until": (0.1, lambda: at(900)),
        }
        for name, (likely, value) in optional.items():
            if chance.random() < likely and not (name == "start" and task["status"] == "completed"):
                task[name] = value()
        if chance.random() < 0.1:
            notes = [{"entry": at(-n - 1), "description": f"note {n}"} for n in range(chance.randint(1, 4))]
            task["annotations"] = sorted(notes, key=lambda note: note["entry"])
        if tasks and chance.random() < 0.15:
            task["depends"] = [chance.choice(tasks)["uuid"]]
        tasks.append(task)
    return tasks
