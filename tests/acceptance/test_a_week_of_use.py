"""A week of use on two devices: commands, an editor and scripts, with a server that comes and goes.

Whatever they did, both folders are equal in the end, and nothing is lost: every edit writes a field of its own, and
each of these fields is there, unless somebody took it back or deleted its task. The transcript is for reading: it has
every command and all that was printed.
"""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.acceptance.devices import Device, until_equal
from tests.instance import Instance

WORDS: Final = ("call Ann", "buy milk", "water the plants", "write the report", "book the train", "mend the bicycle")
TAGS: Final = ("+home", "+work", "+errand", "-home", "-work")

ACTIONS: Final = {
    "add": 8, "modify": 14, "editor": 6, "script": 12, "done": 4, "delete": 3, "undo": 5, "look": 10, "sync": 20,
    "gate": 5, "take": 3, "restore": 2,
}  # fmt: skip
"""What is done, and how often."""


class Gate:
    """An address of its own for the server, which can be closed: then nobody answers there."""

    def __init__(self, url: str) -> None:
        self._target = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._connections):
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._listener = None
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._connections |= {client, server}
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Week:
    """What two people do, by chance, and what must be there in the end."""

    def __init__(self, home: Path, gate: Gate, chosen: random.Random) -> None:
        self.gate = gate
        self._chosen = chosen
        self.devices = [Device(home, name) for name in ("desk", "laptop")]
        self.transcript = home / "transcript.txt"
        self.edits: dict[str, set[str]] = {}
        """By task: the fields that were written, and that nobody took back."""
        self.deleted: set[str] = set()
        self._number = 0
        self._editor = home / "editor"
        self._editor.write_text(
            "#!/usr/bin/env python3\nimport json, os, sys\nbody = json.load(open(sys.argv[1]))\n"
            "body[os.environ['FIELD']] = 1\njson.dump(body, open(sys.argv[1], 'w'))\n"
        )
        self._editor.chmod(0o700)

    def type(self, device: Device, *words: str, may_fail: bool = False) -> str:
        """One command, as somebody types it. Returns what it printed."""
        before = device.documents()
        done = device.raw(*words)
        said = done.stdout + done.stderr
        with self.transcript.open("a") as file:
            file.write(f"{device.name}$ hypertask {' '.join(words)}   [{done.returncode}]\n{said}\n")
        assert "Traceback" not in said and "ResourceWarning" not in said, said
        assert done.returncode == 0 or (may_fail and done.returncode == 1 and said.strip()), (words, said)
        if words[0] not in ("sync", "connect"):
            self._note(before, device.documents())
        return said

    def _note(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        """What a command wrote, took back or deleted was meant."""
        for name, was in before.items():
            if name not in now:
                self.deleted.add(name)
            else:
                self.edits.get(name, set()).difference_update(was.keys() - now[name].keys())
        for name, body in now.items():
            new = {field for field in body.keys() - before.get(name, {}).keys() if field.startswith("edit")}
            if name not in before:
                self.deleted.discard(name)
            self.edits.setdefault(name, set()).update(new)

    def step(self) -> None:
        device, chosen = self._chosen.choice(self.devices), self._chosen
        self._number += 1
        field, names = f"edit{self._number}x", sorted(device.documents())
        name = chosen.choice(names) if names else ""
        action = chosen.choices([*ACTIONS], [*ACTIONS.values()])[0]
        if action == "add" or (not name and action not in ("sync", "gate")):
            self.type(device, "add", chosen.choice(WORDS), f"due:{chosen.randint(1, 9)}d", f"{field}:=1")
        elif action == "modify":
            extra = [chosen.choice(TAGS)] if chosen.random() < 0.5 else [f"description:{chosen.choice(WORDS)}"]
            self.type(device, "modify", name, f"{field}:=1", *extra, may_fail=True)
        elif action == "editor":
            device.environment |= {"EDITOR": str(self._editor), "VISUAL": "", "FIELD": field}
            self.type(device, "edit", name)
        elif action == "script":
            self._script(device, name, field)
        elif action in ("done", "delete"):
            self.type(device, action, name)
        elif action == "undo":
            self.type(device, "undo", may_fail=True)
        elif action == "look":
            looks: list[list[str]] = [["list"], ["status"], ["log", name], ["conflicts"], ["show", name], ["next"]]
            self.type(device, *chosen.choice(looks))
        elif action == "sync":
            self.type(device, "sync", may_fail=not self.gate.is_open)
        elif action == "gate":
            self.gate.close() if self.gate.is_open else self.gate.open()
        elif action == "take":
            decided = device.run("conflicts")["conflicts"]
            if decided:
                self.type(device, "conflicts", "--take", str(chosen.choice(decided)["number"]), may_fail=True)
        else:
            self.type(device, "restore", name, may_fail=True)

    def _script(self, device: Device, name: str, field: str) -> None:
        """Not a command: some program writes the file."""
        path = device.folder.path(name)  # type: ignore[arg-type]
        body = json.loads(path.read_text())
        body[field] = 1
        if self._chosen.random() < 0.5:
            body["description"] = self._chosen.choice(WORDS)
        new = path.with_suffix(".tmp")
        new.write_text(json.dumps(body))
        new.replace(path)
        self.edits.setdefault(name, set()).add(field)

    def end(self) -> None:
        """The server is there, nobody edits any more."""
        if not self.gate.is_open:
            self.gate.open()
        for device in (*self.devices, *self.devices):
            self.type(device, "sync")
        until_equal(self.devices, {name: fields for name, fields in self.edits.items() if name not in self.deleted})
        for device in self.devices:
            assert "In sync." in self.type(device, "status")
            assert not (device.root / ".hypertask" / "rescued").exists()


@pytest.fixture
def gate(server: Instance) -> Iterator[Gate]:
    gate = Gate(server.url)
    gate.open()
    yield gate
    gate.close()


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 15), *(pytest.param(seed, 300, marks=pytest.mark.soak) for seed in (1, 2, 3))]
)
def test_a_week_of_use_loses_nothing(tmp_path: Path, server: Instance, gate: Gate, seed: int, steps: int) -> None:
    week = Week(tmp_path, gate, random.Random(seed))
    access = server.access()
    for device in week.devices:
        token = server.access(space=access.space, name=device.name).token
        device.run("connect", f"http://127.0.0.1:{gate.port}", "--name", "home", token=token)
    for _ in range(steps):
        week.step()
    week.end()
