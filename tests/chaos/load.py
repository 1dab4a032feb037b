"""Client processes at work on one space, and the proof afterwards that nothing was lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.instance import ROOT, Access, Instance
from tests.integration.truth import Truth, truth
from tests.patience import PATIENCE_SECONDS

Row = dict[str, Any]


@dataclass
class Process:
    """One client process."""

    name: str
    own: list[str]
    journal: Path
    process: subprocess.Popen[bytes]

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(self.log_tail()) from None

    def reply(self) -> Row:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log_tail()
        found: Row = json.loads(line)
        return found

    def log_tail(self) -> str:
        return f"{self.name} has failed: {self.journal.with_suffix('.err').read_text()[-3000:]}"

    def rows(self) -> list[Row]:
        """The journal, as far as it is written."""
        text = self.journal.read_text() if self.journal.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


class Load:
    """Use as a context; `finish` proves that all is well."""

    def __init__(
        self,
        instance: Instance,
        folder: Path,
        *,
        clients: int,
        shared: int,
        own: int,
        seed: int = 0,
        edits: int | None = None,
    ) -> None:
        self._instance = instance
        self._folder = folder
        self._edits = edits
        self._shared = [f"shared-{n}" for n in range(shared)]
        self._processes: list[Process] = []
        self._own = own
        self._seed = seed
        first = instance.access(name="client-0")
        self.space = first.space
        self._accesses = [first, *(instance.access(space=first.space, name=f"client-{n}") for n in range(1, clients))]

    def __enter__(self) -> Load:
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for number, access in enumerate(self._accesses):
                self._start(stack, number, access)
            self.wait_for_progress(0)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack, number: int, access: Access) -> None:
        name = f"c{number:02}"
        documents = [f"{name}-{n}" for n in range(self._own)]
        journal = self._folder / f"{self.space}-{name}.jsonl"
        with journal.with_suffix(".err").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.chaos.writer"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        stack.push(process)
        stack.callback(process.kill)
        started = Process(name, documents, journal, process)
        self._processes.append(started)
        config = {
            **{"url": access.url, "token": access.token, "name": name, "journal": str(journal)},
            **{"seed": self._seed * 1000 + number, "edits": self._edits},
            **{"shared": self._shared, "own": documents},
        }
        started.tell(json.dumps(config))

    def wait_for_progress(self, since: float) -> None:
        """Until every client has had a write acknowledged that it began after `since` (time.monotonic())."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(_has_written_since(process.journal, since) for process in self._processes):
            for process in self._processes:
                assert process.process.poll() is None, process.log_tail()
            assert time.monotonic() < deadline, "the clients do not get on"
            time.sleep(0.01)

    def nobody_gets_on(self, seconds: float) -> bool:
        """Whether for so long no client has a write acknowledged that it begins now."""
        now = time.monotonic()
        while time.monotonic() < now + seconds:
            if any(_has_written_since(process.journal, now) for process in self._processes):
                return False
            time.sleep(0.01)
        return True

    def finish(self) -> Report:
        """Ends the editing, lets every client sync to agreement, and proves that all of them and MongoDB
        hold the same, with everything in it that was ever acknowledged."""
        for process in self._processes:
            process.tell("stop")
        edits = sum(process.reply()["edits"] for process in self._processes)
        for process in self._processes:
            process.tell("settle")
        settled = [process.reply() for process in self._processes]
        for found in settled:
            assert found["differing"] == [], found["differing"]
            assert found["rounds"] <= 2, found["rounds"]
        held = truth(self._instance.settings, self.space)
        held.check()
        for process, found in zip(self._processes, settled, strict=True):
            assert found["documents"] == held.bodies, f"{process.name} holds something else"
        attempts = {process.name: process.rows() for process in self._processes}
        for process in self._processes:
            self._check_client(process, attempts[process.name], held)
        return Report(edits, [row for rows in attempts.values() for row in rows], held)

    def _check_client(self, process: Process, rows: list[Row], held: Truth) -> None:
        acknowledged = [row for row in rows if row["status"] == 200 and row.get("sent") is not None]
        bodies = {
            document: [row["body"] for row in held.history(document)]
            for document in {row["document"] for row in acknowledged}
        }
        last: dict[str, int] = {}
        for row in acknowledged:
            document, sent = row["document"], row["sent"]
            assert row["answer"]["server_state"] in bodies[document], f"an answer is no revision: {row}"
            if document in process.own:
                assert sent in bodies[document], f"an acknowledged write is missing: {row}"
            elif process.name in sent:
                last[document] = sent[process.name]
                found = [body.get(process.name) for body in bodies[document]]
                assert sent[process.name] in found, f"an acknowledged write is missing: {row}"
        for document, number in last.items():
            found = held.bodies[document].get(process.name)
            assert found == number, f"a lost update in {document}: {process.name} is {found}, not {number}"
            history = [row for row in held.history(document) if process.name in row["body"]]
            for before, after in pairwise(history):
                undone = before["body"][process.name] > after["body"][process.name]
                assert not undone, f"{document}: an edit of {process.name} was undone: {before}, then {after}"


def _has_written_since(journal: Path, since: float) -> bool:
    """Reads the end of the journal alone."""
    if not journal.exists():
        return False
    with journal.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 20_000))
        lines = file.read().split(b"\n")[:-1]
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:  # the first one may be cut
            continue
    return any(row["status"] == 200 and row["at"] > since and row.get("sent") for row in rows)


@dataclass(frozen=True)
class Report:
    """What happened, once it is proved that nothing was lost."""

    edits: int
    attempts: list[Row]
    held: Truth

    @property
    def failures(self) -> list[Row]:
        return [row for row in self.attempts if row["status"] != 200]

    def longest(self, since: float = 0.0, until: float = float("inf")) -> float:
        """Seconds, of the single requests that were under way between two moments."""
        return max(row["took"] for row in self.attempts if row["at"] < until and row["at"] + row["took"] > since)

    def longest_outage(self) -> float:
        """Seconds, from the first attempt of an edit to its acknowledgement."""
        longest, began = 0.0, None
        for row in self.attempts:  # of one client after the other, each one's in order, the last one successful
            began = row["at"] if began is None else began
            if row["status"] == 200:
                longest = max(longest, row["at"] + row["took"] - began)
                began = None
        return longest

    def check_failures(self) -> None:
        """A client saw 503, in the form of an error and with a time to wait, or lost its connection."""
        for row in self.failures:
            assert row["status"] in (0, 503), row
            if row["status"] == 503:
                headers, problem = row["answer"]["headers"], json.loads(row["answer"]["text"])
                assert headers["content-type"] == "application/problem+json"
                assert int(headers["retry-after"]) >= 1
                assert problem["code"] == "unavailable"
                assert problem["request_id"] == headers["x-request-id"]
