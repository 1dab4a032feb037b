"""Three folders and three directories in a ring: a stale value wins nowhere, and it settles."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from client.folder.task_folder import TaskFolder
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Sync
from client.sync.upstream import Upstream
from shared.core.documents import DocumentId
from tests.contract import upstreams

LINKS = {"A": ("u1", "u3"), "B": ("u1", "u2"), "C": ("u2", "u3")}
ID = DocumentId("d")


class Ring:
    def __init__(self, root: Path, kinds: dict[str, str]) -> None:
        self.folders = {name: TaskFolder(root / name) for name in LINKS}
        for folder in self.folders.values():
            folder.make()
        self.drivers = {}
        for name, kind in kinds.items():
            place = root / name
            place.mkdir()
            self.drivers[name] = upstreams.directory(place) if kind == "folder" else upstreams.repository(place)

    def sync(self, name: str, *over: str) -> int:
        """How much travelled."""
        return sum(asyncio.run(self._sync(name, upstream)) for upstream in over or LINKS[name])

    async def _sync(self, name: str, upstream: str) -> int:
        store = SyncStateStore.open(self.folders[name].state / "memory.sqlite")
        driver: Upstream = self.drivers[upstream].opened(name)
        try:
            report = await Sync(self.folders[name], store, upstream, driver, several=True).run()
            assert report.agreed
            return report.sent + report.fetched + report.deleted + report.removed
        finally:
            await driver.close()
            store.close()

    def set(self, name: str, due: str) -> None:
        self.folders[name].path(ID).write_text(json.dumps({"id": ID, "due": due}))

    def due(self) -> list[str | None]:
        paths = [folder.path(ID) for folder in self.folders.values()]
        return [json.loads(path.read_bytes())["due"] if path.exists() else None for path in paths]


@pytest.mark.parametrize("second", ["folder", "git"])
def test_a_stale_value_wins_nowhere(tmp_path: Path, second: str) -> None:
    ring = Ring(tmp_path, {"u1": "folder", "u2": second, "u3": "folder"})
    ring.set("A", "v1")
    ring.sync("A", "u1")
    ring.sync("B", "u1")
    ring.set("A", "v2")
    ring.sync("A")
    ring.sync("C", "u3", "u2")
    ring.sync("B", "u2")  # it has v1 still, which was never there
    assert ring.due() == ["v2", "v2", "v2"]
    for _ in range(2):
        for name in "ABC":
            ring.sync(name)
    assert ring.due() == ["v2", "v2", "v2"]
    assert sum(ring.sync(name) for name in "ABC") == 0


def test_a_deletion_is_not_undone_by_who_has_not_heard_of_it(tmp_path: Path) -> None:
    ring = Ring(tmp_path, {"u1": "folder", "u2": "folder", "u3": "folder"})
    ring.set("A", "v1")
    ring.sync("A", "u1")
    ring.sync("B", "u1")
    ring.folders["A"].path(ID).unlink()
    ring.sync("A")
    ring.sync("B", "u2")  # it has the document still
    for _ in range(3):
        for name in "CAB":
            ring.sync(name)
    assert ring.due() == [None, None, None]
    assert sum(ring.sync(name) for name in "ABC") == 0
