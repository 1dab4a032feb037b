"""Faults under load, and what was lost: `python -m bench.faults [--seed N] [--faults N]` on a server of its own, or
`python -m bench.faults --url URL --token TOKEN --fault "COMMAND" ...` on one that runs, where each command is a fault
(`docker kill hypertask-mongo-1`) and whoever runs the server brings back what it ended.

Writers are threads with a device each. Every edit has a number; a writer repeats it until it is acknowledged. The
check knows only what writers noted and what the server answers at the end, nothing of how the server works:

    own fields   each writer has a field of its own in documents that all change. At the end it is the last number
                 that was acknowledged.
    cursor       a follower reads `GET /hashes?since=` all the time. At the end it has what `GET /hashes` has.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from tests.instance import Instance

DOCUMENTS = [f"shared-{number}" for number in range(10)]
PATIENCE_SECONDS = 120.0
"""For one request with all its repetitions."""
PAUSE_SECONDS = 0.05
CHILDREN = (("worker", 0), ("worker", 1), ("api", 0), ("api", 1), ("redis", 0), ("mongod", 0))


@dataclass
class Device:
    """One client's connection. `failed` counts answers that were to be repeated."""

    url: str
    token: str
    failed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer, however often it takes. AssertionError for one that repeating does not help, or no more."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        while True:
            try:
                content = None if body is None else json.dumps(body)
                self._connection.request(method, path, content, headers)
                answer = self._connection.getresponse()
                status, text = answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                status, text = 0, b""
            if 200 <= status < 300:
                return json.loads(text)
            assert status in (0, 503), (method, path, status, text)
            self.failed.append(status)
            assert time.monotonic() < deadline, f"{method} {path} is not answered"
            time.sleep(PAUSE_SECONDS)


@dataclass
class Writer:
    name: str
    device: Device
    chance: random.Random
    acknowledged: dict[str, int] = field(default_factory=dict)
    """By document: the number of the last edit."""
    number: int = 0
    copies: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: list[tuple[float, float]] = field(default_factory=list)
    """When an edit began, and when it was acknowledged (time.monotonic)."""

    def edit(self) -> None:
        document = self.chance.choice(DOCUMENTS)
        self.number += 1
        known = self.copies.get(document, {"id": document})
        began = time.monotonic()
        state = {**known, self.name: self.number}
        answer = self.device.ask("POST", f"/task/{document}", {"client_state": state})
        self.copies[document] = answer["server_state"]
        self.acknowledged[document] = self.number
        self.times.append((began, time.monotonic()))


@dataclass
class Follower:
    device: Device
    hashes: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None

    def follow(self) -> None:
        self.read()
        time.sleep(PAUSE_SECONDS)

    def read(self) -> bool:
        """One page. Whether there is more."""
        if self.cursor is None:  # this and all that follows; the documents that are there already come first
            self.cursor = self.device.ask("GET", "/tasks?limit=1")["cursor"]
            self.hashes = self.device.ask("GET", "/hashes")
        answer = self.device.ask("GET", f"/hashes?since={self.cursor}")
        for document, found in answer["hashes"].items():
            if found is None:
                self.hashes.pop(document, None)
            else:
                self.hashes[document] = found
        self.cursor = answer["cursor"]
        return bool(answer["more"])


@dataclass(frozen=True)
class Fault:
    name: str
    happen: Callable[[], object]


class Load:
    """Use as a context: threads that work until its end."""

    def __init__(self, url: str, token: str, writers: int, seed: int) -> None:
        first = Device(url, token)
        made = [first.ask("POST", "/devices", {"name": f"fault-{n}"})["token"] for n in range(writers + 1)]
        mark = f"{time.time_ns():x}"
        self.writers = [
            Writer(f"{mark}-{number}", Device(url, one), random.Random(f"{seed} {number}"))
            for number, one in enumerate(made[1:])
        ]
        self.follower = Follower(Device(url, made[0]))
        self._stopping = threading.Event()
        self._works = [writer.edit for writer in self.writers] + [self.follower.follow]
        self._threads = ThreadPoolExecutor(len(self._works))
        self._running: list[Future[None]] = []

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            work()

    def __enter__(self) -> Load:
        self._running = [self._threads.submit(self._repeat, work) for work in self._works]
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        for running in self._running:
            running.result()

    def until_all_got_on(self, since: float) -> None:
        """Until each writer has an edit acknowledged that began after `since`. Raises what one of them met."""
        while not all(writer.times and writer.times[-1][0] > since for writer in self.writers):
            for running in self._running:
                if running.done():
                    running.result()
            time.sleep(PAUSE_SECONDS)

    def failures(self) -> int:
        return sum(len(writer.device.failed) for writer in self.writers)

    def missing(self) -> list[str]:
        """What the check finds wrong; call it after the end."""
        device = self.follower.device
        held = device.ask("GET", "/tasks?ids=" + ",".join(DOCUMENTS))["tasks"]
        found = []
        for document in DOCUMENTS:
            state = held[document]["server_state"] or {}
            for writer in self.writers:
                last = writer.acknowledged.get(document)
                if state.get(writer.name) != last:
                    found.append(f"{document}: {writer.name} is {state.get(writer.name)}, not {last}")
        hashes = device.ask("GET", "/hashes")
        while self.follower.read():
            continue
        if self.follower.hashes != hashes:
            found.append("the follower's cursor has skipped a change")
        return found


def of_instance(instance: Instance, chance: random.Random, count: int) -> list[Fault]:
    """Kills, pauses shorter and longer than a lease, and a Redis that is emptied."""

    def wipe() -> None:
        with closing(Redis.from_url(instance.settings.redis_url)) as redis:
            redis.flushall()

    def one() -> Fault:
        kind, index = chance.choice(CHILDREN)
        match chance.choice(("kill", "kill", "pause", "wipe")):
            case "kill":
                return Fault(f"kill {kind} {index}", partial(instance.kill, kind, index))
            case "pause":
                seconds = chance.choice((0.5, 2.0, 5.0))
                return Fault(f"pause {kind} {index} for {seconds:g} s", partial(instance.pause, kind, index, seconds))
            case _:
                return Fault("empty Redis", wipe)

    return [one() for _ in range(count)]


def run(url: str, token: str, faults: list[Fault], writers: int, seed: int) -> list[str]:
    """Prints a line for each fault, and what was found at the end; that is returned, too."""
    with Load(url, token, writers, seed) as load:
        load.until_all_got_on(time.monotonic())
        print("| fault | longest edit, s | answers to repeat |\n|---|---|---|")
        for fault in faults:
            failed, moment = load.failures(), time.monotonic()
            fault.happen()
            load.until_all_got_on(time.monotonic())
            # Of those that were under way after the fault.
            spans = [end - began for writer in load.writers for began, end in list(writer.times) if end > moment]
            print(f"| {fault.name} | {max(spans):.2f} | {load.failures() - failed} |", flush=True)
    missing = load.missing()
    edits = sum(len(writer.times) for writer in load.writers)
    print(f"\nseed {seed}: {edits} edits acknowledged, {len(missing)} faults found by the check")
    print("\n".join(missing))
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.faults")
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--fault", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=6, help="of the own server: how many")
    parser.add_argument("--writers", type=int, default=4)
    options = parser.parse_args()
    if options.url:
        commands = [Fault(text, partial(subprocess.run, shlex.split(text), check=True)) for text in options.fault]
        return bool(run(options.url, options.token, commands, options.writers, options.seed))
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "data", api=2, workers=2).start()
        try:
            faults = of_instance(instance, random.Random(options.seed), options.faults)
            return bool(run(instance.url, instance.token, faults, options.writers, options.seed))
        finally:
            instance.stop()


if __name__ == "__main__":
    raise SystemExit(main())
