"""Upstreams that are put back: what devices have is sent again, what they deleted stays deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.contract import upstreams
from tests.unit.client.sync.moments import MOMENTS, Moments, World


class PutBack(World):
    """An upstream whose storage is a directory, and the devices on it."""

    def __init__(self, root: Path, kind: str) -> None:
        self.place = root / "place"
        self.place.mkdir()
        super().__init__(
            root, upstreams.directory(self.place) if kind == "folder" else upstreams.repository(self.place)
        )
        self.kind = kind
        self._copies = root / "copies"

    @property
    def storage(self) -> Path:
        return self.place if self.kind == "folder" else self.place / "shared.git"

    def copy(self, moment: int) -> None:
        shutil.copytree(self.storage, self._copies / str(moment))

    def put_back(self, moment: int) -> None:
        shutil.rmtree(self.storage)
        shutil.copytree(self._copies / str(moment), self.storage)


@pytest.mark.parametrize("kind", ["folder", "git"])
@pytest.mark.parametrize("written_first", [False, True])
def test_thirty_documents(tmp_path: Path, kind: str, written_first: bool) -> None:
    """Two devices agree on 30 documents; a copy; they edit 10, make 5, delete 3; the copy is put back."""
    world = PutBack(tmp_path, kind)
    for number in range(30):
        world.write("a", f"d{number}", n=number)
    world.sync("a", "b", "behind")
    world.copy(0)
    for number in range(10):
        world.write("ab"[number % 2], f"d{number}", edited=True)
    for number in range(5):
        world.write("ab"[number % 2], f"new{number}", n=number)
    for number in range(20, 23):
        world.delete("a", f"d{number}")
    world.sync("a", "b", "a")
    wanted = world.devices["a"].documents()
    assert len(wanted) == 32
    world.put_back(0)
    if written_first:
        for number in range(12, 19):
            world.write("behind", f"d{number}", late=True)
            wanted[f"d{number}"]["late"] = True
        # Past the positions that were told before. Those of a repository are hashes: none is met again.
        for number in range(20 if kind == "folder" else 3):
            world.write("behind", f"more{number}", n=number)
            wanted[f"more{number}"] = {"id": f"more{number}", "n": number}
            world.sync("behind")
    world.sync("a", "b", "c", "behind", "a", "b", "c", "behind")
    assert world.documents() == wanted


@pytest.mark.parametrize("kind", ["folder", pytest.param("git", marks=pytest.mark.soak)])
@pytest.mark.parametrize("written_first", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_each_of_ten_moments(tmp_path: Path, kind: str, written_first: bool) -> None:
    world = PutBack(tmp_path, kind)
    history = Moments(world, written_first=written_first)
    for moment in range(MOMENTS):
        world.copy(moment)
        history.go_ahead(moment)
    history.agree()
    for moment in range(MOMENTS):
        world.put_back(moment)
        history.check(moment)


@pytest.mark.parametrize("number", range(3))
def test_edits_by_hand_before_and_after_it_was_put_back_are_two(tmp_path: Path, number: int) -> None:
    """The sequences of the directory are given out again, to another edit. Which of two contents has the greater hash
    is chance."""
    world = PutBack(tmp_path, "folder")
    world.write("a", "d", n=number)
    world.sync("a", "b")
    world.copy(0)
    path = world.place / "d.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "before": 1}))
    world.sync("a")
    world.put_back(0)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "after": 1}))
    world.sync("b", "a", "b", "a", "c", "behind")
    assert world.documents() == {"d": {"id": "d", "n": number, "before": 1, "after": 1}}
