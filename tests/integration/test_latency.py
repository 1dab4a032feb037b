"""Nothing on the way of a write waits for a poll."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import httpx

from tests.instance import Access

MOST_TIMES = 8
MOST_TRIES = 10
"""A poll is in the way of every write of every try; what else the machine does, hardly."""
RESTS_SECONDS = 0.1
"""After which no worker holds the lease of the space any more."""


def test_a_single_write_takes_no_more_than_a_few_reads(access: Access) -> None:
    """A poll anywhere - queue, result, batch timer - would show as its interval in each write that comes when the
    worker rests: in the quickest, too, whatever else the machine does. Measured: three times as long as a read."""
    ratios = []
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as client:
        for _ in range(MOST_TRIES):
            reads, writes = [], []
            for number in range(15):
                reads.append(seconds(lambda: client.get("/hashes")))
                time.sleep(RESTS_SECONDS)
                writes.append(seconds(partial(write, client, number)))
            ratios.append(min(writes) / min(reads))
            if ratios[-1] < MOST_TIMES:
                return
    raise AssertionError(ratios)


def write(client: httpx.Client, number: int) -> httpx.Response:
    return client.post(f"/task/d{number}", json={"client_state": {"id": f"d{number}", "n": time.time()}})


def seconds(request: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    answer = request()
    took = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    return took
