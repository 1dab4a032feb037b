"""What a write costs in each process: `python -m bench.write_path [--repeats 3]`.

CPU microseconds a document, wall time and rate, of new documents and of edits, in batches of 500 and one by one over
32 connections. Medians of the repeats, each in a new space. Requests are made before the clock starts. Real
processes on this machine, loopback only; ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.documents import Document, changed, document, names
from bench.load import Connection, Request, run
from bench.processes import cpu_seconds
from tests.instance import Access, Instance

BATCH = 500
BATCHED = 10_000
SINGLE = 4_000


def batches(bodies: list[Document], bases: dict[str, str] | None) -> list[Request]:
    """`bases`: id -> base; None: clients of v1.0."""
    tasks = {body["id"]: _stated(body, bases) for body in bodies}
    ids = list(tasks)
    parts = ({one: tasks[one] for one in ids[first : first + BATCH]} for first in range(0, len(ids), BATCH))
    return [("POST", "/tasks", json.dumps({"tasks": part}).encode()) for part in parts]


def singles(bodies: list[Document], bases: dict[str, str] | None) -> list[Request]:
    return [("POST", f"/task/{body['id']}", json.dumps(_stated(body, bases)).encode()) for body in bodies]


def _stated(body: Document, bases: dict[str, str] | None) -> dict[str, Any]:
    return {"client_state": body} if bases is None else {"client_state": body, "base": bases.get(body["id"], "0")}


async def revisions(access: Access) -> dict[str, str]:
    """Of all documents of the space."""
    device = Connection(access.url, access.token)
    await device.open()
    found: dict[str, str] = {}
    after: str | None = ""
    while after is not None:
        _, data = await device.request("GET", f"/tasks?limit=1000&after={after}")
        page = json.loads(data)
        found |= {identity: row["rev"] for identity, row in page["tasks"].items()}
        after = page["after"]
    device.close()
    return found


def measured(
    instance: Instance, access: Access, requests: list[Request], connections: int, count: int
) -> list[float]:
    """Documents a second, wall microseconds a document, CPU microseconds a document of each process."""
    children = instance.connection["children"]
    pids = [pid[0] if isinstance(pid, list) else pid for pid in (children[kind] for kind in PROCESSES)]
    before = [cpu_seconds(pid) for pid in (*pids, os.getpid())]
    source: partial[Iterator[Request]] = partial(iter, requests)
    taken = asyncio.run(run(access.url, access.token, source, connections)).seconds
    after = [cpu_seconds(pid) for pid in (*pids, os.getpid())]
    spent = [(now - then) / count * 1e6 for now, then in zip(after, before, strict=True)]
    return [count / taken, taken / count * 1e6, *spent]


PROCESSES = ("api", "redis", "worker", "mongod")


def one_repeat(instance: Instance) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for made, count, connections in ((batches, BATCHED, 2), (singles, SINGLE, 32)):
        how = "batches of 500" if made is batches else "32 connections"
        for client in ("with base", "v1.0"):
            access = instance.access()
            bodies = [document(identity) for identity in names(count)]
            bases: dict[str, str] | None = {} if client == "with base" else None
            work = partial(measured, instance, access, connections=connections, count=count)
            found[f"{how}, new, {client}"] = work(requests=made(bodies, bases))
            if bases is not None:
                bases = asyncio.run(revisions(access))
            edits = [changed(body, 1) for body in bodies]
            found[f"{how}, edits, {client}"] = work(requests=made(edits, bases))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        instance = Instance(Path(name) / "data").start()
        try:
            one_repeat(instance)  # until all processes are warm
            repeats = [one_repeat(instance) for _ in range(options.repeats)]
        finally:
            instance.stop()
    heads = ("documents/s", "wall", "API", "Redis", "worker", "mongod", "load generator")
    print(f"| microseconds a document | {' | '.join(heads)} |")
    print(f"|---|{'---|' * len(heads)}")
    for what in repeats[0]:
        columns = [statistics.median(column) for column in zip(*(one[what] for one in repeats), strict=True)]
        print(f"| {what} | {' | '.join(f'{value:,.0f}' for value in columns)} |")


if __name__ == "__main__":
    main()
