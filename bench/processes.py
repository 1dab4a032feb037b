"""What the processes of a server take, read from /proc (Linux)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def resident_mib(pid: int) -> float:
    """Resident memory now."""
    return _field(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most that was ever resident."""
    return _field(pid, "VmHWM")


def cpu_seconds(pid: int) -> float:
    """Of all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_cpu_seconds(pid: int) -> float:
    """Of all that this process started and all that those started, as far as they live; not of itself."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
    seconds, rest = 0.0, list(parents.get(pid, ()))
    while rest:
        child = rest.pop()
        rest += parents.get(child, ())
        with suppress(OSError):
            seconds += cpu_seconds(child)
    return seconds


def _field(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no {name} of process {pid}")
