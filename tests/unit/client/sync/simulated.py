"""Devices with real folders and real memories, stopped between any two steps; who judges what became of each edit.

An edit adds a field that no other edit adds. It must be in the document at the end, unless somebody deleted the
document who had it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.config.config_text import Profile, UpstreamConfig
from client.config.tokens import Tokens
from client.folder.task_folder import Loaded, TaskFolder
from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope
from client.sync.engine.records import UpstreamAnswer
from client.sync.report import Result, SyncReport
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Announced, Sync
from client.sync.upstream import CursorGoneError, Outgoing, Upstream, UpstreamError, UpstreamUnreachableError
from client.workspace.multi_sync import MultiSync
from client.workspace.workspace import Workspace
from shared.core.documents import Body, DocumentId

Open = Callable[[str], Upstream]
"""Of a device, its upstream."""


class Stopped(BaseException):
    """As if the process had been killed."""


class Device:
    """One folder, and the syncs that are run on it."""

    def __init__(self, root: Path, name: str, open_workspace: Open) -> None:
        self.name = name
        self.folder = TaskFolder(root / name)
        self.folder.make()
        self._opened = open_workspace
        self.memory_path = self.folder.state / "memory.sqlite"
        self._resident: MultiSync | None = None
        self._touched = EVERYTHING

    def sync(self, stop_after: int | None = None) -> SyncReport | None:
        """None: it was stopped after so many steps, or by the network."""
        steps = 0

        def step(name: str) -> None:
            nonlocal steps
            steps += 1
            if steps == stop_after:
                raise Stopped

        async def run() -> SyncReport:
            upstream = self._opened(self.name)
            try:
                return await Sync(self.folder, store, "up", upstream, step).run()
            finally:
                await upstream.close()

        store = SyncStateStore.open(self.memory_path)
        try:
            with contextlib.suppress(Stopped, UpstreamUnreachableError):
                return asyncio.run(run())
            return None
        finally:
            store.close()

    def stay(self) -> Result:
        """As a daemon does, which looks at the files that were touched and takes what it is told."""
        if self._resident is None:
            store = SyncStateStore.open(self.memory_path)
            profile = Profile("test", self.folder.root, self.folder.root / "hooks")
            here = _Here(profile, Tokens(self.folder.root / "config.toml"), self.folder, store, self)
            self._resident = MultiSync(here, [UpstreamConfig("up", "https://simulated")], resident=True)
        multi_sync, touched = self._resident, self._touched

        async def run() -> Result:
            try:
                with contextlib.suppress(UpstreamError, CursorGoneError):
                    told = await _told(multi_sync)
                    announced = {"up": told} if told is not None else None
                    return await multi_sync.sync(touched=touched, announced=announced)
                return await multi_sync.sync(touched=touched)
            finally:
                await multi_sync.close()

        result = asyncio.run(run())
        self._touched = NOTHING
        return result

    def leave(self) -> None:
        """The daemon ends."""
        if self._resident is not None:
            self._resident.workspace.store.close()
        self._resident, self._touched = None, EVERYTHING

    def touch(self, name: str) -> None:
        """The daemon is told that somebody wrote this file."""
        self._touched |= ChangeScope.of([DocumentId(name)])

    def upstream(self) -> Upstream:
        return self._opened(self.name)

    def documents(self) -> dict[str, Body]:
        found = {}
        for document in self.folder.scan().files:
            loaded = self.folder.read(document)
            assert isinstance(loaded, Loaded), loaded
            found[str(document)] = loaded.body
        return found


@dataclass(frozen=True)
class _Here(Workspace):
    device: Device

    def upstream(self, config: UpstreamConfig, *, make: bool = False, token: str | None = None) -> Upstream:
        return self.device.upstream()


async def _told(multi_sync: MultiSync) -> Announced | None:
    """What an upstream tells that sends along the states of what changed."""
    cursor = multi_sync.workspace.store.upstream("up").cursor
    if cursor is None:
        return None
    driver = multi_sync.driver("up")
    changes = await driver.changes(cursor)
    states: dict[DocumentId, UpstreamAnswer] = {}
    async for replies in driver.submit([Outgoing(document) for document in changes.hashes]):
        states.update((document, reply) for document, reply in replies.items() if isinstance(reply, UpstreamAnswer))
    same = {document: state for document, state in states.items() if state.hash == changes.hashes[document]}
    return Announced(cursor, changes._replace(states=same))


class World:
    """Devices, and what was done on them."""

    def __init__(self, root: Path, devices: list[Device], seed: int) -> None:
        self.random = random.Random(seed)
        self.root = root
        self.devices = devices
        self.ids = [f"task-{number}" for number in range(4)]
        self.edits: dict[str, set[str]] = {}
        self.seen_by_deleters: dict[str, set[str]] = {}
        self.number = 0
        self.log: list[str] = []

    def act(self) -> None:
        device = self.random.choice(self.devices)
        what = self.random.choices(
            ("edit", "delete", "sync", "stay", "stop", "forget", "break"), (40, 6, 20, 15, 22, 1, 2), k=1
        )[0]
        getattr(self, what)(device)

    def edit(self, device: Device) -> None:
        """With an editor: a new file in the place of the old one."""
        name = self.random.choice(self.ids)
        path = device.folder.path(DocumentId(name))
        body: dict[str, Any] = {"id": name}
        if path.exists():
            try:
                body = json.loads(path.read_bytes())
            except ValueError:  # broken by another hand; the editor would show that
                return
        self.number += 1
        field = f"field-{self.number}"
        body[field] = f"{device.name} {self.number}"
        if self.random.random() < 0.3:
            body["state"] = self.random.choice(("open", "done"))
        new = path.with_suffix(".tmp")
        new.write_text(json.dumps(body))
        new.replace(path)
        device.touch(name)
        self.edits.setdefault(name, set()).add(field)
        self.log.append(f"{device.name} edits {name} {field}")

    def delete(self, device: Device) -> None:
        name = self.random.choice(self.ids)
        path = device.folder.path(DocumentId(name))
        if path.exists():
            try:
                seen = json.loads(path.read_bytes())
            except ValueError:
                return
            self.seen_by_deleters.setdefault(name, set()).update(seen)
            path.unlink()
            device.touch(name)
            self.log.append(f"{device.name} deletes {name} {sorted(seen)}")

    def sync(self, device: Device) -> None:
        report = device.sync()
        self.log.append(f"{device.name} syncs {report and report.agreed}")

    def stay(self, device: Device) -> None:
        result = device.stay()
        self.log.append(f"{device.name} stays {result.agreed}")

    def stop(self, device: Device) -> None:
        after = self.random.randint(1, 14)
        report = device.sync(stop_after=after)
        self.log.append(f"{device.name} stopped after {after} ({'done' if report else 'cut'})")

    def forget(self, device: Device) -> None:
        """The memory is deleted."""
        device.leave()
        for path in device.folder.state.glob("memory.sqlite*"):
            path.unlink()
        self.log.append(f"{device.name} forgets")

    def break_(self, device: Device) -> None:
        """A file that is half written while a sync runs, and whole afterwards."""
        name = self.random.choice(self.ids)
        path = device.folder.path(DocumentId(name))
        if not path.exists():
            return
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        device.touch(name)
        self.random.choice((device.sync, device.stay))()
        path.write_bytes(whole)
        device.touch(name)
        self.log.append(f"{device.name} writes {name} slowly")

    def quiet(self) -> None:
        """Nobody edits any more: after a few rounds all are equal, and then nothing travels."""
        for device in self.devices:
            device.stay()
            device.leave()
        for _ in range(3):
            for device in self.devices:
                assert self.patiently(device).agreed, self.told()
        for device in self.devices:
            assert self.patiently(device).rounds == 1, self.told()

    def patiently(self, device: Device) -> SyncReport:
        """As often as the network takes."""
        for _ in range(200):
            report = device.sync()
            if report is not None:
                return report
        raise AssertionError(self.told())

    def judge(self) -> None:
        first, *others = [device.documents() for device in self.devices]
        for other in others:
            assert other == first, self.told()
        for name, fields in self.edits.items():
            wanted = fields - self.seen_by_deleters.get(name, set())
            missing = wanted - first.get(name, {}).keys()
            assert not missing, f"{name} lacks {sorted(missing)}\n{self.told()}"

    def told(self) -> str:
        return "\n".join(self.log[-60:])


setattr(World, "break", World.break_)


def run(root: Path, open_workspace: Open, seed: int, *, devices: int = 3, actions: int = 60) -> World:
    """One world from its beginning to its judge."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    world = World(root, [Device(root, f"device{number}", open_workspace) for number in range(devices)], seed)
    for _ in range(actions):
        world.act()
    world.quiet()
    world.judge()
    return world
