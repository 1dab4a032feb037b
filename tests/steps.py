"""Steps: lines of Python that run. They are the same on every machine, whatever else it does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_OURS: Final = tuple(f"{_ROOT / package}/" for package in ("api", "client", "shared", "worker"))


class Steps:
    def __init__(self, *, ours: bool) -> None:
        self.count = 0
        self._ours = ours

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if self._ours and event == "call" and not frame.f_code.co_filename.startswith(_OURS):
            return None
        self.count += event == "line"
        return self.trace


@contextmanager
def counted_steps(*, ours: bool = True) -> Iterator[Steps]:
    """Of this thread, and of those that begin meanwhile. `ours`: of our programs alone."""
    steps = Steps(ours=ours)
    before, of_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(steps.trace)
    sys.settrace(steps.trace)
    try:
        yield steps
    finally:
        sys.settrace(before)
        threading.settrace(of_threads)  # type: ignore[arg-type]
