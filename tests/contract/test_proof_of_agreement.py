"""A sync that agrees proves it by the content now and then, over every upstream: what no cursor shows is found."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from client.sync.state_store import PROVE_SECONDS, PROVE_SYNCS, SyncStateStore
from shared.core.documents import DocumentId
from tests.contract import upstreams
from tests.unit.client.sync.simulated import Device

NAME = "up"
X, Y = {"id": "d", "title": "what a has"}, {"id": "d", "title": "what the upstream has"}


@pytest.fixture(params=["folder", "git", "server", "mongodb"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> upstreams.Driver:
    place = tmp_path / "place"
    place.mkdir()
    if request.param == "folder":
        return upstreams.directory(place)
    if request.param == "git":
        return upstreams.repository(place)
    server = request.getfixturevalue("server")
    return upstreams.server(server) if request.param == "server" else upstreams.database(server)


def write(device: Device, body: dict[str, Any]) -> None:
    device.folder.path(DocumentId("d")).write_text(json.dumps(body))


def sync(device: Device) -> None:
    report = device.sync()
    assert report is not None and report.agreed


async def newest_cursor(device: Device) -> str:
    upstream = device.upstream()
    try:
        return (await upstream.changes(None)).cursor or ""
    finally:
        await upstream.close()


def apart(tmp_path: Path, driver: upstreams.Driver) -> Device:
    """A device that has missed what the upstream has, and whose cursor says that it has heard of everything."""
    a, b = (Device(tmp_path / "devices", name, driver.opened) for name in ("a", "b"))
    write(a, X)
    for device in (a, b, a):
        sync(device)
    write(b, Y)
    sync(b)
    store = SyncStateStore.open(a.memory_path)
    try:
        with store.transaction():
            store.set_cursor(NAME, asyncio.run(newest_cursor(a)), agreed_once=True)
    finally:
        store.close()
    sync(a)
    assert a.documents() == {"d": X}, "nothing shows that they are apart"
    return a


def test_after_some_syncs(tmp_path: Path, driver: upstreams.Driver) -> None:
    device = apart(tmp_path, driver)
    for _ in range(PROVE_SYNCS):
        sync(device)
    assert device.documents() == {"d": Y}


def test_after_some_time(tmp_path: Path, driver: upstreams.Driver) -> None:
    device = apart(tmp_path, driver)
    store = SyncStateStore.open(device.memory_path)
    store.set_proof(NAME, proved=store.upstream(NAME).proved - PROVE_SECONDS)
    store.close()
    sync(device)
    assert device.documents() == {"d": Y}


def test_when_the_daemon_starts(tmp_path: Path, driver: upstreams.Driver) -> None:
    device = apart(tmp_path, driver)
    device.stay()
    device.leave()
    assert device.documents() == {"d": Y}
