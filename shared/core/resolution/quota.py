"""What a space holds, and whether a decision would make it hold more than it may. Pure.

Laws (tests/unit/core/resolution/test_quota.py):
    what makes a space no larger is never refused, however full the space is: it must be possible to tidy up
    a deletion is never refused
    with no limits nothing is refused
    a space that was within its quota is so after what was not refused
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.core.resolution.context import Decision, Head
from shared.core.resolution.size_limit import SizeOf
from shared.core.resolution.usage import Quota, Usage

_RULE: Final = re.compile(r"(\w+): (\d+) of (\d+)\Z")


@dataclass(frozen=True, slots=True)
class ReachedQuota:
    """Which limit, by the name of its setting, how much of it was used before, and how much it is."""

    limit: str
    used: int
    most: int

    @property
    def rule(self) -> str:
        """As a Refusal says it; `reached_by` reads it."""
        return f"{self.limit}: {self.used} of {self.most}"


def reached_by(rule: str) -> ReachedQuota | None:
    """What the rule of a Refusal says."""
    match = _RULE.match(rule)
    return None if match is None else ReachedQuota(match[1], int(match[2]), int(match[3]))


def growth_of(decision: Decision, head: Head | None, size_of: SizeOf) -> Usage:
    """By how much the space grows when the decision is stored."""
    received = (decision.received, *decision.recovered)
    history = sum(size_of(stored.body) for stored in received if stored is not None)
    revision = decision.revision
    if revision is None:
        return Usage(0, 0, history)
    before = None if head is None else head.body
    old = 0 if head is None or before is None else size_of(before) if head.size is None else head.size
    new = 0 if revision.body is None else size_of(revision.body)
    return Usage(int(revision.body is not None) - int(before is not None), new - old, history + old)


def reached(usage: Usage, growth: Usage, quota: Quota) -> ReachedQuota | None:
    """The limit that stands against it; None: it may be stored."""
    if growth.documents < 0:
        return None
    for limit, used, more, most in (
        ("space_documents", usage.documents, growth.documents, quota.documents),
        ("space_bytes", usage.size, growth.size, quota.size),
        ("space_history_bytes", usage.history_size, growth.history_size, quota.history_size),
    ):
        if most and used is not None and more is not None and more > 0 and used + more > most:
            return ReachedQuota(limit, used, most)
    return None


def only_growth(growth: Usage) -> Usage:
    """Without what becomes less."""
    return Usage(max(growth.documents, 0), max(growth.size or 0, 0), max(growth.history_size or 0, 0))
