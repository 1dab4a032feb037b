"""Clients of several kinds that edit the same documents, and documents of their own."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.faults.check import SHARED, Edit, SetBack
from bench.faults.device import PATIENCE_SECONDS, Device
from tests.acceptance import devices

DOCUMENTS = [f"shared-{number}" for number in range(10)]
_TOGETHER = 3
"""Documents in one request of a client that sends batches."""
_OWN = 0.15
"""The share of edits that are of own documents."""
_LOOKS = 0.5
"""How often a client gets what others did before it edits a document."""
_AGAIN_SECONDS = 0.5
"""Between two syncs of the command-line client that tried in vain."""
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
    """A document as a client has it, or its tombstone. `rev`: of the answer that it came with; "0": there was none
    yet."""

    state: State
    rev: str = "0"

    @property
    def deleted(self) -> bool:
        return "_deleted" in self.state


@dataclass
class Writer:
    """What all kinds have in common: they note what was acknowledged. `name` is one word, and no other's."""

    name: str
    device: Device
    chance: random.Random
    edits: list[Edit] = field(default_factory=list)
    own: dict[str, int | None] = field(default_factory=dict)
    """Of each document that it alone edits: the number that was acknowledged last; None: it is deleted."""
    set_back: list[SetBack] = field(default_factory=list)
    dropped: list[tuple[str, str, Any]] = field(default_factory=list)
    """Document, place and value, of each conflict that an answer told of."""
    had_until: dict[tuple[str, str], float] = field(default_factory=dict)
    """Of a document and a value of the shared field that it had: when it got another one."""
    number: int = 0
    copies: dict[str, Copy] = field(default_factory=dict)

    def edit(self) -> None:
        """Edits documents, and returns when that was acknowledged."""
        if self.chance.random() < _OWN:
            document, state = self._next_own()
            self._send_own(document, state)
            self.own[document] = None if "_deleted" in state else state[self.name]
        else:
            self._edit_shared()

    def _edit_shared(self) -> None:
        raise NotImplementedError

    def _next_own(self) -> tuple[str, State]:
        """A new one, or another state of one that there is, or its end."""
        self.number += 1
        there = [document for document, number in self.own.items() if number is not None]
        chance = self.chance.random()
        if not there or chance < 0.5:
            document = f"own-{self.name.lower()}-{self.number}"
            return document, {"id": document, self.name: self.number}
        document = self.chance.choice(there)
        state = self.copies[document].state
        return document, {**state, "_deleted": True} if chance < 0.7 else {**state, self.name: self.number}

    def _send_own(self, document: str, state: State) -> None:
        self._apply(document, self._post(document, state), state)

    def reconcile(self) -> bool:
        """Sends what differs from what the server has, as clients do now and then. Whether anything did."""
        held = self.device.ask("GET", "/tasks?ids=" + ",".join(self.copies))["tasks"] if self.copies else {}
        differing = [
            name
            for name, copy in self.copies.items()
            if held[name]["server_state"] != (None if copy.deleted else copy.state)
        ]
        for name in differing:
            self._send_again(name)
        return bool(differing)

    def _send_again(self, document: str) -> None:
        """The answer is what is right now."""
        state = self.copies[document].state
        self._apply(document, self._post(document, state), state)

    def _look(self, documents: Sequence[str]) -> None:
        if self.chance.random() < _LOOKS:
            for document in documents:
                if document in self.copies:
                    self._send_again(document)

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

    def _apply(self, document: str, answer: Any, sent: State) -> None:
        self.dropped += [
            (document, row["path"], row["dropped"]) for row in answer.get("conflicts", ()) if "dropped" in row
        ]
        state = answer.get("server_state", sent)
        if state is None and "_deleted" in sent:
            state = sent
        self._note(document, sent, state)
        self._take(document, Copy(state or {"id": document}, answer.get("rev", "0")))

    def _take(self, document: str, copy: Copy) -> None:
        """What is right now, in place of what it had and of what it sent."""
        before = self.copies[document].state.get(SHARED) if document in self.copies else None
        if before is not None and before != copy.state.get(SHARED):
            self.had_until[document, before] = time.monotonic()
        self.copies[document] = copy

    def held_until(self) -> dict[tuple[str, str], float]:
        """Also of what it has now, for ever."""
        now = {(name, copy.state[SHARED]): math.inf for name, copy in self.copies.items() if SHARED in copy.state}
        return self.had_until | now

    def _note(self, document: str, sent: State, state: State | None) -> None:
        """If the answer to it lacks the client's own edit."""
        number, answered = sent.get(self.name, 0), (state or {}).get(self.name, 0)
        if answered != number:
            self.set_back.append(SetBack(self.name, document, number, answered, time.monotonic()))


class BasedWriter(Writer):
    """Says of each state which one it was made on."""

    def _edit_shared(self) -> None:
        document = self.chance.choice(DOCUMENTS)
        self._look([document])
        state, acknowledged = self._changed(document)
        self._apply(document, self._post(document, state), state)
        acknowledged()


class PlainWriter(BasedWriter):
    """Sends states and nothing else, as protocol 1.0 has it."""

    def _request(self, document: str, state: State) -> dict[str, Any]:
        return {"client_state": state}


class BatchWriter(Writer):
    """Sends several documents together, and again those that could not be stored."""

    def _edit_shared(self) -> None:
        documents = self.chance.sample(DOCUMENTS, _TOGETHER)
        self._look(documents)
        changed = {name: self._changed(name) for name in documents}
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
        self._program.run("connect", device.urls[-1], "--sync", token=device.token)
        self._read()

    def _edit_shared(self) -> None:
        document = self.chance.choice(DOCUMENTS)
        state, acknowledged = self._changed(document)
        self._file(document).write_text(json.dumps(state))
        self._take(document, Copy(state))
        self._sync(_has_sent)
        acknowledged()

    def _send_own(self, document: str, state: State) -> None:
        if "_deleted" in state:
            self._file(document).unlink()
        else:
            self._file(document).write_text(json.dumps(state))
        self._sync(_has_sent)

    def _file(self, document: str) -> Path:
        return self._program.root / f"{document}.json"

    def reconcile(self) -> bool:
        self._sync(lambda done: bool(done.get("agreed")))
        before = {name: copy.state for name, copy in self.copies.items()}
        self._read()
        return before != {name: copy.state for name, copy in self.copies.items()}

    def held(self) -> dict[str, State]:
        """What is in the folder."""
        states = [json.loads(path.read_text()) for path in self._program.root.glob("*.json")]
        return {state["id"]: state for state in states}

    def _sync(self, enough: Callable[[Any], bool]) -> None:
        """Until it is enough. While others edit the same documents all the time, it ends before both sides are seen
        to be equal; what it says that it has sent is acknowledged. After a copy was put back there may be many
        deletions to make again, which somebody confirms."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not enough(done := self._program.run("sync", "--confirm-deletions", check=False)):
            self.device.failed.append(0)
            assert time.monotonic() < deadline, done
            time.sleep(_AGAIN_SECONDS)
        self._read()

    def _read(self) -> None:
        for name, state in self.held().items():
            if name in DOCUMENTS and name in self.copies:
                self._note(name, self.copies[name].state, state)
            self._take(name, Copy(state))


def _has_sent(done: dict[str, Any]) -> bool:
    """Whether a sync that prints this has sent what was edited."""
    upstreams = list(done.get("upstreams", {}).values())
    failed = any("error" in one or one.get("refused") for one in upstreams)
    return bool(done.get("agreed")) or (
        not failed and any(one.get("sent") or one.get("deleted") for one in upstreams)
    )


KINDS: dict[str, type[Writer]] = {"based": BasedWriter, "plain": PlainWriter, "batch": BatchWriter}
