"""Containers that a client leaves out where others write an empty one: whether absence means that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.core.json.canonical import JsonValue
from shared.core.json.values import ABSENT, Keys, Value
from shared.core.merge.array_run import At
from shared.core.merge.policies import Strategy

LEVELS: Final = 4
"""Of objects in an object that are read to see what it holds: it is asked at every depth."""


def is_emptied(at: At, bases: Sequence[Value], ours: Value, theirs: Value, keys: Keys) -> bool:
    """Whether one side left out a container that the other edited, and that means the same as leaving it empty: some
    write nothing where others write an empty one. An object of several fields is rather removed than emptied if the
    other side edited one of them, unless it holds nothing but arrays."""
    place, scope = at
    if scope.delete_wins or scope.strategy is Strategy.LWW:
        return False
    edited = theirs if ours is ABSENT else ours
    if isinstance(edited, list):
        return any(isinstance(base, list) for base in bases)
    if isinstance(edited, str):
        return scope.strategy is Strategy.TEXT and any(isinstance(base, str) for base in bases)
    if not (isinstance(edited, dict) and edited) or place.above is None or place.of_array:
        return False
    is_known = False
    for base in bases:
        if isinstance(base, dict):
            is_known = True
            if len(base) > 1 and not _holds_arrays_alone(base) and not _has_no_edit(edited, base, keys):
                return False
    return is_known


def _has_no_edit(edited: dict[str, JsonValue], base: dict[str, JsonValue], keys: Keys) -> bool:
    """Whether fields were added or removed at most."""
    for name, value in base.items():  # noqa: SIM110 - a generator would take as long again
        if not keys.same(value, edited.get(name, value)):
            return False
    return True


def _holds_arrays_alone(value: dict[str, JsonValue], levels: int = LEVELS) -> bool:
    """Itself or in objects, of which not many levels are read: it is asked at every depth."""
    if not levels:
        return False
    for member in value.values():
        if not isinstance(member, list) and not (
            isinstance(member, dict) and _holds_arrays_alone(member, levels - 1)
        ):
            return False
    return True
