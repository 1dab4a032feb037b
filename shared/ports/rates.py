"""Counting requests, for limits that hold over all processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shared.core.access.limits import Rate


@dataclass(frozen=True, slots=True)
class Counted:
    """`granted`: of those that were asked for. `remaining`: how many more the rate has for anybody with this key.
    `reset_seconds`: when it has more than that."""

    granted: int
    remaining: int
    reset_seconds: float


class RateCounter(Protocol):
    """Counters of a sliding window, shared by all processes that count by them."""

    async def take(self, rate: Rate, key: str, count: int) -> Counted:
        """Counts `count` requests of this key, or as many of them as the rate has left, whoever asks. Since the first
        request no more than the amount is granted a window, on average; a burst before the end of a window can be
        followed by what the next one gives, which comes evenly. Errors: UnavailableError; then nothing is known."""
        ...
