"""Conflicts as they are stored, answered and shown to people: bounded, and without secrets.

Laws (tests/unit/core/merge/test_conflict_rows.py):
    no value at a place that a policy calls secret is in a row, whatever holds it
    what no policy calls secret, and is not large, is in it as it was
    doing it again changes nothing
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared.core.json.canonical import JsonValue, canonical
from shared.core.json.values import ABSENT
from shared.core.merge.conflicts import Conflict
from shared.core.merge.policies import Policies, Scope

MAX_CONFLICTS: Final = 200
MAX_CONFLICT_VALUE_BYTES: Final = 4096
_SURELY_SMALL: Final = (MAX_CONFLICT_VALUE_BYTES - 2) // 6
"""Characters of a string: none takes more than six bytes in canonical form."""

ConflictRow = Mapping[str, Any]
"""`path`, `rule`, and `kept` and `dropped` where there was something. Secret values are left out, also from
inside of others, and `redacted` is true; large ones are left out and `elided` is true. The dropped values stay in
the revisions all the same."""

_SIDES: Final = ("kept", "dropped")


def conflict_rows(conflicts: Sequence[Conflict], policies: Policies) -> tuple[ConflictRow, ...]:
    """The first MAX_CONFLICTS."""
    return tuple([_row(conflict, policies) for conflict in conflicts[:MAX_CONFLICTS]]) if conflicts else ()


def with_more(known: tuple[ConflictRow, ...], more: Iterable[ConflictRow]) -> tuple[ConflictRow, ...]:
    """Those of a head that stays, and more of them: each once, none beyond MAX_CONFLICTS."""
    new = [row for row in more if not any(_equal(row, other) for other in known)]
    return (*known, *new)[: max(MAX_CONFLICTS, len(known))]


def _equal(row: ConflictRow, other: ConflictRow) -> bool:
    return canonical(dict(row)) == canonical(dict(other))


def redacted(row: ConflictRow, policies: Policies) -> ConflictRow:
    """The row without what these policies call secret: they may be younger than the row."""
    if not policies.have_secrets:
        return row
    scope = policies.at(row["path"])
    shown = dict(row)
    for side in _SIDES:
        if side in row:
            value = _public(row[side], scope)
            if value is ABSENT:
                del shown[side]
            elif value is not row[side]:
                shown[side] = value
            if value is not row[side]:
                shown["redacted"] = True
    return shown


def _row(conflict: Conflict, policies: Policies) -> ConflictRow:
    row: dict[str, Any] = {"path": conflict.path, "rule": conflict.rule}
    for side, value in zip(_SIDES, (conflict.kept, conflict.dropped), strict=True):
        if value is not ABSENT:
            row[side] = value
    row = dict(redacted(row, policies))
    for side in _SIDES:
        if side in row and _is_large(row[side]):
            del row[side]
            row["elided"] = True
    return row


def _is_large(value: JsonValue) -> bool:
    if isinstance(value, str) and len(value) <= _SURELY_SMALL:
        return False
    return len(canonical(value)) > MAX_CONFLICT_VALUE_BYTES


def _public(value: JsonValue, scope: Scope) -> Any:
    """The value without what is secret in it, and itself if nothing is; ABSENT if all of it is."""
    if scope.secret:
        return ABSENT
    if isinstance(value, dict):
        members = {key: _public(member, scope.child(key)) for key, member in value.items()}
        if all(members[key] is member for key, member in value.items()):
            return value
        return {key: member for key, member in members.items() if member is not ABSENT}
    if isinstance(value, list):
        inside = scope.child(None)
        kept = [_public(member, inside) for member in value]
        if all(new is old for new, old in zip(kept, value, strict=True)):
            return value
        return [member for member in kept if member is not ABSENT]
    return value
