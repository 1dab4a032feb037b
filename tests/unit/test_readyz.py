"""`GET /readyz` when something it needs does not answer."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from api import errors
from api.routes import service
from shared import probe
from shared.ports import UnavailableError


async def fine() -> None:
    pass


async def down() -> None:
    raise UnavailableError("it is down")


async def silent() -> None:
    await asyncio.Event().wait()


def request(**checks: Any) -> Request:
    state = {"hypertask": SimpleNamespace(checks=checks)}
    return Request({"type": "http", "method": "GET", "path": "/readyz", "headers": [], "state": state})


async def test_ready() -> None:
    answer = await service.readyz(request(database=fine, cache=fine))
    assert (answer.status_code, json.loads(bytes(answer.body))) == (
        200,
        {"status": "ok", "database": "ok", "cache": "ok"},
    )


@pytest.mark.parametrize(
    ("database", "cache", "said"),
    [
        (down, fine, {"database": "unavailable", "cache": "ok"}),
        (fine, silent, {"database": "ok", "cache": "unavailable"}),
        (silent, down, {"database": "unavailable", "cache": "unavailable"}),
    ],
)
async def test_what_does_not_answer_is_a_problem(
    database: Any, cache: Any, said: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_CHECK_SECONDS", 0.05)
    asked = request(database=database, cache=cache)
    with pytest.raises(errors.ProblemError) as found:
        await service.readyz(asked)
    answer = errors.respond(asked, found.value)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"] == "1"
    problem = json.loads(bytes(answer.body))
    assert problem.items() >= {"status": 503, "code": "unavailable", **said}.items()


async def test_a_fault_of_ours_is_not_hidden() -> None:
    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await service.readyz(request(database=broken, cache=fine))
