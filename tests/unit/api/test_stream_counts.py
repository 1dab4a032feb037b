"""Streams counted over several processes, with a counter that may be away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from api.streams.stream_counts import StreamCounts
from shared.adapters.memory.streams import MemoryStreamCounter
from shared.ports import UnavailableError


class Counter(MemoryStreamCounter):
    """May be away, or do what it is asked and lose the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = self.loses_answers = False

    async def lives(self, process: str, *, begins: bool = False) -> bool:
        self._unless_away()
        return await super().lives(process, begins=begins)

    async def enter(self, process: str, bounds: Mapping[str, int]) -> str | None:
        self._unless_away()
        found = await super().enter(process, bounds)
        if self.loses_answers:
            raise UnavailableError("lost")
        return found

    async def add(self, process: str, counts: Mapping[str, int]) -> None:
        self._unless_away()
        await super().add(process, counts)

    def held(self, key: str) -> int:
        return sum(held[key] for held in self._held.values())

    def _unless_away(self) -> None:
        if self.is_away:
            raise UnavailableError("away")


async def processes(counter: Counter, count: int = 2) -> list[StreamCounts]:
    found = [StreamCounts(counter) for _ in range(count)]
    for one in found:
        await one.look_after()
    return found


async def test_a_limit_holds_over_all_processes_and_what_ends_is_free() -> None:
    one, other = await processes(counter := Counter())
    assert [await one.enter({"a": 2}), await other.enter({"a": 2}), await one.enter({"a": 2})] == [None, None, "a"]
    assert counter.held("a") == 2
    other.leave(["a"])
    await asyncio.sleep(0)
    assert await one.enter({"a": 2}) is None
    assert await other.enter({"a": 2, "b": 1}) == "a" and counter.held("b") == 0


async def test_each_process_counts_alone_while_the_counter_is_away_and_states_it_afterwards() -> None:
    one, other = await processes(counter := Counter())
    assert await one.enter({"a": 3}) is None
    counter.is_away = True
    assert [await other.enter({"a": 3}) for _ in range(4)] == [None, None, None, "a"], "nobody is without a limit"
    one.leave(["a"])
    await one.look_after()
    counter.is_away = False
    await other.look_after()
    assert counter.held("a") == 3 + 1, "the first one has not said yet that one ended"
    one.is_sure = False
    await one.look_after()
    assert counter.held("a") == 3
    assert await one.enter({"a": 3}) == "a"


@pytest.mark.parametrize("ends", [False, True])
async def test_a_lost_answer_is_put_right(ends: bool) -> None:
    one, other = await processes(counter := Counter())
    counter.loses_answers = True
    assert await one.enter({"a": 2}) is None
    counter.loses_answers = False
    if ends:
        one.leave(["a"])
    await one.look_after()
    assert counter.held("a") == (0 if ends else 1)
    assert [await other.enter({"a": 2}) for _ in range(2)] == [None, None if ends else "a"]


async def test_what_a_process_held_that_is_gone_is_free() -> None:
    one, other = await processes(Counter())
    assert await one.enter({"a": 1}) is None
    assert await other.enter({"a": 1}) == "a"
    await one.close()
    assert await other.enter({"a": 1}) is None


async def test_a_process_that_was_forgotten_counts_again() -> None:
    one, other = await processes(counter := Counter())
    assert await one.enter({"a": 1}) is None
    await counter.ends(one._name)
    assert counter.held("a") == 0
    await one.look_after()
    assert counter.held("a") == 1
    assert await other.enter({"a": 1}) == "a"
