"""Containers that are killed, restarted and replaced under load; nothing acknowledged may be missing then."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from without_registry import project
from without_registry.scratch import CHECKOUT, Scratch, StepFailedError

_KILL: Final = Path(__file__).with_name("kill-containers")
_REPEATS: Final = 3
"""So often each fault happens, but for those that take long."""
_HEALTHY_WITHIN_SECONDS: Final = 120.0
_CONTAINERS: Final = sum(project.SCALE.values()) + 3  # nginx, mongo, redis


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did."""

    what: str
    times: int
    edits: int
    failed: int
    """Answers that were to be repeated."""
    longest: float
    """Of the edits that were under way: seconds."""
    missing: list[str]


def killed(*containers: str) -> str:
    """A command."""
    return shlex.join([str(_KILL), *containers])


def names(scratch: Scratch, service: str) -> list[str]:
    return sorted(scratch.compose("ps", "--format", "{{.Name}}", service).split())


def faults(scratch: Scratch) -> list[tuple[str, list[str]]]:
    """What, and the commands that do it, one after the other."""
    [nginx], [mongo], [redis] = (names(scratch, one) for one in ("nginx", "mongo", "redis"))
    apis, workers = names(scratch, "api"), names(scratch, "worker")
    compose = f"docker compose --project-directory {scratch.clone}"
    again = f"{compose} up --detach --wait {' '.join(project.SCALES)}"
    often = [
        (f"one API process of {len(apis)} killed", killed(apis[0])),
        (f"all {len(apis)} API processes killed", killed(*apis)),
        (f"one worker of {len(workers)} killed", killed(workers[0])),
        (f"all {len(workers)} workers killed", killed(*workers)),
        ("Redis killed, empty afterwards", killed(redis)),
        ("mongod killed", killed(mongo)),
        ("nginx killed", killed(nginx)),
        ("nginx restarted (`docker compose restart nginx`), event streams open", f"{compose} restart nginx"),
        ("`nginx -s reload`", f"{compose} exec -T nginx nginx -s reload"),
    ]
    once = [
        ("`ops/rolling-restart`: worker and api", f"{scratch.clone}/ops/rolling-restart"),
        ("`docker compose up` after a change: all at once", f"env HYPERTASK_LOG_LEVEL=WARNING {again}"),
    ]
    return [(what, [command] * _REPEATS) for what, command in often] + [(what, [command]) for what, command in once]


def happen(scratch: Scratch, what: str, commands: list[str]) -> Row:
    """Faults under load, from all containers healthy to all healthy. Raises StepFailedError: the load ended."""
    until_healthy(scratch)
    record = scratch.root / "record.jsonl"
    record.unlink(missing_ok=True)
    words = ["--url", project.address(scratch), "--token", project.token(scratch)]
    words += [word for command in commands for word in ("--fault", command)]
    done = subprocess.run(
        [str(project.python()), "-m", "bench.faults", *words, "--record", str(record)],
        cwd=CHECKOUT,
        env={**scratch.environ(), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if not record.exists():
        raise StepFailedError(f"{what}: {(done.stdout + done.stderr)[-3000:]}")
    row: dict[str, Any] = json.loads(record.read_text())
    until_healthy(scratch)
    return Row(
        what, len(commands), sum(row["edits"].values()), row["repeated"], max(row["longest"].values()), row["missing"]
    )


def until_healthy(scratch: Scratch) -> None:
    """All containers of the project. Raises StepFailedError."""
    ends = time.monotonic() + _HEALTHY_WITHIN_SECONDS
    while True:
        shown = scratch.compose("ps", "--format", "{{.Name}} {{.Health}}").splitlines()
        ill = [line for line in shown if not line.endswith(" healthy")]
        if len(shown) >= _CONTAINERS and not ill:
            return
        if time.monotonic() > ends:
            raise StepFailedError(f"Not healthy, or not there: {ill or shown}")
        time.sleep(0.5)


class Streams:
    """Event streams that are opened again when they end. Use as a context."""

    def __init__(self, scratch: Scratch, count: int) -> None:
        self._request = urllib.request.Request(
            f"{project.address(scratch)}/events", headers={"Authorization": f"Bearer {project.token(scratch)}"}
        )
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._follow, daemon=True) for _ in range(count)]
        self.opened = 0
        self.refused = 0

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                with self._opener.open(self._request, timeout=30) as answer:
                    self.opened += 1
                    while not self._ending.is_set() and answer.readline():
                        pass
            except (urllib.error.URLError, OSError):
                self.refused += 1
            self._ending.wait(0.5)

    def __enter__(self) -> Streams:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ending.set()


def table(rows: list[Row]) -> str:
    lines = [
        "| what, under load | times | edits acknowledged | answers to repeat | longest edit, s | missing |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.what} | {row.times} | {row.edits:,} | {row.failed} | {row.longest:.2f} | {len(row.missing)} |"
        )
    return "\n".join(lines)


__all__ = ["Row", "Streams", "faults", "happen", "table", "until_healthy"]
