"""What every StreamCounter must do. A test module subclasses the suite and gives it a counter."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from shared.ports import StreamCounter


async def new_process(counter: StreamCounter) -> str:
    """One that has begun."""
    name = uuid.uuid4().hex
    assert await counter.lives(name, begins=True)
    return name


class StreamCounterContract:
    @pytest.fixture
    def counter(self) -> StreamCounter:
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        return uuid.uuid4().hex

    async def test_a_bound_holds_over_all_processes(self, counter: StreamCounter, key: str) -> None:
        processes = [await new_process(counter) for _ in range(3)]
        refusals = await asyncio.gather(*(counter.enter(name, {key: 4}) for name in processes * 4))
        assert (refusals.count(None), refusals.count(key)) == (4, 8)
        assert await counter.enter(processes[0], {key: 0}) is None, "any number"

    async def test_what_one_key_refuses_no_other_one_counts(self, counter: StreamCounter, key: str) -> None:
        process, other = await new_process(counter), key + "x"
        assert await counter.enter(process, {key: 2, other: 1}) is None
        assert await counter.enter(process, {key: 2, other: 1}) == other
        assert await counter.enter(process, {key: 2}) is None, "one is counted of it"
        assert await counter.enter(process, {key: 2}) == key

    async def test_what_is_left_is_free_again(self, counter: StreamCounter, key: str) -> None:
        process, other = await new_process(counter), await new_process(counter)
        await counter.add(other, {key: 2})
        assert await counter.enter(process, {key: 2}) == key
        await counter.add(other, {key: -1})
        assert await counter.enter(process, {key: 2}) is None
        await counter.add(other, {key: -5})
        assert await counter.enter(process, {key: 2}) is None, "it holds none, and not fewer"
        assert await counter.enter(process, {key: 2}) == key

    async def test_what_a_process_held_goes_with_it(self, counter: StreamCounter, key: str) -> None:
        process, dead = await new_process(counter), await new_process(counter)
        assert await counter.lives(dead)
        assert await counter.enter(dead, {key: 1}) is None
        assert await counter.enter(process, {key: 1}) == key
        await counter.ends(dead)
        assert not await counter.lives(dead)
        assert await counter.enter(process, {key: 1}) is None
