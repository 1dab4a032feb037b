"""Files that survive a power cut: on the disk before anybody is told of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from client.folder.replace import Stamp

AGED_NS: Final = 30_000_000
"""More than the step of any clock that gives files their times, but for those that tick in whole milliseconds."""


_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_SETS_TIMES: Final = os.utime in os.supports_fd


def write_new(path: Path | str, data: bytes) -> Stamp:
    """A new file of this content, and its stamp. Not durable yet.

    Its time is a little in the past, and no time that a write gets from now on: so its stamp proves at once that
    it holds this.
    """
    descriptor = os.open(path, _NEW, 0o666)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
        if _SETS_TIMES:
            aged = time.time_ns() - AGED_NS
            os.utime(descriptor, ns=(aged, aged))
        return Stamp.of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def make_durable(files: Sequence[Path | str]) -> bool:
    """The content of these files, which are on one file system. Returns whether all that was done to that file
    system before is durable, names too."""
    if len(files) > FEW and (syncfs := _syncfs()) is not None and _on_directory(Path(files[0]).parent, syncfs) == 0:
        return True
    for path in files:
        with open(path, "rb+") as file:  # noqa: PTH123  mostly texts
            os.fsync(file.fileno())
    return False


def make_names_durable(folder: Path) -> None:
    """Which names are in the folder and of which files: without it a power cut may undo a rename."""
    _on_directory(folder, os.fsync)


FEW: Final = 8
"""Up to so many, single files are written out; beyond, the file system as a whole, which is one wait instead of
many but also concerns what others wrote."""


@cache
def _syncfs() -> Any:
    import ctypes  # noqa: PLC0415  most commands write one file or none

    try:
        return ctypes.CDLL(None).syncfs if sys.platform == "linux" else None
    except AttributeError:
        return None


def _on_directory(folder: Path, call: Any) -> Any:
    if os.name != "posix":  # there a directory cannot be opened, and its changes are written through
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return call(descriptor)
    finally:
        os.close(descriptor)
