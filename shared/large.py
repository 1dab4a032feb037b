"""What is large to decide.

A merge is pure computation and may take seconds for the worst documents that the limits allow. It runs in the thread
of its transaction, beside the event loop that renews leases and serves the other spaces; but computations in Python
only take turns, so one at a time of these is all that the loop should have beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from shared.core.json.values import Value, weigh

LARGE: Final = 20_000
"""Values and lines that any number of threads may decide at a time: some ten milliseconds."""
LARGE_MERGE_LOCK: Final = threading.Lock()
"""Held while something large is decided, in this process."""


def is_large(values: Iterable[Value]) -> bool:
    """Whether these together may take long to decide."""
    return weigh(values, LARGE) > LARGE
