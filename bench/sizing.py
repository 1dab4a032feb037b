"""What a server takes, by which to choose hosts: `python -m bench.sizing [--documents 20000] [--seconds 5]`.

One API process, one worker, mongod and Redis, with documents of about 250 bytes:

    memory      of each process at the start, and of an API process for each event stream
    disk        of a document; of an edit while its earlier state is kept, and when only its hash is; after a
                checkpoint, with indexes, compressed as MongoDB does it
    processor   milliseconds of a core for a single write over 32 connections, for a document in a batch of a hundred,
                and for a sync that finds nothing new; of all four processes together

`fleet` works out from these what so many users take.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from bench.documents import changed, document, names
from bench.load import Connection, Request, Result, run
from bench.overhead import writes
from bench.processes import children_cpu_seconds, cpu_seconds, resident_mib
from bench.streams import SPACES, follow, tokens
from bench.write_path import revisions
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import SpaceId
from shared.core.resolution.retention import Retention
from tests.instance import Access, Instance

Requests = Callable[[], Iterator[Request]]
CONNECTIONS: Final = 32
STREAMS: Final = 1000
BATCH: Final = 500
SMALL_BATCH: Final = 100
ACCOUNT_OF_ROOT: Final = "mongo-root"
"""The name of its password's file, as ops/serve calls it."""


@dataclass(frozen=True)
class User:
    """Whom the fleets of the manual are made of."""

    documents: int = 1000
    devices: int = 2
    """Each with an event stream."""
    edits_a_day: int = 50
    busiest_hour: float = 0.1
    """The part of a day's edits that is made in it."""
    syncs_for_an_edit: int = 2
    """That find nothing new: of the other device, and at a start."""


def fleet(users: int, units: dict[str, float], user: User = User()) -> dict[str, float]:
    """What they take, by the unit costs that `measured` found."""
    writes_a_second = users * user.edits_a_day * user.busiest_hour / 3600
    milliseconds = units["write_ms"] + user.syncs_for_an_edit * units["agreed_ms"]
    edits = users * user.edits_a_day
    whole, hashed = Retention(30, 0, 400).days, 365
    kib = (
        users * user.documents * units["document_bytes"]
        + edits * whole * units["edit_bytes"]
        + edits * (hashed - whole) * units["hash_bytes"]
    ) / 1024
    return {
        "users": users,
        "documents": users * user.documents,
        "writes_a_second": round(writes_a_second, 2),
        "cores": round(writes_a_second * milliseconds / 1000, 3),
        "streams": users * user.devices,
        "streams_mib": round(users * user.devices * units["stream_kib"] / 1024),
        "disk_gib": round(kib / 1024**2, 1),
    }


class Sizes:
    """What MongoDB's files take."""

    def __init__(self, instance: Instance) -> None:
        host = instance.settings.mongo_url.rpartition("@")[2]
        password = (instance.data / "secrets" / ACCOUNT_OF_ROOT).read_text()
        self._client: MongoClient[dict[str, Any]] = MongoClient(f"mongodb://root:{password}@{host}")
        self._database = instance.settings.mongo_database

    def bytes(self) -> int:
        """Of documents and indexes, without room that is free for others, after a checkpoint."""
        self._client.admin.command("fsync", 1)
        found = self._client[self._database].command("dbStats", freeStorage=1)
        return int(
            found["storageSize"] + found["indexSize"] - found["freeStorageSize"] - found["indexFreeStorageSize"]
        )

    def close(self) -> None:
        self._client.close()


def _pids(instance: Instance) -> dict[str, int]:
    children = instance.connection["children"]
    return {name: pid[0] if isinstance(pid, list) else pid for name, pid in children.items()}


def _spent(pids: dict[str, int]) -> float:
    """CPU seconds of the server so far."""
    return sum(cpu_seconds(pid) + children_cpu_seconds(pid) for pid in pids.values())


async def _milliseconds(
    instance: Instance, access: Access, requests: Requests, seconds: float, **headers: str
) -> tuple[float, float]:
    """Of a core for each request, and requests a second."""
    pids = _pids(instance)

    async def load(so_long: float) -> Result:
        return await run(
            access.url,
            access.token,
            requests,
            CONNECTIONS,
            headers={**access.headers, **headers},
            seconds=so_long,
            accepts=lambda status, _: status in (200, 304),
        )

    await load(1)
    before = _spent(pids)
    result = await load(seconds)
    return 1000 * (_spent(pids) - before) / len(result.latencies), result.per_second


async def _disk(instance: Instance, access: Access, count: int) -> dict[str, float]:
    """Bytes of a document, of an edit, and of an edit whose earlier state is gone."""
    sizes = Sizes(instance)
    bodies = [document(identity) for identity in names(count)]
    try:
        before = sizes.bytes()
        await _post(access, {body["id"]: {"client_state": body, "base": "0"} for body in bodies})
        made = sizes.bytes()
        revs = await revisions(access)
        edits = {body["id"]: {"client_state": changed(body, 1), "base": revs[body["id"]]} for body in bodies}
        await _post(access, edits)
        edited = sizes.bytes()
        async with opened(instance.settings) as mongo:
            store = MongoDocumentStore(mongo, give_up_after_seconds=4)
            pruned = await store.prune(SpaceId(access.space), Retention(0, 0, 400), time.time() + 60)
        assert pruned.bodies == count, pruned
        without = sizes.bytes()
    finally:
        sizes.close()
    return {
        "document_bytes": round((made - before) / count),
        "edit_bytes": round((edited - made) / count),
        "hash_bytes": round((without - made) / count),
    }


async def _post(access: Access, tasks: dict[str, Any]) -> None:
    connection = Connection(access.url, access.token)
    await connection.open()
    rows = list(tasks.items())
    for first in range(0, len(rows), BATCH):
        body = json.dumps({"tasks": dict(rows[first : first + BATCH])}).encode()
        status, answer = await connection.request("POST", "/tasks", body)
        assert status == 200, answer[:300]
    connection.close()


async def _streams(instance: Instance) -> float:
    """KiB of an API process for each."""
    made = await tokens(instance, STREAMS, SPACES)
    pid = _pids(instance)["api"]
    connection, _ = await follow(instance.url, made[0])
    connection.close()
    before = resident_mib(pid)
    followed = []
    for some in range(0, STREAMS, 50):
        followed += await asyncio.gather(*(follow(instance.url, token) for token in made[some : some + 50]))
    after = resident_mib(pid)
    for connection, _ in followed:
        connection.close()
    return round(1024 * (after - before) / STREAMS, 1)


def measured(count: int, seconds: float) -> dict[str, float]:
    """The unit costs."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "data").start()
        try:
            return asyncio.run(_measured(instance, count, seconds))
        finally:
            instance.stop()


async def _measured(instance: Instance, count: int, seconds: float) -> dict[str, float]:
    units: dict[str, float] = {f"{name}_mib": round(resident_mib(pid)) for name, pid in _pids(instance).items()}
    access = await asyncio.to_thread(instance.access)
    units |= await _disk(instance, access, count)
    units["write_ms"], units["writes_a_second"] = await _milliseconds(instance, access, writes, seconds)
    batch, _ = await _milliseconds(instance, access, partial(_batches, SMALL_BATCH), seconds)
    units["batched_ms"] = batch / SMALL_BATCH
    connection = Connection(access.url, access.token)
    await connection.open()
    _, headers, _ = await connection.exchange("GET", "/hashes")
    connection.close()
    agreed: Requests = partial(itertools.repeat, ("GET", "/hashes", b""))
    units["agreed_ms"], units["agreed_a_second"] = await _milliseconds(
        instance, access, agreed, seconds, **{"if-none-match": headers["etag"]}
    )
    units["stream_kib"] = await _streams(instance)
    return {name: round(value, 3) for name, value in units.items()}


def _batches(size: int) -> Iterator[Request]:
    while True:
        tasks = {identity: {"client_state": document(identity), "base": "0"} for identity in names(size)}
        yield "POST", "/tasks", json.dumps({"tasks": tasks}).encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.sizing")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    units = measured(options.documents, options.seconds)
    print(json.dumps(units))
    for users in (100, 1000, 10_000):
        print(json.dumps(fleet(users, units)))


if __name__ == "__main__":
    main()
