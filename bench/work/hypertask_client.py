"""This project's client: folders of task files, in sync with the server through everything that a sync does."""

from __future__ import annotations

import asyncio
import os
import statistics
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.apart import fast_folder
from bench.client import Device, asked
from bench.documents import document
from bench.resident import Place, propagation, resident
from bench.work.columns import Column, Figures, Scale, quantiles
from bench.work.relay import Relay
from client.folder.file_text import text_of
from client.sync.change_scope import EVERYTHING, NOTHING
from client.sync.upstream import Upstream
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from tests.instance import Instance

TICK_SECONDS = 2.5
"""The clocks of file systems tick in steps; a file is read again until its stamp proves something."""
REPEATS = 5

Passed = Callable[[], tuple[int, int]]
"""Requests and bytes so far."""


def not_counted() -> tuple[int, int]:
    return 0, 0


class ClientColumn(Column):
    """Every sync opens folder, memory and connection again, as a command does."""

    works = ("w1", "w2", "w3", "w4")

    name = "Hypertask client"
    means = (
        "files and an SQLite memory on disk, synchronised with the same server; what arrives is durable in files "
        "before it counts as applied"
    )

    def __init__(self, scale: Scale, instance: Instance, root: Path) -> None:
        super().__init__(scale)
        self._instance = instance
        self._root = root

    async def begin(self) -> None:
        def prepare() -> None:
            first = self._instance.access(name="here")
            self._tokens = {
                "here": first.token,
                "there": self._instance.access(space=first.space, name="there").token,
            }
            self._facts: dict[str, object] = {}
            asyncio.run(asked(self._instance.url, first.token, self._facts))
            self._folder = self._root / uuid.uuid4().hex
            self._devices = {name: self._device(name) for name in self._tokens}

        self._url = self._instance.url
        await asyncio.to_thread(prepare)

    def _device(self, name: str) -> Device:
        return Device(fast_folder(self._folder / name), self._opener(name))

    def _opener(self, name: str) -> Callable[[], Upstream]:
        return lambda: HttpUpstream(Channel(self._url, self._tokens[name]), self._facts)

    async def end(self) -> None:
        """The folders stay until the run is over: see bench/apart.py."""

    async def _sync(self, name: str) -> float:
        """Seconds."""
        row, _ = await asyncio.to_thread(self._devices[name].sync, "")
        return float(row["seconds"])

    async def _counted(self, name: str) -> tuple[int, int]:
        """Requests and bytes of a sync."""
        async with self._relay() as relay:
            self._url = relay.url
            try:
                await self._sync(name)
            finally:
                self._url = self._instance.url
            return relay.passed()

    def _relay(self) -> Relay:
        return Relay(int(self._instance.url.rpartition(":")[2]))

    async def w1(self) -> Figures:
        bodies = [document(f"t{number}") for number in range(self.scale.documents)]

        def write() -> None:
            folder = self._devices["here"].folder
            for body in bodies:
                folder.path(body["id"]).write_bytes(text_of(body))

        await asyncio.to_thread(write)
        return {"w1_batched": len(bodies) / await self._sync("here")}

    async def w2(self) -> Figures:
        # Once without the relay for the time, once through it for the bytes: a third folder.
        taken = await self._sync("there")
        self._tokens["third"] = self._tokens["there"]
        self._devices["third"] = await asyncio.to_thread(self._device, "third")
        requests, size = await self._counted("third")
        del self._devices["third"]
        count = self.scale.documents
        return {"w2": count / taken, "w2_requests": requests, "w2_bytes": size / count}

    async def w3(self) -> Figures:
        await asyncio.sleep(TICK_SECONDS)
        for name in self._devices:
            await self._sync(name)
        taken = [await self._sync("here") for _ in range(REPEATS)]
        requests, size = await self._counted("here")
        return {"w3_ms": statistics.median(taken) * 1e3, "w3_requests": requests, "w3_bytes": size}

    async def w4(self) -> Figures:
        """Twice: for the time, and for the count."""
        some = min(self.scale.changes, self.scale.documents // 2)

        async def change(turn: int) -> None:
            edits: dict[str, Any] = {"there": range(some), "here": range(some, 2 * some)}
            for name, numbers in edits.items():
                await asyncio.to_thread(partial(self._devices[name].edit, numbers, status="done", turn=turn))
                if name == "there":
                    await self._sync(name)

        await change(1)
        taken = await self._sync("here")
        await self._sync("there")
        await change(2)
        requests, size = await self._counted("here")
        return {"w4_ms": taken * 1e3, "w4_requests": requests, "w4_bytes": size}


class DaemonColumn(ClientColumn):
    """The same with folder, memory and connection kept open."""

    works = ("w1", "w3", "w4", "w7")

    name = "Hypertask daemon"
    means = (
        "the same client kept open, as its daemon does, which knows what files were touched; W7 is from one folder's "
        "file to the other one's"
    )

    async def w1(self) -> Figures:
        """Both folders, as a command fills them; that was measured."""
        await super().w1()
        await self._sync("there")
        await asyncio.sleep(TICK_SECONDS)
        for name in self._devices:
            await self._sync(name)
        return {}

    async def w3(self) -> Figures:
        taken, _, _ = await self._agreed(self._url)
        async with self._relay() as relay:
            _, requests, size = await self._agreed(relay.url, relay.passed)
        return {"w3_ms": statistics.median(taken) * 1e3, "w3_requests": requests, "w3_bytes": size}

    async def _agreed(self, url: str, passed: Passed = not_counted) -> tuple[list[float], int, int]:
        """Seconds of each sync; requests and bytes of one."""
        async with resident(self._place("here", url), None) as device:
            await device.sync("settle", EVERYTHING)
            requests, size = passed()
            taken = [float((await device.sync("agreed", NOTHING))["seconds"]) for _ in range(REPEATS)]
            after, grown = passed()
        return taken, (after - requests) // REPEATS, (grown - size) // REPEATS

    async def w4(self) -> Figures:
        taken, _, _ = await self._changes(1, self._url)
        async with self._relay() as relay:
            _, requests, size = await self._changes(2, relay.url, relay.passed)
        return {"w4_ms": taken * 1e3, "w4_requests": requests, "w4_bytes": size}

    async def _changes(self, turn: int, url: str, passed: Passed = not_counted) -> tuple[float, int, int]:
        """Seconds, requests and bytes of one sync."""
        some = min(self.scale.changes, self.scale.documents // 2)
        async with resident(self._place("here", url), None) as device:
            await device.sync("settle", EVERYTHING)
            await asyncio.to_thread(partial(self._devices["there"].edit, range(some), status="done", turn=turn))
            await self._sync("there")
            # The other device's files would be on another disk.
            await asyncio.to_thread(os.sync)
            touched = device.edit(range(some, 2 * some), status="done", turn=turn)
            requests, size = passed()
            row = await device.sync("changes", touched)
            after, grown = passed()
        return float(row["seconds"]), after - requests, grown - size

    async def w7(self) -> Figures:
        async with (
            resident(self._place("here", self._url), None) as one,
            resident(self._place("there", self._url), None) as other,
        ):
            for device in (one, other):
                await device.sync("settle", EVERYTHING)
            return quantiles("w7", await propagation(one, other))

    def _place(self, name: str, url: str) -> Place:
        return Place(self._devices[name].folder.root, url, self._tokens[name])
