"""Limits that hold over all processes: three API processes on the server's database, Redis and worker."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from shared.adapters.mongodb import access_stores, opened
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.documents import SpaceId
from tests.instance import ROOT, Access, Instance
from tests.patience import PATIENCE_SECONDS, SERVER_SETTINGS

PROCESSES = 3


@pytest.fixture(scope="module")
def per_token(request: pytest.FixtureRequest) -> int:
    """Requests a minute; of a space half as many more."""
    return 800 if request.config.getoption("--soak") else 240


@pytest.fixture(scope="module")
def urls(server: Instance, per_token: int) -> Iterator[list[str]]:
    """Of the three processes."""
    settings = server.settings
    limits = {"REQUESTS_PER_TOKEN": per_token, "REQUESTS_PER_SPACE": per_token * 3 // 2}
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HYPERTASK_MONGO_URL": settings.mongo_url,
        "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
        "HYPERTASK_REDIS_URL": settings.redis_url,
        **SERVER_SETTINGS,
        **{f"HYPERTASK_{name}": str(value) for name, value in limits.items()},
    }
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(PROCESSES)]
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.patient", "api.serve", "--fd", str(one.fileno())],
                pass_fds=[one.fileno()],
                env=environment,
                cwd=ROOT,
                stderr=subprocess.DEVNULL,
            )
            for one in sockets
        ]
        found = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for url in found:  # the socket takes the request; it is answered when the process has started
            assert httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        yield found
        for process in started:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


async def flood(url: str, access: Access, count: int) -> Counter[int]:
    """How often each status was answered."""
    async with httpx.AsyncClient(base_url=url, headers=access.headers) as client:

        async def some(those: int) -> list[int]:
            return [(await client.head("/hashes")).status_code for _ in range(those)]

        return Counter(
            status for one in await asyncio.gather(*(some(count // 4) for _ in range(4))) for status in one
        )


async def test_rates_hold_over_three_processes(server: Instance, urls: list[str], per_token: int) -> None:
    access = await asyncio.to_thread(server.access)
    other = await asyncio.to_thread(server.access, space=access.space)
    began = time.monotonic()

    def most(a_minute: int) -> float:
        """What was full is full again after a minute."""
        return 1.05 * a_minute * (1 + (time.monotonic() - began) / 60)

    first = await asyncio.gather(*(flood(url, access, per_token // 2) for url in urls))
    assert sum(first, Counter()).keys() <= {200, 429}
    assert 0.95 * per_token <= sum(one[200] for one in first) <= most(per_token)
    second = await asyncio.gather(*(flood(url, other, per_token * 3 // 8) for url in urls))
    both = sum(one[200] for one in (*first, *second))
    per_space = per_token * 3 // 2
    assert 0.95 * per_space <= both <= most(per_space), "two tokens of one space"
    elsewhere = await asyncio.to_thread(server.access)
    third = await asyncio.gather(*(flood(url, elsewhere, 20) for url in urls))
    assert sum(third, Counter()) == {200: 60}, "another space has lost nothing"


async def test_a_quota_holds_however_many_write_at_the_same_time(server: Instance, urls: list[str]) -> None:
    """A batch names the documents that have no room, and stores the others."""
    access = await asyncio.to_thread(server.access)
    async with opened(server.settings) as mongo:
        entry = BY_OPERATOR.entry(AuditAct.SPACE_LIMITS_CHANGED, 1.0, space=SpaceId(access.space))
        await access_stores(mongo).spaces.set_overrides(SpaceId(access.space), {"space_documents": 100}, entry)

    async def write(url: str, writer: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        async with httpx.AsyncClient(base_url=url, headers=access.headers) as client:
            for turn in range(4):
                names = [f"w{writer}-{turn}-{number}" for number in range(6)]
                answer = await client.post("/tasks", json={"tasks": {n: {"client_state": {"id": n}} for n in names}})
                rows += answer.raise_for_status().json()["tasks"].values()
        return rows

    writers = [(url, 3 * number + one) for number in range(3) for one, url in enumerate(urls)]
    found = [row for rows in await asyncio.gather(*(write(*writer) for writer in writers)) for row in rows]
    errors = [row["error"] for row in found if "error" in row]
    assert len(found) - len(errors) == 100
    assert {(error["status"], error["code"], error["limit"]) for error in errors} == {
        (507, "quota-exceeded", "space_documents")
    }
    assert {(error["quota"], error["remaining"]) for error in errors} == {(100, 0)}
    async with httpx.AsyncClient(base_url=urls[0], headers=access.headers) as client:
        hashes = (await client.get("/hashes")).json()
        assert len(hashes) == 100
        full = await client.post("/task/more", json={"client_state": {"id": "more"}})
        assert (full.status_code, full.json()["code"]) == (507, "quota-exceeded")
        assert int(full.headers["retry-after"]) == full.json()["retry_after"] > 0
        one = next(iter(hashes))
        edited = await client.post(f"/task/{one}", json={"client_state": {"id": one, "n": 1}})
        assert edited.status_code == 200, "an edit needs no room"
        assert (await client.delete(f"/task/{one}")).status_code == 200
        assert (await client.post("/task/more", json={"client_state": {"id": "more"}})).status_code == 200
