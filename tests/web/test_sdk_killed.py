"""Node programs with the SDK and a durable store, killed at any moment, over a network that loses and repeats."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import node
import pytest

from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS

NAMES = ("one", "two")
EDITS = 14
LINES = 3 * EDITS
"""What a program says at least: of each edit that it begins, that it ends and what it made."""


@dataclass
class World:
    """What was promised: fields that were said to be stored, by document."""

    command: list[str]
    environment: dict[str, str]
    folder: Path
    tokens: dict[str, str]
    made: dict[str, set[str]] = field(default_factory=dict)
    interrupted: Counter[str] = field(default_factory=Counter)
    """What was under way when a program was killed, and how often."""

    def start(self, name: str, seed: int, edits: int) -> subprocess.Popen[str]:
        command = [*self.command, str(self.folder / name), name, str(seed), str(edits)]
        environment = {**self.environment, "HYPERTASK_TOKEN": self.tokens[name]}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def lines(self, process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        """What it says, with what it promises entered; a line that was cut is none."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):
                said = json.loads(line)
                if "made" in said:
                    self.made.setdefault(said["id"], set()).add(said["made"])
                yield said


def kill(world: World, rng: random.Random, seed: int) -> bool:
    """Runs one program, and kills it after some lines and a moment. Whether that interrupted an edit or a sync: it
    may have ended before, or have been between two."""
    process = world.start(rng.choice(NAMES), seed, EDITS)
    after = rng.randrange(LINES)
    watch = threading.Timer(PATIENCE_SECONDS, process.kill)
    watch.start()
    begun: Counter[str] = Counter()
    for number, said in enumerate(world.lines(process)):
        begun.update([said["begins"]] if "begins" in said else [])
        begun.subtract([said["ends"]] if "ends" in said else [])
        if number == after:
            timer = threading.Timer(rng.random() * 0.03, process.kill)
            timer.start()
    watch.cancel()
    error = process.communicate()[1]
    assert process.returncode in (0, -9), error
    under_way = +begun if process.returncode == -9 else Counter[str]()
    world.interrupted.update(under_way.keys())
    return bool(under_way)


def finish(world: World, name: str, seed: int) -> dict[str, Any]:
    process = world.start(name, seed, 0)
    *_, last = world.lines(process)
    assert process.wait(PATIENCE_SECONDS) == 0
    documents: dict[str, Any] = last["documents"]
    process.communicate()
    return documents


def judge(world: World) -> None:
    """Every edit that was said to be stored is there, once, in both."""
    for round_ in range(2):
        found = [finish(world, name, 9_000 + round_) for name in NAMES]
    assert found[0] == found[1]
    for document, fields in world.made.items():
        assert fields <= found[0][document].keys(), fields - found[0][document].keys()
        steps = [step["id"] for step in found[0][document]["steps"]]
        assert len(steps) == len(set(steps))
        assert fields <= set(steps)


def run(world: World, seed: int, kills: int) -> None:
    """So many kills that each interrupted something."""
    rng = random.Random(seed)
    interrupting = programs = 0
    while interrupting < kills:
        programs += 1
        interrupting += kill(world, rng, 1_000 * seed + programs)
        assert programs < 10 * kills, "hardly a kill interrupts anything"
    assert sum(map(len, world.made.values())) > 2 * kills
    judge(world)
    print(f"{programs} programs, {interrupting} killed in the middle: {dict(world.interrupted)}")


@pytest.fixture
def world(sdk: node.Node, build: Path, server: Instance, access: Access, tmp_path: Path) -> World:
    other = server.access(space=access.space, user=access.user, name="two")
    tokens = {"one": access.token, "two": other.token}
    environment = {**sdk.environ(), "HYPERTASK_URL": access.url}
    return World([sdk.node, str(build / "test" / "worker.js")], environment, tmp_path, tokens)


def test_a_client_that_is_killed_loses_and_doubles_nothing(world: World) -> None:
    run(world, seed=1, kills=3)


@pytest.mark.soak
def test_a_client_that_is_killed_a_hundred_times_loses_and_doubles_nothing(world: World) -> None:
    run(world, seed=2, kills=100)
    assert world.interrupted["an edit"] and world.interrupted["a sync"], world.interrupted
