"""API processes and workers on a MongoDB and a Redis that run already."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

from bench.failover.programs import Running, Together, free_ports

START_SECONDS = 60.0


class Service(Together):
    """Use as a context. What dies is not started again: they are to live through a fail-over."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, api: int = 1, workers: int = 1, launch: str = ""
    ) -> None:
        """`launch`: a module that is given the module to run, and its arguments."""
        ports = free_ports(api + workers)
        self.urls = [f"http://127.0.0.1:{port}" for port in ports[:api]]
        self._probes = [f"http://127.0.0.1:{port}" for port in ports[api:]]
        before = ["-m", launch] if launch else ["-m"]
        self.api = [
            self._python(folder / f"api-{port}.log", [*before, "api.serve", "--port", str(port)], environment)
            for port in ports[:api]
        ]
        self.workers = [
            self._python(
                folder / f"worker-{port}.log",
                [*before, "worker"],
                {**environment, "HYPERTASK_WORKER_PROBE_PORT": str(port)},
            )
            for port in ports[api:]
        ]

    def _python(self, log: Path, arguments: list[str], environment: Mapping[str, str]) -> Running:
        return Running([sys.executable, *arguments], log, environment)

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def pids(self) -> list[int]:
        return [one.pid for one in (*self.api, *self.workers)]

    def _start(self) -> None:
        for one in (*self.api, *self.workers):
            one.start()
        deadline = time.monotonic() + START_SECONDS
        for url in (*self.urls, *self._probes):
            while True:
                with suppress(OSError), urlopen(f"{url}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        break
                assert time.monotonic() < deadline, f"{url} does not answer: {self._told()}"
                time.sleep(0.05)

    def _end(self) -> None:
        for one in (*self.api, *self.workers):
            one.stop()

    def _told(self) -> list[str]:
        return [one.log()[-1500:] for one in (*self.api, *self.workers)]

    def dead(self) -> list[str]:
        """What the processes that have ended logged last."""
        return [one.log()[-1500:] for one in (*self.api, *self.workers) if not one.runs]
