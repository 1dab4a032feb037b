"""Where the tests keep what they write. Standard library only: `ops/test` asks before anything is loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

IN_MEMORY: Final = Path("/dev/shm")
NEEDED: Final = 8 * 2**30
"""Bytes. A run has less than half of them at any time; the rest is for its processes."""
_GROUPS: Final = (
    ("/sys/fs/cgroup", "memory.max", "memory.current"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def place(folder: Path = IN_MEMORY, needed: int = NEEDED) -> Path | None:
    """A folder that is held in memory, if this machine has one with room: every acknowledged write is forced to the
    disk, the suite would wait for that for a good part of its time, and no test turns the power off. None: the place
    for temporary files will do."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    may_run_programs = not disk.f_flag & getattr(os, "ST_NOEXEC", 0)  # tests install some
    has_room = disk.f_bavail * disk.f_frsize >= needed and _available() >= needed
    return folder if may_run_programs and has_room and os.access(folder, os.W_OK | os.X_OK) else None


def _available() -> int:
    """Bytes of memory, of this machine or of the container that this runs in."""
    limits = [1024 * _number("/proc/meminfo", r"MemAvailable: +(\d+) kB")]
    for group, limit, used in _GROUPS:
        allowed = _number(f"{group}/{limit}", r"^(\d+)$")
        if allowed:
            cached = _number(f"{group}/memory.stat", r"^inactive_file (\d+)$")
            limits.append(allowed - _number(f"{group}/{used}", r"^(\d+)$") + cached)
    return min(limits)


def _number(path: str, pattern: str) -> int:
    """0: there is none."""
    try:
        match = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) if match else 0
