"""Keeps the event loop free while something large is decided.

A merge is pure computation and may take seconds for the worst documents that the limits allow. On the loop that
would stop the renewal of every lease that this process holds, and every other space with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.core.values import Value, weigh

T = TypeVar("T")

LARGE: Final = 20_000
"""Values and lines that are decided on the loop: some ten milliseconds. A thread costs a tenth of one."""


def is_large(values: Iterable[Value]) -> bool:
    """Whether these together may take long to decide."""
    return weigh(values, LARGE) > LARGE


class LargeWork:
    """One thread: computations in Python only take turns, and the loop should get every second turn."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. What it reads must not change meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Returns at once; what runs ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)
