"""What was looked up is trusted for a moment, and looked up again while it is."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest

from api.authentication.trusted import TRUSTED_SECONDS, Trusted
from tests.patience import PATIENCE_SECONDS


class Store:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.value: str | None = "a"
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def look_up(self, key: str) -> str | None:
        self.asked += 1
        value = self.value
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return value


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    clock = Mock()
    monkeypatch.setattr("api.authentication.trusted.time", clock)
    clock.monotonic.return_value = 100.0
    return clock


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def renewing(clock: Mock) -> tuple[Store, Trusted[str, str]]:
    """What is known of a key is being looked up again, and the store does not answer."""
    store = Store()
    trusted = Trusted(store.look_up)
    await trusted.get("k")
    store.may_answer.clear()
    clock.monotonic.return_value += 0.8 * TRUSTED_SECONDS
    await trusted.get("k")
    await settle()
    return store, trusted


async def test_nobody_waits_while_it_is_asked_for_and_nothing_is_older_than_it_may_be(clock: Mock) -> None:
    store = Store()
    trusted = Trusted(store.look_up)
    assert await trusted.get("k") == "a" and store.asked == 1
    store.may_answer.clear()
    clock.monotonic.return_value = 100.0 + 0.6 * TRUSTED_SECONDS
    assert await trusted.get("k") == "a" and store.asked == 1
    clock.monotonic.return_value = 100.0 + 0.8 * TRUSTED_SECONDS
    assert [await trusted.get("k") for _ in range(3)] == ["a"] * 3
    await settle()
    assert store.asked == 2  # once
    clock.monotonic.return_value = 100.0 + 0.9 * TRUSTED_SECONDS
    store.may_answer.set()
    await settle()
    clock.monotonic.return_value = 100.0 + 1.7 * TRUSTED_SECONDS
    assert await trusted.get("k") == "a"
    clock.monotonic.return_value = 100.0 + 1.81 * TRUSTED_SECONDS  # it counts from when it was asked for
    store.value = None
    assert await trusted.get("k") is None
    await trusted.close()


async def test_what_is_gone_is_not_given_once_it_is_known_nor_after_the_time(clock: Mock) -> None:
    store = Store()
    trusted = Trusted(store.look_up)
    await trusted.get("k")
    store.value = None
    clock.monotonic.return_value += 0.8 * TRUSTED_SECONDS
    assert await trusted.get("k") == "a"
    await settle()
    assert await trusted.get("k") is None


async def test_a_renewal_that_lasts_is_waited_for_by_nobody_and_trusted_by_nobody(clock: Mock) -> None:
    store, trusted = await renewing(clock)
    store.value = None
    clock.monotonic.return_value += 0.3 * TRUSTED_SECONDS
    waiting = asyncio.create_task(trusted.get("k"))
    await settle()
    assert not waiting.done() and store.asked == 3
    store.may_answer.set()
    assert await waiting is None
    await trusted.close()


async def test_an_error_of_a_renewal_is_told_to_whoever_asks_when_it_is_over(clock: Mock) -> None:
    store = Store()
    trusted = Trusted(store.look_up)
    await trusted.get("k")
    store.error = ZeroDivisionError()
    clock.monotonic.return_value += 0.8 * TRUSTED_SECONDS
    assert await trusted.get("k") == "a"
    await settle()
    clock.monotonic.return_value += 0.3 * TRUSTED_SECONDS
    with pytest.raises(ZeroDivisionError):
        await trusted.get("k")
    store.error = None
    assert await trusted.get("k") == "a"


async def test_what_there_is_not_is_looked_up_each_time(clock: Mock) -> None:
    store = Store()
    store.value = None
    trusted = Trusted(store.look_up)
    assert [await trusted.get("k") for _ in range(3)] == [None] * 3 and store.asked == 3


async def test_at_the_end_nothing_is_looked_up_any_more(clock: Mock) -> None:
    _, trusted = await renewing(clock)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await trusted.close()
