"""What more workers and more spaces do: `python -m bench.scaling [--share 0.15] [--pin] [--json FILE]`.

Writes a second over 32 connections with one worker and one space, up to two workers and four spaces, and how many
cores each kind of process took meanwhile: the bottleneck is what takes all that it may have. With `--share` each
worker has that share of a core, as if it were on a small host of its own: it is stopped when it has used more, until
it has not. Without, the workers have the whole machine, which they share with the database and the load. With `--pin`
mongod has the last core for itself, as `taskset` does it, and all others, the load among them, have the rest. What
`--json` writes, `python -m bench.work --read` puts into docs/benchmarks.md.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.failover.service import Service
from bench.load import run
from bench.overhead import writes
from bench.processes import cpu_seconds
from tests.instance import Instance

CONFIGURATIONS = ((1, 1), (2, 1), (1, 4), (2, 4))
"""Workers, spaces."""
CONNECTIONS = 32
TOGETHER, PINNED = "all on the same cores", "mongod on a core of its own"
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


@dataclass
class Found:
    """By "workers, spaces", one value a repeat."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    """Writes a second."""
    cores: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """Kind of process -> cores that it took."""

    def medians(self) -> dict[str, float]:
        return {name: round(statistics.median(rates), 1) for name, rates in self.rates.items()}

    def median_cores(self) -> dict[str, dict[str, float]]:
        return {
            name: {kind: round(statistics.median(turn[kind] for turn in turns), 2) for kind in turns[0]}
            for name, turns in self.cores.items()
        }


def pin(pids: Sequence[int], cores: set[int]) -> None:
    """All threads of the processes, and with them those that they start later."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), cores)


def apart(database: Sequence[int], others: Sequence[int]) -> None:
    """The database has a core for itself."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("--pin: one core for the database and one for the others are needed")
    pin(database, {cores[-1]})
    pin(others, set(cores[:-1]))


def _spent(kinds: Mapping[str, Sequence[int]]) -> dict[str, float]:
    return {kind: sum(cpu_seconds(pid) for pid in pids) for kind, pids in kinds.items()}


def measured(share: float, seconds: float, repeats: int, *, pinned: bool = False) -> Found:
    found = Found()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        instance = Instance(folder / "data").start()
        stack.callback(instance.stop)
        settings = instance.settings
        children = instance.connection["children"]
        services = {}
        for workers in (1, 2):
            environment = {
                "HYPERTASK_MONGO_URL": settings.mongo_url,
                "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
                "HYPERTASK_REDIS_URL": f"{settings.redis_url.removesuffix('/0')}/{workers}",
            }
            (folder / str(workers)).mkdir()
            services[workers] = stack.enter_context(Service(folder / str(workers), environment, workers=workers))
        kinds = {
            workers: {
                "worker": [one.pid for one in service.workers],
                "api": [one.pid for one in service.api],
                "redis": [children["redis"]],
                "mongod": [children["mongod"]],
                "load": [os.getpid()],
            }
            for workers, service in services.items()
        }
        if pinned:
            others = [
                pid for found in kinds.values() for kind, pids in found.items() if kind != "mongod" for pid in pids
            ]
            apart([children["mongod"]], others)
        for _ in range(repeats):
            for workers, spaces in CONFIGURATIONS:
                service = services[workers]
                tokens = [instance.access().token for _ in range(spaces)]
                with held_to(share, [worker.pid for worker in service.workers]):
                    before, start = _spent(kinds[workers]), time.perf_counter()
                    a_second = asyncio.run(together(service.url, tokens, seconds))
                    took, after = time.perf_counter() - start, _spent(kinds[workers])
                cores = {kind: (after[kind] - before[kind]) / took for kind in after}
                name = f"{workers}, {spaces}"
                found.rates.setdefault(name, []).append(a_second)
                found.cores.setdefault(name, []).append(cores)
                shown = ", ".join(f"{kind} {taken:.2f}" for kind, taken in cores.items())
                print(
                    f"share {share}{', pinned' if pinned else ''}, workers {workers}, spaces {spaces}: "
                    f"{a_second:.0f} writes/s; cores: {shown}",
                    flush=True,
                )
    return found


def compared(share: float, seconds: float, repeats: int) -> dict[str, float]:
    """Writes a second by "workers, spaces": the medians."""
    return measured(share, seconds, repeats).medians()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.scaling")
    parser.add_argument("--share", type=float, default=0.0, help="of a core, for each worker; 0: no bound")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pin", action="store_true", help="mongod has the last core for itself (Linux)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    found = measured(options.share, options.seconds, options.repeats, pinned=options.pin)
    rates = found.medians()
    print(json.dumps({**rates, "ratio": round(rates["2, 4"] / rates["1, 1"], 2), "cores": found.median_cores()}))
    if options.json:
        held = f", each worker held to {options.share:g} of a core" if options.share else ""
        name = f"{PINNED if options.pin else TOGETHER}{held}"
        record = {"scaling": {name: {"rates": rates, "cores": found.median_cores()}}}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
