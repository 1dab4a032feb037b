"""The document's own clock: optional, and never trusted beyond breaking ties."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from shared.core.documents import Body

CLOCK_FIELDS: Final = ("updated_at", "modified")


def clock(body: Body) -> float | None:
    """Seconds since 1970 by the first clock field that holds an RFC 3339 date-time, else None.

    A time without an offset is taken as UTC.
    """
    for field in CLOCK_FIELDS:
        text = body.get(field)
        if isinstance(text, str) and len(text) >= len("20260101T000000Z"):
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                continue
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
