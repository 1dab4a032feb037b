"""Earlier states of the database that are put back, in each of the ways that operators have."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

from bench.faults.check import Lost
from bench.faults.hosts import Fleet
from tests.instance import ROOT

WAYS = ("files", "empty", "running")
"""`files`: the directory of mongod is copied, and put in its place later. `empty`: `hypertask-server backup`, and
`restore` into a new database. `running`: `restore` into the database that is in use, which loses nothing."""


class Copies:
    """Of the database of a fleet, at most one at a time."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._files = fleet.folder / "copy"
        self._backup = fleet.folder / "backup.hypertask"
        self._copied = 0.0
        self.lost: list[Lost] = []
        """What went with the database, each time."""

    def make(self, way: str) -> None:
        """While the server is in use."""
        self._copied = time.monotonic()
        if way == "files":
            self._copy()
        else:
            self._command("backup", str(self._backup), "--force")

    def put_back(self, way: str) -> None:
        """The copy that was made in that way."""
        if way == "running":
            self._command("restore", str(self._backup))
            return
        instance = self._fleet.instance
        instance.stop()  # the other hosts run on
        self.lost.append(Lost(self._copied, time.monotonic()))
        shutil.rmtree(instance.data / "mongo")
        if way == "files":
            shutil.move(self._files, instance.data / "mongo")
        instance.start_again()
        if way == "empty":
            self._command("restore", str(self._backup))

    def _copy(self) -> None:
        """mongod stands still meanwhile, so the files are as after a loss of power."""
        instance = self._fleet.instance
        mongod = instance.connection["children"]["mongod"]
        os.kill(mongod, signal.SIGSTOP)
        try:
            shutil.copytree(instance.data / "mongo", self._files, ignore=shutil.ignore_patterns("*.lock", "*.sock"))
        finally:
            os.kill(mongod, signal.SIGCONT)

    def _command(self, *arguments: str) -> dict[str, Any]:
        """Of `hypertask-server`."""
        data = str(self._fleet.instance.data)
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", "--data", data, *arguments, "--json"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed
