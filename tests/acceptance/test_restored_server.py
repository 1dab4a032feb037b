"""A server whose database is put back to an earlier moment, and people whose devices are ahead of it.

The folder of mongod is copied while the server is stopped, and put back later; or a backup is made while it runs, and
restored into a new database. Redis stays as it is. Two spaces of one server go through it: in one a device that is
ahead comes first, in the other one another client writes past the positions that the devices remember before any of
them comes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.cli import main
from tests.acceptance.devices import Device
from tests.instance import Access, Instance

NAMES = [f"task-{number:02}" for number in range(12)]
EDITED_ON_A, EDITED_ON_B = NAMES[0:5], NAMES[3:8]
DELETED, WRITTEN_SINCE = NAMES[8:10], NAMES[10:12]

Documents = dict[str, Any]


def write(device: Device, name: str, **fields: Any) -> None:
    path = device.root / f"{name}.json"
    body = json.loads(path.read_bytes()) if path.exists() else {"id": name, "description": f"about {name}"}
    path.write_text(json.dumps({**body, **fields}))


class Home:
    """A space; `a` and `b` are ahead of the server that was put back, `behind`, if there is one, is not."""

    def __init__(self, folder: Path, instance: Instance, names: list[str]) -> None:
        self.access: Access = instance.access(name="a")
        self.a, self.b, *self.behind = self.devices = [Device(folder, name) for name in names]
        for name in NAMES:
            write(self.a, name)
        for device in self.devices:
            access = instance.access(space=self.access.space, user=self.access.user, name=device.name)
            device.run("connect", instance.url, "--sync", token=access.token)
        assert all(device.documents().keys() == set(NAMES) for device in self.devices)

    def go_ahead(self) -> Documents:
        """Edits, new documents and deletions, all of them synced. Returns what both devices have then."""
        for name in EDITED_ON_A:
            write(self.a, name, a=f"{name} by a")
        for name in EDITED_ON_B:
            write(self.b, name, b=f"{name} by b")
        for number in range(3):
            write(self.a, f"new-{number}")
        for name in DELETED:
            (self.b.root / f"{name}.json").unlink()
        for device in (self.a, self.b, self.a):
            device.run("sync")
        assert self.a.documents() == self.b.documents()
        return self.a.documents()

    def written_by_another_client(self, times: int) -> Documents:
        """So often, past every position that was told before. Returns what it wrote last."""
        wrote: Documents = {}
        with httpx.Client(base_url=self.access.url, headers=self.access.headers) as http:
            for number in range(times):
                name = WRITTEN_SINCE[number % len(WRITTEN_SINCE)]
                state = http.get(f"/task/{name}").raise_for_status().json()
                wrote[name] = {**state, "since": number}
                http.post(f"/task/{name}", json={"client_state": wrote[name]}).raise_for_status()
        return wrote

    def on_server(self) -> Documents:
        with httpx.Client(base_url=self.access.url, headers=self.access.headers) as http:
            tasks = http.get("/tasks").raise_for_status().json()["tasks"]
        return {name: task["server_state"] for name, task in tasks.items()}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path / "server" / "data").start()
    yield made
    made.stop()


class Copied:
    """The directory of the database, copied while it does not run."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self._instance, self._database, self._copy = instance, instance.data / "mongo", folder / "backup"

    def save(self) -> None:
        self._instance.stop()
        shutil.copytree(self._database, self._copy)
        self._instance.start_again()

    def put_back(self) -> None:
        self._instance.stop()
        shutil.rmtree(self._database)
        shutil.copytree(self._copy, self._database)
        self._instance.start_again()


class BackedUp(Copied):
    """A backup that was made while the server runs, restored into a new database."""

    def save(self) -> None:
        self._server("backup", str(self._copy))

    def put_back(self) -> None:
        self._instance.stop()
        shutil.rmtree(self._database)
        self._instance.start_again()
        self._server("restore", str(self._copy))

    def _server(self, *arguments: str) -> None:
        done = CliRunner().invoke(main, ["--data", str(self._instance.data), *arguments])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("way", [pytest.param(Copied, marks=pytest.mark.soak), BackedUp])
def test_what_devices_have_comes_back_to_a_server_that_was_put_back(
    tmp_path: Path, instance: Instance, way: type[Copied]
) -> None:
    first = Home(tmp_path / "first", instance, ["a", "b", "behind"])
    passed = Home(tmp_path / "passed", instance, ["a", "b"])
    backup = way(instance, tmp_path)
    backup.save()
    wanted = [home.go_ahead() for home in (first, passed)]
    for documents in wanted:
        assert len(documents) == len(NAMES) + 3 - len(DELETED)
        assert all("a" in documents[name] for name in EDITED_ON_A)
        assert all("b" in documents[name] for name in EDITED_ON_B)
    backup.put_back()
    assert first.on_server() == first.behind[0].documents(), "it is put back, and knows nothing of what came later"
    wanted[1] |= passed.written_by_another_client(times=40)
    for home, documents in zip((first, passed), wanted, strict=True):
        for device in (*home.devices, home.a):  # the first one comes again, for what the others brought
            device.run("sync")
        assert home.on_server() == documents
        for device in home.devices:
            assert device.documents() == documents, device.name
