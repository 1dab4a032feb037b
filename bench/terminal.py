"""The terminal client beside Taskwarrior: `python -m bench.terminal [COUNT ...] [--repeats N]`.

The same COUNT tasks (tests/unit/client/tasks/seeded.py: pending, waiting, done, with dependencies and notes) are
files of ours and the data of `task`. Each command runs as a process of its own, ours and then theirs; the table has
the CPU seconds of user and system together, the least of N runs, a pair of columns for each COUNT. Our program is
compiled before, as an installed one is. Nothing leaves the machine; ends by itself.
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
import time
from datetime import UTC, datetime
from pathlib import Path

from client.folder.file_text import text_of
from client.folder.replace import TICK_NS
from client.formats.taskwarrior_fields import from_taskwarrior
from tests.unit.client.tasks.seeded import seeded

COUNTS = (100, 1_000, 3_000, 10_000)
COMPLETE = "complete a word"
ROWS: tuple[tuple[str, list[str], list[str]], ...] = (
    ("`--version`", ["--version"], ["--version"]),
    ("`list`", ["list"], ["list"]),
    ("`+errand list`", ["+errand", "list"], ["+errand", "list"]),
    ("`next`", ["next"], ["next"]),
    ("`show`, `info`", ["show", "1"], ["1", "info"]),
    ("`add`", ["add", "buy", "milk", "+errand"], ["add", "buy", "milk", "+errand"]),
    ("`modify`", ["modify", "N", "+urgent"], ["N", "modify", "+urgent"]),
    ("`done`", ["done", "N"], ["N", "done"]),
    ("`undo`", ["undo"], ["undo"]),
    (COMPLETE, [], ["_ids"]),
)
"""What is measured, our words, Taskwarrior's; N is another number each time. Completing a word is asked for as bash
does; Taskwarrior's script runs the command that stands here."""
COMPLETING = {"_HYPERTASK_COMPLETE": "bash_complete", "COMP_WORDS": "hypertask done 2", "COMP_CWORD": "2"}


class Side:
    """One of the two programs with its tasks."""

    def __init__(self, program: list[str], environment: dict[str, str]) -> None:
        self._program = program
        # What writes no bytecode would compile our program again with each command; an installed one never is.
        usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environment = {**usual, **environment}

    def run(self, words: list[str], **more: str) -> float:
        """CPU seconds; `more`: variables. Raises CalledProcessError."""
        environment = {**self._environment, **more}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [*self._program, *words], env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
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
    program = [sys.executable, "-c", "from client.cli import main; main(prog_name='hypertask')"]
    compiled = {"PYTHONPYCACHEPREFIX": str(root / "compiled")}
    return Side(program, {"HYPERTASK_CONFIG": str(root / "config.toml"), "TZ": "UTC", **compiled})


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


def measured(count: int, repeats: int) -> list[tuple[float, float]]:
    """For each row what ours and theirs took with so many tasks."""
    rows = seeded(count, datetime.now(UTC))
    with tempfile.TemporaryDirectory() as place:
        sides = []
        for name, made in (("ours", ours), ("theirs", theirs)):
            root = Path(place) / name
            root.mkdir()
            sides.append(made(root, rows))
        mine, other = sides
        time.sleep(TICK_NS / 1e9)  # what was written this moment is read again each time
        mine.run(["list"])  # gives the numbers, and reads each file for the first time
        results: list[tuple[float, float]] = []
        number = 1
        for what, our_words, their_words in ROWS:
            variables = COMPLETING if what == COMPLETE else {}
            pairs = []
            for _ in range(repeats):
                number += 1
                took = mine.run(numbered(our_words, number), **variables), other.run(numbered(their_words, number))
                pairs.append(took)
            a, b = (min(side) for side in zip(*pairs, strict=True))
            results.append((a, b))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS, metavar="COUNT")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    columns = [measured(count, options.repeats) for count in options.counts]
    print("| tasks |" + "".join(f" {count:,} | `task` |" for count in options.counts))
    print("|---|" + "---|---|" * len(columns))
    for place, (what, *_) in enumerate(ROWS):
        print(f"| {what} |" + "".join(f" {column[place][0]:.3f} | {column[place][1]:.3f} |" for column in columns))


if __name__ == "__main__":
    main()
