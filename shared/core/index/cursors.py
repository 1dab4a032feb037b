"""A position in the change feed of a space, as clients keep it: `<history>-<sequence>`, opaque to them.

Law (tests/unit/core/index/test_cursors.py): parse_cursor(cursor_of(p)) == p
"""

from __future__ import annotations

import re
from typing import Final

from shared.core.documents import Epoch, Position, SequenceNumber
from shared.core.index.lineage import Lineage

_CURSOR: Final = re.compile(r"([0-9a-z]{1,64})-(\d{1,18})\Z", re.ASCII)


def cursor_of(position: Position) -> str:
    """What a client is given. It is an ETag's text, too: no quote or white space is in it."""
    return f"{position.epoch}-{position.sequence}"


def parse_cursor(text: str) -> Position | None:
    """None for what `cursor_of` never made."""
    match = _CURSOR.match(text)
    return Position(Epoch(match[1]), SequenceNumber(int(match[2]))) if match else None


def is_behind(cursor: Position, lineage: Lineage) -> bool | None:
    """Whether something changed since; None: the position was never this space's, or is lost, and tells nothing."""
    if not lineage.holds(cursor):
        return None
    return cursor.sequence < lineage.sequence
