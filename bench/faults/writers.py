"""Clients of several kinds that edit the same documents, and one that follows the changes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.faults.check import SHARED, Edit
from bench.faults.device import PATIENCE_SECONDS, PAUSE_SECONDS, Device
from tests.acceptance import devices

DOCUMENTS = [f"shared-{number}" for number in range(10)]
_TOGETHER = 3
"""Documents in one request of a client that sends batches."""
State = dict[str, Any]


def letters(number: int) -> str:
    """A number as one word. Merges go into texts of several words, and what is one word is one value."""
    text = ""
    while number or not text:
        number, digit = divmod(number, 26)
        text = chr(ord("a") + digit) + text
    return text


@dataclass
class Copy:
    """A document as a client has it. `rev`: of the answer that it came with; "0": there was none yet."""

    state: State
    rev: str = "0"


@dataclass
class Writer:
    """What all kinds have in common: they note what was acknowledged. `name` is one word, and no other's."""

    name: str
    device: Device
    chance: random.Random
    edits: list[Edit] = field(default_factory=list)
    dropped: list[tuple[str, Any]] = field(default_factory=list)
    """Document and value, of each conflict that an answer told of."""
    number: int = 0
    copies: dict[str, Copy] = field(default_factory=dict)

    def edit(self) -> None:
        """Edits documents, and returns when that was acknowledged."""
        raise NotImplementedError

    def reconcile(self) -> bool:
        """Sends what differs from what the server has, as clients do now and then. Whether anything did."""
        held = self.device.ask("GET", "/tasks?ids=" + ",".join(self.copies))["tasks"] if self.copies else {}
        differing = [name for name, copy in self.copies.items() if held[name]["server_state"] != copy.state]
        for name in differing:
            self._apply(name, self._post(name, self.copies[name].state))
        return bool(differing)

    def _changed(self, document: str) -> tuple[State, Callable[[], None]]:
        """The next state of a document, and what notes that it was acknowledged."""
        self.number += 1
        number, began = self.number, time.monotonic()
        before = self.copies.get(document, Copy({"id": document})).state
        value = f"{self.name}{letters(number)}"
        saw = before.get(SHARED)

        def acknowledged() -> None:
            self.edits.append(Edit(self.name, document, number, value, saw, began, time.monotonic()))

        return {**before, self.name: number, SHARED: value}, acknowledged

    def _request(self, document: str, state: State) -> dict[str, Any]:
        """With which base the state is sent."""
        return {"client_state": state, "base": self.copies[document].rev if document in self.copies else "0"}

    def _post(self, document: str, state: State) -> Any:
        body = self._request(document, state)
        answer = self.device.ask("POST", f"/task/{document}", body, also=(409,))
        if answer is None:  # the server does not have the base: it is sent along
            base = {"base_state": self.copies[document].state} if document in self.copies else {}
            answer = self.device.ask("POST", f"/task/{document}", {**body, **base})
        return answer

    def _apply(self, document: str, answer: Any, sent: State | None = None) -> None:
        self.dropped += [(document, row["dropped"]) for row in answer.get("conflicts", ()) if "dropped" in row]
        self.copies[document] = Copy(answer.get("server_state", sent), answer.get("rev", "0"))


class BasedWriter(Writer):
    """Says of each state which one it was made on."""

    def edit(self) -> None:
        document = self.chance.choice(DOCUMENTS)
        state, acknowledged = self._changed(document)
        self._apply(document, self._post(document, state))
        acknowledged()


class PlainWriter(BasedWriter):
    """Sends states and nothing else, as protocol 1.0 has it."""

    def _request(self, document: str, state: State) -> dict[str, Any]:
        return {"client_state": state}


class BatchWriter(Writer):
    """Sends several documents together, and again those that could not be stored."""

    def edit(self) -> None:
        changed = {name: self._changed(name) for name in self.chance.sample(DOCUMENTS, _TOGETHER)}
        tasks = {name: self._request(name, state) for name, (state, _) in changed.items()}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while tasks:
            assert time.monotonic() < deadline, f"not answered: {list(tasks)}"
            answers = self.device.ask("POST", "/tasks", {"tasks": tasks})["tasks"]
            for name, answer in answers.items():
                if "error" in answer and answer["error"]["status"] == 503:
                    self.device.failed.append(503)
                    continue
                if "error" in answer:
                    assert answer["error"]["status"] == 409, answer
                    answer = self._post(name, changed[name][0])  # noqa: PLW2901  with the state of its base
                self._apply(name, answer, changed[name][0])
                changed[name][1]()
                del tasks[name]


class FolderWriter(Writer):
    """The command-line client on a folder: edits files, and syncs."""

    def __init__(self, name: str, device: Device, chance: random.Random, home: Path) -> None:
        super().__init__(name, device, chance)
        self.copies = {document: Copy({"id": document}) for document in DOCUMENTS}
        self._program = devices.Device(home, name)
        self._program.run("connect", device.urls[0], "--sync", token=device.token)
        self._read()

    def edit(self) -> None:
        document = self.chance.choice(DOCUMENTS)
        state, acknowledged = self._changed(document)
        (self._program.root / f"{document}.json").write_text(json.dumps(state))
        self._sync(_has_sent)
        acknowledged()

    def reconcile(self) -> bool:
        self._sync(lambda done: bool(done.get("agreed")))
        before = {name: copy.state for name, copy in self.copies.items()}
        self._read()
        return before != {name: copy.state for name, copy in self.copies.items()}

    def _sync(self, enough: Callable[[Any], bool]) -> None:
        """Until it is enough. While others edit the same documents all the time, it ends before both sides are seen
        to be equal; what it says that it has sent is acknowledged."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not enough(done := self._program.run("sync", check=False)):
            self.device.failed.append(0)
            assert time.monotonic() < deadline, done
            time.sleep(PAUSE_SECONDS)
        self._read()

    def _read(self) -> None:
        self.copies |= {name: Copy(state) for name, state in self._program.documents().items()}


def _has_sent(done: dict[str, Any]) -> bool:
    """Whether a sync that prints this has sent what was edited."""
    return bool(done.get("agreed")) or any(one.get("sent") for one in done.get("upstreams", {}).values())


@dataclass
class Follower:
    """Has the hash map by reading what changed alone."""

    device: Device
    hashes: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None
    begun_again: int = 0
    """How often its cursor was of no use any more."""

    def follow(self) -> None:
        self.read()
        time.sleep(PAUSE_SECONDS)

    def read(self) -> bool:
        """One page. Whether there is more."""
        if self.cursor is None:
            headers, text = self.device.ask_whole("GET", "/hashes")
            assert headers is not None
            self.cursor, self.hashes = headers["Hypertask-Cursor"], json.loads(text)
        answer = self.device.ask("GET", f"/hashes?since={self.cursor}", also=(410,))
        if answer is None:
            self.begun_again += 1
            self.cursor = None
            return True
        for document, found in answer["hashes"].items():
            if found is None:
                self.hashes.pop(document, None)
            else:
                self.hashes[document] = found
        self.cursor = answer["cursor"]
        return bool(answer["more"])


KINDS: dict[str, type[Writer]] = {"based": BasedWriter, "plain": PlainWriter, "batch": BatchWriter}


def exported(device: Device) -> Iterator[dict[str, Any]]:
    """All that the server has of the space, a row each."""
    _, text = device.ask_whole("GET", "/export")
    rows = [json.loads(line) for line in text.splitlines()]
    assert rows[-1]["kind"] == "end"
    yield from rows
