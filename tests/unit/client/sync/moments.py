"""Devices at an upstream that is put back to earlier moments: three that are ahead of it, one that is behind."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from shared.core.documents import DocumentId
from tests.contract.upstreams import Driver
from tests.unit.client.sync.simulated import Device

MOMENTS = 10
AHEAD = ("a", "b", "c")
DOCUMENTS = [f"d{number}" for number in range(12)]


class World:
    """The devices at one upstream."""

    def __init__(self, root: Path, driver: Driver) -> None:
        self.devices = {name: Device(root / "devices", name, driver.opened) for name in (*AHEAD, "behind")}

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


class Moments:
    """A seeded history, in each moment of which the upstream may be copied, to be put back to all of them later."""

    def __init__(self, world: World, *, written_first: bool, seed: int = 7) -> None:
        self.world = world
        self.written_first = written_first
        self.choose = random.Random(seed)
        self.wanted: dict[str, Any] = {}
        for document in DOCUMENTS:
            world.write("a", document, n=0)
        world.sync()

    def go_ahead(self, moment: int) -> None:
        """Edits, new documents and deletions, of which the device that is behind hears nothing."""
        for name in AHEAD:
            have = sorted(self.world.devices[name].documents())
            self.world.write(name, self.choose.choice(have), **{f"f-{moment}-{name}": 1})
            self.world.write(name, f"new-{moment}-{name}", n=1)
            if moment % 2 and name == "b":
                self.world.delete(name, self.choose.choice([one for one in have if one.startswith("d")]))
            self.world.sync(name)

    def agree(self) -> None:
        """Those that are ahead."""
        self.world.sync(*AHEAD, *AHEAD)
        self.wanted = self.world.devices["a"].documents()

    def check(self, moment: int) -> None:
        """The upstream was put back to this moment. It is written past the positions that it told before if somebody
        writes first."""
        for number in range(15 if self.written_first else 0):
            self.world.write("behind", f"late-{moment}-{number}", n=1)
            self.wanted[f"late-{moment}-{number}"] = {"id": f"late-{moment}-{number}", "n": 1}
            self.world.sync("behind")
        for _ in range(2):
            self.world.sync()
        documents, wanted = self.world.documents(), self.wanted
        apart = {name for name in {*documents, *wanted} if documents.get(name) != wanted.get(name)}
        assert not apart, (moment, [(name, documents.get(name), wanted.get(name)) for name in sorted(apart)])
