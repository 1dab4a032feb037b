"""How long the bodies of superseded revisions are kept, and what must stay whatever that says.

Hashes, pairs and the keys of strong values stay: they are small, and the rules go by them. Bodies are what
costs. A body that is gone can still be a base: the client is asked for it (409 `base-unknown`).

Laws (tests/unit/core/test_retention.py):
    a head's body is never among what goes, nor the body that a head tombstone buried
    within `days` nothing goes, whatever the bytes
    of what may go, the oldest goes first, and no more than it takes to fit into `bytes_per_space`
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """`days`: the promised horizon, in which every body stays. Older ones stay while there is room."""

    days: float
    bytes_per_space: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored body that is not a head's."""

    key: object
    """Of the store."""
    superseded_at: float
    size: int
    buried: bool
    """A head tombstone lies on it."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a run removed."""

    bodies: int
    size: int


def to_prune(bodies: Iterable[Kept], retention: Retention, now: float) -> list[Kept]:
    """Those whose bodies go, oldest first."""
    every = sorted(bodies, key=lambda kept: kept.superseded_at)
    excess = sum(kept.size for kept in every) - retention.bytes_per_space
    horizon = now - retention.days * DAY_SECONDS
    gone: list[Kept] = []
    for kept in every:
        if excess <= 0 or kept.superseded_at >= horizon:
            break
        if not kept.buried:
            gone.append(kept)
            excess -= kept.size
    return gone
