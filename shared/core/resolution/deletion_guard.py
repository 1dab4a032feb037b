"""The guard against mass deletion: a wiped or restored client must not empty a space.

Law: a device's deletions within WINDOW_SECONDS that are not confirmed are at most
    max(ALWAYS_ALLOWED, SHARE of the documents that were live when they began)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WINDOW_SECONDS: Final = 3600.0
ALWAYS_ALLOWED: Final = 20
SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Deletions:
    """How many documents a device has deleted since when (seconds since 1970)."""

    since: float
    count: int

    def one_more(self, at: float) -> Deletions:
        """With a deletion at `at`. A window that is over starts again."""
        if at - self.since > WINDOW_SECONDS:
            return Deletions(at, 1)
        return Deletions(self.since, self.count + 1)


NO_DELETIONS: Final = Deletions(float("-inf"), 0)


def held_back(after: Deletions, live: int) -> bool:
    """Whether a device must confirm. `after`: with the deletion in question; `live`: documents before it."""
    before = live + after.count - 1
    return after.count > max(ALWAYS_ALLOWED, SHARE * before)
