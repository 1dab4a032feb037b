"""A process that serves no HTTP says how it is, and ops/probes/http asks it."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import httpx
import pytest

from shared import probe
from shared.ports import UnavailableError

PROBE = Path(__file__).parents[2] / "ops" / "probes" / "http"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


async def fine() -> None:
    pass


async def down() -> None:
    raise UnavailableError("it is down")


async def asked(port: int, path: str) -> int:
    process = await asyncio.create_subprocess_exec(
        "bash", str(PROBE), str(port), path, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_what_answers_is_ready() -> None:
    async with probe.served(free_port(), {"database": fine, "queue": fine}) as port, httpx.AsyncClient() as client:
        assert port is not None
        assert (await asked(port, "/readyz"), await asked(port, "/healthz"), await asked(port, "/other")) == (0, 0, 1)
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok", "queue": "ok"})
    assert await asked(port, "/healthz") == 1, "nobody listens any more"


async def test_a_process_without_its_database_lives_and_is_not_ready() -> None:
    async with probe.served(free_port(), {"database": down, "queue": fine}) as port, httpx.AsyncClient() as client:
        assert port is not None
        assert (await asked(port, "/readyz"), await asked(port, "/healthz")) == (1, 0)
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        assert answer.status_code == 503
        assert json.loads(answer.text).items() >= {"database": "unavailable", "queue": "ok"}.items()


async def test_one_that_does_not_answer_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_CHECK_SECONDS", 0.02)

    async def silent() -> None:
        await asyncio.Event().wait()

    assert await probe.statuses({"database": silent, "queue": fine}) == {
        "database": "unavailable",
        "queue": "ok",
    }


async def test_without_a_port_nothing_listens() -> None:
    async with probe.served(0, {}) as port:
        assert port is None
