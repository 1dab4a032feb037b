"""Importing many tasks: `python -m bench.imports [COUNT]`, for each format time, memory, and that a second time
changes nothing.

The tasks are made by `bench/make_tasks.py`, written by the exports themselves, and brought into an empty folder by
the command, twice; each run is a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.make_tasks import make_tasks
from client.formats import csv_table, ical, plain_json, taskwarrior, todotxt
from client.tasks.ids import derived_id

FORMATS = {"todo.txt": todotxt, "csv": csv_table, "json": plain_json, "ical": ical, "taskwarrior": taskwarrior}


def measured(home: Path, name: str, file: Path) -> tuple[float, float, dict[str, int]]:
    """Seconds, MiB at most, and what the command counted."""
    command = [sys.executable, "-m", "client.cli", "import", name, str(file), "--json"]
    env = {**os.environ, "HYPERTASK_CONFIG": str(home / "config.toml")}
    started = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return time.perf_counter() - started, usage.ru_maxrss / 1024, json.loads(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    count = parser.parse_args().count
    bodies = [
        {**{name: value for name, value in task.items() if name != "uuid"}, "id": derived_id("bench", task["uuid"])}
        for task in make_tasks(count)
    ]
    print(f"{'format':12} {'file':>9} {'write':>7} {'first':>7} {'again':>7} {'memory':>9}")
    for name, form in FORMATS.items():
        started = time.perf_counter()
        text, _ = form.text_of(bodies)
        written = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            (home / "file").write_bytes(text)
            env = {**os.environ, "HYPERTASK_CONFIG": str(home / "config.toml")}
            command = [sys.executable, "-m", "client.cli", "init", str(home / "tasks")]
            subprocess.run(command, env=env, check=True, capture_output=True)
            first, memory, counts = measured(home, name, home / "file")
            again, _, unchanged = measured(home, name, home / "file")
        assert counts["created"] == count and unchanged["unchanged"] == count, (counts, unchanged)
        size = f"{len(text) / 1024 / 1024:.1f} MiB"
        print(f"{name:12} {size:>9} {written:6.1f}s {first:6.1f}s {again:6.1f}s {memory:5.0f} MiB")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
