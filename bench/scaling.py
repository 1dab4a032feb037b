"""What more workers and more spaces do: `python -m bench.scaling [--share 0.15] [--seconds 6] [--repeats 3]`.

Writes a second over 32 connections with one worker and one space, up to two workers and four spaces. With `--share`
each worker has that share of a core, as if it were on a small host of its own: it is stopped when it has used more,
until it has not. Without, the workers have the whole machine, which they share with the database and the load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.failover.service import Service
from bench.load import run
from bench.overhead import writes
from tests.instance import Instance

CONFIGURATIONS = ((1, 1), (2, 1), (1, 4), (2, 4))
"""Workers, spaces."""
CONNECTIONS = 32
_LOOK_SECONDS = 0.005
_BURST_SECONDS = 0.015
"""Of processor time that may be used at once."""


def _used(pid: int) -> float:
    """Processor seconds of all its threads, to the nanosecond (Linux)."""
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def held_to(share: float, pids: list[int]) -> Iterator[None]:
    """Until the end of the block each process has so much of a core."""
    if not share:
        yield
        return
    over = threading.Event()

    def hold(pid: int) -> None:
        began, before, stopped = time.monotonic(), _used(pid), False
        while not over.wait(_LOOK_SECONDS):
            now, used = time.monotonic(), _used(pid)
            allowed = share * (now - began)
            if used - before < allowed - _BURST_SECONDS:  # what was not used is lost
                began, before, allowed = now - _BURST_SECONDS / share, used, _BURST_SECONDS
            must_stop = used - before > allowed
            if must_stop != stopped:
                os.kill(pid, signal.SIGSTOP if must_stop else signal.SIGCONT)
                stopped = must_stop
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    threads = [threading.Thread(target=hold, args=(pid,)) for pid in pids]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


async def together(url: str, tokens: list[str], seconds: float) -> float:
    """Writes a second."""
    share = CONNECTIONS // len(tokens)
    results = await asyncio.gather(*(run(url, token, writes, share, seconds=seconds) for token in tokens))
    return sum(result.per_second for result in results)


def compared(share: float, seconds: float, repeats: int) -> dict[str, float]:
    """Writes a second by "workers, spaces": the medians."""
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        instance = Instance(folder / "data").start()
        stack.callback(instance.stop)
        settings = instance.settings
        services = {}
        for workers in (1, 2):
            environment = {
                "HYPERTASK_MONGO_URL": settings.mongo_url,
                "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
                "HYPERTASK_REDIS_URL": f"{settings.redis_url.removesuffix('/0')}/{workers}",
            }
            (folder / str(workers)).mkdir()
            services[workers] = stack.enter_context(Service(folder / str(workers), environment, workers=workers))
        for _ in range(repeats):
            for workers, spaces in CONFIGURATIONS:
                service = services[workers]
                tokens = [instance.access().token for _ in range(spaces)]
                with held_to(share, [worker.pid for worker in service.workers]):
                    a_second = asyncio.run(together(service.url, tokens, seconds))
                found.setdefault(f"{workers}, {spaces}", []).append(a_second)
                print(f"share {share}, workers {workers}, spaces {spaces}: {a_second:.0f} writes/s", flush=True)
    return {name: round(statistics.median(rates), 1) for name, rates in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.scaling")
    parser.add_argument("--share", type=float, default=0.0, help="of a core, for each worker; 0: no bound")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, Any] = compared(options.share, options.seconds, options.repeats)
    found["ratio"] = round(found["2, 4"] / found["1, 1"], 2)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
