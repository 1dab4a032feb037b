"""Who takes most of a worker's time rests while others have something to do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import DeviceId, SpaceId
from worker.shares import SenderTurns, TimeShares

LOUD, QUIET = SpaceId("loud"), SpaceId("quiet")
MANY, FEW, OTHER = DeviceId("many"), DeviceId("few"), DeviceId("other")


def test_a_space_that_is_alone_never_rests() -> None:
    shares = TimeShares[SpaceId](0.0)
    assert [shares.took(LOUD, 0.1, float(at)) for at in range(20)] == [0.0] * 20


def test_a_space_that_takes_most_rests_as_long_as_its_batch_took() -> None:
    shares = TimeShares[SpaceId](100.0)
    shares.took(QUIET, 0.01, 100.0)
    assert shares.took(LOUD, 0.2, 100.1) == 0.2
    assert shares.took(QUIET, 0.01, 100.2) == 0.0
    assert shares.took(LOUD, 9.0, 100.3) == 0.5, "not for ever"


def test_who_was_there_long_ago_holds_nobody_up() -> None:
    shares = TimeShares[SpaceId](100.0)
    shares.took(QUIET, 0.01, 100.0)
    assert shares.took(LOUD, 0.2, 101.5) > 0.0
    assert shares.took(LOUD, 0.2, 103.0) == 0.0
    assert shares.took(LOUD, 0.2, 110.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from([LOUD, QUIET, SpaceId("other")]), st.floats(0, 1)), max_size=40))
def test_a_rest_is_never_longer_than_the_batch(batches: list[tuple[SpaceId, float]]) -> None:
    shares = TimeShares[SpaceId](1e9)
    for space, seconds in batches:
        assert 0.0 <= shares.took(space, seconds, 1e9) <= seconds


class Batches:
    """Batches of a worker: those that have begun, in their order."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns = SenderTurns(lambda: self.now)
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, *senders: DeviceId) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name, dict.fromkeys(senders, 1)))
        await self._until_all_wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await self._until_all_wait()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._tasks[name]
        await self._until_all_wait()

    async def _run(self, name: str, senders: Mapping[DeviceId, int]) -> None:
        async with self.turns.turn(senders):
            self.begun.append(name)
            await self._ends[name].wait()

    async def _until_all_wait(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_a_sender_that_is_alone_has_a_batch_in_each_space() -> None:
    batches = Batches()
    for name in ("m1", "m2", "m3"):
        await batches.come(name, MANY)
    assert batches.begun == ["m1", "m2", "m3"]


async def test_beside_others_the_batches_of_a_sender_are_one_after_another() -> None:
    batches = Batches()
    await batches.come("f1", FEW)
    await batches.end("f1")
    for name in ("m1", "m2", "m3", "m4"):
        await batches.come(name, MANY)
    await batches.come("f2", FEW)
    assert batches.begun == ["f1", "m1", "f2"], "one of each"
    await batches.cancel("m2")
    await batches.end("m1")
    assert batches.begun == ["f1", "m1", "f2", "m3"]
    batches.now += 3.0
    await batches.come("m5", MANY)
    assert batches.begun == ["f1", "m1", "f2", "m3"], "the other one may ask another worker meanwhile"
    batches.now += 5.5  # it has long had nothing to do
    await batches.come("m6", MANY)
    await batches.end("m3")
    assert batches.begun == ["f1", "m1", "f2", "m3", "m6", "m4", "m5"]


async def test_a_batch_that_several_have_sent_begins_when_one_of_them_has_nothing_else_under_way() -> None:
    batches = Batches()
    await batches.come("m1", MANY)
    await batches.come("both", MANY, FEW)
    assert batches.begun == ["m1", "both"]
    await batches.come("both again", MANY, FEW)
    await batches.come("f1", FEW)
    assert batches.begun == ["m1", "both"]
    await batches.end("both")
    assert batches.begun == ["m1", "both", "both again"]


async def test_a_batch_of_nobody_begins_at_once() -> None:
    batches = Batches()
    await batches.come("m1", MANY)
    await batches.come("f1", FEW)
    await batches.come("nothing")
    assert batches.begun == ["m1", "f1", "nothing"]
    assert batches.turns.took({}, 1.0) == 0.0


def test_a_sender_that_takes_most_rests_and_keeps_its_turn_meanwhile() -> None:
    turns = SenderTurns(lambda: 100.0)
    assert turns.took({MANY: 1}, 0.2) == 0.0, "it is alone"
    assert turns.took({FEW: 1}, 0.01) == 0.0
    assert turns.took({MANY: 5}, 0.2) == 0.2
    assert turns.took({MANY: 1, OTHER: 1}, 0.2) == 0.0, "the other one has not taken much"
