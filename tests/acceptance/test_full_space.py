"""A space that is full: what is said, and what goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from shared.adapters.mongodb import access_stores, opened
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.documents import SpaceId
from tests.acceptance.devices import Device
from tests.instance import Instance


def limit(server: Instance, space: str, documents: int) -> None:
    async def change() -> None:
        async with opened(server.settings) as mongo:
            entry = BY_OPERATOR.entry(AuditAct.SPACE_LIMITS_CHANGED, 1.0, space=SpaceId(space))
            await access_stores(mongo).spaces.set_overrides(SpaceId(space), {"space_documents": documents}, entry)

    asyncio.run(change())


def put(device: Device, name: str, **fields: object) -> None:
    (device.root / f"{name}.json").write_text(json.dumps({"id": name, **fields}))


def test_what_there_is_no_room_for_is_named_and_kept_and_all_else_goes_on(server: Instance, tmp_path: Path) -> None:
    access = server.access()
    limit(server, access.space, 3)
    desk = Device(tmp_path, "desk")
    desk.run("connect", server.url, "--name", "there", token=access.token)
    for name in ("a", "b", "c", "d"):
        put(desk, name, n=1)
    done = desk.raw("sync")
    assert done.returncode == 1, "something was not done"
    for said in (done.stdout, desk.raw("status").stdout):
        lines = [line for line in said.splitlines() if "[quota-exceeded]" in line]
        assert len(lines) == 1, said
        assert "HYPERTASK_SPACE_DOCUMENTS" in lines[0]
        assert "kept here" in lines[0]
    [refused] = desk.run("sync", check=False)["upstreams"]["there"]["refused"]
    assert (desk.root / f"{refused}.json").exists()
    other = next(name for name in "abcd" if name != refused)
    put(desk, other, n=2)
    report = desk.run("sync", check=False)["upstreams"]["there"]
    assert (report["sent"], list(report["refused"])) == (1, [refused]), "an edit needs no room"
    (desk.root / f"{other}.json").unlink()
    desk.run("sync", check=False)
    assert desk.run("sync")["upstreams"]["there"]["refused"] == {}, "there is room now"
