"""CSV: a line of names, then a task a line. Pure.

A column `name` has texts, an empty cell is no field. A column `name:=` has JSON, as in `hypertask add name:=3`. The
column `tags` has words. Separated by comma, semicolon or tab, as the first line is or as Excel's `sep=;` says.

A row that we wrote is read as it is. In any other the columns are those of another program: Task, Content, Due Date
and their like are the fields that they are named for, `--map` names the rest, days and times may be written in
several ways. Todoist's and TickTick's tables have readers of their own (client.formats.tables).

A line without an `id` gets one that comes from all its cells. An `id` that other programs may give too counts within
the file alone; in a table that we wrote such ids stand in a column `id:=`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from client.formats import tables
from client.formats.context import Context, Reading
from client.formats.faults import ExportError, FormatProblem
from client.formats.fields import NoDateError, field_of, finished, put
from client.formats.naming import Names, is_unique
from client.formats.text import decoded
from shared import codec
from shared.core.identifiers import Body, DocumentId, is_document_id
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits

_JSON: Final = ":="
_FIRST: Final = ("id", "description", "status", "project", "tags", "priority", "due", "entry", "end", "modified")
_LONGEST_CELL: Final = 16 * 1024 * 1024


def documents_of(raw: bytes, context: Context | None = None) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    return read(raw, context or Context()).documents


def read(raw: bytes, context: Context) -> Reading:
    """Raises ExportError."""
    text, skipped = _without_excel_s_line(decoded(raw))
    if not text.strip():
        return Reading({})
    csv.field_size_limit(_LONGEST_CELL)
    names, problems, notes = Names("csv", context), list[FormatProblem](), list[FormatProblem]()
    documents: dict[DocumentId, Body] = {}
    text, preamble = tables.without_preamble(text)
    for line, body in _bodies(_table(text, skipped + preamble), context, names, problems, notes):
        if not equal(documents.setdefault(DocumentId(body["id"]), body), body):
            problems.append(FormatProblem(f"task {body['id']} is there twice, and they are not the same", line))
    if problems:
        raise ExportError(*problems)
    return Reading(documents, tuple(notes), names.numbered)


def text_of(bodies: Iterable[Body], context: Context | None = None) -> tuple[bytes, list[str]]:
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


def _without_excel_s_line(text: str) -> tuple[str, int]:
    first, _, rest = text.partition("\n")
    lowered = first.strip().strip('"').lower()
    if len(lowered) == 5 and lowered.startswith("sep="):
        return rest, 1
    return text, 0


@dataclass(frozen=True, slots=True)
class _Table:
    """`header` of the table, and its rows with the lines that they end in."""

    header: list[str]
    rows: list[tuple[int, list[str]]]


def _table(text: str, skipped: int) -> _Table:
    """Raises ExportError."""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = _header(next(rows, []), skipped + 1)
        return _Table(header, [(rows.line_num + skipped, cells) for cells in rows if any(cells)])
    except csv.Error as error:
        detail = f"{error}; is a quotation mark missing?"
        raise ExportError(FormatProblem(detail, rows.line_num + skipped)) from None


def _bodies(
    table: _Table, context: Context, names: Names, problems: list[FormatProblem], notes: list[FormatProblem]
) -> Iterator[tuple[int, Body]]:
    """The tasks and the lines that they end in."""
    header, reader = table.header, tables.reader_for(table.header)
    if reader is not None:
        cells_of = {line: dict(zip(header, cells, strict=False)) for line, cells in table.rows}
        for line, body in reader(cells_of.items(), notes.append):
            cells = [cells_of[line].get(name, "") for name in header]
            yield line, _named(body, header, cells, names, is_ours=False)
        return
    for line, cells in table.rows:
        is_ours = not context.columns and _is_ours(header, cells)
        try:
            if len(cells) > len(header) and any(cells[len(header) :]):
                raise _RowError(f"it has {len(cells)} cells, the first line {len(header)}")
            body = _body(header, cells) if is_ours else _foreign_body(header, cells, line, context, notes)
            yield line, _named(body, header, cells, names, is_ours=is_ours)
        except _RowError as error:
            problems.append(FormatProblem(str(error), line))


def _header(cells: Sequence[str], line: int) -> list[str]:
    if not any(cells):
        raise ExportError(FormatProblem("its first line has to name the fields, such as: description,tags,due", line))
    twice = sorted({cell for cell in cells if cell and cells.count(cell) > 1})
    if twice:
        raise ExportError(FormatProblem(f"its first line names {', '.join(twice)} twice", line))
    return list(cells)


def _is_ours(header: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether we wrote the row: it has an id that we give, or there is a column of JSON."""
    place = header.index("id") if "id" in header else len(cells)
    return any(name.endswith(_JSON) for name in header) or (place < len(cells) and is_unique(cells[place]))


class _RowError(ValueError):
    """A line that is no task."""


def _body(header: Sequence[str], cells: Sequence[str]) -> Body:
    """Raises _RowError."""
    body: Body = {}
    for name, cell in zip(header, cells, strict=False):
        if cell and name:
            try:
                body[name.removesuffix(_JSON)] = _value(name, cell)
            except FaultError as error:
                raise _RowError(f"the cell of {name} is not JSON: {error.fault.detail}") from None
    return body


def _foreign_body(
    header: Sequence[str], cells: Sequence[str], line: int, context: Context, notes: list[FormatProblem]
) -> Body:
    body: Body = {}
    for column, cell in zip(map(str.strip, header), cells, strict=False):
        if not column or not cell.strip():
            continue
        field = context.columns.get(column) or field_of(column)
        try:
            put(body, field, cell)
        except NoDateError as error:
            body[f"{field}_text"] = cell.strip()
            notes.append(FormatProblem(f"{column}: {error}; it is kept as {field}_text", line))
    return finished(body)


def _named(body: Body, header: Sequence[str], cells: Sequence[str], names: Names, *, is_ours: bool) -> Body:
    """With its id. Raises _RowError."""
    identity = body.get("id")
    if identity is None:
        return {**body, "id": names.of(*(part for pair in sorted(zip(header, cells, strict=False)) for part in pair))}
    if names.keeps_ids or (is_ours and "id" + _JSON in header):
        if not isinstance(identity, str) or not is_document_id(identity):
            raise _RowError(f"{identity!r} is not an id: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -")
        return body
    given = names.of_id(str(identity), body)
    return {**body, "id": given} if given == identity else {**body, "id": given, "original_id": identity}


def _value(name: str, cell: str) -> Any:
    if name.endswith(_JSON):
        return codec.parse(cell.encode(), max_depth=Limits().max_depth - 1)
    return list(dict.fromkeys(cell.replace(",", " ").split())) if name == "tags" else cell


def _plain(name: str, values: list[Any]) -> bool:
    """Whether a column of texts says all of it."""
    if not name or name.endswith(_JSON) or name != name.strip():
        return False
    if name == "id":
        return all(is_unique(value) for value in values)
    if name == "tags":
        return all(
            isinstance(value, list) and value and _value(name, _cell(value, True)) == value for value in values
        )
    return all(isinstance(value, str) and value for value in values)


def _cell(value: Any, plain: bool) -> str:
    if not plain:
        return codec.dumps(value).decode()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
