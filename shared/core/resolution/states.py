"""Client states: live bodies and tombstones, and when two say the same."""

from __future__ import annotations

from typing import Final

from shared.core.identifiers import Body
from shared.core.json.canonical import equal
from shared.core.merge.clock import CLOCK_FIELDS, clock, instant

DELETED_KEY: Final = "_deleted"
"""Marks a tombstone: `{"id": ..., "_deleted": true}`, beside the last body if the client has it."""


def is_tombstone(state: Body) -> bool:
    """Whether a client state is the mark of a deleted document."""
    return state.get(DELETED_KEY) is True


def last_body(tombstone: Body) -> Body | None:
    """The body inside a tombstone; None if it is bare, a clock aside."""
    body = {key: value for key, value in tombstone.items() if key != DELETED_KEY}
    return body if body.keys() - {"id", *CLOCK_FIELDS} else None


def same_content(a: Body, b: Body) -> bool:
    """Equality, the clock aside."""
    if a is b:
        return True
    # Most that are asked about differ, and in a text: that is seen without reading a time.
    for key, value in a.items():
        if type(value) is str and value != b.get(key) and key not in CLOCK_FIELDS:
            return False
    if not equal(_without_clock(a), _without_clock(b)):
        return False
    return equal(_timeless(a), _timeless(b)) if clock(a) != clock(b) else equal(a, b)


def _without_clock(body: Body) -> Body:
    return {k: v for k, v in body.items() if k not in CLOCK_FIELDS}


def _timeless(body: Body) -> Body:
    return {k: v for k, v in body.items() if k not in CLOCK_FIELDS or instant(v) is None}
