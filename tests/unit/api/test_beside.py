"""Work beside requests: one piece at a time for each key, which ends with its process."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from api.reads.beside import Beside
from shared.core.documents import SpaceId
from shared.ports import UnavailableError

SPACE = SpaceId("s")


async def test_there_is_one_at_a_time_for_each_key() -> None:
    beside: Beside[str] = Beside("failed")
    until, begun = asyncio.Event(), list[str]()

    def work(name: str) -> None:
        async def done() -> None:
            begun.append(name)
            await until.wait()

        beside.begin(name[0], SPACE, done)

    for name in ("a1", "a2", "b1"):
        work(name)
    waiting = asyncio.create_task(beside.over("a"))
    await asyncio.sleep(0)
    assert begun == ["a1", "b1"] and len(beside) == 2 and "a" in beside and not waiting.done()
    until.set()
    await waiting
    await beside.over("a")
    await beside.over("b")
    work("a3")
    await beside.over("a")
    assert begun == ["a1", "b1", "a3"] and len(beside) == 0


@pytest.mark.parametrize("error", [UnavailableError("on purpose"), ZeroDivisionError("which may quote a document")])
async def test_an_error_that_nobody_expected_is_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    gc.collect()  # what other tests left says nothing here
    caplog.clear()
    beside: Beside[str] = Beside("work_failed")

    async def fails() -> None:
        raise error

    beside.begin("a", SPACE, fails)
    await beside.over("a")
    gc.collect()  # a task whose error nobody took says so itself
    expected = [] if isinstance(error, UnavailableError) else ["work_failed"]
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == expected


async def test_all_end_when_it_is_closed() -> None:
    before = asyncio.all_tasks()
    beside: Beside[int] = Beside("failed")
    for key in range(3):
        beside.begin(key, SPACE, asyncio.Event().wait)
    await asyncio.sleep(0)
    await beside.close()
    assert asyncio.all_tasks() == before and len(beside) == 0
