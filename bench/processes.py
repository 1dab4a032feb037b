"""What the processes of a server take, read from /proc (Linux)."""

from __future__ import annotations

from pathlib import Path


def resident_mib(pid: int) -> float:
    """Resident memory now."""
    return _field(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most that was ever resident."""
    return _field(pid, "VmHWM")


def _field(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no {name} of process {pid}")
