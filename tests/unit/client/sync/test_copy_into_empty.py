"""A copy into an empty folder that is stopped anywhere, by a crash of the client or a power cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from client.folder.task_folder import TaskFolder
from client.sync.report import SyncReport
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Sync
from client.upstreams import http
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.documents import DocumentId
from tests.unit.api.in_memory import Service
from tests.unit.client.sync.simulated import Stopped

IDS = [f"d{number:02}" for number in range(30)]
PAGE = 12
"""More than what is removed row by row."""


class PowerCutStore(SyncStateStore):
    """Knows what of it a power cut leaves: what the last transaction found that waited for the disk."""

    durable = b""
    waited = 0
    """Transactions that waited for the disk, and changed something."""

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        outermost, before = not self._db.in_transaction, self._db.total_changes
        with super().transaction(durable=durable):
            yield
        if outermost and durable:
            self.durable = self._db.serialize()
            self.waited += self._db.total_changes > before


class Fixture:
    """A server with all of IDS in memory, and a device with an empty folder."""

    def __init__(self, root: Path) -> None:
        self.folder = TaskFolder(root)
        self.folder.make()
        self.path = self.folder.state / "memory.sqlite"
        self.store = PowerCutStore.open(self.path)
        self.service = Service()
        self.steps: list[str] = []
        self.kept = b""
        """What a power cut in the moment of the stop, or of the end, leaves of the memory."""

    async def fill(self, client: httpx.AsyncClient) -> None:
        tasks = {identity: {"client_state": {"id": identity}, "base": "0"} for identity in IDS}
        assert (await client.post("/tasks", json={"tasks": tasks})).status_code == 200

    async def sync(self, client: httpx.AsyncClient, stop_after: int | None = None) -> SyncReport | None:
        """None: it was stopped after so many steps."""
        self.steps.clear()

        def step(name: str) -> None:
            self.steps.append(name)
            if len(self.steps) == stop_after:
                self.kept = self.store.durable
                raise Stopped

        token = client.headers["authorization"].removeprefix("Bearer ")
        upstream = HttpUpstream(Channel("http://test", token, transport=client._transport), {})
        with suppress(Stopped):
            report = await Sync(self.folder, self.store, "up", upstream, step).run()
            self.kept = self.store.durable
            return report
        return None

    def start_again(self, *, power_cut: bool) -> None:
        self.store.close()
        if power_cut:
            for tail in ("", "-wal", "-shm"):
                Path(f"{self.path}{tail}").unlink(missing_ok=True)
            if self.kept:
                self.path.write_bytes(self.kept)
        self.store = PowerCutStore.open(self.path)

    def documents(self) -> list[str]:
        return sorted(self.folder.scan().files)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PAGE_DOCUMENTS", PAGE)


async def test_a_page_waits_once_for_the_memory(tmp_path: Path) -> None:
    """Until its row is durable nothing is put in its place; that it is there is durable with the next page, or with
    what says that all came."""
    device = Fixture(tmp_path)
    async with device.service.client() as client:
        await device.fill(client)
        report = await device.sync(client)
        assert report is not None and report.agreed and report.fetched == len(IDS)
        assert device.documents() == IDS and not device.store.arriving()
        assert device.steps.count("copied") == 3
        assert device.store.waited == 3 + 3  # that it is all; what the server offers; that both agreed


async def test_what_came_is_durable_before_anybody_is_told_of_a_copy_that_failed(tmp_path: Path) -> None:
    device = Fixture(tmp_path)
    async with device.service.client() as client:
        await device.fill(client)
        await device.sync(client)
        forgotten = [number for number, name in enumerate(device.steps, 1) if name == "forgotten"]
    for number in forgotten[:2]:
        other = Fixture(tmp_path / str(number))
        async with other.service.client() as client:
            await other.fill(client)
            assert await other.sync(client, stop_after=number) is None
        other.kept = other.store.durable  # of when the copy had failed
        other.start_again(power_cut=True)
        assert not other.store.arriving()
        assert len(other.store.files()) == len(other.documents()) > 0
        other.store.close()


@pytest.mark.parametrize("power_cut", [False, True])
async def test_no_document_and_no_edit_is_lost_wherever_a_copy_is_stopped(tmp_path: Path, power_cut: bool) -> None:
    """What is edited, or removed, before the next sync is sent; everything else is there as it was."""
    stop, is_over = 0, False
    while not is_over:
        stop += 1 if stop < 8 else 5
        device = Fixture(tmp_path / str(stop))
        async with device.service.client() as client:
            await device.fill(client)
            is_over = await device.sync(client, stop_after=stop) is not None
            device.start_again(power_cut=power_cut)
            there = device.documents()
            if there:
                device.folder.path(DocumentId(there[0])).write_text(json.dumps({"id": there[0], "edited": stop}))
            if len(there) > 1:
                device.folder.path(DocumentId(there[-1])).unlink()
            report = await device.sync(client)
            assert report is not None and report.agreed, device.steps
            assert not device.store.arriving()
            assert not list((device.folder.state / "arriving").glob("*"))
            answer = (await client.get("/tasks?limit=1000")).json()["tasks"]
            assert device.documents() == sorted(answer)
            assert set(IDS) - set(answer) == set(there[1:][-1:])
            if there:
                assert answer[there[0]]["server_state"] == {"id": there[0], "edited": stop}
        device.store.close()
    assert stop > 40
