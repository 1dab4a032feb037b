"""JSON: an array of tasks, an object with the array in `tasks`, or one task a line (NDJSON). Pure.

Exports of other programs are known by their form (client.formats.services); what has no known form is refused, with
what was seen. A task without an `id` gets one that comes from its content, so a second import finds it again. An id
that other programs may give too counts within the file alone, and `original_id` keeps it; a task that we wrote with
such an id has it in `hypertask_id` too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from client.formats.context import Context, Reading
from client.formats.faults import ExportError, FormatProblem
from client.formats.fields import NoDateError, field_of, finished, put
from client.formats.naming import Names, is_unique
from client.formats.services import outline, tasks_in
from client.formats.text import decoded
from shared import codec
from shared.core.identifiers import Body, DocumentId, is_document_id
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits

OWN_ID: Final = "hypertask_id"
_DEEP: Final = Limits().max_depth
_OURS: Final = frozenset({"id", "description", "status", "due", "tags", "project", "entry", OWN_ID})
_KNOWN: Final = "Todoist, Google Tasks, Microsoft To Do, Trello, Kinto, CouchDB, PouchDB and MongoDB"


def documents_of(raw: bytes, context: Context | None = None) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    return read(raw, context or Context()).documents


def read(raw: bytes, context: Context) -> Reading:
    """Raises ExportError."""
    text = decoded(raw)
    if not text.strip():
        return Reading({})
    names, problems = Names("json", context), list[FormatProblem]()
    documents: dict[DocumentId, Body] = {}
    for line, entry, value in _tasks(text.encode(), context, problems):
        if not isinstance(value, dict):
            problems.append(FormatProblem("a task is a JSON object", line, entry))
            continue
        body = _named(value, names, context)
        document = DocumentId(body["id"])
        if not equal(documents.setdefault(document, body), body):
            problems.append(FormatProblem(f"task {document} is there twice, and they are not the same", line, entry))
    if problems:
        raise ExportError(*problems)
    return Reading(documents, numbered=names.numbered)


def text_of(bodies: Iterable[Body], context: Context | None = None) -> tuple[bytes, list[str]]:
    """An array, a task a line."""
    lines = b",\n".join(codec.dumps(_marked(body)) for body in bodies)
    return b"[\n" + lines + b"\n]\n" if lines else b"[]\n", []


def lines_of(bodies: Iterable[Body], context: Context | None = None) -> tuple[bytes, list[str]]:
    """NDJSON."""
    return b"".join(codec.dumps(_marked(body)) + b"\n" for body in bodies), []


def _marked(body: Body) -> Body:
    return body if is_unique(body["id"]) and OWN_ID not in body else {**body, OWN_ID: _mark_of(body)}


def _mark_of(body: Body) -> Any:
    return [body["id"], body[OWN_ID]] if OWN_ID in body else body["id"]


# --- where the tasks are -------------------------------------------------------------------------------------

_Row = tuple[int | None, int | None, Any]


def _tasks(raw: bytes, context: Context, problems: list[FormatProblem]) -> Iterable[_Row]:
    """The tasks of the file with their lines and places. Raises ExportError where it has no known form."""
    rows, values = _values(raw, problems)
    if problems:
        return
    try:
        bodies = tasks_in(values)
    except ValueError as error:
        raise ExportError(FormatProblem(str(error))) from None
    if bodies is not None:
        yield from ((None, entry, body) for entry, body in enumerate(bodies, 1))
        return
    if isinstance(values, dict):
        yield from _inside(values, context)
        return
    if context.columns or not any(isinstance(value, dict) and _OURS & value.keys() for _, _, value in rows):
        objects = [value for _, _, value in rows if isinstance(value, dict)]
        if objects and len(objects) == len(rows):
            yield from ((line, entry, _mapped(value, context)) for line, entry, value in rows)
            return
    yield from rows


def _inside(outer: Body, context: Context) -> Iterable[_Row]:
    """The tasks of one object: those in `tasks`, or the object itself."""
    tasks = outer.get("tasks")
    if isinstance(tasks, list):
        yield from ((None, entry, value) for entry, value in enumerate(tasks, 1))
    elif "description" in outer or OWN_ID in outer or _is_only_an_id(outer):
        yield None, 1, outer
    else:
        yield None, 1, _mapped(outer, context)


def _is_only_an_id(outer: Body) -> bool:
    """A document that has no description, as long as it holds no others."""
    lists = [value for value in outer.values() if isinstance(value, list | dict) and value]
    return "id" in outer and not lists


def _mapped(value: Body, context: Context) -> Body:
    """A task of an unknown program, by what its keys are called. Raises ExportError if none says what is to be
    done."""
    fields = {name: context.columns.get(name) or field_of(name) for name in value}
    if "description" not in fields.values():
        known = f"The forms that are known are those of {_KNOWN}; of another, --map KEY=description names what to do"
        raise ExportError(FormatProblem(f"this is not a list of tasks but {outline(value)}. {known}"))
    body: Body = {}
    for name, inside in value.items():
        if isinstance(inside, str):
            try:
                put(body, fields[name], inside)
            except NoDateError:
                body[f"{fields[name]}_text"] = inside
        elif fields[name] == "status" and isinstance(inside, bool):
            body["status"] = "completed" if inside else "pending"
        elif inside is not None:
            body[fields[name]] = inside
    return finished(body)


def _values(raw: bytes, problems: list[FormatProblem]) -> tuple[list[_Row], Any]:
    """The rows of the file, and the value that it is: the list of its lines if it is no JSON as a whole."""
    try:
        parsed = codec.parse(raw, max_depth=_DEEP + 8)
    except FaultError as error:
        if b"\n" not in raw.strip() or not error.fault.malformed:
            at = f" (at {error.fault.pointer})" if error.fault.pointer else ""
            problems.append(FormatProblem(f"{error.fault.detail}{at}"))
            return [], None
    else:
        rows = parsed if isinstance(parsed, list) else [parsed]
        return [(None, entry, value) for entry, value in enumerate(rows, 1)], parsed
    values: list[_Row] = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            try:
                values.append((number, None, codec.parse(line, max_depth=_DEEP + 8)))
            except FaultError as error:
                problems.append(FormatProblem(error.fault.detail, number))
    return values, [value for _, _, value in values]


# --- ids -----------------------------------------------------------------------------------------------------


def _named(value: Body, names: Names, context: Context) -> Body:
    mark, identity = value.get(OWN_ID), value.get("id")
    if mark is not None and isinstance(identity, str) and is_document_id(identity):
        if mark == identity:
            return {name: field for name, field in value.items() if name != OWN_ID}
        if isinstance(mark, list) and len(mark) == 2 and mark[0] == identity:
            return {**value, OWN_ID: mark[1]}
    if identity is None:
        return {**value, "id": names.of(codec.canonical(value).decode())}
    if isinstance(identity, str):
        given = names.of_id(identity, value)
    else:
        original = codec.canonical({"id": identity}).decode()
        before = Names("json", context).of("original", original)
        given = names.of_id(original, value, before=before)
    return value if given == identity else {**value, "id": given, "original_id": identity}
