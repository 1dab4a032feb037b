"""What happened to the place of a decided conflict since then, as far as the document says. Pure.

Laws (tests/unit/client/sync/engine/test_since_decided.py):
    right after the decision it stands
    what `conflicts --take` makes of the document is taken back
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from client.sync.engine.own_edits import BOTH_STAND, equal_or_absent, is_lives_on
from shared.core.identifiers import Body
from shared.core.json.pointers import split
from shared.core.json.values import ABSENT
from shared.core.merge.conflict_rows import ConflictRow


class Since(StrEnum):
    """What became of a decision."""

    STANDS = "stands"
    """The document is there as it was decided, as far as can be told."""
    TAKEN_BACK = "taken back"
    """What was dropped is there; of a deletion that was dropped: the document is not there."""
    CHANGED = "changed"
    """There is something else at that place."""
    DELETED = "deleted"
    """The document is not there any more."""


def since_decided(conflict: ConflictRow, body: Body | None) -> Since:
    """`body`: the document now; None: it is not there."""
    if is_lives_on(conflict):
        return Since.TAKEN_BACK if body is None else Since.STANDS
    path = str(conflict["path"])
    if not path:
        return Since.STANDS if body is None else Since.TAKEN_BACK
    if body is None:
        return Since.DELETED
    if conflict.get("redacted") or conflict["rule"] in BOTH_STAND:
        return Since.STANDS
    kept, dropped = conflict.get("kept", ABSENT), conflict.get("dropped", ABSENT)
    *above, last = split(path)
    arrays = [value for value in _values(body, above) if isinstance(value, list)]
    values = _values(body, [*above, last])
    is_kept = _is_there(kept, values, arrays) or (bool(conflict.get("elided")) and "kept" not in conflict)
    is_back = _is_there(dropped, values, arrays)
    if is_back and not (dropped is ABSENT and is_kept):
        return Since.TAKEN_BACK
    return Since.STANDS if is_kept or last == "-" else Since.CHANGED


def place_changed(conflict: ConflictRow, before: Body | None, after: Body | None) -> bool:
    """Whether a step from one state of the document to another changed the field in which the conflict is; of a
    conflict about the whole document: whether it changed anything."""
    if before is None or after is None:
        return before is not after
    fields = split(str(conflict["path"]))[:1] or (before.keys() | after.keys()) - {"id", "modified"}
    return any(not equal_or_absent(before.get(field, ABSENT), after.get(field, ABSENT)) for field in fields)


def _values(place: Any, segments: Sequence[str]) -> list[Any]:
    """What is at a path, or ABSENT. Places in arrays move: of an array it is what is there in any member."""
    if not segments:
        return [place]
    first, *rest = segments
    if isinstance(place, list):
        return [value for member in place for value in _values(member, rest)]
    if isinstance(place, dict) and first in place:
        return _values(place[first], rest)
    return [ABSENT]


def _is_there(side: Any, values: Sequence[Any], arrays: Sequence[Sequence[Any]]) -> bool:
    """Whether one side of a conflict is at its place: `values`, or in the arrays that the place is in. A list may
    stand for a stretch of an array."""
    if not arrays or side is ABSENT:
        return _has(values, side) or bool(arrays)
    stretch = side if isinstance(side, list) else [side]
    return any(_has(array, side) or all(_has(array, member) for member in stretch) for array in arrays)


def _has(values: Sequence[Any], value: Any) -> bool:
    return any(equal_or_absent(one, value) for one in values)
