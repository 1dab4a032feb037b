"""The v1.0 requests beside the bare stack, in one run: `python -m bench.v1`.

    POST /task      at 1, 32 and 256 connections, beside a Starlette app that echoes the same body and beside
                    motor writing the same documents one by one and in bulk, majority and journal
    GET /hashes     at 1,000, 10,000 and 100,000 documents: cold (the cache wiped), after one write, unchanged

Prints medians over the repeats, and ratios. Loopback only; ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.load import Connection, run
from bench.load import Request as Sent
from shared.adapters.mongo import Mongo
from tests.instance import ROOT, Access, Instance


def document(identity: str) -> dict[str, Any]:
    """A task of about 250 bytes."""
    return {
        "id": identity,
        "description": f"Call {identity} about the thing that we talked about on Tuesday",
        "status": "pending",
        "tags": ["home", "phone"],
        "entry": "2026-01-01T10:00:00Z",
        "modified": "2026-01-02T11:30:00Z",
        "project": "house",
        "priority": "H",
    }


def posts(count: int) -> Callable[[], Iterator[Sent]]:
    """`count` new documents, other ones at each call."""

    def requests() -> Iterator[Sent]:
        mark = os.urandom(4).hex()
        for i in range(count):
            identity = f"t{mark}{i}"
            yield "POST", f"/task/{identity}", json.dumps({"client_state": document(identity)}).encode()

    return requests


async def _echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


echo = Starlette(routes=[Route("/task/{id}", _echo, methods=["POST"])])


def _start_echo() -> tuple[subprocess.Popen[bytes], str]:
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    command = "-m uvicorn bench.v1:echo --loop uvloop --http httptools --no-access-log --log-level warning --fd"
    process = subprocess.Popen(
        [sys.executable, *command.split(), str(listener.fileno())], cwd=ROOT, pass_fds=[listener.fileno()]
    )
    listener.close()
    return process, url


async def _motor_one_by_one(mongo: Mongo, count: int) -> list[float]:
    latencies = []
    mark = os.urandom(4).hex()
    for i in range(count):
        start = time.perf_counter()
        await mongo.database["bench"].insert_one({"_id": f"{mark}{i}", "body": document(f"{mark}{i}")})
        latencies.append(time.perf_counter() - start)
    return sorted(latencies)


async def _motor_bulk(mongo: Mongo, count: int) -> float:
    from pymongo import InsertOne

    mark = os.urandom(4).hex()
    rows = [{"_id": f"{mark}{i}", "body": document(f"{mark}{i}")} for i in range(count)]
    start = time.perf_counter()
    for first in range(0, count, 500):
        chunk = [InsertOne(row) for row in rows[first : first + 500]]
        await mongo.database["bench"].bulk_write(chunk, ordered=False)
    return count / (time.perf_counter() - start)


async def measure_posts(instance: Instance, echo_url: str, repeats: int) -> None:
    mongo = Mongo(instance.settings)
    print(f"{'POST /task':<34}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'of echo':>9}")
    for connections, count in ((1, 500), (32, 5000), (256, 10000)):
        rows: dict[str, list[tuple[float, float, float]]] = {"echo": [], "hypertask": []}
        for _ in range(repeats):
            for name, url in (("echo", echo_url), ("hypertask", instance.url)):
                token = instance.token
                result = await run(url, token, posts(count), connections)
                row = (result.per_second, result.quantile(0.5) * 1e3, result.quantile(0.99) * 1e3)
                rows[name].append(row)
        middle = {
            name: [statistics.median(column) for column in zip(*found, strict=True)] for name, found in rows.items()
        }
        for name, (rate, p50, p99) in middle.items():
            share = rate / middle["echo"][0]
            print(f"{name + f', {connections} connections':<34}{rate:>12.0f}{p50:>9.2f}{p99:>9.2f}{share:>9.2f}")
    singles = [await _motor_one_by_one(mongo, 500) for _ in range(repeats)]
    p50 = statistics.median(found[len(found) // 2] for found in singles) * 1e3
    p99 = statistics.median(found[int(len(found) * 0.99)] for found in singles) * 1e3
    print(f"{'motor insert_one, one at a time':<34}{1000 / p50:>12.0f}{p50:>9.2f}{p99:>9.2f}")
    bulk = statistics.median([await _motor_bulk(mongo, 5000) for _ in range(repeats)])
    print(f"{'motor bulk_write, 500 at a time':<34}{bulk:>12.0f}")
    mongo.close()


async def _time_hashes(access: Access, before: Callable[[Connection], Any], count: int) -> tuple[float, int]:
    connection = Connection(access.url, access.token)
    await connection.open()
    times = []
    size = 0
    for _ in range(count):
        await before(connection)
        start = time.perf_counter()
        status, body = await connection.request("GET", "/hashes")
        times.append(time.perf_counter() - start)
        assert status == 200
        size = len(body)
    connection.close()
    return statistics.median(times) * 1e3, size


async def measure_hashes(instance: Instance, access: Callable[[], Access], sizes: list[int]) -> None:
    client = redis.Redis.from_url(instance.connection["redis_url"])
    print(f"\n{'GET /hashes, median ms':<26}{'cold':>9}{'after a write':>15}{'unchanged':>11}{'bytes':>12}")
    for size in sizes:
        here = await asyncio.to_thread(access)
        await run(here.url, here.token, posts(size), 256)

        async def wipe(_: Connection, key: str = f"ht:{{{here.space}}}:map") -> None:
            client.delete(key)

        async def write(connection: Connection) -> None:
            method, path, body = next(posts(1)())
            await connection.request(method, path, body)

        async def nothing(_: Connection) -> None:
            return

        cold, _ = await _time_hashes(here, wipe, 3)
        written, _ = await _time_hashes(here, write, 10)
        same, length = await _time_hashes(here, nothing, 20)
        print(f"{size:<26,}{cold:>9.1f}{written:>15.1f}{same:>11.1f}{length:>12,}")
    client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--api", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "data", api=options.api, workers=options.workers).start()
        process, echo_url = _start_echo()
        try:
            asyncio.run(measure_posts(instance, echo_url, options.repeats))
            asyncio.run(measure_hashes(instance, instance.access, options.sizes))
        finally:
            process.terminate()
            process.wait(10)
            instance.stop()


if __name__ == "__main__":
    main()
