"""Loops that go on after errors end when they are told to, though a driver makes an error of the cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import arq.worker
import pytest
from arq import func
from redis.exceptions import ConnectionError as RedisConnectionError

import worker.large
from api.limits import share_exchange
from api.limits.pace import Pace
from api.limits.share_exchange import ShareExchange
from api.streams.stream_counts import StreamCounts
from shared import cancellation
from shared.adapters.arq import PatientWorker, WakingRedis
from shared.adapters.redis.announcements import RedisAnnouncements
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.core.documents import SpaceId
from shared.ports import ActiveShares, StreamCounter, UnavailableError
from shared.settings import Settings
from tests.patience import PATIENCE_SECONDS
from worker.large import LargeProcess


class Driver:
    """Its call waits for ever; when that is cancelled, it fails otherwise."""

    def __init__(self, failure: type[Exception]) -> None:
        self.called = asyncio.Event()
        self._failure = failure

    async def call(self, *_: object, **__: object) -> Any:
        self.called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise self._failure from None


async def ends(loop: Callable[[], Awaitable[object]], driver: Driver) -> bool:
    task = asyncio.ensure_future(loop())
    await driver.called.wait()
    task.cancel()
    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    return task.cancelled()


async def test_a_worker_ends_though_redis_went_away_as_it_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have waited for Redis for ever, as a process that nobody has any more."""
    driver = Driver(RedisConnectionError)
    monkeypatch.setattr(arq.worker.Worker, "_poll_iteration", driver.call)
    worker = PatientWorker(
        functions=[func(cast(Any, driver.call), name="none")],
        redis_pool=cast(WakingRedis, SimpleNamespace(job_serializer=None)),
        handle_signals=False,
    )

    async def poll() -> None:
        while True:
            await worker._poll_iteration()

    assert await ends(poll, driver)


def announcements(call: Callable[..., Awaitable[Any]]) -> RedisAnnouncements:
    """That are read by this call."""
    pubsub = SimpleNamespace(get_message=call, aclose=_nothing, subscribe=_nothing)
    return RedisAnnouncements(
        cast(Any, SimpleNamespace(pubsub=lambda: pubsub)),
        changed=_ignored,
        lost=_ignored,
        revoked=_ignored,
        access=_ignored,
    )


def submissions(call: Callable[..., Awaitable[Any]]) -> RedisSubmissionQueue:
    """Whose replies are read by this call."""
    own = SimpleNamespace(initialize=call, aclose=_nothing)
    redis = SimpleNamespace(client=lambda: own, register_script=lambda _: None)
    return RedisSubmissionQueue(cast(WakingRedis, redis), Settings())


async def reading(announcements: RedisAnnouncements) -> None:
    """Until it ends."""
    announcements._some.set()
    async with announcements:
        assert announcements._reader is not None
        await announcements._reader


async def test_announcements_end_though_redis_went_away_as_they_were_told_to() -> None:
    driver = Driver(RedisConnectionError)
    assert await ends(partial(reading, announcements(driver.call)), driver)


async def test_the_replies_end_though_redis_went_away_as_they_were_told_to() -> None:
    driver = Driver(RedisConnectionError)
    assert await ends(submissions(driver.call)._read, driver)


async def test_counts_of_streams_end_though_the_counter_went_away_as_they_were_told_to() -> None:
    driver = Driver(UnavailableError)
    counts = StreamCounts(cast(StreamCounter, SimpleNamespace(lives=driver.call)))
    assert await ends(counts.keep, driver)


async def test_processes_end_though_whom_they_tell_went_away_as_they_were_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(share_exchange, "_TELL_SECONDS", 0.0)
    driver, pace = Driver(UnavailableError), Pace()
    pace.more(SpaceId("a"), 1)
    shares = cast(ActiveShares, SimpleNamespace(tell=driver.call))
    assert await ends(ShareExchange(pace, shares).keep, driver)


class Faulty:
    """Its first call fails as nobody expects; with the next one it is told so."""

    def __init__(self) -> None:
        self._calls = 0
        self.called_again = asyncio.Event()

    async def call(self, *_: object, **__: object) -> Any:
        self._calls += 1
        if self._calls == 1:
            raise ZeroDivisionError
        self.called_again.set()
        await asyncio.Event().wait()


async def goes_on(loop: Callable[[], Awaitable[object]], faulty: Faulty) -> None:
    task = asyncio.ensure_future(loop())
    await asyncio.wait_for(faulty.called_again.wait(), PATIENCE_SECONDS)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(share_exchange, "_TELL_SECONDS", 0.0)


@pytest.mark.usefixtures("soon")
async def test_what_runs_beside_requests_goes_on_after_an_error_that_nobody_expected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It ended, and only what did not happen any more told so."""
    faulty = Faulty()
    await goes_on(partial(reading, announcements(faulty.call)), faulty)
    faulty = Faulty()
    await goes_on(submissions(faulty.call)._read, faulty)
    faulty = Faulty()
    await goes_on(StreamCounts(cast(StreamCounter, SimpleNamespace(lives=faulty.call))).keep, faulty)
    faulty, pace = Faulty(), Pace()
    pace.more(SpaceId("a"), 1)
    await goes_on(ShareExchange(pace, cast(ActiveShares, SimpleNamespace(tell=faulty.call))).keep, faulty)
    faulty = Faulty()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.large, "start_module", faulty.call)
        await goes_on(partial(living, LargeProcess()), faulty)
    assert [record.message for record in caplog.records] == ["background_step_failed"] * 5
    assert all(record.exc_info for record in caplog.records)


async def living(process: LargeProcess) -> None:
    process.start()
    assert process._task is not None
    await process._task


async def _nothing(*_: object) -> None:
    """Done."""


def _ignored(*_: object) -> None:
    """What is announced."""
