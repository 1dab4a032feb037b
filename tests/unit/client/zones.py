"""Five places, and days around both changes of their clocks: the zones that everything with dates is tried in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from zoneinfo import ZoneInfo

import pytest

NAMES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
ZONES = {name: ZoneInfo(name) for name in NAMES}
POSIX = {
    "UTC": "UTC0",
    "Europe/Berlin": "CET-1CEST,M3.5.0,M10.5.0/3",
    "America/New_York": "EST5EDT,M3.2.0,M11.1.0",
    "Asia/Kolkata": "IST-5:30",
    "Pacific/Auckland": "NZST-12NZDT,M9.5.0,M4.1.0/3",
}
"""The same as rules: so that nothing depends on what the system has installed."""
CHANGES = [date(2026, *day) for day in ((3, 8), (3, 29), (4, 5), (9, 27), (10, 25), (11, 1))]
"""Days on which the clocks of one of them are changed."""


@contextmanager
def living_in(zone: str) -> Iterator[None]:
    """Whoever asks the system what time it is gets the time of that place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", POSIX[zone])
        time.tzset()
        try:
            yield
        finally:
            patch.undo()
            time.tzset()
