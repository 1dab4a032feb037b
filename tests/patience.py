"""How long a test waits for what must happen. No test says how fast that is: a machine may be slow, and busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 180.0
"""Something is wrong then; it costs nothing where all is well."""

TIMES = 3
"""What a signal ends may be late on a busy machine, but hardly so often; what ends by looking is late each time."""


def until(is_so: Callable[[], object], told: Callable[[], object] = lambda: None) -> None:
    """Waits until it is so. `told` says more when it does not become so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)
