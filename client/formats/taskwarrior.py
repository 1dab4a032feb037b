"""Taskwarrior: what `task export` writes and `task import` reads. Pure.

Tasks of Taskwarrior are read and written as `client.formats.taskwarrior_fields` says. A task that was made here goes
there under a UUID that comes from its id, with the id itself in `hypertask_id`, which Taskwarrior keeps; it comes
back as itself.

Taskwarrior knows moments only, and tasks by their UUID only: a day leaves as its midnight where the user is, a local
time as the moment that it is there, a `parent` or what a task depends on as a UUID. What `task import` would refuse
or lose (an unknown status, a field with fields inside) stays behind. `hypertask_was` has what such a field was and
what was written in its place, as JSON; it counts as long as that still stands there. If another midnight stands where
a day was, it is another day.

The occurrences of a pattern that were made here count in its `mask`, so that Taskwarrior does not make them again.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Any, Final

from client.formats.context import Context, Reading
from client.formats.taskwarrior_export import documents_of as tasks_of
from client.formats.taskwarrior_fields import (
    COMPUTED,
    NotATaskwarriorTaskError,
    document_id,
    from_taskwarrior,
    to_taskwarrior,
)
from client.tasks.moments import FIELDS, is_day, point_of, since_1970
from client.tasks.periods import Every, NoPeriodError
from client.tasks.recurrence import Occurrence, Series, is_pattern
from shared import codec
from shared.core.identifiers import Body, DocumentId, is_document_id
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits

OWN_ID: Final = "hypertask_id"
WAS: Final = "hypertask_was"

_SPACE: Final = uuid.UUID("5f2f9b0e-6f0c-5d0b-9a0e-6a2f6d3c1b4e")
_BASIC: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\Z", re.ASCII)
_TEXTS: Final = frozenset({"description", "project", "priority", "recur", "mask"})
_STATES: Final = ("pending", "completed", "deleted", "waiting", "recurring")
_OLDEST: Final = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
_NEWEST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Moments that Taskwarrior takes."""
_STAMP: Final = "20000101T000000Z"
_WORD: Final = re.compile(r"[^\s,()<>{}\[\]\"'+/-][^\s,()<>{}\[\]\"']*\Z")
_MARKS: Final = {"pending": "-", "waiting": "W", "completed": "+", "deleted": "X"}


def documents_of(raw: bytes, context: Context | None = None) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    return read(raw, context or Context()).documents


def read(raw: bytes, context: Context) -> Reading:
    """Raises ExportError."""
    if not raw.strip():
        return Reading({})
    bodies = [_own(body, context) for body in tasks_of(raw).values()]
    return Reading({DocumentId(body["id"]): body for body in bodies})


def text_of(bodies: Iterable[Body], context: Context | None = None) -> tuple[bytes, list[str]]:
    """An array, a task a line. Nothing is left out."""
    context = context or Context()
    rows = list(bodies)
    numbers = _numbers(rows, context)
    lines = b",\n".join(codec.dumps(_task(body, numbers, context)) for body in rows)
    return b"[\n" + lines + b"\n]\n" if lines else b"[]\n", []


# --- writing -------------------------------------------------------------------------------------------------


def _task(body: Body, numbers: Mapping[str, Body], context: Context) -> dict[str, Any]:
    task = to_taskwarrior(body) | numbers.get(body["id"], {})
    if _is_theirs(body):
        written = task | {name: at for name in FIELDS if (at := _respelt(task.get(name), context)) is not None}
    else:
        stamp = _moment(body.get("modified"), context) or _moment(body.get("entry"), context) or _STAMP
        task = {"description": "", "status": "pending", "entry": stamp, "modified": stamp, **task}
        if task["status"] == "recurring":
            task.setdefault("rtype", "periodic")  # which Taskwarrior gives them all
        converted = {name: _converted(name, value, context) for name, value in task.items()}
        written = {name: value for name, value in converted.items() if value is not None}
        written = {"entry": stamp, "modified": stamp, **written, "uuid": _uuid_of(body["id"]), OWN_ID: body["id"]}
    again = _read_back(from_taskwarrior(written))
    was: dict[str, Any] = {}
    for name in sorted({*body, *again} - {"id"}):
        before, after = ([one[name]] if name in one else [] for one in (body, again))
        if not equal(before, after):
            was[name] = [before, after]
    return {**written, WAS: codec.dumps(was).decode()} if was else written


def _is_theirs(body: Body) -> bool:
    try:
        return bool(body["id"] == document_id(body))
    except NotATaskwarriorTaskError:
        return False


def _respelt(value: Any, context: Context) -> str | None:
    """The moment that Taskwarrior knows it as, if it does not stand there in its form."""
    return None if not isinstance(value, str) or _BASIC.match(value) else _moment(value, context)


def _converted(name: str, value: Any, context: Context) -> Any:
    """The value that Taskwarrior takes for it; None: it takes none."""
    if name in FIELDS or name == "modified":
        return _moment(value, context)
    match name:
        case "description":
            return value if isinstance(value, str) and value.strip() else "(no description)"
        case "status":
            return value if value in _STATES else "pending"
        case "tags":
            words = isinstance(value, list) and all(isinstance(tag, str) and _WORD.match(tag) for tag in value)
            return value if words else None
        case "depends":
            named = value if isinstance(value, list) else [value]
            return [_reference(one) for one in named] if all(isinstance(one, str) for one in named) else None
        case "parent":
            return _reference(value) if isinstance(value, str) else None
        case "annotations":
            return value if isinstance(value, list) and all(map(_is_annotation, value)) else None
        case "imask":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if name in _TEXTS:
        return value if isinstance(value, str) and value else None
    plain = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    if not plain or "." in name or not name.isprintable():
        return None
    # Of a field that it does not know Taskwarrior makes a text.
    return value if isinstance(value, str) else codec.dumps(value).decode()


def _moment(value: Any, context: Context) -> str | None:
    point = point_of(value)
    if point is None:
        return None
    at = since_1970(point, context.zone)
    if not _OLDEST < at < _NEWEST:
        return None
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"


def _reference(identity: str) -> str:
    try:
        return document_id({"uuid": identity})
    except NotATaskwarriorTaskError:
        return _uuid_of(identity)


def _is_annotation(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("description"), str)
        and isinstance(value.get("entry"), str)
        and _BASIC.match(value["entry"]) is not None
    )


def _numbers(rows: list[Body], context: Context) -> dict[str, Body]:
    """`mask` of patterns that we made occurrences of, and their `imask`, by the id of the task."""
    known = {**context.everything, **{DocumentId(body["id"]): body for body in rows}}
    numbers: dict[str, Body] = {}
    for pattern in filter(is_pattern, known.values()):
        try:
            series = Series.of(pattern, context.zone)
        except NoPeriodError:
            continue
        made_until = point_of(pattern.get("made_until"))
        if made_until is None or not isinstance(series.repeats, Every):
            continue
        last, first, marks = (
            series.wall_of(made_until),
            series.wall_of(series.first),
            [*str(pattern.get("mask") or "")],
        )
        for number in range(len(marks), _MAX_NUMBERS):
            try:
                wall = series.repeats.nth(first, number)
            except (ValueError, OverflowError):
                break
            if wall > last:
                break
            identity = series.body(Occurrence(wall, number))["id"]
            there = known.get(DocumentId(identity))
            marks.append(_MARKS.get(str(there.get("status")), "-") if there is not None else "X")
            if there is not None:
                numbers[identity] = {"imask": number}
        if marks:
            numbers[pattern["id"]] = {"mask": "".join(marks)}
    return numbers


_MAX_NUMBERS: Final = 5000


# --- reading -------------------------------------------------------------------------------------------------


def _own(body: Body, context: Context) -> Body:
    """The task as it is here, if it comes from here."""
    was = _was(body.get(WAS))
    own = _read_back(body)
    for name, (before, after) in was.items():
        now = [own[name]] if name in own else []
        if equal(now, after):
            own.pop(name, None)
            own |= dict.fromkeys([name], *before) if before else {}
        elif now and before and is_day(before[0]) and (day := _as_day(now[0], context)) is not None:
            own[name] = day
    return own


def _read_back(body: Body) -> Body:
    """Without what was written for Taskwarrior alone."""
    identity = body.get(OWN_ID)
    if not isinstance(identity, str) or not is_document_id(identity) or body["id"] != _uuid_of(identity):
        return {name: value for name, value in body.items() if name != WAS}
    own = {name: value for name, value in body.items() if name not in (OWN_ID, WAS, "uuid", *COMPUTED)}
    own = {name: _extended(value) if name in FIELDS else value for name, value in own.items()}
    # Taskwarrior's word for what has a `wait`.
    status = "pending" if own.get("status") == "waiting" else own.get("status")
    return {**own, "status": status, "id": identity}


def _as_day(value: Any, context: Context) -> str | None:
    point = point_of(value)
    if not isinstance(point, datetime):
        return None
    local = point.astimezone(context.zone)
    return local.date().isoformat() if local.time() == time(0) else None


def _was(value: Any) -> dict[str, tuple[list[Any], list[Any]]]:
    try:
        members = codec.parse(value.encode(), max_depth=Limits().max_depth + 3) if isinstance(value, str) else {}
    except FaultError:
        return {}
    if not isinstance(members, dict):
        return {}
    return {
        name: (pair[0], pair[1])
        for name, pair in members.items()
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, list) for one in pair)
    }


def _extended(value: Any) -> Any:
    match = _BASIC.match(value) if isinstance(value, str) else None
    return value if match is None else "{}-{}-{}T{}:{}:{}Z".format(*match.groups())


def _uuid_of(identity: str) -> str:
    return str(uuid.uuid5(_SPACE, identity))
