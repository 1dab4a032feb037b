"""The client's own work: `python -m bench.client [COUNT] [--over http folder git] [--parts]`.

    first push      COUNT files, an upstream that is empty
    first pull      an empty folder, an upstream with COUNT documents
    agreed          nothing changed: wall time, requests, bytes of bodies both ways, files that were read
    changes         a hundredth of the files edited in each of two folders, other ones: both in sync afterwards
    daemon          the last two again with everything kept open, and an edit from file to file (bench/resident.py)

Real files, real memories, a real server in processes of its own on the same machine. Loopback only; ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from bench import resident
from bench.documents import document
from bench.parts import Parts
from client.folder.file_text import text_of
from client.folder.task_folder import TaskFolder
from client.sync.report import SyncReport
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Sync
from client.sync.upstream import Upstream
from client.upstreams.directory import FolderUpstream
from client.upstreams.git import GitUpstream
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from tests.instance import Access, Instance

COMMAND_COLLECTS: Final = (250_000, 50, 50)
"""When the cyclic collector looks in a command, as client/cli.py sets it."""

Row = dict[str, float | int | str]
StepCallback = Callable[[str, Parts], None]
REPEATS = 5


@contextmanager
def collecting(*thresholds: int) -> Iterator[None]:
    """The cyclic collector of this process looks when that of the program would that is measured."""
    before = gc.get_threshold()
    gc.set_threshold(*thresholds)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Device:
    """A folder, its memory, and one upstream."""

    def __init__(self, root: Path, opened: Callable[[], Upstream], told: StepCallback | None = None) -> None:
        self._told = told
        self.folder = TaskFolder(root)
        self.folder.make()
        self._opened = opened

    def sync(self, what: str) -> tuple[Row, SyncReport]:
        """With everything opened again, as a command does."""
        parts = Parts() if self._told is not None else None
        with collecting(*COMMAND_COLLECTS):
            row, report = self._run(what, parts)
        if self._told is not None and parts is not None:
            self._told(what, parts)
        return row, report

    def _run(self, what: str, parts: Parts | None) -> tuple[Row, SyncReport]:

        async def run() -> tuple[Row, SyncReport]:
            upstream = self._opened()
            store = SyncStateStore.open(self.folder.state / "memory.sqlite")
            try:
                with parts.measured(store) if parts is not None else nullcontext():
                    started = time.perf_counter()
                    report = await Sync(self.folder, store, "up", upstream).run()
                    seconds = time.perf_counter() - started
                row: Row = {"what": what, "seconds": seconds, "files_read": report.files_read}
                if isinstance(upstream, HttpUpstream):
                    channel = upstream.channel
                    row |= {
                        "requests": channel.requests,
                        "bytes": channel.bytes_sent + channel.bytes_received,
                    }
                assert report.agreed, report
                return row, report
            finally:
                await upstream.close()
                store.close()

        return asyncio.run(run())

    def edit(self, numbers: range, **fields: object) -> None:
        for number in numbers:
            path = self.folder.path(document(f"t{number}")["id"])
            body = json.loads(path.read_bytes())
            new = path.with_suffix(".tmp")
            new.write_bytes(text_of({**body, **fields}))
            new.replace(path)


def measure(root: Path, count: int, opened: Callable[[str], Upstream], told: StepCallback | None = None) -> list[Row]:
    """All of the work over one kind of upstream. `told` hears where the time went."""
    here = Device(root / "here", lambda: opened("here"), told)
    there = Device(root / "there", lambda: opened("there"), told)
    for number in range(count):
        body = document(f"t{number}")
        here.folder.path(body["id"]).write_bytes(text_of(body))
    rows = [here.sync("first push")[0], there.sync("first pull")[0]]
    time.sleep(2.5)  # the clocks of file systems tick in steps; then stamps prove something
    here.sync("settle")
    there.sync("settle")
    agreed = [here.sync("agreed")[0] for _ in range(REPEATS)]
    rows.append({**agreed[-1], "seconds": statistics.median(float(row["seconds"]) for row in agreed)})
    some = max(1, count // 100)
    here.edit(range(some), here="edited")
    there.edit(range(some, 2 * some), there="edited")
    first, then = here.sync("changes, first device")[0], there.sync("changes, second device")[0]
    rows += [first, then]
    here.sync("settle")
    assert here.folder.path(document("t0")["id"]).read_bytes() == there.folder.path(document("t0")["id"]).read_bytes()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    parser.add_argument("--over", nargs="*", default=["http", "folder", "git"])
    parser.add_argument("--parts", action="store_true", help="say where the time goes; that costs some itself")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for kind in options.over:
            root = Path(name) / kind
            root.mkdir()
            instance = Instance(root / "data").start() if kind == "http" else None
            try:
                told = _print_parts if options.parts else None
                access = _access(instance) if instance is not None else {}
                rows = measure(root, options.count, _opener(kind, root, access), told)
                if access:
                    here, there = (resident.Place(root / name, one.url, one.token) for name, one in access.items())
                    rows += resident.run(here, there, options.count, told)
            finally:
                if instance is not None:
                    instance.stop()
            print(f"\n{kind}, {options.count} documents")
            print("| | seconds | requests | bytes | files read |\n|---|---|---|---|---|")
            for row in rows:
                print(
                    f"| {row['what']} | {row['seconds']:.3f} | {row.get('requests', '')} | {row.get('bytes', '')} "
                    f"| {row['files_read']} |"
                )


def _print_parts(what: str, parts: Parts) -> None:
    if what == "settle":
        return
    most = sorted(parts.seconds.items(), key=lambda part: -part[1])
    told = ", ".join(f"{part} {seconds * 1000:.0f}" for part, seconds in most if seconds >= 0.0005)
    print(f"{what}, {sum(parts.seconds.values()) * 1000:.0f} ms: {told}")


def _access(instance: Instance) -> dict[str, Access]:
    """Two devices of one user, by the names of their folders."""
    first = instance.access()
    return {name: instance.access(space=first.space, user=first.user, name=name) for name in ("here", "there")}


def _opener(kind: str, root: Path, access: dict[str, Access]) -> Callable[[str], Upstream]:
    if kind == "folder":
        return lambda name: FolderUpstream(root / "shared", {"device": name}, device=name, make=True)
    if kind == "git":
        subprocess.run(["git", "init", "-q", "--bare", str(root / "shared.git")], check=True)
        url = f"file://{root / 'shared.git'}"
        return lambda name: GitUpstream(url, root / f"{name}-work", {"device": name}, device=name)
    facts: dict[str, object] = {}
    url = access["here"].url
    asyncio.run(asked(url, access["here"].token, facts))
    return lambda name: HttpUpstream(Channel(url, access[name].token), facts)


async def asked(url: str, token: str, facts: dict[str, object]) -> None:
    """What is remembered of a server after the first contact."""
    upstream = HttpUpstream(Channel(url, token), {})
    await upstream.read_capabilities()
    facts.update(upstream.abilities.facts)
    await upstream.close()


if __name__ == "__main__":
    main()
