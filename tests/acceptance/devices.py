"""Devices as people have them: a folder, a config of its own, the program in processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from client.folder.task_folder import Loaded, TaskFolder
from tests import preloaded
from tests.instance import ROOT
from tests.patience import PATIENCE_SECONDS


class Device:
    """`home` holds the folder `tasks`, the config, and what the daemon says."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.home = home / name
        self.home.mkdir(parents=True)
        self.root = self.home / "tasks"
        self.folder = TaskFolder(self.root)
        self._daemon: preloaded.Started | subprocess.Popen[bytes] | None = None
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HYPERTASK_")},
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "HYPERTASK_CONFIG": str(self.home / "config.toml"),
        }
        self.run("init", str(self.root))

    def run(self, *arguments: str, token: str | None = None, check: bool = True) -> Any:
        """The object that a command prints with --json."""
        done = self.raw(*arguments, "--json", token=token)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def raw(self, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **({"HYPERTASK_TOKEN": token} if token else {})}
        return preloaded.run(arguments, environment, self.home)

    def start(self, *, loaded: bool = True) -> None:
        """The daemon. `loaded`: it need not load its modules first."""
        with (self.home / "daemon.log").open("ab") as log:
            if loaded:
                self._daemon = preloaded.Started(["watch"], self.environment, self.home, log, log)
                return
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "client.cli", "watch"],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """kill -9 of the daemon."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGKILL)
        self._daemon.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """SIGTERM. Returns the exit status."""
        if self._daemon is None or self._daemon.poll() is not None:
            return 0
        self._daemon.send_signal(signal.SIGTERM)
        return self._daemon.wait(PATIENCE_SECONDS)

    def log(self) -> str:
        return (self.home / "daemon.log").read_text()

    def documents(self) -> dict[str, Any]:
        found = {}
        for document in self.folder.scan().files:
            loaded = self.folder.read(document)
            if isinstance(loaded, Loaded):
                found[str(document)] = loaded.body
        return found


def until_equal(devices: list[Device], has: dict[str, set[str]]) -> None:
    """Waits until all folders are equal and every document has the fields it must have."""
    started = time.monotonic()
    while True:
        found = [device.documents() for device in devices]
        complete = all(fields <= found[0].get(name, {}).keys() for name, fields in has.items())
        if complete and all(other == found[0] for other in found[1:]):
            return
        if time.monotonic() - started > PATIENCE_SECONDS:
            missing = {
                name: {d.name: sorted(fields - f.get(name, {}).keys()) for d, f in zip(devices, found, strict=True)}
                for name, fields in has.items()
            }
            logs = "\n".join(f"--- {device.name}\n{device.log()[-1500:]}" for device in devices)
            raise AssertionError(f"not equal; missing: {missing}\n{logs}")
        time.sleep(0.05)
