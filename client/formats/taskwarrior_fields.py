"""Taskwarrior tasks as documents, and back. Pure.

A document holds every attribute of the exported task under the attribute's own name and with its exact value
- the dates too, as Taskwarrior writes them - with three exceptions:

    id          is the task's uuid in lower case. `depends` and `parent` name tasks by uuid, so they name
                documents too, and two uuids never meet in one id. Taskwarrior's own `id`, the number in the
                working set, is kept as `taskwarrior_id`.
    modified    20260101T120000Z becomes 2026-01-01T12:00:00Z: it is the document's clock, which is RFC 3339.
    the names   that mean something to the server and that a user-defined attribute must not take over
                (RESERVED) get the prefix `taskwarrior_`.

Laws (tests/unit/client/formats/test_taskwarrior.py):
    to_taskwarrior(from_taskwarrior(task)) == task, for every JSON object with a uuid
    from_taskwarrior(task)["id"] depends on the uuid alone
    keep_computed(m, t) differs from m in COMPUTED at most, and is m when m is the newer of the two
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.core.identifiers import Body, DocumentId
from shared.core.merge.clock import clock

PREFIX: Final = "taskwarrior_"
RESERVED: Final = frozenset({"id", "_deleted", "updated_at", "modified"})
"""`_deleted: true` is a delete; `updated_at` is a clock that goes before `modified`."""
COMPUTED: Final = (PREFIX + "id", "urgency")
"""What Taskwarrior works out at each export: not stored, and another value tomorrow without an edit."""

_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_BASIC: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\Z", re.ASCII)
_EXTENDED: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z\Z", re.ASCII)
_VERBATIM_MODIFIED: Final = PREFIX + "modified"


class NotATaskwarriorTaskError(ValueError):
    """An object that cannot become a document; the message says why and what to do."""


def document_id(task: Mapping[str, Any]) -> DocumentId:
    """Raises NotATaskError without a uuid: a second import could not find the task again."""
    uuid = task.get("uuid")
    if uuid is None:
        raise NotATaskwarriorTaskError('it has no "uuid"; `task import` gives it one, then export again')
    if not isinstance(uuid, str) or _UUID.match(uuid) is None:
        raise NotATaskwarriorTaskError(f'its "uuid" is not a UUID: {_clip(uuid)}')
    return DocumentId(uuid.lower())


def from_taskwarrior(task: Mapping[str, Any]) -> Body:
    """The document of a task. Raises NotATaskError."""
    document: Body = {"id": document_id(task)}
    for name, value in task.items():
        if name != "modified":
            document[_escaped(name)] = value
            continue
        document["modified"] = _rearranged(value, _BASIC, "{}-{}-{}T{}:{}:{}Z")
        if _rearranged(value, _EXTENDED, "") != value:
            # Taskwarrior does not write this form; the mark tells it from one that was made here.
            document[_VERBATIM_MODIFIED] = value
    return document


def to_taskwarrior(document: Mapping[str, Any]) -> dict[str, Any]:
    """The task of a document, as `task import` reads it."""
    task: dict[str, Any] = {}
    for name, value in document.items():
        match name:
            case "id" | "taskwarrior_modified":
                pass
            case "modified" if document.get(_VERBATIM_MODIFIED) != value:
                task[name] = _rearranged(value, _EXTENDED, "{}{}{}T{}{}{}Z")
            case _:
                task[_unescaped(name)] = value
    return task


def keep_computed(mine: Body, theirs: Body) -> Body:
    """`mine`, with the computed attributes of `theirs` unless `mine` is the newer one.

    So the computed numbers follow an edit and never make one: what is exported again without an edit is
    equal to what the server has.
    """
    my_clock, their_clock = clock(mine), clock(theirs)
    if my_clock is not None and their_clock is not None and my_clock > their_clock:
        return mine
    kept = {name: value for name, value in mine.items() if name not in COMPUTED}
    return kept | {name: theirs[name] for name in COMPUTED if name in theirs}


def _escaped(name: str) -> str:
    # A name that looks escaped is escaped once more; else two names could become one.
    return PREFIX + name if _bare(name) in RESERVED else name


def _unescaped(name: str) -> str:
    return name.removeprefix(PREFIX) if _bare(name) in RESERVED else name


def _bare(name: str) -> str:
    while name.startswith(PREFIX):
        name = name.removeprefix(PREFIX)
    return name


def _rearranged(value: Any, form: re.Pattern[str], template: str) -> Any:
    """`value` in another form if it is a moment in `form`; anything else as it is."""
    if not isinstance(value, str) or (match := form.match(value)) is None:
        return value
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:  # no such day or hour: then it is a text like any other
        return value
    return template.format(*match.groups())


def _clip(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
