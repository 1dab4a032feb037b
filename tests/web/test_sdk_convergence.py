"""The SDK's clients under the faults of the simulator: against the rules in memory, and against a real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import node
import pytest

from tests.convergence.ledger import Verdict
from tests.convergence.over_http import OverHttp
from tests.convergence.servers import Rules, Server
from tests.instance import Instance
from tests.web.simulated import Node, SdkRun, sdk_schedule

MUST_NOT = ("lost", "silent", "undone", "back", "refused", "diverged", "loops", "repeats", "unread")


@pytest.fixture(scope="module")
def clients(sdk: node.Node, build: Path) -> Iterator[Node]:
    with Node([sdk.node, str(build / "test" / "simulated.js")], sdk.environ()) as process:
        yield process


def verdict_of(clients: Node, seed: int, server: Server) -> Verdict:
    run = SdkRun(clients, sdk_schedule(seed), server)
    verdict = run.run()
    run.close()
    return verdict


def check(clients: Node, seeds: range) -> None:
    edits = 0
    for seed in seeds:
        verdict = verdict_of(clients, seed, Rules())
        edits += verdict.edits
        assert [name for name in MUST_NOT if getattr(verdict, name)] == [], (seed, verdict.details)
    assert edits > 15 * len(seeds)
    print(f"{len(seeds)} schedules by the rules in memory, {edits} edits: none lost, none undone, all converged")


def check_over_http(clients: Node, server: Instance, seeds: range) -> None:
    edits = 0
    for seed in seeds:
        space = f"s-{uuid.uuid4().hex[:12]}"

        def token(name: str, shared: bool, space: str = space) -> str:
            return server.access(space=space, name=name, shared=shared).token

        with httpx.Client(base_url=server.url) as http:
            verdict = verdict_of(clients, seed, OverHttp(http, token))
        assert verdict.edits > 10
        edits += verdict.edits
        assert [name for name in MUST_NOT if getattr(verdict, name)] == [], (seed, verdict.details)
    print(f"{len(seeds)} schedules against a server, {edits} edits: none lost, none undone, all converged")


def test_no_edit_of_a_client_is_lost(clients: Node) -> None:
    check(clients, range(10))


def test_no_edit_of_a_client_of_a_real_server_is_lost(clients: Node, server: Instance) -> None:
    check_over_http(clients, server, range(80_001, 80_003))


@pytest.mark.soak
def test_no_edit_is_lost_in_thousands_of_runs(clients: Node) -> None:
    check(clients, range(10_000, 13_000))


@pytest.mark.soak
def test_no_edit_is_lost_in_a_hundred_runs_of_a_real_server(clients: Node, server: Instance) -> None:
    check_over_http(clients, server, range(81_000, 81_100))
