"""The tables of Todoist and TickTick. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from client.formats.faults import FormatProblem
from client.formats.fields import NoDateError, date_of, finished
from client.tasks.moments import point_of
from client.tasks.periods import NoPeriodError, repetition
from client.tasks.recurrence import zone_named
from shared.core.identifiers import Body

TableRow = tuple[int, Mapping[str, str]]
"""The line that it ends in, and its cells by the names of their columns."""
Note = Callable[[FormatProblem], None]
TableReader = Callable[[Iterable[TableRow], Note], list[tuple[int, Body]]]

_TODOIST: Final = frozenset({"TYPE", "CONTENT", "PRIORITY", "INDENT"})
_TICKTICK: Final = frozenset({"List Name", "Title", "Kind", "Is Check list"})
_LINES_BEFORE: Final = 20


def without_preamble(text: str) -> tuple[str, int]:
    """The table, and how many lines were before it: TickTick explains its numbers there."""
    place = 0
    for number in range(_LINES_BEFORE):
        if text.startswith(('"Folder Name"', "Folder Name,"), place):
            return text[place:], number
        end = text.find("\n", place)
        if end < 0:
            break
        place = end + 1
    return text, 0


def reader_for(header: Sequence[str]) -> TableReader | None:
    """The reader of a table whose columns are known."""
    if set(header) >= _TODOIST:
        return _todoist
    return _ticktick if set(header) >= _TICKTICK else None


def _todoist(rows: Iterable[TableRow], note: Note) -> list[tuple[int, Body]]:
    tasks: list[tuple[int, Body]] = []
    section, above = "", dict[int, str]()
    for line, cells in rows:
        content, kind = cells.get("CONTENT", "").strip(), cells.get("TYPE", "").strip().lower()
        if kind == "section":
            section, above = content, {}
        elif kind == "note" and tasks:
            body = tasks[-1][1]
            body["notes"] = "\n".join(filter(None, [body.get("notes"), content]))
        elif kind == "task" and content:
            body = {"description": content, "status": "pending"}
            indent = int(cells["INDENT"]) if cells.get("INDENT", "").isdecimal() else 1
            above[indent] = content
            optional: Body = {
                "notes": cells.get("DESCRIPTION", "").strip(),
                "project": section,
                "tags": [word[1:] for word in content.split() if word[0] == "@" and len(word) > 1],
                "priority": {"1": "H", "2": "M", "3": "L"}.get(cells.get("PRIORITY", "").strip(), ""),
                "part_of": above.get(indent - 1, ""),
            }
            body |= {name: value for name, value in optional.items() if value}
            _put_date(body, "due", cells.get("DATE", ""), line, note)
            _put_date(body, "until", cells.get("DEADLINE", ""), line, note)
            tasks.append((line, body))
    return tasks


def _put_date(body: Body, field: str, text: str, line: int, note: Note) -> None:
    if not text.strip():
        return
    try:
        body[field] = date_of(text)
    except NoDateError as error:
        body[f"{field}_text"] = text.strip()
        note(FormatProblem(f"{error}; it is kept as {field}_text", line))


_PRIORITIES: Final = {"1": "L", "3": "M", "5": "H"}


def _ticktick(rows: Iterable[TableRow], note: Note) -> list[tuple[int, Body]]:
    tasks: list[tuple[int, Body]] = []
    for line, cells in rows:
        title = cells.get("Title", "").strip()
        if not title and not cells.get("Content", "").strip():
            continue
        body: Body = {"description": title}
        all_day, zone = cells.get("Is All Day", "").lower() == "true", cells.get("Timezone")
        optional: dict[str, Any] = {
            "id": cells.get("taskId", "").strip(),
            "notes": cells.get("Content", "").strip(),
            "project": cells.get("List Name", "").strip(),
            "folder": cells.get("Folder Name", "").strip(),
            "tags": [tag.strip() for tag in cells.get("Tags", "").split(",") if tag.strip()],
            "priority": _PRIORITIES.get(cells.get("Priority", "").strip(), ""),
            "part_of": cells.get("parentId", "").strip(),
        }
        body |= {name: value for name, value in optional.items() if value}
        for column, field in (("Start Date", "scheduled"), ("Due Date", "due")):
            _put_date(body, field, _in_zone(cells.get(column, ""), zone, all_day=all_day), line, note)
        for column, field in (("Created Time", "entry"), ("Completed Time", "end")):
            _put_date(body, field, cells.get(column, ""), line, note)
        body["status"] = "completed" if cells.get("Status", "0").strip() in ("1", "2") else "pending"
        _put_rule(body, cells.get("Repeat", "").strip(), line, note)
        tasks.append((line, finished(body)))
    return tasks


def _in_zone(text: str, zone_name: str | None, *, all_day: bool) -> str:
    """A whole day is written as the moment when it begins in the zone."""
    at, zone = point_of(text.strip()), zone_named(zone_name)
    if not all_day or not isinstance(at, datetime) or at.tzinfo is None:
        return text
    return (at.astimezone(zone) if zone is not None else at).date().isoformat()


def _put_rule(body: Body, rule: str, line: int, note: Note) -> None:
    if not rule:
        return
    rule = rule.removeprefix("RRULE:")
    try:
        repetition(rule)
        body["recur"] = rule
        if body["status"] == "pending" and ("due" in body or "scheduled" in body):
            body["status"] = "recurring"
    except NoPeriodError as error:
        body["repeat_text"] = rule
        note(FormatProblem(f"{error}; it is kept as repeat_text", line))
