"""One process at a time: locks that the system gives back when their holder is killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

POLL_SECONDS: Final = 0.02
TURN_SECONDS: Final = 10.0
_TURN_POLL_SECONDS: Final = 0.001


class LockedError(Exception):
    """Another process holds the lock. `holder`: what it wrote into it."""

    def __init__(self, path: Path, holder: str) -> None:
        word = "A daemon" if path.name.startswith("daemon") else "Another command"
        stop = " To stop it: hypertask daemon stop" if path.name.startswith("daemon") else " Try again in a moment."
        super().__init__(f"{word} ({holder or '?'}) already syncs this folder.{stop}")
        self.path = path
        self.holder = holder


class HeldLock:
    """A lock that this process holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def is_at_its_place(self) -> bool:
        """Whether the file at its path is the one that is locked. It is not any more when its folder was moved or
        deleted: then others can lock another one there."""
        try:
            there, ours = self._path.stat(), os.fstat(self._descriptor)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


@contextmanager
def held(path: Path) -> Iterator[HeldLock]:
    """Holds the lock file at `path`, or raises LockedError at once. Its directory is there: one that was moved away,
    or is on a disk that is not mounted, is not made again."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            if not isinstance(error, BlockingIOError | PermissionError):
                raise
            raise LockedError(path, holder(path)) from None
        # Says who, for people. What counts is the lock, not the content.
        line = f"{os.getpid()}\n".encode()
        os.pwrite(descriptor, line, 0)
        os.ftruncate(descriptor, len(line))
        yield HeldLock(path, descriptor)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def waited_for(path: Path, seconds: float) -> AsyncIterator[None]:
    """Holds the lock, waiting for it. Raises LockedError after so many seconds."""
    import asyncio  # noqa: PLC0415  who calls this has it; commands that take a lock at once need not load it

    deadline = time.monotonic() + seconds
    while True:
        lock = held(path)
        try:
            lock.__enter__()
        except LockedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)
            continue
        try:
            yield
        finally:
            lock.__exit__(None, None, None)
        return


@contextmanager
def turn(path: Path, seconds: float = TURN_SECONDS) -> Iterator[None]:
    """Waits until nobody else has a turn by the lock file at `path`, and has one. It is for a moment, so nobody is
    told who has it. Where the disk has no locks, and behind a process that stands still for so many seconds, the
    turn is taken all the same."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # not ours to write: whoever may not lock goes without
        yield
        return
    try:
        deadline = time.monotonic() + seconds
        while not _locked(descriptor) and time.monotonic() < deadline:
            time.sleep(_TURN_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """False: somebody else has it."""
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a disk without locks
        return True
    return True


def is_held(path: Path) -> bool:
    """Whether some process holds it at this moment."""
    if not path.exists():
        return False
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(descriptor)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> str:
    """The id of the process that held it last; "" if it is not known."""
    with suppress(OSError):
        return path.read_text(encoding="ascii").partition("\n")[0].strip()
    return ""


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        # Behind the content, so that others can read that.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:

    def _lock(descriptor: int) -> None:
        # Belongs to this opening of the file, and ends with the process. On NFS and SMB the kernel asks the server.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
