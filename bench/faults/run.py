"""Load, faults and check together."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.faults import check
from bench.faults.device import PAUSE_SECONDS, Device
from bench.faults.kinds import Fault
from bench.faults.writers import DOCUMENTS, KINDS, FolderWriter, Follower, Writer, exported, letters

_MOST_PASSES = 10
"""In which all devices have the same, after the end; without new edits two are enough."""


@dataclass
class Result:
    """What a run showed."""

    seed: int
    seconds: float = 0.0
    edits: Counter[str] = field(default_factory=Counter)
    """By kind of client."""
    repeated: int = 0
    """Answers that were to be repeated."""
    faults: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    """By kind of fault, of the edits that were under way: seconds."""
    conflicts: int = 0
    """Values in conflict records."""
    missing: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {**vars(self), "edits": dict(self.edits), "faults": dict(self.faults)}


class Load:
    """Use as a context: threads that work until its end."""

    def __init__(
        self, urls: Sequence[str], token: str, seed: int, *, writers: int = 0, home: Path | None = None
    ) -> None:
        """`writers`: of each kind that speaks HTTP. `home`: where a folder's client lives; None: there is none."""
        first = Device(urls, token)
        mark = letters(time.time_ns())
        self.writers: list[Writer] = []
        self._kinds: dict[str, str] = {}
        for kind in [kind for kind in KINDS for _ in range(writers)] + (["folder"] if home else []):
            number = len(self.writers)
            name = f"{mark}{letters(number).upper()}"
            device = Device(urls, _new_token(first, name), at=number)
            chance = random.Random(f"{seed} {number}")
            if kind == "folder":
                assert home is not None
                self.writers.append(FolderWriter(name, device, chance, home))
            else:
                self.writers.append(KINDS[kind](name, device, chance))
            self._kinds[name] = kind
        self.follower = Follower(Device(urls, _new_token(first, "follower")))
        first.close()
        self._stopping = threading.Event()
        works = [writer.edit for writer in self.writers] + [self.follower.follow]
        self._works = works
        self._threads = ThreadPoolExecutor(len(works))
        self._running: list[Future[None]] = []

    def _repeat(self, work: Any) -> None:
        while not self._stopping.is_set():
            work()

    def __enter__(self) -> Load:
        self._running = [self._threads.submit(self._repeat, work) for work in self._works]
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._threads.shutdown()
        for running in self._running:
            running.result()

    def until_all_got_on(self, since: float) -> None:
        """Until each writer has an edit acknowledged that began after `since`. Raises what one of them met."""
        while not all(writer.edits and writer.edits[-1].began > since for writer in self.writers):
            for running in self._running:
                if running.done():
                    running.result()
            time.sleep(PAUSE_SECONDS)

    def move_on(self) -> None:
        """Each client asks another process from now on."""
        for device in (*(writer.device for writer in self.writers), self.follower.device):
            device.moves = True

    def edits(self) -> list[check.Edit]:
        return [edit for writer in self.writers for edit in list(writer.edits)]

    def repeated(self) -> int:
        return sum(len(writer.device.failed) for writer in self.writers)

    def by_kind(self) -> Counter[str]:
        return Counter(self._kinds[edit.writer] for edit in self.edits())

    def check(self, result: Result, *, put_back: bool) -> None:
        """Notes what is wrong; call it after the end. `put_back`: the database was an earlier one for a while; what
        devices have that it had lost they bring back first."""
        device = self.follower.device
        if put_back:
            for _ in range(_MOST_PASSES):
                if sum(writer.reconcile() for writer in self.writers) == 0:
                    break
            else:
                result.missing.append("the devices do not come to the same")
        dropped: dict[str, list[Any]] = {name: [] for name in DOCUMENTS}
        documents: dict[str, dict[str, Any]] = {}
        for row in exported(device):
            if row["kind"] == "document" and row["state"] is not None:
                documents[row["id"]] = row["state"]
            for conflict in row.get("conflicts") or ():
                if "dropped" in conflict:
                    dropped[row["id"]].append(conflict["dropped"])
        for name, value in (told for writer in self.writers for told in writer.dropped):
            dropped[name].append(value)
        result.conflicts = sum(len(values) for values in dropped.values())
        result.missing += check.findings(self.edits(), documents, dropped, [writer.name for writer in self.writers])
        whole = device.ask("GET", "/hashes")
        while self.follower.read():
            continue
        result.missing += check.cursor_findings(self.follower.hashes, whole)


def _new_token(device: Device, name: str) -> str:
    token: str = device.ask("POST", "/devices", {"name": name})["token"]
    return token


def run(load: Load, faults: Iterator[Fault], result: Result) -> bool:
    """Prints a line for each fault. Whether the database was put back."""
    put_back = False
    began = time.monotonic()
    with load:
        load.until_all_got_on(time.monotonic())
        print("| fault | longest edit, s | answers to repeat |\n|---|---|---|", flush=True)
        for fault in faults:
            failed, moment = load.repeated(), time.monotonic()
            fault.happen()
            put_back = put_back or fault.name.startswith("put ")
            load.until_all_got_on(time.monotonic())
            # Of those that were under way after the fault began.
            longest = max(edit.ended - edit.began for edit in load.edits() if edit.ended > moment)
            result.faults[fault.kind] += 1
            result.longest[fault.kind] = max(result.longest.get(fault.kind, 0.0), round(longest, 2))
            print(f"| {fault.name} | {longest:.2f} | {load.repeated() - failed} |", flush=True)
    result.seconds = round(time.monotonic() - began, 1)
    result.edits, result.repeated = load.by_kind(), load.repeated()
    return put_back
