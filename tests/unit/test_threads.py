"""A thread that does little is not held up by one that does much."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from shared import threads


@pytest.fixture
def restored() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restored")
def test_threads_take_shorter_turns_than_those_of_python() -> None:
    """Each step of the one that does little costs a turn of the other: counted in what that one does meanwhile."""

    def done_between_two_steps() -> int:
        count, over = 0, threading.Event()

        def work() -> None:
            nonlocal count
            while not over.is_set():
                count += 1

        worker = threading.Thread(target=work)
        worker.start()
        asked, told = threading.Event(), threading.Event()

        def answer() -> None:
            for _ in range(20):
                asked.wait()
                asked.clear()
                told.set()

        answering = threading.Thread(target=answer)
        answering.start()
        before = count
        for _ in range(20):
            asked.set()
            told.wait()
            told.clear()
        done = count - before
        over.set()
        answering.join()
        worker.join()
        return done

    for _ in range(3):
        sys.setswitchinterval(0.005)
        slow = done_between_two_steps()
        threads.switch_soon()
        if 2 * done_between_two_steps() < slow:
            break
    else:
        pytest.fail("a step takes as long as with Python's own turns")
