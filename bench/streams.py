"""Event streams: `python -m bench.streams [--idle N] [--devices N] [--rounds N]`.

    idle        N streams of as many devices in a hundred spaces at one API process: its resident memory before, when
                all are open, and after a heartbeat; and how long it takes to open them
    fan-out     N devices of one space at two API processes: from the acknowledgement of a write until the last of
                them has its event
    slow        one reader that takes nothing while thousands of documents change: memory of the API process

Real processes on this machine, loopback only; ends by itself. The limit of open files must be above N in one process:
`ulimit -n`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

from api.access.provision import Provision
from api.authentication.auth import Devices
from api.streams.live import HEARTBEAT_SECONDS
from bench.documents import document
from bench.load import Connection
from bench.processes import peak_mib, resident_mib
from shared.adapters.mongodb import access_stores, opened
from shared.core.access.audit import BY_OPERATOR
from shared.core.documents import SpaceId, UserName
from tests.instance import Instance

SPACES = 100
AT_ONCE = 100
UNBOUNDED = {"HYPERTASK_STREAMS_PER_SPACE": "1000000", "HYPERTASK_CONNECTIONS": "1000000"}
"""What is measured is beyond what one space may have by default."""
SLOW_CHANGES = 20_000
BATCH = 500


async def tokens(instance: Instance, count: int, spaces: int) -> list[str]:
    """Of new devices, spread over new spaces."""
    async with opened(instance.settings) as mongo:
        stores = access_stores(mongo)
        provision = Provision(stores, Devices(stores))
        mark = f"s{time.time_ns()}"
        made = []
        for number in range(count):
            space = SpaceId(f"{mark}-{number % spaces}")
            user, name = UserName("bench"), f"d{number}"
            made.append(await provision.device(user=user, name=name, space=space, origin=BY_OPERATOR))
    return [token for _, token in made]


async def follow(url: str, token: str) -> tuple[Connection, asyncio.StreamReader]:
    """A stream that has said that it is ready."""
    connection = Connection(url, token)
    await connection.open()
    reader = await connection.stream("/events")
    await reader.readuntil(b"event: ready\n")
    await reader.readuntil(b"\n\n")
    return connection, reader


async def idle(instance: Instance, count: int) -> None:
    pid = instance.connection["children"]["api"][0]
    made = await tokens(instance, count, SPACES)
    connection, _ = await follow(instance.url, made[0])
    connection.close()
    before = resident_mib(pid)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(token: str) -> Connection:
        async with gate:
            return (await follow(instance.url, token))[0]

    started = time.perf_counter()
    connections = await asyncio.gather(*map(one, made))
    took = time.perf_counter() - started
    opened_ = resident_mib(pid)
    await asyncio.sleep(1.5 * HEARTBEAT_SECONDS)
    later = resident_mib(pid)
    print(f"| {count:,} idle streams at one process | opened in {took:.1f} s |")
    print(f"| resident before, all open, after a heartbeat | {before:.0f}, {opened_:.0f}, {later:.0f} MiB |")
    print(f"| above its idle size | {max(opened_, later) - before:.0f} MiB |", flush=True)
    for one_ in connections:
        one_.close()


async def fan_out(instance: Instance, count: int, rounds: int) -> None:
    made = await tokens(instance, count + 1, 1)
    streams = [await follow(instance.url, token) for token in made[1:]]
    writer = Connection(instance.url, made[0])
    await writer.open()
    first, middle, last = [], [], []
    for number in range(rounds):
        identity = f"d{number}"
        sought = f'"{identity}"'.encode()

        async def arrival(reader: asyncio.StreamReader, sought: bytes = sought) -> float:
            await reader.readuntil(sought)
            return time.perf_counter()

        arriving = [asyncio.create_task(arrival(reader)) for _, reader in streams]
        body = json.dumps({"client_state": document(identity), "base": "0"}).encode()
        status, answer = await writer.request("POST", f"/task/{identity}", body)
        acknowledged = time.perf_counter()
        if status != 200:
            raise RuntimeError(answer)
        times = sorted(at - acknowledged for at in await asyncio.gather(*arriving))
        first.append(times[0])
        middle.append(times[len(times) // 2])
        last.append(times[-1])
        for _, reader in streams:
            await reader.readuntil(b"\n\n")
    for connection in (writer, *(connection for connection, _ in streams)):
        connection.close()
    medians = [statistics.median(found) * 1e3 for found in (first, middle, last)]
    print(
        f"| a change to {count} devices at two processes, ms after its acknowledgement: first, middle, last | ",
        end="",
    )
    print(
        ", ".join(f"{median:.1f}" for median in medians), f"(worst of {rounds}: {max(last) * 1e3:.1f}) |", flush=True
    )


async def slow(instance: Instance) -> None:
    pids = instance.connection["children"]["api"]
    made = await tokens(instance, 2, 1)
    connection, _ = await follow(instance.url, made[0])
    connection.pause()
    before = sum(map(resident_mib, pids))
    writer = Connection(instance.url, made[1])
    await writer.open()
    for start in range(0, SLOW_CHANGES, BATCH):
        names = [f"d{number}" for number in range(start, start + BATCH)]
        tasks = {name: {"client_state": document(name), "base": "0"} for name in names}
        await writer.request("POST", "/tasks", json.dumps({"tasks": tasks}).encode())
    after = sum(map(resident_mib, pids))
    peak = sum(map(peak_mib, pids))
    writer.close()
    connection.close()
    print(f"| a reader that takes nothing, {SLOW_CHANGES:,} changes: both processes before, after, peak | ", end="")
    print(f"{before:.0f}, {after:.0f}, {peak:.0f} MiB |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the server's processes inherit it
    print("| streams | |\n|---|---|")
    for api in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            instance = Instance(Path(folder) / "data", api=api).start(**UNBOUNDED)
            try:
                if api == 1:
                    asyncio.run(idle(instance, options.idle))
                else:
                    asyncio.run(fan_out(instance, options.devices, options.rounds))
                    asyncio.run(slow(instance))
            finally:
                instance.stop()


if __name__ == "__main__":
    main()
