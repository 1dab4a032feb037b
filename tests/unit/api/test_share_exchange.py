"""The pace of several processes, which tell each other whom they are asked by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from api.limits import share_exchange
from api.limits.bounds import DECISIONS_BESIDE_OTHERS, DECISIONS_OF_SHARE, Gate
from api.limits.pace import Pace
from api.limits.share_exchange import ShareExchange, exchanging
from shared.adapters.memory.active_shares import MemoryActiveShares
from shared.core.documents import SpaceId
from shared.ports import UnavailableError
from shared.ports.active_shares import TOLD_SECONDS
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.test_bounds import Clock

A, B, C = SpaceId("a"), SpaceId("b"), SpaceId("c")


class Shares(MemoryActiveShares):
    """May be away. Nothing is forgotten by the clock, which the tests of the pace stop."""

    def __init__(self) -> None:
        super().__init__(told_seconds=PATIENCE_SECONDS)
        self.is_away = False
        self.calls = 0

    async def tell(self, process: str, asked: Mapping[SpaceId, int]) -> Mapping[SpaceId, int]:
        self.calls += 1
        if self.is_away:
            raise UnavailableError("away")
        return await super().tell(process, asked)


async def told(*requests: Mapping[SpaceId, int]) -> list[Pace]:
    """Of a process each, which was asked for so much, and knows what the others were."""
    shares, paces = Shares(), [Pace() for _ in requests]
    each = [ShareExchange(pace, shares) for pace in paces]
    for pace, asked in zip(paces, requests, strict=True):
        for space, count in asked.items():
            pace.more(space, count)
    for one in each * 3:
        await one.tell()
    return paces


@pytest.mark.parametrize(
    ("requests", "waits"),
    [
        ([{A: 5000}, {A: 900, B: 30}], [{A}, {A}]),  # the hostile one asks both, the quiet one asks one
        ([{A: 5000}, {B: 30}], [{A}, set()]),
        ([{A: 5000}, {A: 5000}], [set(), set()]),  # it is alone in all of them
        ([{A: 5000}, {}], [set(), set()]),
        ([{A: 5000}, {B: 3000}], [set(), set()]),  # two that ask for much have a process each
        ([{A: 5000, B: 3}, {A: 3, B: 3000}], [set(), set()]),  # and a few requests of each come by the other one
        ([{A: 5000, C: 4000}, {A: 1, C: 1, B: 30}], [{A, C}, set()]),  # two of them hide a quiet one
        ([{A: 150}, {B: 30}], [set(), set()]),  # it is not for these that the loop is late
    ],
)
async def test_who_asks_other_processes_for_little_does_not_wait_for_who_asks_this_one_for_much(
    requests: list[dict[SpaceId, int]], waits: list[set[SpaceId]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    for pace, asked, expected in zip(await told(*requests), requests, waits, strict=True):
        pace._adjust(0.02, clock.now)
        waiting = set()
        for space in asked:
            clock.slept.clear()
            await pace.throttle(space)
            waiting |= {space} if clock.slept else set()
        assert waiting == expected


async def test_of_a_token_that_opens_many_spaces_the_workers_have_few_requests_beside_others_elsewhere() -> None:
    alone, _ = await told({A: 9}, {})
    assert await entered(alone) == DECISIONS_OF_SHARE
    beside, _ = await told({A: 9}, {B: 1})
    assert await entered(beside) == DECISIONS_BESIDE_OTHERS


async def entered(pace: Pace) -> int:
    """How many requests of A are decided at a time."""
    gate = Gate(pace, 100, DECISIONS_OF_SHARE, beside_others=DECISIONS_BESIDE_OTHERS)
    tasks = [asyncio.create_task(gate.enter(A)) for _ in range(20)]
    await asyncio.sleep(0)
    count = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return count


async def test_what_was_heard_is_forgotten_unless_there_is_something_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace()
    pace.note_elsewhere({B: 1}, clock.now)
    for seconds, alone in ((TOLD_SECONDS, False), (0.01, True)):
        clock.now += seconds
        pace._adjust(0.0, clock.now)
        assert pace.is_alone(A) == alone
    pace.note_elsewhere({B: 1}, clock.now)
    pace.note_elsewhere({}, clock.now)
    assert pace.is_alone(A)


async def test_those_who_ask_for_least_are_told() -> None:
    pace = Pace()
    for space, count in ((A, 5), (B, 3), (C, 9), (SpaceId("none"), 0)):
        pace.more(space, count)
    assert pace.quietest() == {A: 5, B: 3}
    pace.note_elsewhere({B: 100}, 0.0)
    assert pace.quietest() == {A: 5, C: 9}, "of all processes it asks for more"


async def test_who_is_asked_for_nothing_tells_nothing() -> None:
    shares = Shares()
    await ShareExchange(Pace(), shares).tell()
    assert not shares.calls


async def test_one_outage_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    shares, pace = Shares(), Pace()
    pace.more(A, 1)
    one = ShareExchange(pace, shares)
    for shares.is_away in (True, True, False, True):
        await one.tell()
    events = [(record.levelno, record.message) for record in caplog.records]
    assert events == [(logging.WARNING, "paced_alone")] * 2


async def test_processes_tell_each_other_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_exchange, "_TELL_SECONDS", 0.001)
    shares, one, other = Shares(), Pace(), Pace()
    one.more(A, 1)
    other.more(B, 1)
    async with exchanging(one, shares), exchanging(other, shares), asyncio.timeout(PATIENCE_SECONDS):
        while one.is_alone(A) or other.is_alone(B):
            await asyncio.sleep(0.001)
