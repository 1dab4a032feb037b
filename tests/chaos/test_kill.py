"""kill -9 of every part in the middle of a sync by several client processes.

Clients see 503 or a lost connection, repeat, and end equal; nothing that was acknowledged is missing
(load.py proves that, from the clients' journals and from MongoDB itself).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis, RedisError

from tests.chaos.load import Load, Report
from tests.instance import Instance
from tests.patience import SERVER_SETTINGS

CLIENTS = 4
TAKEN_UP_SECONDS = 5.0
"""How soon the batch of a killed worker is in the hands of another."""
BACK_SECONDS = 30.0
"""How soon a write goes through after anything else was killed. Both are measured in the long runs; in the others
every client gets on, whenever that is."""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("chaos") / "data", api=2, workers=2, loads=True)
    yield instance.start(**({} if request.config.getoption("--soak") else SERVER_SETTINGS))
    instance.discard()


@pytest.fixture
def load(instance: Instance, tmp_path: Path) -> Iterator[Load]:
    with Load(instance, tmp_path, clients=CLIENTS, shared=10, own=5) as load:
        yield load


def kill(instance: Instance, load: Load, kind: str, index: int = 0) -> float:
    """Kills it, and returns when every client has got on after that. The moment of the kill."""
    moment = time.monotonic()
    instance.kill(kind, index)
    load.wait_for_progress(moment)
    return moment


@dataclass
class Measured:
    """What the report says goes into the record of the test; how long is judged in a long run."""

    record: Callable[[str, object], None]
    judges: bool

    def times(self, few: int, many: int) -> int:
        """How often something is killed: every case of it once, and more often in the long runs. The clients work all
        that time, as fast as they can."""
        return many if self.judges else few

    def request(self, report: Report) -> None:
        assert not self.judges or report.longest() < TAKEN_UP_SECONDS

    def outage(self, report: Report) -> None:
        assert not self.judges or report.longest_outage() < BACK_SECONDS


@pytest.fixture
def measured(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Measured:
    return Measured(record_property, request.config.getoption("--soak"))


def finish(load: Load, what: str, record: Callable[[str, object], None]) -> Report:
    """The report, with the times in the test's record."""
    report = load.finish()
    report.check_failures()
    record("edits", report.edits)
    record("requests that failed", len(report.failures))
    record("longest request", round(report.longest(), 2))
    record("longest outage", round(report.longest_outage(), 2))
    print(
        f"{what}: {report.edits} edits, {len(report.failures)} requests failed, longest request "
        f"{report.longest():.2f} s, longest outage {report.longest_outage():.2f} s"
    )
    return report


def stop_the_worker_that_is_at_work(instance: Instance, load: Load) -> tuple[int, int]:
    """Stops one; if nobody gets on then, it has the space's batch in its hands. Its index and pid."""
    for attempt in range(20):
        index = attempt % 2
        pid = instance.connection["children"]["worker"][index]
        os.kill(pid, signal.SIGSTOP)
        if load.nobody_gets_on(0.4):
            return index, pid
        os.kill(pid, signal.SIGCONT)
    raise AssertionError("no worker was met at work")


def test_a_killed_workers_batch_is_taken_up_by_the_other(instance: Instance, load: Load, measured: Measured) -> None:
    for _ in range(measured.times(2, 3)):
        index, _ = stop_the_worker_that_is_at_work(instance, load)
        kill(instance, load, "worker", index)
    report = finish(load, "worker killed at work", measured.record)
    assert report.failures == []  # to the clients it was no more than a delay
    assert report.longest() > 0.4
    measured.request(report)


def test_a_worker_that_was_away_for_a_while_does_no_harm(instance: Instance, load: Load, measured: Measured) -> None:
    """It comes back with a batch that another has taken up meanwhile, while that one is at work."""
    for _ in range(measured.times(2, 4)):
        _, pid = stop_the_worker_that_is_at_work(instance, load)
        try:
            load.wait_for_progress(time.monotonic())
        finally:
            os.kill(pid, signal.SIGCONT)
        load.wait_for_progress(time.monotonic())
    report = finish(load, "worker away for a while", measured.record)
    measured.outage(report)


def test_workers_killed_at_any_moment(instance: Instance, load: Load, measured: Measured) -> None:
    for index in (0, 1) * measured.times(1, 2):
        kill(instance, load, "worker", index)
    report = finish(load, "worker killed", measured.record)
    assert report.failures == []
    measured.request(report)


def test_api_processes_killed(instance: Instance, load: Load, measured: Measured) -> None:
    for index in (0, 1) * measured.times(1, 2):
        kill(instance, load, "api", index)
    report = finish(load, "API process killed", measured.record)
    assert any(row["status"] == 0 for row in report.failures)
    measured.outage(report)


def test_redis_killed_and_back_empty(instance: Instance, load: Load, measured: Measured) -> None:
    for _ in range(measured.times(1, 2)):
        kill(instance, load, "redis")
    report = finish(load, "redis-server killed", measured.record)
    measured.outage(report)


def test_redis_wiped(instance: Instance, load: Load, measured: Measured) -> None:
    with Redis.from_url(instance.settings.redis_url) as redis:
        for _ in range(measured.times(1, 2)):
            moment = time.monotonic()
            redis.flushall()
            load.wait_for_progress(moment)
    report = finish(load, "Redis wiped", measured.record)
    measured.outage(report)


def test_mongod_killed(instance: Instance, load: Load, measured: Measured) -> None:
    for _ in range(measured.times(1, 2)):
        kill(instance, load, "mongod")
    report = finish(load, "mongod killed", measured.record)
    measured.outage(report)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6))
def test_anything_killed_at_any_moment(
    instance: Instance, tmp_path: Path, record_property: Callable[[str, object], None], seed: int
) -> None:
    chance = random.Random(seed)
    with (
        Redis.from_url(instance.settings.redis_url) as redis,
        Load(instance, tmp_path, clients=8, shared=20, own=5, seed=seed) as load,
    ):
        for _ in range(25):
            moment = time.monotonic()
            for _ in range(chance.choice([1, 1, 1, 2, 3])):  # the next while the last one is still felt
                kind = chance.choice(["worker", "worker", "api", "api", "redis", "mongod", "wipe"])
                if kind == "wipe" and not _wiped(redis):
                    continue
                if kind != "wipe":
                    instance.kill(kind, chance.randrange(2) if kind in ("worker", "api") else 0)
            load.wait_for_progress(moment)
        finish(load, f"seed {seed}", record_property)


def _wiped(redis: Redis) -> bool:
    try:
        return bool(redis.flushall())
    except RedisError:  # it is just being replaced
        return False
