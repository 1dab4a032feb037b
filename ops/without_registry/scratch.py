"""The folder that all of it is in, and commands that use what is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from options import CHECKOUT


class StepFailedError(Exception):
    """The text says what, and why."""


@dataclass(frozen=True, slots=True)
class Scratch:
    root: Path

    @property
    def packages(self) -> Path:
        """Debian packages, as they are downloaded."""
        return self.root / "packages"

    @property
    def engine(self) -> Path:
        """What is in them, as if it were installed there."""
        return self.root / "engine"

    @property
    def programs(self) -> Path:
        """Names of programs that a package makes when it is installed."""
        return self.root / "programs"

    @property
    def socket(self) -> Path:
        return self.root / "docker.sock"

    @property
    def pidfile(self) -> Path:
        return self.root / "docker.pid"

    @property
    def clone(self) -> Path:
        """A clean clone of the checkout, in which docker-compose.yml is run."""
        return self.root / "hypertask"

    def state(self) -> dict[str, Any]:
        """What this machine was like before the engine was started, and where it listens."""
        path = self.root / "state.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def keep(self, **state: object) -> None:
        (self.root / "state.json").write_text(json.dumps({**self.state(), **state}))

    def environ(self) -> dict[str, str]:
        """For docker, dockerd, and what calls docker."""
        folders = [self.programs, *(self.engine / name for name in ("usr/bin", "usr/sbin", "bin", "sbin"))]
        libraries = [path for name in ("usr/lib", "lib") for path in sorted((self.engine / name).glob("*-linux-gnu"))]
        tables = [str(path) for path in self.engine.glob("usr/lib/*/xtables")]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))},
            "PATH": ":".join([*map(str, folders), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]),
            **({"LD_LIBRARY_PATH": ":".join(map(str, libraries))} if libraries else {}),
            **({"XTABLES_LIBDIR": tables[0]} if tables else {}),
            "DEBOOTSTRAP_DIR": str(self.engine / "usr/share/debootstrap"),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.root / "docker-config"),
            "DOCKER_BUILDKIT": "1",
            "HYPERTASK_LISTEN": self.state().get("listen", "127.0.0.1:8480"),
        }

    def run(self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """What it prints. Raises StepFailedError with the end of what it said."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env={**self.environ(), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            output = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise StepFailedError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{output}")
        return done.stdout

    def docker(self, *arguments: str | Path) -> str:
        return self.run("docker", *arguments).strip()

    def compose(self, *arguments: str, files: Sequence[str] = (), env: Mapping[str, str] | None = None) -> str:
        chosen = [word for name in files for word in ("--file", name)]
        return self.run("docker", "compose", *chosen, *arguments, cwd=self.clone, env=env).strip()


class Step:
    """Says what is done, and how long it took. Use as a context."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Step:
        self._began = time.monotonic()
        print(f"{self._what} ...", file=sys.stderr, flush=True)
        return self

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            print(f"    {self.seconds:.0f} s", file=sys.stderr, flush=True)


__all__ = ["CHECKOUT", "Scratch", "Step", "StepFailedError"]
