"""A child process that is kept alive."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from data_directory import CannotStartError, Say

T = TypeVar("T")
_DIE_WITH_PARENT: Final = Path(__file__).with_name("die_with_parent.py")
_LIVED_WELL_SECONDS: Final = 10.0
_FIRST_DELAY_SECONDS: Final = 0.25
_LONGEST_DELAY_SECONDS: Final = 5.0
_LAST_WORDS: Final = 12


def dying_with_parent(command: Sequence[str], orphan_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command, so that it gets the signal when this process dies. Its first word is a path."""
    number = str(int(orphan_signal))
    return [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid()), number, *command]


class Child:
    """One process. Its output goes to a log file; it dies with this process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        inherited: Sequence[int],
        orphan_signal: signal.Signals = signal.SIGKILL,
        grace_seconds: float = 20.0,
        telling: str = "",
        meanings: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """`inherited`: descriptors that it gets. `orphan_signal`: what it gets when this process dies.
        `telling`: what marks the lines of its log that say why it ended. `meanings`: of its exit statuses,
        with what to do."""
        self.name = name
        self._command = [str(part) for part in command]
        self._env = dict(env)
        self._cwd = cwd
        self.log = log
        self._inherited = tuple(inherited)
        self._orphan_signal = orphan_signal
        self._grace_seconds = grace_seconds
        self._telling = telling
        self._meanings = meanings
        self._process: Process | None = None
        self._log_starts_at = 0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def status(self) -> int | None:
        """The exit status of a process that has ended; minus the signal that ended it."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._log_starts_at = os.fstat(descriptor).st_size
            self._process = await asyncio.create_subprocess_exec(
                *dying_with_parent(self._command, self._orphan_signal),
                env=self._env,
                cwd=self._cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,  # Ctrl-C is for the supervisor: it stops them in order
                pass_fds=self._inherited,
            )
        finally:
            os.close(descriptor)

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    def keep_alive(self, say: Say, changed: Callable[[], None]) -> None:
        """From now on, starts it again whenever it ends; `changed` is called when it has another pid."""
        self._keeper = asyncio.create_task(self._keep_alive(say, changed), name=f"keep {self.name} alive")

    async def _keep_alive(self, say: Say, changed: Callable[[], None]) -> None:
        delay = 0.0
        while True:
            started = time.monotonic()
            pid, status = self.pid, await self.ended()
            death = f"{self.name} (pid {pid}) {_how(status)}"
            if time.monotonic() - started > _LIVED_WELL_SECONDS:
                delay = 0.0
            if delay or status > 0:
                say(f"{death}; trying again{f' in {delay:g} s' if delay else ''}.\n{self.log_tail()}")
            await self._start_again(delay, say)
            delay = min(max(2 * delay, _FIRST_DELAY_SECONDS), _LONGEST_DELAY_SECONDS)
            changed()
            say(f"{death}, restarted as pid {self.pid}")

    async def _start_again(self, delay: float, say: Say) -> None:
        while True:
            await asyncio.sleep(delay)
            try:
                return await self.start()
            except OSError as error:  # no memory, too many processes
                delay = _LONGEST_DELAY_SECONDS
                say(f"{self.name} cannot be started ({error.strerror}); trying again in {delay:g} s")

    def log_tail(self) -> str:
        """The end of what this process wrote, where the rest is, and what its exit status means."""
        with self.log.open("rb") as file:
            file.seek(max(self._log_starts_at, file.seek(0, os.SEEK_END) - 100_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
        lines = [line for line in lines if self._telling and self._telling in line] or lines
        shown = [f"    {line[:500]}" for line in lines[-_LAST_WORDS:]] or ["    (it said nothing)"]
        shown.append(f"    The whole log: {self.log}")
        if self.status is not None and self.status in self._meanings:
            shown.append(self._meanings[self.status])
        return "\n".join(shown)

    async def stop(self, say: Say) -> None:
        """Ends it: politely at first. Nothing is left of it when this returns."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._process is None or self.status is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self.ended(), self._grace_seconds)
        except TimeoutError:
            say(f"{self.name} (pid {self.pid}) did not stop within {self._grace_seconds:g} s; killing it")
            self._process.kill()
            await self.ended()


@dataclass(frozen=True, slots=True)
class Service:
    """A child that listens on a port of its own."""

    child: Child
    url: str = field(repr=False)
    """With its password."""
    ready: Callable[[], Awaitable[None]]
    port_was_taken: Callable[[], bool]
    """Of a child that has ended: why it did."""


async def while_alive(children: Sequence[Child], work: Awaitable[T]) -> T:
    """What `work` returns. Raises CannotStartError if one of the children ends before that."""
    working = asyncio.ensure_future(work)
    endings = {asyncio.ensure_future(child.ended()): child for child in children}
    try:
        await asyncio.wait({working, *endings}, return_when=asyncio.FIRST_COMPLETED)
        for ending, child in endings.items():
            if ending.done():
                how = _how(ending.result())
                raise CannotStartError(f"{child.name} {how} at its start.\n{child.log_tail()}")
        return await working
    finally:
        for task in (working, *endings):
            task.cancel()
        await asyncio.gather(working, *endings, return_exceptions=True)


def _how(status: int) -> str:
    return f"died with signal {-status}" if status < 0 else f"ended with status {status}"
