"""todo.txt: a task a line. Pure.

    x 2026-01-02 2026-01-01 (A) call Ann @phone +home due:2026-01-05 id:pb67wndxge8293xd

    x                  status completed; the first day behind it is `end`, the next one `entry`
    (A), pri:A         priority
    @phone             a tag
    +home              project; further ones are `projects`
    key:value          a field of that name; a day is a moment where the field is one
    what is left       description

Without an `id:` the id comes from the text, projects, tags and the day it was written: to finish a task, to give it a
priority or to put it off leaves it the same task. What was read is written back with its `id:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from client.filters import tags_of
from client.formats.faults import ExportError, Problem
from client.formats.naming import Names
from client.moments import FIELDS
from shared.core.canonical import equal
from shared.core.documents import Body, DocumentId, is_document_id

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_PRIORITY: Final = re.compile(r"\(([A-Z])\)\Z")
_FIELD: Final = re.compile(r"([a-z_][\w-]*):([^\s:/][^\s]*)\Z", re.ASCII)
_MIDNIGHT: Final = "T00:00:00Z"
_OTHERWISE: Final = frozenset(
    {"id", "description", "status", "tags", "project", "projects", "priority", "entry", "end"}
)
"""Fields that have a place of their own in a line, so no `key:value` is one of them but `id`."""


def documents_of(raw: bytes) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    names, problems = Names("todo.txt"), list[Problem]()
    documents: dict[DocumentId, Body] = {}
    try:
        lines = raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ExportError(Problem("it is not UTF-8", raw.count(b"\n", 0, error.start) + 1)) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        body = _body(line, names)
        if documents.setdefault(DocumentId(body["id"]), body) != body:
            problems.append(Problem(f"task {body['id']} is there twice, and they are not the same", number))
    if problems:
        raise ExportError(*problems)
    return documents


def text_of(bodies: Iterable[Body]) -> tuple[bytes, list[str]]:
    """What a line cannot say is found by reading it again."""
    left_out: set[str] = set()
    lines = []
    for body in bodies:
        lines.append(line := _line(body))
        again = _body(line, Names("todo.txt"))
        left_out |= {name for name in body if name not in again or not equal(again[name], body[name])}
    return "".join(f"{line}\n" for line in lines).encode(), sorted(left_out)


def _body(line: str, names: Names) -> Body:
    words = line.split()
    body: Body = {"status": "pending"}
    if words[0] == "x" and len(words) > 1:
        body["status"] = "completed"
        words.pop(0)
    days = []
    while words and (_DAY.match(words[0]) or ("priority" not in body and _PRIORITY.match(words[0]))):
        word = words.pop(0)
        if match := _PRIORITY.match(word):
            body["priority"] = match[1]
        else:
            days.append(word + _MIDNIGHT)
    if body["status"] == "completed" and days:
        body["end"] = days.pop(0)
    if days:
        body["entry"] = days[0]
    text: list[str] = []
    projects: list[str] = []
    tags: list[str] = []
    for word in words:
        if word[0] == "+" and len(word) > 1:
            projects.append(word[1:])
        elif word[0] == "@" and len(word) > 1:
            tags.append(word[1:])
        elif (match := _FIELD.match(word)) and _is_field(match[1], match[2], body):
            name, value = match.groups()
            name = "priority" if name == "pri" else name
            body[name] = value + _MIDNIGHT if name in FIELDS and _DAY.match(value) else value
        else:
            text.append(word)
    body["description"] = " ".join(text)
    if projects:
        body["project"] = projects[0]
    if further := list(dict.fromkeys(projects[1:])):
        body["projects"] = further
    if tags:
        body["tags"] = list(dict.fromkeys(tags))
    if "id" not in body:
        body["id"] = names.of(body["description"], body.get("entry", ""), *map("+{}".format, projects), *sorted(tags))
    return body


def _is_field(name: str, value: str, body: Body) -> bool:
    if name == "id":
        return "id" not in body and is_document_id(value)
    return name not in body and name not in _OTHERWISE


def _line(body: Body) -> str:
    words: list[str] = []
    completed = body.get("status") == "completed"
    if completed:
        words.append("x")
    priority = body.get("priority")
    if not (isinstance(priority, str) and _PRIORITY.match(f"({priority})")):
        priority = None
    elif not completed:
        words.append(f"({priority})")
    days = [name for name in (("end", "entry") if completed else ("entry",)) if _is_day(body.get(name))]
    if not completed or "end" in days:  # of a finished task the first day is the end
        words += [body[name].removesuffix(_MIDNIGHT) for name in days]
    words += str(body.get("description", "")).split()
    words += [f"@{tag}" for tag in tags_of(body) if _is_word(tag)]
    further = body.get("projects")
    projects = [body.get("project"), *(further if isinstance(further, list) else [])]
    words += [f"+{project}" for project in projects if _is_word(project)]
    if completed and priority:
        words.append(f"pri:{priority}")
    for name, value in body.items():
        if isinstance(value, str) and name not in _OTHERWISE:
            shown = value.removesuffix(_MIDNIGHT) if name in FIELDS and _is_day(value) else value
            if _FIELD.match(f"{name}:{shown}") and _is_word(shown):
                words.append(f"{name}:{shown}")
    return " ".join([*words, f"id:{body['id']}"])


def _is_day(value: Any) -> bool:
    return (
        isinstance(value, str) and value.endswith(_MIDNIGHT) and _DAY.match(value.removesuffix(_MIDNIGHT)) is not None
    )


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.split() == [value]
