"""The clock of a document: when it says itself that it was changed. A hint, never trusted beyond ties."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final

CLOCK_FIELDS: Final = ("updated_at", "modified")
"""In this order; the first that holds an instant is the clock."""
CLOCK_POINTERS: Final = frozenset(f"/{name}" for name in CLOCK_FIELDS)
_DAY: Final = 86_400
_MAX_KEPT: Final = 40
"""Characters of a time that is remembered."""


@cache
def _instant() -> re.Pattern[str]:
    """Made when it is needed: that takes time, and a short command of the client reads no time."""
    return re.compile(
        r"(\d{4})-?(\d{2})-?(\d{2})[Tt ](\d{2}):?(\d{2}):?(\d{2})(?:[.,](\d+))?(?:[Zz]|([+-])(\d{2}):?(\d{2}))",
        re.ASCII,
    )


def instant(text: Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time, or of ISO 8601's basic form (Taskwarrior's `20260101T000000Z`).

    None for anything else: other types, a time without an offset, the 30th of February. A leap second is the
    second after it; digits beyond the microsecond are dropped.
    """
    if not isinstance(text, str):
        return None
    # The same few times are asked for again and again while a document is decided.
    return _known_instant(text) if len(text) <= _MAX_KEPT else _read(text)


def _read(text: str) -> float | None:
    match = _instant().fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    if second > 60:
        return None
    offset = 0.0
    if sign is not None:
        offset = int(offset_hours) * 3600.0 + int(offset_minutes) * 60
        if offset >= _DAY:
            return None
    try:
        at = datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    seconds = second + int(fraction.ljust(6, "0")[:6]) / 1_000_000 if fraction else second
    return at + seconds - offset * (-1 if sign == "-" else 1)


_known_instant = lru_cache(maxsize=1024)(_read)


def clock(body: Any) -> float | None:
    """The clock of a document's body in seconds since 1970, or None if it has none."""
    if isinstance(body, dict):
        for name in CLOCK_FIELDS:
            at = instant(body.get(name))
            if at is not None:
                return at
    return None
