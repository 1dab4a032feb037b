"""A worker's process for what is large to decide: spaces whose submissions, or whose states that these are about, are
large. What it does for one space holds up others in the same process, and costs memory, so the worker leaves it to
this one, which goes behind the others on the processor.

It ends with its parent, whose pipe it reads, and is replaced when it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from typing import Final

from shared.observability import event

logger = logging.getLogger(__name__)

_ALLOCATION: Final = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072"}
"""glibc's: threads that decide what is large leave their share of memory behind, if each has one of its own; and a
threshold that is set does not grow, so that what is large goes back to the system when it is freed."""
_AGAIN_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 1.5
"""A worker that is told to stop has five; whatever this one was at, another one does again."""


class LargeProcess:
    """Supervises the child process: starts it, starts it again when it dies, and ends it."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def end(self) -> None:
        """Returns when it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        environment = {**_ALLOCATION, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "worker.large_process", stdin=asyncio.subprocess.PIPE, env=environment
            )
            try:
                status = await process.wait()
            finally:
                if process.stdin is not None:
                    process.stdin.close()  # it ends what it is at, and goes
                await _ended(process)
            event(logger, logging.WARNING, "large_process_died", status=status)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
