"""How long to wait before a request is repeated. Pure but for the random numbers it is given.

Exponential back-off with full jitter (Marc Brooker, "Exponential Backoff And Jitter", 2015): clients that
were turned away together do not come back together.

Laws (tests/unit/test_retry.py):
    0 <= delay <= cap without Retry-After
    retry_after <= delay <= retry_after + base with it
    no delay: attempts are used up, or the server asks for more patience than `patience`
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple


class Backoff(NamedTuple):
    """All times in seconds."""

    attempts: int = 8
    """How often a request is sent before it is given up."""
    base: float = 0.25
    cap: float = 15.0
    patience: float = 60.0
    """The longest Retry-After that is waited for."""
    uniform: Callable[[float, float], float] = random.uniform

    def delay(self, failures: int, retry_after: float | None = None) -> float | None:
        """How long to wait after the `failures`-th failure in a row (from 1); None: give up."""
        if failures >= self.attempts or (retry_after is not None and retry_after > self.patience):
            return None
        if retry_after is not None:
            return retry_after + self.uniform(0, self.base)
        return self.uniform(0, min(self.cap, self.base * 2 ** min(failures - 1, 60)))


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """The Retry-After header: seconds or an HTTP date. None if it is missing or says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    # "-0000" gives a time without a zone, which is UTC here.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
