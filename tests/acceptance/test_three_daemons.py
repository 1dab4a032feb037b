"""Three folders, three daemons, one server: whatever people do to their files, nobody's edit is lost."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.devices import Device, until_equal
from tests.instance import Instance
from tests.patience import until

NAMES = ["desk", "laptop", "telephone"]


class Editors:
    """Edits as people make them; each adds a field that must be there in the end."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.has: dict[str, set[str]] = {}
        self._number = 0

    def field(self, name: str) -> str:
        self._number += 1
        field = f"field-{self._number}"
        self.has.setdefault(name, set()).add(field)
        return field

    def create(self, device: Device, name: str) -> None:
        body = {"id": name, "description": f"made on {device.name}", self.field(name): 1}
        (device.root / f"{name}.json").write_text(json.dumps(body, indent=2))

    def editor(self, device: Device, name: str) -> None:
        """Writes a new file and renames it over the old one."""
        path, field = device.root / f"{name}.json", self.field(name)
        while True:
            before = path.stat()
            body: dict[str, Any] = json.loads(path.read_bytes())
            body[field] = device.name
            new = path.with_name(f".{name}.swp")
            new.write_text(json.dumps(body, indent=4))
            if path.stat() == before:  # an editor, too, asks before it writes over what it has not shown
                new.replace(path)
                return

    def command(self, device: Device, name: str) -> None:
        device.run("modify", name, f"{self.field(name)}:={json.dumps(device.name)}")

    def sed(self, device: Device, name: str) -> None:
        """Adds a line behind the one that every task has. It reads and writes over whatever is there then, so
        nobody else is at this task."""
        path = device.root / f"{name}.json"
        line = f'  "{self.field(name)}": "by sed on {device.name}",'
        subprocess.run(["sed", "-i", f'/^ *"id"/a {line}', str(path)], check=True)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """It comes and goes."""
    made = Instance(tmp_path_factory.mktemp("server") / "data").start()
    yield made
    made.discard()


@pytest.fixture
def devices(tmp_path: Path, instance: Instance) -> Iterator[list[Device]]:
    first = instance.access()
    made = [Device(tmp_path / "homes", name) for name in NAMES]
    for device in made:
        access = instance.access(space=first.space, user=first.user, name=device.name)
        device.run("connect", instance.url, token=access.token)
    yield made
    for device in made:
        device.stop()


def test_edits_of_all_kinds_while_the_server_comes_and_goes(
    tmp_path: Path, instance: Instance, devices: list[Device]
) -> None:
    editors = Editors(seed=1)
    for device in devices:
        device.start()
    tasks = [f"task-{number}" for number in range(6)]
    for number, name in enumerate(tasks):
        editors.create(devices[number % 3], name)
    until_equal(devices, editors.has)

    for round_ in range(3):
        if round_ == 1:
            instance.stop()
        alone = editors.random.sample(tasks, len(devices))
        together = [name for name in tasks if name not in alone]
        for device, name in zip(devices, alone, strict=True):
            editors.sed(device, name)
        for device in devices:
            first, second = editors.random.sample(together, 2)
            editors.editor(device, first)
            editors.command(device, second)
        if round_ == 1:
            instance.start_again()
        until_equal(devices, editors.has)

    # git, as somebody uses it who keeps his tasks under version control: an old version comes back.
    desk = devices[0]
    git = ["git", "-C", str(desk.root), "-c", "user.name=me", "-c", "user.email=me@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "now"]):
        subprocess.run([*git, *arguments], check=True)
    before = desk.documents()
    editors.editor(devices[1], "task-1")
    until_equal(devices, editors.has)
    subprocess.run([*git, "checkout", "-q", "--", "."], check=True)
    editors.has["task-1"] = set(before["task-1"])
    until_equal(devices, editors.has)
    assert devices[2].documents() == before

    (devices[1].root / "task-2.json").unlink()
    editors.has.pop("task-2")
    until_gone(devices, "task-2")
    assert [device.stop() for device in devices] == [0, 0, 0]


def until_gone(devices: list[Device], name: str) -> None:
    until(
        lambda: not any(name in device.documents() for device in devices),
        lambda: [device.log()[-500:] for device in devices],
    )


@pytest.fixture(params=["folder", "git", "mongodb"])
def serverless(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Device]]:
    """Two devices, and a directory, a repository or a database between them."""
    place = str(tmp_path / ("stick" if request.param == "folder" else "shared.git"))
    if request.param == "git":
        subprocess.run(["git", "init", "-q", "--bare", place], check=True)
    if request.param == "mongodb":
        settings = request.getfixturevalue("settings")
        place = urlsplit(settings.mongo_url)._replace(path=f"/{settings.mongo_database}").geturl()
    made = [Device(tmp_path / "homes", name) for name in NAMES[:2]]
    for device in made:
        device.run("connect", place, "--space", f"s-{tmp_path.name[-40:]}".lower().replace("_", "-"))
        password = urlsplit(place).password
        assert not password or password not in (device.home / "config.toml").read_text()
    yield made
    for device in made:
        device.stop()


def test_two_folders_without_a_server(serverless: list[Device]) -> None:
    editors = Editors(seed=2)
    for device in serverless:
        device.start()
    tasks = [f"task-{number}" for number in range(4)]
    for number, name in enumerate(tasks):
        editors.create(serverless[number % 2], name)
    until_equal(serverless, editors.has)
    for round_ in range(3):
        for device, alone in zip(serverless, tasks, strict=False):
            editors.sed(device, alone)
        for device in serverless:
            for name in tasks[2:]:
                editors.editor(device, name)
        if round_ == 1:
            serverless[0].kill()
            editors.editor(serverless[0], "task-3")
            serverless[0].start()
        until_equal(serverless, editors.has)
    (serverless[1].root / "task-2.json").unlink()
    editors.has.pop("task-2")
    until_gone(serverless, "task-2")
    assert [device.stop() for device in serverless] == [0, 0]


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.soak)])
def test_daemons_that_are_killed_at_any_moment(devices: list[Device], kills: int) -> None:
    editors = Editors(seed=kills)
    tasks = [f"task-{number}" for number in range(4)]
    for name in tasks:
        editors.create(devices[0], name)
    for device in devices:
        device.start()
    until_equal(devices, editors.has)
    for _ in range(kills):
        for device in devices:
            for name in editors.random.sample(tasks, 2):
                editors.editor(device, name)
        victim = editors.random.choice(devices)
        # From the moment of the edit, when it is not known yet, to when all is over; a daemon takes a while to
        # start, so one that was killed before is met at all stages.
        time.sleep(editors.random.uniform(0, 1))
        victim.kill()
        victim.start()
    until_equal(devices, editors.has)
