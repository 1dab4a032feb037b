"""The terminal client beside Taskwarrior: `python -m bench.terminal [COUNT] [--repeats N]`.

The same COUNT tasks (tests/unit/client/tasks/seeded.py: pending, waiting, done, with dependencies and notes) are
files of ours and the data of `task`. Each command runs as a process of its own, ours and then theirs; the table has
the CPU seconds of user and system together, the least of N runs. Nothing leaves the machine; ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from client.folder.file_text import text_of
from client.formats.taskwarrior_fields import from_taskwarrior
from tests.unit.client.tasks.seeded import seeded

ROWS = (
    ("start", ["--version"], ["--version"]),
    ("list", ["list"], ["list"]),
    ("list, filtered", ["+errand", "list"], ["+errand", "list"]),
    ("next", ["next"], ["next"]),
    ("show", ["show", "1"], ["1", "info"]),
    ("add", ["add", "buy", "milk", "+errand"], ["add", "buy", "milk", "+errand"]),
    ("modify", ["modify", "1", "+urgent"], ["1", "modify", "+urgent"]),
    ("done", ["done", "N"], ["N", "done"]),
    ("undo", ["undo"], ["undo"]),
)
"""What is measured, our words, Taskwarrior's; N is another number each time."""


class Side:
    """One of the two programs with its tasks."""

    def __init__(self, program: list[str], environment: dict[str, str]) -> None:
        self._program = program
        self._environment = {**os.environ, **environment}

    def run(self, words: list[str]) -> float:
        """CPU seconds. Raises CalledProcessError."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [*self._program, *words], env=self._environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(root: Path, rows: list[dict[str, object]]) -> Side:
    folder = root / "tasks"
    folder.mkdir()
    for row in rows:
        body = from_taskwarrior(row)
        (folder / f"{body['id']}.json").write_bytes(text_of(body))
    (root / "config.toml").write_text(f'[profiles.default]\nfolder = "{folder}"\n')
    program = [sys.executable, "-m", "client.cli"]
    return Side(program, {"HYPERTASK_CONFIG": str(root / "config.toml"), "TZ": "UTC"})


def theirs(root: Path, rows: list[dict[str, object]]) -> Side:
    task = shutil.which("task")
    if task is None:
        sys.exit("Taskwarrior is not installed (Debian: taskwarrior).")
    (root / "rc").write_text(f"data.location={root}/data\nconfirmation=off\nnews.version=2.6.0\n")
    (root / "rows.json").write_text(json.dumps(rows))
    side = Side([task], {"TASKRC": str(root / "rc"), "HOME": str(root), "TZ": "UTC"})
    side.run(["import", str(root / "rows.json")])
    return side


def numbered(words: list[str], number: int) -> list[str]:
    return [str(number) if word == "N" else word for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = seeded(options.count, datetime.now(UTC))
    with tempfile.TemporaryDirectory() as place:
        sides = []
        for name, made in (("ours", ours), ("theirs", theirs)):
            root = Path(place) / name
            root.mkdir()
            sides.append(made(root, rows))
        mine, other = sides
        mine.run(["list"])  # gives the numbers; and a program that was just compiled is not what is measured
        print(f"| {options.count:,} tasks | hypertask | task | |\n|---|---|---|---|")
        for what, our_words, their_words in ROWS:
            pairs = [
                (mine.run(numbered(our_words, place)), other.run(numbered(their_words, place)))
                for place in range(2, options.repeats + 2)
            ]
            a, b = (min(side) for side in zip(*pairs, strict=True))
            print(f"| {what} | {a:.3f} | {b:.3f} | {a / b:.1f} |", flush=True)


if __name__ == "__main__":
    main()
