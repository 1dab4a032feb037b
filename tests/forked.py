"""Python programs in processes that need not load Python and their modules first: in a process that has loaded
them, whatever starts `python -m MODULE` by way of `subprocess` gets a fork of that process, which runs the module.

A server starts five processes of Python, and loading is two thirds of the CPU that it takes until it is ready; the
suite starts some forty servers; each import starts one more, which takes longer to load than to import what tests
have. What a fork has is what it would have had: its own environment, working directory,
session, descriptors, signals and event loop; and it dies with its parent where `ops/die_with_parent.py` would see to
that.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

import api.imports.import_runner
import api.large.parser_pool
import worker.large
from tests import preloaded
from tests.patience import set_constants

_ROOT: Final = Path(__file__).resolve().parent.parent
_DYING_WITH_PARENT: Final = str(_ROOT / "ops" / "die_with_parent.py")
_MODULES: Final = ("api.serve", "api.cli", "worker")
_STARTING: Final = (api.imports.import_runner, api.large.parser_pool, worker.large)
"""Start a process beside their own."""
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_execute: Final = vars(subprocess)["_fork_exec"]


def install(place: Path) -> None:
    """From now on, here and in the forks of this process. `place`: where `tests.preloaded` listens."""
    vars(subprocess)["_fork_exec"] = _start
    for module in _STARTING:
        vars(module)["start_module"] = partial(Beside.start, place)


def run(module: str) -> None:
    """As `python -m` does, but for the constants that are to be others. The last word of the module is the name of
    the process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, module.rpartition(".")[2].encode(), 0, 0, 0)
    set_constants(json.loads(os.environ.get(preloaded.CONSTANTS, "{}")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that it is loaded already
        runpy.run_module(module, run_name="__main__", alter_sys=True)


class Beside:
    """A process beside a server's own, as asyncio.subprocess.Process has it. Not a fork of that process, which has
    threads and connections by then, but of the process that all are forked from."""

    def __init__(self, pid: int, connection: socket.socket, stdin: asyncio.StreamWriter) -> None:
        self.pid, self.stdin = pid, stdin
        self.stdout: asyncio.StreamReader | None = None
        self.returncode: int | None = None
        self._answers: asyncio.BaseTransport | None = None
        self._ended = asyncio.create_task(self._until_it_ends(connection))

    @classmethod
    async def start(
        cls, place: Path, module: str, *, answers: bool = True, defaults: Mapping[str, str] = MappingProxyType({})
    ) -> Beside:
        """As shared.python_process.start_module does. What the C library is told in its environment has no effect."""
        asked, into = os.pipe()
        out, answered = os.pipe() if answers else (-1, -1)
        arguments, environment = ["-m", module], {**defaults, **os.environ}
        descriptors = [answered if answers else 1, 2, asked]
        try:
            connection, pid = preloaded.asked(place, arguments, environment, Path.cwd(), descriptors)
        finally:
            for descriptor in (asked, answered):
                if descriptor >= 0:
                    os.close(descriptor)
        process = cls(pid, connection, await _writer(into))
        if answers:
            await process._listen(out)
        return process

    async def _listen(self, descriptor: int) -> None:
        self.stdout = reader = asyncio.StreamReader()
        self._answers, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )

    async def _until_it_ends(self, connection: socket.socket) -> int:
        connection.setblocking(False)
        status, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            self.returncode = int(await status.readline() or -signal.SIGKILL)
        finally:
            writer.close()
        return self.returncode

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """Nobody reads any more then."""
        if self._answers is not None:
            self._answers.close()
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    """To a pipe."""
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), pipe
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _start(*arguments: Any) -> int:
    """As `subprocess` calls it; returns the pid."""
    command, _, _, kept, folder, environment, *more = arguments
    words = [os.fsdecode(word) for word in command]
    dies_by = 0
    if words[3:4] == [_DYING_WITH_PARENT]:
        dies_by, words = int(words[5]), words[6:]
    if words[:2] != [sys.executable, "-m"] or words[2] not in _MODULES:
        pid: int = _execute(*arguments)
        return pid
    input_, _, _, output, _, errors, _, told, _, new_session = more[:10]
    gc.collect()  # what is garbage here would close descriptors there that are others' by then
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(
            words[2:],
            {0: input_, 1: output, 2: errors},
            sorted(set(kept) - {told}),
            folder,
            environment,
            new_session=new_session,
            dies_by=dies_by,
            parent=parent,
        )
    return pid


def _become(
    words: list[str],
    standard: dict[int, int],
    kept: list[int],
    folder: Any,
    environment: list[bytes] | None,
    *,
    new_session: bool,
    dies_by: int,
    parent: int,
) -> NoReturn:
    def become() -> None:
        gc.freeze()
        if new_session:
            os.setsid()
        _forget_signals()
        if dies_by and sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, dies_by, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
        _take_descriptors(standard, kept)
        if folder is not None:
            os.chdir(folder)
        if environment is not None:
            os.environ.clear()
            os.environ.update(os.fsdecode(pair).split("=", 1) for pair in environment)
        vars(asyncio.events)["_set_running_loop"](None)
        asyncio.set_event_loop_policy(None)
        sys.argv = words
        run(words[0])

    preloaded.end_with(become)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_descriptors(standard: dict[int, int], kept: list[int]) -> None:
    for number, descriptor in standard.items():
        if descriptor >= 0:
            os.dup2(descriptor, number)
    first = 3
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, buffering=1, closefd=False) for number, mode in enumerate("rww")
    )
