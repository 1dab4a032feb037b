"""Daemons of several folders over several upstreams, in rings: all of it settles, and nobody's edit is lost."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.devices import Device, until_equal
from tests.acceptance.test_three_daemons import Editors
from tests.instance import Instance

KINDS = ("folder", "git", "server")
COUNTS = ("sent", "deleted", "fetched", "removed", "merged")


@dataclass
class Ring:
    """Folders and upstreams in a ring, with a chord now and then. `written`: what tells whether an upstream of that
    name was written to."""

    devices: list[Device]
    links: list[tuple[Device, str]]
    written: dict[str, Callable[[], object]] = field(default_factory=dict)

    def sync(self) -> dict[str, int]:
        """A sync over each link; what was done, in all."""
        done = dict.fromkeys(COUNTS, 0)
        for device, name in self.links:
            report = device.run("sync", name, "--confirm-deletions")["upstreams"][name]
            assert report["agreed"]
            assert report["alternating"] == []
            for count in COUNTS:
                done[count] += report[count]
        return done

    def writes(self) -> dict[str, object]:
        return {name: ask() for name, ask in self.written.items()}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], Instance]]:
    """Started if it is asked for."""
    made: list[Instance] = []

    def started() -> Instance:
        if not made:
            made.append(Instance(tmp_path / "server" / "data").start())
        return made[0]

    yield started
    for one in made:
        one.stop()


def ring_of(tmp_path: Path, choose: random.Random, kinds: tuple[str, ...], server: Callable[[], Instance]) -> Ring:
    size = choose.randint(2, 4)
    devices = [Device(tmp_path / "homes", f"d{number}") for number in range(size)]
    upstreams = [choose.choice(kinds) for _ in range(size)]
    pairs = {(number, number) for number in range(size)} | {((number + 1) % size, number) for number in range(size)}
    if choose.random() < 0.5:
        pairs.add((choose.randrange(size), choose.randrange(size)))
    ring = Ring(devices, [])
    for number, kind in enumerate(upstreams):
        name, place = f"u{number}", tmp_path / f"u{number}"
        access = server().access() if kind == "server" else None
        if kind == "git":
            subprocess.run(["git", "init", "-q", "--bare", f"{place}.git"], check=True)
        for device in [devices[who] for who, upstream in sorted(pairs) if upstream == number]:
            ring.links.append((device, name))
            if access is not None:
                mine = server().access(space=access.space, user=access.user, name=device.name)
                device.run("connect", server().url, "--name", name, token=mine.token)
            else:
                device.run("connect", f"{place}.git" if kind == "git" else str(place), "--name", name)
        if kind == "git":
            ring.written[name] = lambda place=place: git_head(place)  # type: ignore[misc]
        elif kind == "folder":
            ring.written[name] = lambda place=place: ledger_of(place)  # type: ignore[misc]
    return ring


def git_head(place: Path) -> str:
    command = ["git", "--git-dir", f"{place}.git", "for-each-ref"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ledger_of(place: Path) -> list[Any]:
    with closing(sqlite3.connect(place / ".hypertask" / "upstream" / "ledger.sqlite")) as ledger:
        return ledger.execute("SELECT id, sequence, hash, data FROM entry ORDER BY id").fetchall()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 51))])
def test_rings_of_daemons_settle(tmp_path: Path, server: Callable[[], Instance], seed: int) -> None:
    choose = random.Random(seed)
    kinds = KINDS if seed % 3 == 0 else KINDS[:2]
    ring = ring_of(tmp_path, choose, kinds, server)
    editors = Editors(seed)
    values: dict[str, list[str]] = {}
    tasks = [f"task-{number}" for number in range(4)]
    for name in tasks:
        editors.create(ring.devices[0], name)
    for device in ring.devices:
        device.start()
    try:
        until_equal(ring.devices, editors.has)
        for step in range(12):
            device, name = choose.choice(ring.devices), choose.choice(tasks)
            if choose.random() < 0.5:
                editors.editor(device, name)
            else:  # over the value that it sees
                path = device.root / f"{name}.json"
                body = json.loads(path.read_text())
                values.setdefault(name, []).append(str(body.get("due", "")))
                device.run("modify", name, f"due:2030-01-{step + 1:02}")
            if choose.random() < 0.3:
                victim = choose.choice(ring.devices)
                victim.kill()
                victim.start()
        until_equal(ring.devices, editors.has)
    finally:
        statuses = [device.stop() for device in ring.devices]
    assert statuses == [0] * len(ring.devices)
    for _ in range(len(ring.links) + 2):
        if not any(ring.sync().values()):
            break
    before = ring.writes()
    assert not any(ring.sync().values())
    assert ring.writes() == before
    found = [{n: json.loads((d.root / f"{n}.json").read_text()) for n in tasks} for d in ring.devices]
    assert all(one == found[0] for one in found)
    for name in tasks:
        assert editors.has[name] <= found[0][name].keys()
        assert str(found[0][name].get("due", "")) not in values.get(name, ()), "a value that was replaced"
