"""Threads beside an event loop."""

from __future__ import annotations

import sys
from typing import Final

_SWITCH_SECONDS: Final = 0.0005


def switch_soon() -> None:
    """To be called when a process starts: its event loop, and the threads that decide or talk to the database, take
    turns of half a millisecond. With Python's own five each step of such a thread waits so long for a loop that has
    much to do, and the loop for a thread; a request that asks the database a few times is late by tenths of a
    second."""
    sys.setswitchinterval(_SWITCH_SECONDS)
