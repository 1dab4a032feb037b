"""The same runs against real processes. In process there are many more of them (test_convergence)."""

from __future__ import annotations

import uuid

import httpx
import pytest

from tests.convergence.ledger import Verdict
from tests.convergence.over_http import OverHttp
from tests.convergence.run import Run, make_schedule
from tests.instance import Instance

MUST_NOT = {
    "base": ("lost", "undone", "back", "refused", "diverged", "loops", "repeats", "unread"),
    "sparse": ("lost", "undone", "back", "refused", "diverged", "loops", "repeats", "unread"),
    "plain": ("diverged", "loops", "repeats", "unread"),
    "token": ("diverged", "loops", "repeats", "unread"),
    "unknown": ("diverged", "loops", "repeats", "unread"),
    "mixed": ("diverged", "loops", "repeats", "unread"),
    "shared": ("diverged", "loops", "repeats", "unread"),
}


def verdict_of(server: Instance, population: str, seed: int) -> Verdict:
    space = f"s-{uuid.uuid4().hex[:12]}"

    def token(name: str, shared: bool) -> str:
        return server.access(space=space, name=name, shared=shared).token

    with httpx.Client(base_url=server.url) as http:
        return Run(make_schedule(seed, population), OverHttp(http, token)).run()


@pytest.mark.parametrize("population", MUST_NOT)
def test_a_run_over_http(server: Instance, population: str) -> None:
    verdict = verdict_of(server, population, 70_001)
    assert verdict.edits > 10
    assert [name for name in MUST_NOT[population] if getattr(verdict, name)] == [], verdict.details


@pytest.mark.soak
@pytest.mark.parametrize("population", MUST_NOT)
def test_a_hundred_runs_over_http(server: Instance, population: str) -> None:
    for seed in range(71_000, 71_100):
        verdict = verdict_of(server, population, seed)
        assert [name for name in MUST_NOT[population] if getattr(verdict, name)] == [], (seed, verdict.details)
