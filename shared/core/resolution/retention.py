"""How long superseded revisions are kept, and what must stay whatever that says.

Bodies are what costs, and they go first. A body that is gone can still be a base: the client is asked for it
(409 `base-unknown`). The row of a revision - its hash, its pairs, the keys of its strong values - is small and
is what the rules go by, so it stays far longer. Tombstones stay for good: without them a device that was away
would bring back what was deleted.

Laws (tests/unit/core/resolution/test_retention.py):
    a head's body is never among what goes, nor the body that a head tombstone buried
    within `days` nothing goes, whatever the bytes; within `hash_days` no row goes
    of what may go, the oldest goes first, and no more than it takes to fit into `bytes_per_space`
    deciding in portions is deciding at once
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """ValueError if rows would go before their bodies may."""

    days: float
    """The promised horizon, in which every body stays."""
    bytes_per_space: int
    """Older bodies stay while all of them fit into it."""
    hash_days: float
    """How long the rows stay, whatever became of their bodies."""

    def __post_init__(self) -> None:
        if not 0 <= self.days <= self.hash_days:
            raise ValueError("hashes are kept no shorter than bodies: retention_days <= retention_hash_days")

    def horizon(self, now: float) -> float:
        """What was superseded later stays whole."""
        return now - self.days * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Kept:
    """A superseded revision or a received state."""

    key: object
    """Of the store."""
    superseded_at: float
    size: int
    """Of its body; 0: that is gone."""
    buried: bool
    """A head tombstone lies on it."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What may go."""

    bodies: tuple[Kept, ...]
    rows: tuple[Kept, ...]
    """With their bodies."""
    excess: int
    """Bytes that are still too many; 0 or less: none."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a run removed."""

    bodies: int
    size: int
    rows: int = 0


def to_prune(oldest_first: Sequence[Kept], excess: int, retention: Retention, now: float) -> Prunable:
    """What of a portion may go; `excess` is by how many bytes the bodies of the space are too many before it."""
    bodies: list[Kept] = []
    rows: list[Kept] = []
    for kept in oldest_first:
        if kept.buried or kept.superseded_at >= retention.horizon(now):
            continue
        if kept.superseded_at < now - retention.hash_days * DAY_SECONDS:
            rows.append(kept)
            excess -= kept.size
        elif excess > 0 and kept.size:
            bodies.append(kept)
            excess -= kept.size
    return Prunable(tuple(bodies), tuple(rows), excess)
