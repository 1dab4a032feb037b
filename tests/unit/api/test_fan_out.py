"""Followers of a space are told a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from api.limits.pace import Pace
from api.streams.fan_out import AT_ONCE, MOST_WAITING, FanOut
from shared.core.documents import SpaceId

A, B = SpaceId("a"), SpaceId("b")
MANY = 10 * AT_ONCE


class Follower:
    def __init__(self) -> None:
        self.told: list[str] = []

    def lost(self) -> None:
        self.told.append("lost")

    def hear(self, word: str) -> None:
        self.told.append(word)


def hear(word: str) -> Callable[[Follower], None]:
    return lambda follower: follower.hear(word)


def followers(count: int) -> list[Follower]:
    return [Follower() for _ in range(count)]


async def until_told(fan_out: FanOut[Follower], last: Follower, word: str) -> int:
    """How many turns of the event loop it took."""
    for turn in range(10_000):
        if word in last.told:
            return turn
        await asyncio.sleep(0)
    raise AssertionError(f"{word} was not told")


async def test_a_few_are_told_at_once() -> None:
    all_of_them = {A: followers(AT_ONCE), B: followers(1)}
    FanOut(all_of_them, Pace()).tell(A, hear("x"))
    assert [follower.told for follower in all_of_them[A]] == [["x"]] * AT_ONCE
    assert not all_of_them[B][0].told


async def test_others_come_in_between_while_many_are_told() -> None:
    all_of_them = {A: followers(MANY)}
    fan_out = FanOut(all_of_them, Pace())
    fan_out.tell(A, hear("x"))
    before, most = 0, 0
    while before < MANY:
        await asyncio.sleep(0)
        told = sum(bool(follower.told) for follower in all_of_them[A])
        before, most = told, max(most, told - before)
    assert most == AT_ONCE


async def test_many_are_told_in_order() -> None:
    all_of_them = {A: followers(MANY)}
    fan_out = FanOut(all_of_them, Pace())
    words = [str(number) for number in range(5)]
    for word in words:
        fan_out.tell(A, hear(word))
    await until_told(fan_out, all_of_them[A][-1], words[-1])
    assert all(follower.told == words for follower in all_of_them[A])


async def test_when_too_much_waits_they_are_told_that_they_missed_something() -> None:
    all_of_them = {A: followers(MANY)}
    fan_out = FanOut(all_of_them, Pace())
    for number in range(MOST_WAITING + 1):
        fan_out.tell(A, hear(str(number)))
    fan_out.tell(A, hear("last"))
    await until_told(fan_out, all_of_them[A][-1], "last")
    assert all(follower.told == ["lost", "last"] for follower in all_of_them[A])


async def test_who_has_gone_is_not_told_and_another_space_does_not_wait() -> None:
    all_of_them = {A: followers(MANY), B: followers(1)}
    fan_out = FanOut(all_of_them, Pace())
    fan_out.tell(A, hear("x"))
    fan_out.tell(B, hear("x"))
    assert all_of_them[B][0].told == ["x"]
    gone = all_of_them[A].pop()
    await until_told(fan_out, all_of_them[A][-1], "x")
    assert not gone.told


async def test_half_of_the_time_is_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    pace, all_of_them = Pace(), {A: followers(MANY)}
    fan_out = FanOut(all_of_them, pace)
    for shared in (False, True):
        if shared:
            await pace.throttle(B)
        slept.clear()
        fan_out.tell(A, hear(str(shared)))
        await until_told(fan_out, all_of_them[A][-1], str(shared))
        assert any(seconds > 0 for seconds in slept) is shared
