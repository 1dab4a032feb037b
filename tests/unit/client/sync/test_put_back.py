"""Upstreams that are put back: what devices have is sent again, what they deleted stays deleted."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.core.documents import DocumentId
from tests.contract import upstreams
from tests.unit.client.sync.simulated import Device

MOMENTS = 10


class PutBack:
    """An upstream whose storage is a directory, and the devices on it."""

    def __init__(self, root: Path, kind: str) -> None:
        self.place = root / "place"
        self.place.mkdir()
        driver = upstreams.directory(self.place) if kind == "folder" else upstreams.repository(self.place)
        self.devices = {name: Device(root / "devices", name, driver.opened) for name in ("a", "b", "c", "behind")}
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

    def sync(self, *names: str) -> None:
        for name in names or self.devices:
            report = self.devices[name].sync()
            assert report is not None and report.agreed, report

    def write(self, name: str, document: str, **fields: Any) -> None:
        path = self.devices[name].folder.path(DocumentId(document))
        before = json.loads(path.read_bytes()) if path.exists() else {"id": document}
        path.write_text(json.dumps({**before, **fields}))

    def delete(self, name: str, document: str) -> None:
        self.devices[name].folder.path(DocumentId(document)).unlink()

    def documents(self) -> dict[str, Any]:
        found = [device.documents() for device in self.devices.values()]
        assert all(other == found[0] for other in found)
        return found[0]


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
        for number in range(20):
            world.write("behind", f"more{number}", n=number)
            wanted[f"more{number}"] = {"id": f"more{number}", "n": number}
            world.sync("behind")
    world.sync("a", "b", "c", "behind", "a", "b", "c", "behind")
    assert world.documents() == wanted


@pytest.mark.parametrize("kind", ["folder", pytest.param("git", marks=pytest.mark.soak)])
@pytest.mark.parametrize("written_first", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_each_of_ten_moments(tmp_path: Path, kind: str, written_first: bool) -> None:
    choose = random.Random(7)
    world = PutBack(tmp_path, kind)
    ids = [f"d{number}" for number in range(12)]
    for document in ids:
        world.write("a", document, n=0)
    world.sync()
    for moment in range(MOMENTS):
        world.copy(moment)
        for name in ("a", "b", "c"):
            have = sorted(world.devices[name].documents())
            world.write(name, choose.choice(have), **{f"f-{moment}-{name}": 1})
            world.write(name, f"new-{moment}-{name}", n=1)
            if moment % 2 and name == "b":
                world.delete(name, choose.choice([one for one in have if one.startswith("d")]))
            world.sync(name)
    world.sync("a", "b", "c", "a", "b", "c")
    wanted = world.devices["a"].documents()
    for moment in range(MOMENTS):
        world.put_back(moment)
        if written_first:
            for number in range(15):
                world.write("behind", f"late-{moment}-{number}", n=1)
                wanted[f"late-{moment}-{number}"] = {"id": f"late-{moment}-{number}", "n": 1}
                world.sync("behind")
        for _ in range(2):
            world.sync("a", "b", "c", "behind")
        assert world.documents() == wanted, moment


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
