"""What counting costs: `python -m bench.overhead [--pairs 24] [--seconds 5] [--connections 32]`.

An API process and a worker take single writes of new documents for so many seconds by turns: they count, and are
asked for their metrics once, or they count nothing (`bench.switched`). Which of the two is first changes from pair to
pair. Of the CPU seconds for a thousand writes, and of the writes a second: the median over the pairs of what counting
adds, and the interval that has the true median in it with a probability of 95 %.

Pairs scatter by several per cent, also when both count. What does not: how long it takes to tell the instruments what
they are told of one write and of one transaction, and to be asked for all of them (`told_us`, measured in this
process). With the writes that a transaction had, and two processes that are asked every five seconds, that is so much
of their CPU time (`told_percent`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.documents import document, names
from bench.failover.programs import free_ports
from bench.failover.service import Service
from bench.load import Request, run
from bench.processes import cpu_seconds
from shared import metrics
from shared.core.documents import ContentHash
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Outcome
from shared.core.resolution.revs import Rev
from shared.settings import Settings
from tests.instance import Instance

PAIRS_OF_LABELS = 20
"""Of routes and methods, that an API process has answered when it is asked."""

Measured = tuple[float, float]
"""CPU seconds a thousand writes, and writes a second."""


def writes() -> Iterator[Request]:
    """Without end."""
    while True:
        for identity in names(1000):
            body = json.dumps({"client_state": document(identity), "base": "0"}).encode()
            yield "POST", f"/task/{identity}", body


def _read(url: str) -> str:
    with urlopen(url) as answer:
        return str(answer.read(), "utf-8")


def _sample(texts: Sequence[str], name: str) -> float:
    """In whichever process it has moved."""
    return sum(float(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith(f"{name} "))


def told_us() -> dict[str, float]:
    """Microseconds of CPU time in which the instruments are told of a write and of a transaction, as api/metered.py,
    worker/tasks/resolve.py and shared/adapters/mongodb/transactions.py tell them; and answer a `GET /metrics`."""
    replies = [Answer(Outcome.APPLIED, "1 new", ContentHash("0"), Rev("1"), None)]

    def write() -> None:
        metrics.REQUESTS.receive(300)
        metrics.REQUESTS.answer("/task/{id}", "POST", "200", 0.01)
        metrics.REQUESTS.send(200)

    def transaction() -> None:
        metrics.LEASES_TAKEN.inc()
        metrics.TRANSACTION_SUBMISSIONS.observe(1)
        metrics.INBOX_WAIT_SECONDS.observe(0.01)
        metrics.WORK_SECONDS.observe(0.01)
        metrics.COMMIT_SECONDS.observe(0.01)
        metrics.count_decisions(replies)

    told = {tell.__name__: _us(tell, 20_000) for tell in (write, transaction)}
    for status in range(PAIRS_OF_LABELS):
        metrics.REQUESTS.answer(f"/route/{status}", "GET", "200", 0.01)
    with metrics.served(Settings(metrics_port=free_ports(1)[0])) as port:
        told["scrape"] = _us(lambda: _read(f"http://127.0.0.1:{port}/metrics"), 20)
    return told


def _us(tell: Callable[[], object], times: int) -> float:
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            tell()
        rounds.append(time.process_time() - began)
    return round(1e6 * statistics.median(rounds) / times, 2)


def told_percent(told: dict[str, float], cpu_ms: float, per_second: float, per_transaction: float) -> float:
    """Of the CPU time of a write."""
    per_write = told["write"] + told["transaction"] / per_transaction + 2 * told["scrape"] / 5 / per_second
    return round(per_write / cpu_ms / 10, 2)


async def measured(
    service: Service, token: str, seconds: float, connections: int, scraped: Sequence[str] | None
) -> Measured:
    """`scraped`: None: it counts nothing."""

    async def scrape() -> None:
        await asyncio.sleep(seconds / 2)
        for url in scraped or ():
            await asyncio.to_thread(_read, url)

    for pid in service.pids:
        os.kill(pid, signal.SIGUSR2 if scraped is None else signal.SIGUSR1)
    scraping = asyncio.create_task(scrape())
    before = sum(map(cpu_seconds, service.pids))
    result = await run(service.url, token, writes, connections, seconds=seconds)
    spent = sum(map(cpu_seconds, service.pids)) - before
    await scraping
    return 1000 * spent / len(result.latencies), result.per_second


def median_and_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """By ranks, which asks for no distribution."""
    ordered = sorted(values)
    half = 0.98 * math.sqrt(len(ordered))
    low, high = math.floor(len(ordered) / 2 - half), math.ceil(len(ordered) / 2 + half)
    return statistics.median(ordered), ordered[max(low, 0)], ordered[min(high, len(ordered) - 1)]


def compared(pairs: int, seconds: float, connections: int) -> dict[str, Any]:
    told = told_us()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        instance = Instance(folder / "data").start()
        stack.callback(instance.stop)
        [port] = free_ports(1)
        settings = instance.settings
        environment = {
            "HYPERTASK_MONGO_URL": settings.mongo_url,
            "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
            "HYPERTASK_REDIS_URL": f"{settings.redis_url.removesuffix('/0')}/1",
            "HYPERTASK_METRICS_PORT": str(port),
        }
        service = stack.enter_context(Service(folder, environment, launch="bench.switched"))
        scraped = [f"http://127.0.0.1:{port + one}/metrics" for one in range(len(service.pids))]
        token = instance.access().token

        def side(counts: bool, seconds: float = seconds) -> Measured:
            return asyncio.run(measured(service, token, seconds, connections, scraped if counts else None))

        for counts in (True, False):  # what is made once is made before
            side(counts, 2)
        rows: list[dict[bool, Measured]] = []
        for number in range(pairs):
            rows.append({counts: side(counts) for counts in (number % 2 == 0, number % 2 == 1)})
            print(json.dumps({"counting": rows[-1][True], "not": rows[-1][False]}), flush=True)
        texts = [_read(url) for url in scraped]
    per_transaction = _sample(texts, "hypertask_transaction_submissions_sum") / _sample(
        texts, "hypertask_transaction_submissions_count"
    )
    more_cpu = median_and_interval([100 * (row[True][0] / row[False][0] - 1) for row in rows])
    fewer = median_and_interval([100 * (1 - row[True][1] / row[False][1]) for row in rows])
    cpu_ms = statistics.median(row[False][0] for row in rows)
    per_second = statistics.median(row[True][1] for row in rows)
    return {
        "pairs": pairs,
        "connections": connections,
        "cpu_ms": round(cpu_ms, 3),
        "writes": round(per_second),
        "writes_of_a_transaction": round(per_transaction, 1),
        "more_cpu_percent": [round(one, 2) for one in more_cpu],
        "fewer_writes_percent": [round(one, 2) for one in fewer],
        "told_us": told,
        "told_percent": told_percent(told, cpu_ms, per_second, per_transaction),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.overhead")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    print(json.dumps(compared(options.pairs, options.seconds, options.connections)))


if __name__ == "__main__":
    main()
