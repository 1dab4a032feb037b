"""Deletions in small portions, each of which the device lets through: the upstream's guard counts them together."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from client.sync.report import SyncReport
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Sync
from client.upstreams.directory import FolderUpstream
from shared.core.documents import DocumentId
from tests.contract import upstreams
from tests.unit.client.sync.simulated import Device


def confirmed_sync(device: Device) -> SyncReport:
    store = SyncStateStore.open(device.memory_path)
    try:
        return asyncio.run(Sync(device.folder, store, "up", device.upstream()).run(confirmed=True))
    finally:
        store.close()


def test_what_is_held_waits_for_a_confirmation_and_holds_nothing_up(tmp_path: Path) -> None:
    a = Device(tmp_path / "devices", "a", upstreams.directory(tmp_path / "shared").opened)
    # The upstream knows a device by what its driver remembers.
    facts = {"device": "a"}
    a._opened = lambda name: FolderUpstream(tmp_path / "shared", facts, device=name, make=True)
    paths = [a.folder.path(DocumentId(f"d{number:02}")) for number in range(40)]
    for path in paths:
        path.write_text(json.dumps({"id": path.stem, "n": 1}))
    a.sync()
    for path in paths[:15]:
        path.unlink()
    first = a.sync()
    assert first is not None and first.agreed and first.deleted == 15
    for path in paths[15:30]:
        path.unlink()
    paths[30].write_text(json.dumps({"id": paths[30].stem, "n": 2}))
    second = a.sync()
    assert second is not None and second.agreed and (second.deleted, second.sent) == (5, 1)
    assert {refusal.code for refusal in second.refused.values()} == {"deletions-held"}
    assert len(second.refused) == 10
    assert all("--confirm-deletions" in refusal.reason for refusal in second.refused.values())
    assert confirmed_sync(a).deleted == 10
    assert sorted(path.stem for path in (tmp_path / "shared").glob("*.json")) == [path.stem for path in paths[30:]]
