"""CSV: a line of names, then a task a line. Pure.

A column `name` has texts, an empty cell is no field. A column `name:=` has JSON, as in `hypertask add name:=3`. The
column `tags` has words. Separated by comma, semicolon or tab, as the first line is. A line without an `id` gets one
that comes from all its cells.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from client.formats.faults import ExportError, Problem
from client.formats.naming import Names
from shared import wire
from shared.core.documents import Body, DocumentId, is_document_id
from shared.core.protocol import Limits
from shared.core.strict import FaultError

_JSON: Final = ":="
_FIRST: Final = ("id", "description", "status", "project", "tags", "priority", "due", "entry", "end", "modified")


def documents_of(raw: bytes) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ExportError(Problem("it is not UTF-8; save it as CSV UTF-8", line)) from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names, problems = Names("csv"), list[Problem]()
    documents: dict[DocumentId, Body] = {}
    try:
        header = _header(next(rows, []))
        for cells in rows:
            if not any(cells):
                continue
            try:
                body = _body(header, cells, names)
            except _RowError as error:
                problems.append(Problem(str(error), rows.line_num))
                continue
            if documents.setdefault(DocumentId(body["id"]), body) != body:
                problems.append(
                    Problem(f"task {body['id']} is there twice, and they are not the same", rows.line_num)
                )
    except csv.Error as error:
        problems.append(Problem(f"{error}; is a quotation mark missing?", rows.line_num))
    if problems:
        raise ExportError(*problems)
    return documents


def text_of(bodies: Iterable[Body]) -> tuple[bytes, list[str]]:
    """With a comma. Nothing is left out."""
    rows = list(bodies)
    known = {name: None for body in rows for name in body}
    names = [name for name in _FIRST if name in known] + sorted(known.keys() - set(_FIRST))
    columns = [(name, _plain(name, [body[name] for body in rows if name in body])) for name in names]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([name if plain else name + _JSON for name, plain in columns])
    for body in rows:
        writer.writerow([_cell(body[name], plain) if name in body else "" for name, plain in columns])
    return out.getvalue().encode(), []


def _header(cells: Sequence[str]) -> list[str]:
    if not any(cells):
        raise ExportError(Problem("its first line has to name the fields, such as: description,tags,due", 1))
    twice = sorted({cell for cell in cells if cell and cells.count(cell) > 1})
    if twice:
        raise ExportError(Problem(f"its first line names {', '.join(twice)} twice", 1))
    return list(cells)


class _RowError(ValueError):
    """A line that is no task."""


def _body(header: Sequence[str], cells: Sequence[str], names: Names) -> Body:
    """Raises _RowError."""
    if len(cells) > len(header) and any(cells[len(header) :]):
        raise _RowError(f"it has {len(cells)} cells, the first line {len(header)}")
    body: Body = {}
    for name, cell in zip(header, cells, strict=False):
        if cell and name:
            try:
                body[name.removesuffix(_JSON)] = _value(name, cell)
            except FaultError as error:
                raise _RowError(f"the cell of {name} is no JSON: {error.fault.detail}") from None
    identity = body.get("id")
    if identity is None:
        body["id"] = names.of(*(part for pair in sorted(zip(header, cells, strict=False)) for part in pair))
    elif not isinstance(identity, str) or not is_document_id(identity):
        raise _RowError(f"{identity!r} is no id: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -")
    return body


def _value(name: str, cell: str) -> Any:
    if name.endswith(_JSON):
        return wire.parse(cell.encode(), max_depth=Limits().max_depth - 1)
    return list(dict.fromkeys(cell.replace(",", " ").split())) if name == "tags" else cell


def _plain(name: str, values: list[Any]) -> bool:
    """Whether a column of texts says all of it."""
    if not name or name.endswith(_JSON):
        return False
    if name == "tags":
        return all(
            isinstance(value, list) and value and _value(name, _cell(value, True)) == value for value in values
        )
    return all(isinstance(value, str) and value for value in values)


def _cell(value: Any, plain: bool) -> str:
    if not plain:
        return wire.dumps(value).decode()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
