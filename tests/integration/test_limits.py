"""Limits that hold over all processes: three API processes on the server's database, Redis and worker."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.instance import ROOT, START_SECONDS, Access, Instance

PROCESSES = 3
PER_TOKEN = 800
PER_SPACE = 1200
LIMITS = {"REQUESTS_PER_TOKEN": PER_TOKEN, "REQUESTS_PER_SPACE": PER_SPACE}


@pytest.fixture(scope="module")
def urls(server: Instance) -> Iterator[list[str]]:
    """Of the three processes."""
    settings = server.settings
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HYPERTASK_MONGO_URL": settings.mongo_url,
        "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
        "HYPERTASK_REDIS_URL": settings.redis_url,
        **{f"HYPERTASK_{name}": str(value) for name, value in LIMITS.items()},
    }
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(PROCESSES)]
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "api.serve", "--fd", str(one.fileno())],
                pass_fds=[one.fileno()],
                env=environment,
                cwd=ROOT,
                stderr=subprocess.DEVNULL,
            )
            for one in sockets
        ]
        found = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for url in found:  # the socket takes the request; it is answered when the process has started
            assert httpx.get(f"{url}/readyz", timeout=START_SECONDS).status_code == 200
        yield found
        for process in started:
            process.terminate()
            process.wait(START_SECONDS)


async def flood(url: str, access: Access, count: int) -> Counter[int]:
    """How often each status was answered."""
    async with httpx.AsyncClient(base_url=url, headers=access.headers, timeout=30) as client:

        async def some(those: int) -> list[int]:
            return [(await client.head("/hashes")).status_code for _ in range(those)]

        return Counter(
            status for one in await asyncio.gather(*(some(count // 4) for _ in range(4))) for status in one
        )


async def test_rates_hold_over_three_processes(server: Instance, urls: list[str]) -> None:
    access = await asyncio.to_thread(server.access)
    other = await asyncio.to_thread(server.access, space=access.space)
    first = await asyncio.gather(*(flood(url, access, 400) for url in urls))
    assert sum(first, Counter()).keys() == {200, 429}
    assert 0.95 * PER_TOKEN <= sum(one[200] for one in first) <= 1.05 * PER_TOKEN
    second = await asyncio.gather(*(flood(url, other, 300) for url in urls))
    both = sum(one[200] for one in (*first, *second))
    assert 0.95 * PER_SPACE <= both <= 1.05 * PER_SPACE, "two tokens of one space"
    elsewhere = await asyncio.to_thread(server.access)
    third = await asyncio.gather(*(flood(url, elsewhere, 20) for url in urls))
    assert sum(third, Counter()) == {200: 60}, "another space has lost nothing"
