"""What `GET /hashes` costs at several sizes: `python -m bench.hashes`.

Median ms with the cache wiped, after one write, and unchanged (the whole map each time: no If-None-Match).
Loopback only; ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from bench.documents import document, names
from bench.load import Connection, Request, run
from tests.instance import Access, Instance


def posts(count: int) -> Callable[[], Iterator[Request]]:
    """`count` new documents, other ones at each call."""

    def requests() -> Iterator[Request]:
        for identity in names(count):
            yield "POST", f"/task/{identity}", json.dumps({"client_state": document(identity)}).encode()

    return requests


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
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "data").start()
        try:
            asyncio.run(measure_hashes(instance, instance.access, options.sizes))
        finally:
            instance.stop()


if __name__ == "__main__":
    main()
