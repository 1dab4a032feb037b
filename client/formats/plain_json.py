"""JSON: an array of tasks, an object with the array in `tasks`, or one task a line (NDJSON). Pure.

A task without an `id` gets one that comes from its content, so a second import finds it again; one whose `id` is
none that a document can have gets one that comes from it, and keeps it as `original_id`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from client.formats.faults import ExportError, Problem
from client.formats.naming import Names
from shared import wire
from shared.core.documents import Body, DocumentId, is_document_id
from shared.core.protocol import Limits
from shared.core.strict import FaultError

_DEEP: Final = Limits().max_depth
_MARK: Final = b"\xef\xbb\xbf"


def documents_of(raw: bytes) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    names, problems = Names("json"), list[Problem]()
    documents: dict[DocumentId, Body] = {}
    for line, entry, value in _values(raw.removeprefix(_MARK), problems):
        if not isinstance(value, dict):
            problems.append(Problem("a task is a JSON object", line, entry))
            continue
        body = _named(value, names)
        document = DocumentId(body["id"])
        if documents.setdefault(document, body) != body:
            problems.append(Problem(f"task {document} is there twice, and they are not the same", line, entry))
    if problems:
        raise ExportError(*problems)
    return documents


def text_of(bodies: Iterable[Body]) -> tuple[bytes, list[str]]:
    """An array, a task a line."""
    lines = b",\n".join(wire.dumps(body) for body in bodies)
    return b"[\n" + lines + b"\n]\n" if lines else b"[]\n", []


def lines_of(bodies: Iterable[Body]) -> tuple[bytes, list[str]]:
    """NDJSON."""
    return b"".join(wire.dumps(body) + b"\n" for body in bodies), []


def _values(raw: bytes, problems: list[Problem]) -> Iterable[tuple[int | None, int | None, Any]]:
    if not raw.strip():
        problems.append(Problem("there is nothing in it"))
        return
    try:
        whole = wire.parse(raw, max_depth=_DEEP + 2)
    except FaultError as error:
        if b"\n" not in raw.strip() or not error.fault.malformed:
            at = f" (at {error.fault.pointer})" if error.fault.pointer else ""
            problems.append(Problem(f"{error.fault.detail}{at}"))
            return
    else:
        if isinstance(whole, dict) and isinstance(whole.get("tasks"), list):
            whole = whole["tasks"]
        rows = whole if isinstance(whole, list) else [whole]
        yield from ((None, entry, value) for entry, value in enumerate(rows, 1))
        return
    for number, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            try:
                yield number, None, wire.parse(line, max_depth=_DEEP)
            except FaultError as error:
                problems.append(Problem(error.fault.detail, number))


def _named(value: Body, names: Names) -> Body:
    identity = value.get("id")
    if isinstance(identity, str) and is_document_id(identity):
        return value
    if identity is None:
        return {**value, "id": names.of(wire.canonical(value).decode())}
    original = wire.canonical({"id": identity}).decode()
    return {**value, "id": names.of("original", original), "original_id": identity}
