"""A worker's process for what is large to decide: spaces whose submissions, or whose states that these are about, are
large. What it does for one space holds up others in the same process, and costs memory, so the worker leaves it to
this one, which goes behind the others on the processor.

It ends with its parent, whose pipe it reads, and is replaced when it fails.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from shared.cancellation import repeat
from shared.observability import event
from shared.python_process import FEW_ARENAS, end_process, start_module

logger = logging.getLogger(__name__)

_ALLOCATION: Final = {**FEW_ARENAS, "MALLOC_MMAP_THRESHOLD_": "131072"}
"""glibc's: a threshold that is set does not grow, so that what is large goes back to the system when it is freed."""
_AGAIN_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 1.5
"""A worker that is told to stop has five; whatever this one was at, another one does again."""


class LargeProcess:
    """Supervises the child process: starts it, starts it again when it dies, and ends it."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(repeat(self._run, "process for what is large"))

    async def end(self) -> None:
        """Returns when it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Once."""
        process = await start_module("worker.large_process", answers=False, defaults=_ALLOCATION)
        try:
            status = await process.wait()
        finally:
            await end_process(process, within=_STOP_SECONDS)  # it ends what it is at, and goes
        event(logger, logging.WARNING, "large_process_died", status=status)
        await asyncio.sleep(_AGAIN_SECONDS)
