"""Byte budgets of bodies, turns of large answers, and the pace of who asks for most."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from api.errors import RATE_LIMITED, ProblemError
from api.http.connection import Connection
from api.limits import bounds as rooms
from api.limits import pace as pacing
from api.limits.bounds import ArrivingBody, ByteBudget, Gate, Holding
from api.limits.pace import Pace
from shared.core.documents import SpaceId
from shared.ports import OverloadedError
from tests.patience import PATIENCE_SECONDS

A, B, C = SpaceId("a"), SpaceId("b"), SpaceId("c")


def test_a_space_has_its_share_and_all_have_what_there_is() -> None:
    budget = ByteBudget(100, 60)
    one, other = Holding(), Holding()
    one.take(budget, A, 60)
    with pytest.raises(ProblemError, match="60 bytes") as refused:
        other.take(budget, A, 1)
    assert refused.value.kind is RATE_LIMITED and "retry-after" in refused.value.headers
    other.take(budget, B, 40)
    with pytest.raises(OverloadedError, match="BODIES_BYTES"):
        other.take(budget, C, 1)
    one.end()
    one.end()
    other.take(budget, C, 60)
    assert budget.held == 100
    other.end()
    assert budget.held == 0


def test_what_holds_nothing_gives_nothing_back() -> None:
    budget, holding = ByteBudget(100, 60), Holding()
    for _ in range(2):
        holding.take(budget, A, 0)
    holding.end()
    assert budget.held == 0


def test_so_many_bodies_of_a_space_arrive_at_a_time() -> None:
    arriving = ArrivingBody(2)
    for space in (A, A, B):
        arriving.enter(space)
    with pytest.raises(ProblemError) as refused:
        arriving.enter(A)
    assert refused.value.kind is RATE_LIMITED and "retry-after" in refused.value.headers
    arriving.leave(A)
    arriving.enter(A)


async def test_a_few_documents_of_a_space_are_read_at_a_time() -> None:
    pace, inside, most = Pace(), 0, 0

    async def read(space: SpaceId) -> None:
        nonlocal inside, most
        async with pace.reading(space):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(read(A) for _ in range(50)))
    assert most == pacing._READING
    most = 0
    await asyncio.gather(*(read(space) for space in (A, B) for _ in range(50)))
    assert most == 2 * pacing._READING, "of another one, too"


async def test_spaces_take_turns_and_one_has_not_all() -> None:
    gate = Gate(Pace(), 2, 1)
    order: list[str] = []
    inside: set[str] = set()

    async def large(space: SpaceId, name: str) -> None:
        await gate.enter(space)
        assert not any(other[0] == name[0] for other in inside) and len(inside) < 2
        inside.add(name)
        order.append(name)
        await asyncio.sleep(0)
        inside.remove(name)
        gate.leave(space)

    names = [(A, f"a{n}") for n in range(4)] + [(B, "b0"), (C, "c0")]
    await asyncio.gather(*(large(space, name) for space, name in names))
    assert sorted(order) == sorted(name for _, name in names)
    assert [name for name in order if name[0] == "a"] == ["a0", "a1", "a2", "a3"], "in the order in which they came"
    assert order.index("c0") < order.index("a2"), "a space with one request waits for one of another, not for all"


async def test_beside_others_a_space_has_fewer_turns() -> None:
    pace = Pace()
    gate = Gate(pace, 4, 2, beside_others=1)
    for _ in range(2):
        await gate.enter(A)
    gate.leave(A)
    await pace.throttle(B)
    waiting = asyncio.create_task(gate.enter(A))
    await asyncio.sleep(0)
    assert not waiting.done()
    await gate.enter(B)
    gate.leave(A)
    await waiting


async def test_who_reads_slowly_holds_up_nobody() -> None:
    gate = Gate(Pace(), 1, 1, most_seconds=0.01)
    slow, other = Holding(), Holding()
    await slow.enter(gate, A)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await other.enter(gate, A)
    slow.end()
    third = asyncio.create_task(gate.enter(A))
    await asyncio.sleep(0)
    assert not third.done(), "a turn ends once"
    async with asyncio.timeout(PATIENCE_SECONDS):
        await third


async def test_too_many_that_wait_are_refused_and_who_goes_away_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST_WAITING", 2)
    gate = Gate(Pace(), 1, 1)
    await gate.enter(A)
    first, second = [asyncio.create_task(gate.enter(A)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError) as refused:
        await gate.enter(A)
    assert refused.value.kind is RATE_LIMITED
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.leave(A)
    await second
    gate.leave(A)
    await gate.enter(B)


async def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_WAIT_SECONDS", 0.01)
    gate = Gate(Pace(), 1, 1)
    await gate.enter(A)
    with pytest.raises(OverloadedError):
        await gate.enter(B)
    gate.leave(A)
    await gate.enter(B)


async def test_while_others_ask_half_of_the_time_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    gate = Gate(pace, 1, 1)
    holding = Holding()
    await holding.enter(gate, A)
    await asyncio.sleep(0.05)
    await pace.throttle(B)
    holding.end()
    began = asyncio.get_running_loop().time()
    await gate.enter(A)
    assert asyncio.get_running_loop().time() - began >= 0.04


C = SpaceId("c")


class Clock:
    """Of the pace, in place of `time` and of `asyncio.sleep`, which notes how long it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()  # what has not been replaced reads that: a machine may have just started
        self.slept: list[float] = []
        monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=self.read, perf_counter=self.read))
        monkeypatch.setattr(pacing, "asyncio", SimpleNamespace(sleep=self.sleep))

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize(
    ("requests", "late", "waits"),
    [
        ({A: 300, B: 10}, 0.02, {A}),
        ({A: 300, B: 10}, 0.0, set()),  # there is time
        ({A: 300}, 0.02, set()),  # nobody else asks
        ({A: 100, B: 10}, 0.02, set()),  # it is not for these that the loop is late
        ({A: 300, B: 400}, 0.02, set()),  # the other asks for as much
        ({A: 300, B: 400, C: 10}, 0.02, {A, B}),  # neither has most of it: two who attack together
    ],
)
async def test_who_asks_for_much_waits_when_there_is_much_to_do(
    requests: dict[SpaceId, int], late: float, waits: set[SpaceId], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pace = Clock(monkeypatch), Pace()
    for space, count in requests.items():
        for _ in range(count):
            await pace.throttle(space)
    assert not clock.slept
    pace._adjust(late, clock.now)
    for space in requests:
        clock.slept.clear()
        await pace.throttle(space)
        assert bool(clock.slept) == (space in waits)


async def paced(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, Pace]:
    """At the least rate."""
    clock, pace = Clock(monkeypatch), Pace()
    await pace.throttle(B)
    pace.more(A, 1000)
    for _ in range(20):
        pace._adjust(0.02, clock.now)
    return clock, pace


async def test_who_is_paced_is_let_go_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = await paced(monkeypatch)
    for _ in range(2000):
        await pace.throttle(A)
    turns = [n / pacing._LEAST_RATE for n in range(1, 2001)]
    assert clock.slept == pytest.approx([min(turn, pacing._MAX_TURN_SECONDS) for turn in turns])


async def test_a_large_request_takes_the_turns_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = await paced(monkeypatch)
    await pace.throttle(A)
    pace.more(A, 31)
    await pace.throttle(A)
    assert clock.slept == pytest.approx([1 / pacing._LEAST_RATE, 33 / pacing._LEAST_RATE])


async def test_what_was_large_is_remembered_for_a_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = await paced(monkeypatch)
    for _ in range(3):
        pace.more(A, 10_000)
    await pace.throttle(A)
    assert clock.slept == pytest.approx([pacing._MAX_DEBT_SECONDS + 1 / pacing._LEAST_RATE])
    for _ in range(200):
        await pace.throttle(A)
    assert max(clock.slept) == pytest.approx(pacing._MAX_DEBT_SECONDS + 201 / pacing._LEAST_RATE)
    pace.more(A, 10_000)
    await pace.throttle(A)
    assert clock.slept[-1] == pytest.approx(pacing._MAX_DEBT_SECONDS + 202 / pacing._LEAST_RATE)


async def test_a_turn_is_given_back_when_its_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = await paced(monkeypatch)
    connections = [Connection() for _ in range(100)]
    may_wake = asyncio.Event()

    async def sleep(seconds: float) -> None:
        clock.slept.append(seconds)
        await may_wake.wait()

    monkeypatch.setattr(pacing, "asyncio", SimpleNamespace(sleep=sleep))
    waiting = [asyncio.create_task(pace.throttle(A, connection)) for connection in connections]
    while len(clock.slept) < 100:
        await asyncio.sleep(0)
    for connection in connections:
        connection.end()
    may_wake.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, ProblemError) for error in errors), "nothing is done for who has gone"
    await pace.throttle(A)
    assert clock.slept[-1] == pytest.approx(1 / pacing._LEAST_RATE)


@pytest.mark.parametrize(("steps", "counted"), [(1, 0), (10, 5)])
async def test_a_request_counts_for_the_time_that_it_takes_of_the_loop(
    steps: int, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pace = Clock(monkeypatch), Pace()

    async def pass_meanwhile() -> None:
        clock.now += 100.0

    async def work() -> str:
        for _ in range(steps):
            clock.now += 0.61 * pacing.REQUEST_SECONDS
            await asyncio.create_task(pass_meanwhile())
        return "done"

    assert await pace.billed(work(), lambda: A) == "done"
    assert pace._asked(A) == counted, "what an ordinary one takes was counted when it came"


async def test_the_time_before_it_is_known_who_asks_is_paid_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace()
    payer: SpaceId | None = None

    async def work() -> None:
        nonlocal payer
        for share in (None, None, A):
            payer = share
            clock.now += 2.01 * pacing.REQUEST_SECONDS
            await asyncio.create_task(asyncio.sleep(0))

    await pace.billed(work(), lambda: payer)
    assert pace._asked(A) == 5 and not pace._asked(SpaceId("")), "nobody else has asked for anything"


async def test_work_that_is_billed_fails_and_ends_as_any() -> None:
    pace, ended = Pace(), asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            ended.set()

    async def billed() -> None:
        await pace.billed(wait(), lambda: A)

    task = asyncio.create_task(billed())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()

    async def fail() -> None:
        raise ValueError("as any")

    with pytest.raises(ValueError, match="as any"):
        await pace.billed(fail(), lambda: A)


async def test_nothing_large_is_done_for_who_has_gone() -> None:
    connection = Connection()
    gate = Gate(Pace(), 1, 1)
    await gate.enter(A)
    gone = Holding(connection)
    waiting = asyncio.create_task(gone.enter(gate, A))
    await asyncio.sleep(0)
    connection.end()
    gate.leave(A)
    with pytest.raises(ProblemError):
        await waiting
    gone.end()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await gate.enter(A)


async def test_the_rate_grows_until_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = await paced(monkeypatch)
    rates = []
    for _ in range(400):
        clock.now += pacing._LOOK_SECONDS
        await pace.throttle(A)
        pace._adjust(0.0, clock.now)
        rates.append(1 / clock.slept[-1])
    assert rates[10] < 10 * pacing._LEAST_RATE, "not at once"
    assert rates[-1] > 10 * pacing._LEAST_RATE
    clock.now += 2 * pacing._WINDOW_SECONDS
    pace._adjust(0.0, clock.now)
    clock.slept.clear()
    await pace.throttle(A)
    assert not clock.slept


async def test_who_is_alone_then_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = await paced(monkeypatch)
    del pace._counts[B]
    pace._adjust(0.02, clock.now)
    await pace.throttle(A)
    assert not clock.slept
