"""The wire forms of `/tasks`: many documents in one request or answer.

Laws (tests/unit/api/test_batches.py):
    what is accepted is what `POST /task/{id}` accepts, document by document
    a document that is refused changes nothing for the others
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from api.representations import submissions
from shared import codec
from shared.core.documents import DOCUMENT_ID_RULE, DocumentId, is_document_id
from shared.core.json import strict
from shared.core.json.canonical import JsonValue
from shared.core.json.pointers import escape
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits
from shared.core.resolution.batch import Answer
from shared.core.resolution.revs import CREATED
from shared.ports import Current
from shared.representations import stored_version

_FORM = 'The body must be {"tasks": {"<id>": {"client_state": null | {...}}, ...}}.'

_NOTHING: Final = {"server_state": None, "rev": CREATED, "hash": None}
"""What is said of a document that never was."""

Posted = submissions.PostTask | Fault
"""What was posted of one document, or what is wrong with it."""


def parse_post_tasks(raw: bytes, limits: Limits, plain: codec.Plain | None = None) -> dict[str, Posted]:
    """`{"tasks": {id: {"client_state", "base"?, "base_state"?}}}`, each by itself. `plain`: of the text, if that is
    known.

    Raises FaultError for a text that has another form, or holds more than may come together.
    """
    tasks = _tasks_in(plain or codec.plain_of(raw))
    if tasks is None:
        members = strict.parse_each(raw, "tasks", max_depth=limits.max_depth + 1)
        if members is None:
            raise FaultError(Fault("malformed request", _FORM))
        tasks = dict(members)
    if len(tasks) > limits.max_batch_documents:
        detail = f"One request may carry {limits.max_batch_documents} documents; this one has {len(tasks)}."
        raise FaultError(Fault("too large", detail, "/tasks"))
    return {key: _posted(key, item, limits) for key, item in tasks.items()}


def parse_post_tasks_apart(raw: bytes, limits: Limits) -> dict[str, Posted]:
    """The same, with states as text. Of a large request one document after another is made a value and forgotten, so
    that it takes no more memory than its text and one document."""
    together = _tasks_in(codec.plain_of(raw)) if len(raw) <= _TOGETHER_BYTES else None
    if together is not None and len(together) <= limits.max_batch_documents:
        return {key: _as_text(_posted(key, item, limits)) for key, item in together.items()}
    members = _members(raw, "tasks")
    if members is None:
        # Not of this form, which is told exactly if that is no great matter.
        if codec.marks_in(raw) > _MAX_MARKS:
            raise FaultError(Fault("malformed request", _FORM))
        return {key: _as_text(posted) for key, posted in parse_post_tasks(raw, limits).items()}
    tasks: dict[str, Posted] = {}
    for key, text in members:
        if len(tasks) >= limits.max_batch_documents and key not in tasks:
            detail = f"One request may carry {limits.max_batch_documents} documents; this one has more."
            raise FaultError(Fault("too large", detail, "/tasks"))
        pointer = f"/tasks/{escape(key)}"
        if key in tasks:
            tasks[key] = Fault("duplicate key", f"The key {orjson.dumps(key[:40]).decode()} occurs twice.", pointer)
            continue
        try:
            value: JsonValue | Fault = codec.parse(text.encode(), max_depth=limits.max_depth + 1)
        except FaultError as error:
            value = error.fault._replace(pointer=pointer + (error.fault.pointer or ""))
        tasks[key] = _as_text(_posted(key, value, limits))
    return tasks


_TOGETHER_BYTES: Final = 512 * 1024
"""A text that is read at once if nothing is wrong with it: as values it takes ten times as much."""
_MAX_MARKS: Final = 2 * 1024 * 1024
_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_SKIPPING: Final = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
"""Finds where a value ends; a number takes no longer than its length."""


def _members(raw: bytes, name: str) -> list[tuple[str, str]] | None:
    """The members of the object that stands under `name` in the text, and nothing else does: their keys, and the
    texts of their values. None if it has another form or is not JSON; the values are not looked at closely."""
    try:
        text = raw.decode("utf-8")
        place = _after(text, 0, "{")
        key, place = _SKIPPING.raw_decode(text, _after(text, place, '"') - 1)
        place = _after(text, _after(text, place, ":"), "{")
        if key != name:
            return None
        members: list[tuple[str, str]] = []
        mark = ","
        while mark == ",":
            if not members and text.startswith("}", _blank(text, place)):
                mark, place = "}", _after(text, place, "}")
                break
            key, place = _SKIPPING.raw_decode(text, _after(text, place, '"') - 1)
            begin = _blank(text, _after(text, place, ":"))
            end = _SKIPPING.raw_decode(text, begin)[1]
            members.append((key, text[begin:end]))
            place = _blank(text, end)
            mark, place = text[place : place + 1], place + 1
        key.encode()
        if mark != "}" or _blank(text, _after(text, place, "}")) != len(text):
            return None
        "".join(key for key, _ in members).encode()  # a lone surrogate
    except (ValueError, RecursionError):
        return None
    return members


def _blank(text: str, place: int) -> int:
    """Behind white space."""
    match = _SPACE.match(text, place)
    return place if match is None else match.end()


def _after(text: str, place: int, mark: str) -> int:
    """Behind `mark`, which comes next. Raises ValueError if it does not."""
    place = _blank(text, place)
    if not text.startswith(mark, place):
        raise ValueError(mark)
    return place + 1


def _as_text(posted: Posted) -> Posted:
    if isinstance(posted, Fault):
        return posted
    return submissions.as_text(posted)


def _tasks_in(plain: codec.Plain | None) -> dict[str, JsonValue | Fault] | None:
    """The tasks, if it is certain that they are in the profile but for their depth."""
    request = None if plain is None else plain.value
    if not isinstance(request, dict) or list(request) != ["tasks"] or not isinstance(request["tasks"], dict):
        return None
    return cast("dict[str, JsonValue | Fault]", request["tasks"])


def _posted(key: str, item: JsonValue | Fault, limits: Limits) -> Posted:
    if isinstance(item, Fault):
        return item
    pointer = f"/tasks/{escape(key)}"
    if not is_document_id(key):
        return Fault("no document id", f"This is no document's id: {DOCUMENT_ID_RULE}.", pointer)
    try:
        codec.check_depth(item, limits.max_depth + 1, pointer)
        return submissions.post_task_of(item, DocumentId(key), limits, pointer)
    except FaultError as error:
        return error.fault


def answers_body(answers: Mapping[str, Answer | dict[str, Any]]) -> list[bytes]:
    """`{"tasks": {id: {"server_state"?, "rev", "hash", "outcome", "rule", "conflicts"?} | {"error": {...}}}}`, in
    parts; `server_state` is left out when it equals what was sent, `conflicts` when there are none."""
    rows = [codec.dumps({key: _answer_row(answer)})[1:-1] for key, answer in answers.items()]
    return _object(rows, b"}")


_JOINED_BYTES: Final = 64 * 1024
"""Of rows that are one part: hundreds of parts take longer than their text."""


def _object(rows: Sequence[bytes], end: bytes) -> list[bytes]:
    """`{"tasks": {...}`, with the rows as members, and `end`."""
    if sum(map(len, rows)) <= _JOINED_BYTES:
        return [b'{"tasks":{' + b",".join(rows) + b"}" + end]
    parts = [b'{"tasks":{']
    for row in rows:
        parts += (row, b",")
    return [*parts[: len(parts) - bool(rows)], b"}" + end]


def _answer_row(answer: Answer | dict[str, Any]) -> dict[str, Any]:
    if isinstance(answer, dict):
        return {"error": answer}
    row: dict[str, Any] = {
        "rev": answer.rev,
        "hash": answer.hash,
        "outcome": answer.outcome,
        "rule": answer.rule,
    }
    if not answer.same:
        row["server_state"] = answer.body
    if answer.conflicts:
        row["conflicts"] = answer.conflicts
    return row | stored_version(answer.version)


def page_body(rows: Sequence[bytes], *, cursor: str, after: str | None) -> list[bytes]:
    """`{"tasks": {id: {"server_state", "rev", "hash"}}, "cursor", "after"}`, in parts, of what `page_rows` makes."""
    return _object(rows, _page_end(cursor, after))


def page_rows(currents: Sequence[Current]) -> bytes:
    """Documents as members of `tasks`, with commas between. One text of all of them takes half of what one for each
    takes."""
    return codec.dumps(_rows(currents))[1:-1]


def with_tasks(text: bytes, rows: Sequence[bytes]) -> bytes:
    """An object's text with `tasks` as its last member, of what `page_rows` makes; as it is without any."""
    return b"".join((text[:-1], b',"tasks":{', b",".join(rows), b"}}")) if rows else text


def _page_end(cursor: str, after: str | None) -> bytes:
    return b',"cursor":%s,"after":%s}' % (orjson.dumps(cursor), orjson.dumps(after))


def asked_body(
    rows: Iterable[Mapping[DocumentId, bytes]], asked: Iterable[str], *, cursor: str, after: str | None
) -> list[bytes]:
    """The same of what `asked_rows` makes, for documents that were asked for, up to `after`: null, and rev "0", for
    one that never was."""
    known = {key: row for some in rows for key, row in some.items()}
    nothing = codec.dumps(_NOTHING)
    answered = [DocumentId(key) for key in asked if after is None or key <= after]
    # No character of an id is one that JSON escapes.
    every = [b'"%s":%s' % (key.encode(), known.get(key, nothing)) for key in answered]
    return _object(every, _page_end(cursor, after))


def asked_rows(currents: Sequence[Current]) -> dict[DocumentId, bytes]:
    return {document: codec.dumps(row) for document, row in _rows(currents).items()}


def _rows(currents: Iterable[Current]) -> dict[DocumentId, dict[str, Any]]:
    rows: dict[DocumentId, dict[str, Any]] = {}
    for document, rev, hash_, body, version in currents:
        row = rows[document] = {"server_state": body, "rev": rev, "hash": None if body is None else hash_}
        if version is not None:
            row["version"] = version
    return rows
