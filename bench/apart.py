"""A folder to measure in where nothing was removed of late.

ext4 without a journal gives no inode again that was freed in the last minutes, but looks at each such one before it
makes a file: in a group of inodes where ten thousand files were removed, to make one takes a quarter of a millisecond
in place of a hundredth. What an earlier run has removed would be measured in this one. So folders are made in groups
of their own, until there is one in which files are made fast.

Of a block of inodes that it has not read of late it gives the first one at once. So the first five hundred files
of a group are made fast, whatever was removed there, with every sixteenth inode: such a group is told by the numbers.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_TOP_DIRECTORY: Final = 0x00020000
"""Of linux/fs.h: what `chattr +T` sets."""


TRIES: Final = 24
FAST_SECONDS: Final = 60e-6
"""CPU, to make a file."""
SLOW_SECONDS: Final = 1.0
"""Stands for what the files take that come after the first ones."""
_FILES: Final = 32


def fast_folder(parent: Path) -> Path:
    """A new folder in `parent`, which is made: the first one in which files are made fast, or else the fastest one.
    What it was tried with stays in it: to remove that would make it slow."""
    parent.mkdir(parents=True)
    keep_apart(parent)
    tried: dict[float, Path] = {}
    for number in range(TRIES):
        folder = parent / str(number)
        tried[seconds := _seconds_a_file(folder)] = folder
        if seconds <= FAST_SECONDS:
            break
    return tried[min(tried)]


def _seconds_a_file(folder: Path) -> float:
    (folder / ".tried").mkdir(parents=True)
    begun = time.process_time()
    for number in range(_FILES):
        os.close(os.open(folder / ".tried" / str(number), os.O_WRONLY | os.O_CREAT))
    seconds = (time.process_time() - begun) / _FILES
    return seconds if _are_neighbours([entry.inode() for entry in os.scandir(folder / ".tried")]) else SLOW_SECONDS


def _are_neighbours(inodes: Iterable[int]) -> bool:
    """Whether most of these numbers follow each other."""
    found = sorted(inodes)
    return sum(after == before + 1 for before, after in pairwise(found)) > len(found) // 2


def keep_apart(folder: Path) -> None:
    """What is made in `folder` from now on is in groups of its own, where the file system has such a mark."""
    if sys.platform != "linux":
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("l", 0)))
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags | _TOP_DIRECTORY))
    finally:
        os.close(descriptor)
