"""What is measured: a column is one way to do the standard work, a place is the programs that some columns need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Figures = dict[str, float]
"""Name of a figure (report.py lists them) -> value. W5 has names of its own: `w5_lost <way>`."""


class NotHereError(Exception):
    """A system cannot be installed or started here; the text says why."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each work."""

    documents: int = 10_000
    changes: int = 100
    """W4: on each side."""
    singles: int = 3_000
    """W1 one by one, W6: at most so many writes over 32 connections, a tenth of it over one ..."""
    crowded: int = 10_000
    """W6: at most so many over 500 connections."""
    seconds: float = 5.0
    """... and at most for so long."""
    checks: int = 100
    """W3, W7."""
    devices: int = 8
    rounds: int = 20
    contended: int = 50
    """W5: every device edits every one of these documents in every round ..."""
    patience: float = 20.0
    """... and begins no round after so many seconds."""


class Column:
    """One way to do the work. `begin` comes before anything
    else in each repeat and starts on an empty space."""

    name: str
    means: str
    """For the reader: what the figures are of, and what is durable when a write is acknowledged."""

    works: Sequence[str] = ("w1", "w2", "w3", "w4", "w7", "w6", "w5")
    """Those that are measured there, in this order."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    async def begin(self) -> None:
        """An empty space, of this repeat."""

    async def w1(self) -> Figures:
        """First push, batched."""
        return {}

    async def w2(self) -> Figures:
        """Fresh pull."""
        return {}

    async def w3(self) -> Figures:
        """Agreed sync."""
        return {}

    async def w4(self) -> Figures:
        """Changes on each side."""
        return {}

    async def w5(self) -> Figures:
        """Contention."""
        return {}

    async def w6(self) -> Figures:
        """Single writes, at 1 and at 32 connections."""
        return {}

    async def w7(self) -> Figures:
        """From the acknowledgement to a second device."""
        return {}

    async def end(self) -> None:
        """What `begin` opened."""


class Place(Protocol):
    """Programs on loopback."""

    name: str

    def start(self, folder: Path) -> None:
        """With data in that folder, which is empty. Raises NotHereError."""

    def columns(self, scale: Scale) -> Sequence[Column]:
        """After `start`."""

    def stop(self) -> None:
        """Also after a start that failed; twice does nothing."""


def quantiles(name: str, seconds: Sequence[float]) -> Figures:
    """p50 and p99 in ms."""
    found = sorted(seconds)
    return {
        f"{name}_p50": found[len(found) // 2] * 1e3,
        f"{name}_p99": found[min(int(len(found) * 0.99), len(found) - 1)] * 1e3,
    }
