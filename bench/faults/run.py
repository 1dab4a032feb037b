"""Load, faults and check together."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.faults import check
from bench.faults.check import Answered, Documents, Lost, Noted
from bench.faults.device import PAUSE_SECONDS, Device
from bench.faults.followers import Follower, Listener, exported
from bench.faults.kinds import Fault
from bench.faults.writers import KINDS, FolderWriter, Writer, letters

_MAX_PASSES = 10
"""In which all devices have the same, after the end; without new edits two are enough."""
_LISTENING_SECONDS = 60.0
"""Until an event of what was written last has come; a stream that is silent for 45 is opened again."""
PACE_SECONDS = 0.25
_FOLDER_PACE = 8
"""The command-line client pauses so many times as long: each of its syncs is a process."""


@dataclass
class Result:
    """What a run showed."""

    seed: int
    seconds: float = 0.0
    edits: Counter[str] = field(default_factory=Counter)
    """By kind of client."""
    own: Counter[str] = field(default_factory=Counter)
    """Documents that one client alone edits: how many are there, and how many were deleted."""
    repeated: int = 0
    """Answers that were to be repeated."""
    faults: Counter[str] = field(default_factory=Counter)
    happened: list[dict[str, Any]] = field(default_factory=list)
    """Each fault: `at` (seconds since the beginning), `fault` (its name), `kinds`, and `longest` (of the edits that
    were under way: seconds)."""
    longest: dict[str, float] = field(default_factory=dict)
    """By kind of fault, of the edits that were under way: seconds."""
    conflicts: int = 0
    """Values in conflict records."""
    accounts: Counter[str] = field(default_factory=Counter)
    """Where the values of the shared field are."""
    begun_again: int = 0
    """How often the cursor of somebody who follows was of no use any more."""
    missing: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}


class Load:
    """Use as a context: threads that work until its end."""

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        seed: int,
        *,
        writers: int = 0,
        home: Path | None = None,
        pace: float = PACE_SECONDS,
        mark: str | None = None,
        repeats: Sequence[int] = (),
    ) -> None:
        """`writers`: of each kind that speaks HTTP. `home`: where a folder's client lives; None: there is none.
        `pace`: seconds between two edits of a client. `mark`: what the names of the clients begin with, which is no
        other run's on that server. `repeats`: statuses, beside the usual ones, of answers that are to be repeated."""
        first = Device(urls, token)
        mark = mark or letters(time.time_ns())
        self.urls = urls
        self._pace = pace
        self.writers: list[Writer] = []
        self._kinds: dict[str, str] = {}
        self._devices: list[Device] = []

        def device(name: str, at: int = 0) -> Device:
            made = Device(urls, _new_token(first, name), at=at)
            made.repeats = (*made.repeats, *repeats)
            self._devices.append(made)
            return made

        for kind in [kind for kind in KINDS for _ in range(writers)] + (["folder"] if home else []):
            number = len(self.writers)
            name = f"{mark}{letters(number).upper()}"
            chance = random.Random(f"{seed} {number}")
            if kind == "folder":
                assert home is not None
                self.writers.append(FolderWriter(name, device(name, number), chance, home))
            else:
                self.writers.append(KINDS[kind](name, device(name, number), chance))
            self._kinds[name] = kind
        self.follower = Follower(device("follower"))
        self.listener = Listener(device("listener", 1))
        first.close()
        self._stopping = threading.Event()
        self._deaf = threading.Event()
        """Set when the listener is to end, which is later."""
        self.evidence: dict[str, Any] | None = None
        """What the check judged, if something is missing."""
        self._threads = ThreadPoolExecutor(len(self.writers) + 2)
        self._running: list[Future[None]] = []

    def _repeat(self, work: Callable[[], object], pace: float, end: threading.Event) -> None:
        while not end.is_set():
            work()
            end.wait(pace)

    def __enter__(self) -> Load:
        for writer in self.writers:
            pace = self._pace * (_FOLDER_PACE if isinstance(writer, FolderWriter) else 1)
            self._running.append(self._threads.submit(self._repeat, writer.edit, pace, self._stopping))
        self._running.append(self._threads.submit(self._repeat, self.follower.follow, self._pace, self._stopping))
        self._listening = self._threads.submit(self._repeat, self.listener.follow, 0.0, self._deaf)
        return self

    def __exit__(self, *exc: object) -> None:
        """Raises what a client met."""
        self._stopping.set()
        try:
            for running in self._running:
                running.result()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        self._deaf.set()
        while not self._listening.done():
            self.listener.device.close()
            time.sleep(PAUSE_SECONDS)
        self._threads.shutdown()

    def until_all_got_on(self, since: float) -> None:
        """Until each writer has an edit acknowledged that began after `since`. Raises what one of them met."""
        while not all(writer.edits and writer.edits[-1].began > since for writer in self.writers):
            for running in (*self._running, self._listening):
                if running.done():
                    running.result()
            time.sleep(PAUSE_SECONDS)

    def move_on(self) -> None:
        """Each client asks another process from now on."""
        for device in self._devices:
            device.moves = True

    def edits(self) -> list[check.Edit]:
        return [edit for writer in self.writers for edit in list(writer.edits)]

    def repeated(self) -> int:
        return sum(len(writer.device.failed) for writer in self.writers)

    def by_kind(self) -> Counter[str]:
        return Counter(self._kinds[edit.writer] for edit in self.edits())

    def noted(self) -> Noted:
        own = {name: (writer.name, number) for writer in self.writers for name, number in writer.own.items()}
        set_back = [one for writer in self.writers for one in writer.set_back]
        held_until: dict[tuple[str, str], float] = {}
        for writer in self.writers:
            for place, until in writer.held_until().items():
                held_until[place] = max(until, held_until.get(place, until))
        return Noted([writer.name for writer in self.writers], self.edits(), own, set_back, held_until)

    def check(self, result: Result, lost: Sequence[Lost] = ()) -> None:
        """Notes what is wrong; call it after the end. `lost`: with the database, which was put back; what devices
        have of it they bring back first."""
        try:
            noted = self.noted()
            if lost:
                self._reconcile(result)
            documents = self._check_server(result, noted, lost)
            self._reconcile(result)
            later = self._read().documents
            result.missing += check.equal_findings("who reads it after all have sent what they had", later, documents)
            for writer in self.writers:
                if isinstance(writer, FolderWriter):
                    result.missing += check.equal_findings(f"the folder of {writer.name}", writer.held(), documents)
        finally:
            self._end()

    def _reconcile(self, result: Result) -> None:
        """Every client sends what differs, as it does by itself."""
        for _ in range(_MAX_PASSES):
            if sum(writer.reconcile() for writer in self.writers) == 0:
                return
        result.missing.append("the devices do not come to the same")

    def _read(self) -> Answered:
        documents: dict[str, dict[str, Any]] = {}
        dropped: dict[str, list[tuple[str, Any]]] = {}
        earlier: dict[str, set[Any]] = {}
        undeleted: set[str] = set()
        for row in exported(self.follower.device):
            state = row.get("state")
            if row["kind"] == "document" and state is not None:
                documents[row["id"]] = state
            if row["kind"] == "revision" and state is not None:
                earlier.setdefault(row["id"], set()).add(state.get(check.SHARED))
            for conflict in row.get("conflicts") or ():
                if "dropped" in conflict:
                    dropped.setdefault(row["id"], []).append((conflict["path"], conflict["dropped"]))
                elif conflict["path"] == "":
                    undeleted.add(row["id"])
        return Answered(documents, dropped, earlier, undeleted)

    def _check_server(self, result: Result, noted: Noted, lost: Sequence[Lost]) -> Documents:
        answered = self._read()
        documents = answered.documents
        if lost:  # records of after the copy went with the database; devices were told of them
            dropped = {name: list(values) for name, values in answered.dropped.items()}
            for name, path, value in (told for writer in self.writers for told in writer.dropped):
                dropped.setdefault(name, []).append((path, value))
            answered = replace(answered, dropped=dropped)
        result.conflicts = sum(len(values) for values in answered.dropped.values())
        result.accounts = check.accounts(noted, answered, lost)
        result.own = Counter("there" if number is not None else "deleted" for _, number in noted.own.values())
        result.missing += check.findings(noted, answered, lost)
        result.missing += self._check_maps(noted, documents)
        result.begun_again = self.follower.begun_again + self.listener.begun_again
        if result.missing:
            self.evidence = {
                **_plain(noted, lost),
                "documents": documents,
                "rows": list(exported(self.follower.device)),
            }
        return documents

    def _check_maps(self, noted: Noted, documents: Documents) -> list[str]:
        device = self.follower.device
        whole = device.ask("GET", "/hashes")
        found = check.hash_findings(noted, documents, whole)
        for url in self.urls:
            answered = Device([url], device.token)
            found += check.equal_findings(f"the map at {url}", answered.ask("GET", "/hashes"), whole)
            answered.close()
        self.follower.follow()
        self.listener.until_equal(whole, _LISTENING_SECONDS)
        found += check.cursor_findings(self.follower.hashes, whole)
        return [*found, *(f"by events: {line}" for line in check.cursor_findings(self.listener.hashes, whole))]


def _plain(noted: Noted, lost: Sequence[Lost]) -> dict[str, Any]:
    return {
        "edits": [vars(edit) for edit in noted.edits],
        "own": noted.own,
        "set_back": [vars(one) for one in noted.set_back],
        "held_until": [[*place, until] for place, until in noted.held_until.items()],
        "lost": [vars(one) for one in lost],
    }


def _new_token(device: Device, name: str) -> str:
    token: str = device.ask("POST", "/devices", {"name": name})["token"]
    return token


def run(load: Load, faults: Iterator[Fault], result: Result, tell: Callable[[str], None] = print) -> None:
    """Tells a line for each fault."""
    began = time.monotonic()
    with load:
        load.until_all_got_on(time.monotonic())
        tell("| fault | longest edit, s | answers to repeat |\n|---|---|---|")
        for fault in faults:
            failed, moment = load.repeated(), time.monotonic()
            fault.happen()
            load.until_all_got_on(time.monotonic())
            # Of those that were under way after the fault began.
            longest = round(max(edit.ended - edit.began for edit in load.edits() if edit.ended > moment), 2)
            for kind in fault.kinds:
                result.faults[kind] += 1
                result.longest[kind] = max(result.longest.get(kind, 0.0), longest)
            at = round(moment - began, 1)
            result.happened.append({"at": at, "fault": fault.name, "kinds": fault.kinds, "longest": longest})
            tell(f"| {fault.name} | {longest:.2f} | {load.repeated() - failed} |")
    result.seconds = round(time.monotonic() - began, 1)
    result.edits, result.repeated = load.by_kind(), load.repeated()
