"""What counting costs: `python -m bench.overhead [--pairs 9] [--seconds 6] [--connections 32]`.

Two servers on one MongoDB and one Redis: one counts and is asked for its metrics every five seconds, the other one
counts nothing (`bench.uncounted`). They take turns, which of them is first changes from pair to pair, and each takes
single writes of new documents for so long. The CPU seconds of an API process and a worker for a thousand writes, and
the writes a second; of each the median over the pairs of what counting adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.documents import document, names
from bench.failover.programs import free_ports
from bench.failover.service import Service
from bench.load import Request, run
from bench.processes import cpu_seconds
from tests.instance import Instance

SCRAPE_SECONDS = 5.0


@dataclass
class Side:
    """A server, and where its metrics are."""

    service: Service
    token: str
    scraped: list[str]


def writes() -> Iterator[Request]:
    """Without end."""
    while True:
        for identity in names(1000):
            body = json.dumps({"client_state": document(identity), "base": "0"}).encode()
            yield "POST", f"/task/{identity}", body


def _read(url: str) -> bytes:
    with urlopen(url) as answer:
        return bytes(answer.read())


async def measured(side: Side, seconds: float, connections: int) -> tuple[float, float]:
    """CPU seconds a thousand writes, and writes a second."""

    async def scrape() -> None:
        while True:
            await asyncio.sleep(SCRAPE_SECONDS)
            for url in side.scraped:
                await asyncio.to_thread(_read, url)

    scraping = asyncio.create_task(scrape())
    before = sum(map(cpu_seconds, side.service.pids))
    result = await run(side.service.url, side.token, writes, connections, seconds=seconds)
    spent = sum(map(cpu_seconds, side.service.pids)) - before
    scraping.cancel()
    return 1000 * spent / len(result.latencies), result.per_second


def compared(pairs: int, seconds: float, connections: int) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        instance = Instance(folder / "data").start()
        stack.callback(instance.stop)
        settings = instance.settings
        sides: dict[str, Side] = {}
        for number, name in enumerate(("counted", "uncounted"), start=1):
            environment = {
                "HYPERTASK_MONGO_URL": settings.mongo_url,
                "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
                "HYPERTASK_REDIS_URL": f"{settings.redis_url.removesuffix('/0')}/{number}",
            }
            scraped: list[str] = []
            launch = "bench.uncounted"
            if name == "counted":
                launch = ""
                [port] = free_ports(1)
                environment["HYPERTASK_METRICS_PORT"] = str(port)
                scraped = [f"http://127.0.0.1:{port + one}/metrics" for one in range(2)]
            (folder / name).mkdir()
            service = stack.enter_context(Service(folder / name, environment, launch=launch))
            sides[name] = Side(service, instance.access().token, scraped)
        for side in sides.values():  # what is made once is made before
            asyncio.run(measured(side, 2, connections))
        rows = []
        for number in range(pairs):
            order = list(sides) if number % 2 else list(sides)[::-1]
            rows.append({name: asyncio.run(measured(sides[name], seconds, connections)) for name in order})
            print(json.dumps(rows[-1]), flush=True)
    more_cpu = [row["counted"][0] / row["uncounted"][0] - 1 for row in rows]
    fewer = [1 - row["counted"][1] / row["uncounted"][1] for row in rows]
    return {
        "pairs": pairs,
        "connections": connections,
        "cpu_ms": round(statistics.median(row["counted"][0] for row in rows), 3),
        "more_cpu_percent": round(100 * statistics.median(more_cpu), 2),
        "more_cpu_percents": [round(100 * one, 1) for one in more_cpu],
        "fewer_writes_percent": round(100 * statistics.median(fewer), 2),
        "writes": round(statistics.median(row["counted"][1] for row in rows)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.overhead")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    print(json.dumps(compared(options.pairs, options.seconds, options.connections)))


if __name__ == "__main__":
    main()
