"""A process of our own beside this one: runs one of our modules, reads a pipe, and ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FEW_ARENAS: Final[Mapping[str, str]] = MappingProxyType({"MALLOC_ARENA_MAX": "2"})
"""glibc's: threads leave their share of memory behind, if each has one of its own."""


async def start_module(
    module: str, *, answers: bool = True, defaults: Mapping[str, str] = MappingProxyType({})
) -> Process:
    """`python -m module` with a pipe to it, and one from it if it `answers`. `defaults`: of environment variables
    that are not set. Raises OSError."""
    environment = {**defaults, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = (sys.executable, "-m", module)
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE if answers else None, env=environment
    )


async def end_process(process: Process, *, within: float = 0.0) -> None:
    """Closes the pipe to it and returns when it has ended; it is killed if that takes more than `within` seconds."""
    if process.stdin is not None:
        process.stdin.close()
    if within:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await process.wait()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
