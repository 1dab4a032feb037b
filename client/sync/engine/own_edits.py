"""Which edits of this device lost to somebody else's. Pure.

Whoever syncs second is told of conflicts by the answer. Whoever synced first fetches the result like any other edit.
So it is remembered which fields this device set. When another value arrives for one of them, the upstream's history
says whether its author had seen ours, or whether ours was dropped.

Laws (tests/unit/client/sync/engine/test_own_edits.py):
    a field is this device's from its edit until another value arrives for it
    an edit that lost is one that the history names as dropped, and that was ours
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from client.sync.engine.records import Record, UpstreamAnswer
from shared.core.identifiers import Body
from shared.core.json.canonical import equal
from shared.core.json.pointers import split
from shared.core.json.values import ABSENT

if TYPE_CHECKING:
    from shared.core.merge.conflict_rows import ConflictRow

DELETED: Final = ""
"""Stands among fields for the whole document, which was deleted."""
NOT_EDITS: Final = frozenset({"id", "modified"})
BOTH_STAND: Final = frozenset({"both-inserted", "both-kept", "both-edited", "renamed"})
"""Rules under which neither edit is lost."""
LIVES_ON: Final = "edit-beats-removal"
"""The rule of a conflict at the path "": a deleted document lives on because somebody edited it."""


class OwnFields(NamedTuple):
    """`stand`: the fields that this device set and nobody has changed since. `replaced`: those that had been so
    until now."""

    stand: frozenset[str]
    replaced: frozenset[str] = frozenset()


def own_fields(own: frozenset[str], before: Record, answer: UpstreamAnswer) -> OwnFields:
    """What becomes of `own` by an answer. `before`: the record as it was then, with what was sent."""
    pending, shadow, state = before.pending, before.shadow, answer.state
    if pending is not None and pending.deletes:
        return OwnFields(frozenset({DELETED}) if state is None else frozenset())
    if state is None:
        return OwnFields(frozenset(), own - {DELETED})
    sent: frozenset[str] = frozenset()
    stands = sent
    if pending is not None:
        own -= {DELETED}  # it was made again here
        stands = sent = _differing(shadow, pending.body) if shadow is not None else frozenset()
        if state is not pending.body:  # mostly the answer is what was sent
            stands = frozenset(field for field in sent if _same_at(field, pending.body, state))
    earlier = own - sent
    replaced = {field for field in earlier if field == DELETED or not _same_at(field, shadow or {}, state)}
    return OwnFields(stands | earlier - replaced, frozenset(replaced))


def lost(
    history: Iterable[Mapping[str, Any]], since: str | None, was: Body | None, fields: frozenset[str]
) -> list[ConflictRow]:
    """The conflicts in which edits of this device lost: those that were decided after the rev `since`, when the
    document was `was`. `history`: the revisions, the newest first. Each says `by` whose edit won, and that `mine` was
    dropped."""
    rows: list[ConflictRow] = []
    for row in history:
        if row.get("rev") == since:
            break
        if row.get("received"):  # it was never current
            continue
        for conflict in row.get("conflicts") or ():
            if (ours := _lost_value(conflict, was, fields)) is not None:
                rows.append({**ours, "mine": "dropped", "by": str(row.get("device") or "")})
    return rows


def with_sides(conflicts: Sequence[ConflictRow], mine: Body | None) -> list[dict[str, Any]]:
    """Conflicts of which one side is the state `mine` (None: a deletion), each with `mine`: kept or dropped, where it
    can be told."""
    return [{**conflict, **_side(conflict, mine)} for conflict in conflicts]


def _side(conflict: ConflictRow, mine: Body | None) -> dict[str, str]:
    if is_lives_on(conflict):
        return {"mine": "dropped" if mine is None else "kept"}
    if mine is None or conflict["rule"] in BOTH_STAND or conflict.get("redacted") or conflict.get("elided"):
        return {}
    value = _value_at(mine, str(conflict["path"]))
    for side in ("dropped", "kept"):
        if equal_or_absent(value, conflict.get(side, ABSENT)):
            return {"mine": side}
    return {}


def is_lives_on(conflict: ConflictRow) -> bool:
    """Whether the decision is that a deleted document lives on."""
    return bool(conflict["path"] == "" and conflict["rule"] == LIVES_ON)


def equal_or_absent(a: Any, b: Any) -> bool:
    """Of two values, or ABSENT."""
    return a is b if a is ABSENT or b is ABSENT else equal(a, b)


def _lost_value(conflict: ConflictRow, was: Body | None, fields: frozenset[str]) -> dict[str, Any] | None:
    """The conflict with the value that was ours; None: it is not about one of ours."""
    path = str(conflict["path"])
    if is_lives_on(conflict):
        return dict(conflict) if DELETED in fields else None
    if conflict["rule"] in BOTH_STAND:
        return None
    if not path:  # removed by somebody who may not have seen the edit
        return dict(conflict) if fields - {DELETED} else None
    if was is None or split(path)[0] not in fields:
        return None
    value = _value_at(was, path)
    if conflict.get("redacted"):
        return dict(conflict)
    if conflict.get("elided"):  # it was too large for the record, and is known here
        return {**conflict, **({} if value is ABSENT else {"dropped": value})}
    dropped = conflict.get("dropped", ABSENT)
    if equal_or_absent(value, dropped) or (value is ABSENT and _has_member(was, path, dropped)):
        return dict(conflict)
    return None


def _has_member(was: Body, path: str, dropped: Any) -> bool:
    """Whether the array that `path` leads into has the member: places in arrays move."""
    array = _value_at(was, path.rpartition("/")[0])
    return isinstance(array, list) and any(equal(member, dropped) for member in array)


def _value_at(body: Body, path: str) -> Any:
    place: Any = body
    for segment in split(path):
        if isinstance(place, dict) and segment in place:
            place = place[segment]
        elif isinstance(place, list) and segment.isdecimal() and int(segment) < len(place):
            place = place[int(segment)]
        else:
            return ABSENT
    return place


def _differing(a: Body, b: Body) -> frozenset[str]:
    return frozenset(field for field in {*a, *b} - NOT_EDITS if not _same_at(field, a, b))


def _same_at(field: str, a: Body, b: Body) -> bool:
    return equal_or_absent(a.get(field, ABSENT), b.get(field, ABSENT))
