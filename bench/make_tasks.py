"""Tasks for measurements and tests, as many and as varied as wanted, the same for the same seed.

    python bench/make_tasks.py 10000 > tasks.json             what `task import` reads
    python bench/make_tasks.py 10000 --real > export.json     what `task export` makes of it: needs `task`

`--real` puts the tasks through the real program, in a directory of its own that is removed afterwards; the
user's own tasks are not touched. Taskwarrior then adds what it adds: ids, urgencies, modification times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Task = dict[str, Any]

TASKRC = """\
data.location={data}
confirmation=off
hooks=off
recurrence={recurrence}
json.array=on
uda.estimate.type=numeric
uda.estimate.label=Estimate
uda.reviewed.type=date
uda.reviewed.label=Reviewed
uda.effort.type=duration
uda.effort.label=Effort
uda.client.type=string
uda.client.label=Client
uda.size.type=string
uda.size.label=Size
uda.size.values=L,M,S
"""
START = datetime(2025, 1, 6, 9, 0, 0, tzinfo=UTC)
VERBS = [
    "write",
    "review",
    "send",
    "paint",
    "call",
    "buy",
    "fix",
    "Überprüfe",
    "réviser",
    "買う",
    "проверить",
]
THINGS = [
    "report",
    "fence",
    "invoice",
    "dentist",
    "milk",
    "tests",
    "roof",
    "café",
    "牛乳",
    "отчёт",
    "🚀",
    "½ day",
]
PROJECTS = ["home", "home.garden", "work", "work.release.2", "café", "日本"]
TAGS = ["next", "phone", "errand", "deep_work", "naïve", "緊急", "x1"]
NOTES = [
    "see https://example.org/a?b=c&d=%20#e",
    'she said "soon" \\ maybe',
    "tab\there",
    "日本語のメモ",
    "emoji 🎉 and combining e\u0301",
    "[brackets] {braces} key:value +tag",
    "1. one  2. two",
]


def make_tasks(count: int, seed: int = 1) -> list[Task]:
    """`count` tasks that `task import` takes. Dependencies and parents stand before what names them."""
    rng = random.Random(seed)
    tasks: list[Task] = []
    pending: list[str] = []
    recurring: list[Task] = []
    while len(tasks) < count:
        entry = START + timedelta(seconds=rng.randrange(500 * 86400))
        task: Task = {
            "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "description": f"{rng.choice(VERBS)} {rng.choice(THINGS)} {len(tasks)}",
            "entry": _date(entry),
            "modified": _date(entry + timedelta(seconds=rng.randrange(86400))),
            "status": "pending",
        }
        _ordinary(task, rng, entry)
        _user_defined(task, rng, entry)
        kind = rng.random()
        if kind < 0.25:
            task["status"] = rng.choice(["completed", "completed", "deleted"])
            task["end"] = _date(entry + timedelta(days=rng.randrange(1, 40)))
        elif kind < 0.28:
            # Due far ahead: Taskwarrior makes one instance, not one for each week that has passed.
            due = _date(START.replace(year=2036) + timedelta(days=rng.randrange(300)))
            task |= {"status": "recurring", "recur": rng.choice(["weekly", "P3D", "monthly"]), "due": due}
            task |= {"rtype": "periodic", "mask": ""}
            recurring.append(task)
        elif kind < 0.33 and recurring:
            parent = rng.choice(recurring)
            task |= {"parent": parent["uuid"], "imask": len(parent["mask"]), "rtype": "periodic"}
            task |= {"recur": parent["recur"], "due": parent["due"]}
            parent["mask"] += "-"
        elif kind < 0.4:
            task["wait"] = _date(START.replace(year=2037) + timedelta(days=rng.randrange(300)))
        elif kind < 0.45:
            task["start"] = _date(entry + timedelta(hours=rng.randrange(1, 50)))
        if task["status"] == "pending":
            if pending and rng.random() < 0.15:
                task["depends"] = sorted({rng.choice(pending) for _ in range(rng.randrange(1, 4))})
            pending.append(task["uuid"])
        tasks.append(task)
    return tasks


def _ordinary(task: Task, rng: random.Random, entry: datetime) -> None:
    if rng.random() < 0.5:
        task["project"] = rng.choice(PROJECTS)
    if rng.random() < 0.4:
        task["tags"] = sorted(rng.sample(TAGS, rng.randrange(1, 4)))
    if rng.random() < 0.3:
        task["priority"] = rng.choice("HML")
    for name, odds in (("due", 0.3), ("scheduled", 0.1), ("until", 0.05)):
        if rng.random() < odds:
            year = 2038 if name == "until" else entry.year + rng.randrange(3)
            task[name] = _date(entry.replace(year=year, day=min(entry.day, 28)))
    if rng.random() < 0.3:
        # Taskwarrior keys annotations by the second.
        moments = sorted(rng.sample(range(1, 90 * 86400), rng.randrange(1, 5)))
        task["annotations"] = [
            {"entry": _date(entry + timedelta(seconds=s)), "description": rng.choice(NOTES)} for s in moments
        ]


def _user_defined(task: Task, rng: random.Random, entry: datetime) -> None:
    if rng.random() < 0.2:
        task["estimate"] = rng.choice([0, 1, 2.5, 0.125, 100, -3, 1234567])
    if rng.random() < 0.1:
        task["reviewed"] = _date(entry + timedelta(days=rng.randrange(30)))
    if rng.random() < 0.1:
        task["effort"] = rng.choice(["PT30M", "P1D", "PT2H30M"])
    if rng.random() < 0.15:
        task["client"] = rng.choice(["ACME", "Müller & Söhne", "日本電気", "O'Neill"])
    if rng.random() < 0.1:
        task["size"] = rng.choice("LMS")
    if rng.random() < 0.05:
        task["left_over"] = "from an attribute that is declared no more"


def _date(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def real_export(tasks: list[Task], *, recurrence: bool = False) -> bytes:
    """What the real `task export` says after a `task import` of `tasks`."""
    program = shutil.which("task")
    if program is None:
        raise FileNotFoundError("the program `task` (Taskwarrior 2) is not on PATH")
    with tempfile.TemporaryDirectory(prefix="make-tasks-") as name:
        directory = Path(name)
        (directory / "data").mkdir()
        taskrc = directory / "taskrc"
        text = TASKRC.format(data=directory / "data", recurrence="on" if recurrence else "off")
        taskrc.write_text(text, encoding="utf-8")
        source = directory / "tasks.json"
        source.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
        env = {**os.environ, "TASKRC": str(taskrc), "TASKDATA": str(directory / "data"), "HOME": name}
        subprocess.run([program, "import", str(source)], env=env, check=True, capture_output=True)
        return subprocess.run([program, "export"], env=env, check=True, capture_output=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", action="store_true", help="through the real `task` program")
    parser.add_argument("--recurrence", action="store_true", help="with --real: let it make instances too")
    options = parser.parse_args()
    tasks = make_tasks(options.count, options.seed)
    if options.real:
        sys.stdout.buffer.write(real_export(tasks, recurrence=options.recurrence))
    else:
        sys.stdout.write(json.dumps(tasks, ensure_ascii=False, indent=0) + "\n")


if __name__ == "__main__":
    main()
