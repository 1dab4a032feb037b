"""The client's work in a daemon, which keeps open what a command opens each time: an agreed sync, changes on both
sides, and how long an edit takes from one folder's file into another's."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench.documents import document
from bench.parts import Parts
from client.config.config_text import Profile, UpstreamConfig
from client.config.tokens import Tokens
from client.folder.file_text import text_of
from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope
from client.upstreams.http import HttpUpstream
from client.workspace.multi_sync import MultiSync
from client.workspace.watch import Watch
from client.workspace.workspace import open_workspace
from shared.core.documents import DocumentId
from shared.gc import freeze_after_startup

Row = dict[str, float | int | str]
StepCallback = Callable[[str, Parts], None]
REPEATS = 5
EDITS = 20


@dataclass(frozen=True)
class Place:
    """A folder that was synced before, and its device's way to the server."""

    root: Path
    url: str
    token: str


class Resident:
    """What a daemon has open."""

    def __init__(self, multi_sync: MultiSync, told: StepCallback | None) -> None:
        self._multi_sync = multi_sync
        self._told = told

    async def sync(self, what: str, touched: ChangeScope) -> Row:
        parts = Parts()
        store = self._multi_sync.workspace.store
        with parts.measured(store) if self._told is not None else nullcontext():
            before = self._traffic()
            started = time.perf_counter()
            result = await self._multi_sync.sync(touched=touched)
            seconds = time.perf_counter() - started
        assert result.agreed, result
        if self._told is not None:
            self._told(what, parts)
        requests, size = (now - then for now, then in zip(self._traffic(), before, strict=True))
        read = result.reports["up"].files_read
        return {"what": what, "seconds": seconds, "requests": requests, "bytes": size, "files_read": read}

    def edit(self, numbers: range, **fields: object) -> ChangeScope:
        return ChangeScope.of(self._edited(f"t{number}", fields) for number in numbers)

    def path(self, name: str) -> Path:
        return self._multi_sync.workspace.folder.path(DocumentId(name))

    async def watch(self) -> None:
        await Watch(self._multi_sync).run()

    def _edited(self, name: str, fields: dict[str, object]) -> DocumentId:
        path = self.path(document(name)["id"])
        new = path.with_suffix(".tmp")
        new.write_bytes(text_of({**json.loads(path.read_bytes()), **fields}))
        new.replace(path)
        return DocumentId(document(name)["id"])

    def _traffic(self) -> tuple[int, int]:
        driver = self._multi_sync.driver("up")
        assert isinstance(driver, HttpUpstream)
        return driver.channel.requests, driver.channel.bytes_sent + driver.channel.bytes_received


@asynccontextmanager
async def resident(place: Place, told: StepCallback | None) -> AsyncIterator[Resident]:
    config = UpstreamConfig("up", place.url)
    tokens = Tokens(place.root.parent / f"{place.root.name}-config" / "config.toml")
    tokens.put("bench", "up", place.token)
    with open_workspace(Profile("bench", place.root, place.root / "hooks", upstreams=(config,)), tokens) as here:
        multi_sync = MultiSync(here, [config])
        before = gc.get_threshold()
        freeze_after_startup()  # as a daemon
        try:
            yield Resident(multi_sync, told)
        finally:
            gc.set_threshold(*before)
            await multi_sync.close()


async def measure(here: Place, there: Place, count: int, told: StepCallback | None = None) -> list[Row]:
    async with resident(here, told) as one, resident(there, told) as other:
        for device in (one, other):
            await device.sync("settle", EVERYTHING)
        agreed = [await one.sync("daemon: agreed", NOTHING) for _ in range(REPEATS)]
        some = max(1, count // 100)
        mine = one.edit(range(2 * some, 3 * some), here="again")
        theirs = other.edit(range(3 * some, 4 * some), there="again")
        rows = [
            {**agreed[-1], "seconds": statistics.median(float(row["seconds"]) for row in agreed)},
            await one.sync("daemon: changes, first device", mine),
            await other.sync("daemon: changes, second device", theirs),
        ]
        await one.sync("settle", NOTHING)
        waits = await propagation(one, other)
        name = f"daemon: file to file, median of {EDITS}"
        return [*rows, {"what": name, "seconds": statistics.median(waits), "files_read": 1}]


async def propagation(one: Resident, other: Resident) -> list[float]:
    """Seconds from the rename of a file in one folder to the new content in the other one's file."""
    watching = [asyncio.create_task(device.watch()) for device in (one, other)]
    waits: list[float] = []
    try:
        await asyncio.sleep(3)  # both listen
        for number in range(EDITS):
            target = other.path(document("t0")["id"])
            one.edit(range(1), propagated=number)
            started = time.perf_counter()
            while json.loads(target.read_bytes()).get("propagated") != number:
                assert time.perf_counter() < started + 30
                await asyncio.sleep(0.001)
            waits.append(time.perf_counter() - started)
            await asyncio.sleep(0.5)  # until both are quiet
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return waits


def run(here: Place, there: Place, count: int, told: StepCallback | None = None) -> Sequence[Row]:
    return asyncio.run(measure(here, there, count, told))
