"""What a document is without what one command did to it. Pure."""

from __future__ import annotations

from typing import Any, Final

from client.tasks.journal import Step
from shared.core.identifiers import Body
from shared.core.json.canonical import equal

BOOKKEEPING: Final = frozenset({"modified", "made_until"})
"""What commands write beside what they are asked for. `made_until` is written by those that only list."""
_KEPT: Final = frozenset({"both-inserted", "both-kept"})
"""Rules of a merge under which nothing is dropped."""


class CannotUndoError(Exception):
    """Something else happened since, to the same place. The message names the place, and says what to do."""


def undone(step: Step, now: Body | None) -> Body | None:
    """The document without what the step did to it: what happened to it since then stays, merged field by field.

    Raises CannotUndoError where both are about the same place: whichever were taken, one would be lost.
    Law (tests/unit/client/tasks/test_journal.py): undone(Step(d, before, after), after) is before.
    """
    if equal(now, step.after):
        return step.before
    if step.after is None:  # it was deleted, and is there again
        return now
    if step.before is None:
        if now is None or equal(_plain(now), _plain(step.after)):
            return None
        raise CannotUndoError(f"it was changed since it was made. To delete it: hypertask delete {step.document}")
    if now is None:
        raise CannotUndoError(f"it was deleted since. To bring it back: hypertask restore {step.document}")
    from shared.core.merge.objects import merge  # noqa: PLC0415  most is undone before anything else happens

    merged = merge([_plain(step.after)], _plain(now), _plain(step.before))
    lost = [conflict.path for conflict in merged.conflicts if conflict.rule not in _KEPT]
    if lost:
        places = ", ".join(sorted({path.split("/")[1] if path else "the whole task" for path in lost}))
        raise CannotUndoError(f"changed again since then: {places}")
    body: Any = merged.value
    kept = {name: now[name] for name in BOOKKEEPING & now.keys()}
    return {**body, **kept}


def _plain(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in BOOKKEEPING}
