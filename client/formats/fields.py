"""What other programs call their columns and keys, and how they write days, priorities and states. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from client.tasks.moments import FIELDS, point_of, text_of_point
from shared.core.identifiers import Body

_NAMES: Final = {
    "description": ("description", "task", "tasks", "title", "content", "subject", "summary", "name", "todo", "text",
                    "task name", "what", "item", "card name"),
    "notes": ("notes", "note", "body", "details", "comment", "comments", "desc", "card description"),
    "due": ("due", "due date", "duedate", "date", "deadline", "due on", "due at", "date due"),
    "scheduled": ("scheduled", "start date", "startdate", "begin", "defer date"),
    "end": ("end", "completed", "completed at", "date completed", "completed time", "completion date",
            "completed on", "completed date"),
    "entry": ("entry", "created", "created at", "created time", "creation date", "date created", "added",
              "created on"),
    "modified": ("modified", "updated", "last modified", "updated at", "modified at"),
    "status": ("status", "state", "done", "complete", "is completed", "checked"),
    "priority": ("priority", "importance", "prio"),
    "project": ("project", "list", "list name", "folder", "category", "section", "project name", "section/column"),
    "tags": ("tags", "tag", "labels", "label", "categories", "contexts", "context"),
    "id": ("id", "card id", "task id"),
}  # fmt: skip
FIELD_OF: Final = {name: field for field, names in _NAMES.items() for name in names}
"""The field of a column, by its name in small letters."""
_DONE: Final = frozenset({"completed", "complete", "done", "finished", "closed", "true", "yes", "x", "1", "checked"})
_DELETED: Final = frozenset({"deleted", "cancelled", "canceled", "abandoned", "won't do"})
_OPEN: Final = frozenset(
    {"pending", "open", "todo", "to do", "not started", "notstarted", "needsaction", "needs-action", "false", "no",
     "0", "in progress", "inprogress", "active", "incomplete"}
)  # fmt: skip
_PRIORITIES: Final = {"high": "H", "urgent": "H", "medium": "M", "normal": None, "none": None, "low": "L"}
_FORMS: Final = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?:[T ](?P<t>.+))?\Z", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?:,? (?P<t>.+))?\Z", re.ASCII),
    re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4})(?:,? (?P<t>.+))?\Z", re.ASCII),
)
_TIME: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?: ?([AaPp])\.?[Mm]\.?)?\Z", re.ASCII)


class NoDateError(ValueError):
    """The message says what is wrong with a date."""


def field_of(column: str) -> str:
    """The field that a column is for: one that is known, else its own name."""
    return FIELD_OF.get(" ".join(column.replace("_", " ").split()).casefold(), column)


def date_of(text: str) -> str:
    """A day or a moment as it stands in a task. Raises NoDateError for what may be two days, and for what is none."""
    text = text.strip()
    if (known := point_of(text)) is not None:
        return text_of_point(known)
    for form in _FORMS:
        if match := form.match(text):
            parts = match.groupdict()
            if "a" in parts:
                parts |= _month_and_day(int(parts["a"]), int(parts["b"]), text)
            try:
                day = date(int(parts["y"]), int(parts["m"]), int(parts["d"]))
                return text_of_point(_at(day, parts["t"]) if parts["t"] else day)
            except ValueError:
                break
    raise NoDateError(f"{text!r} is not a date. Examples: 2030-01-02, 2030-01-02 18:00")


def _month_and_day(first: int, second: int, text: str) -> dict[str, str]:
    if first <= 12 and second <= 12 and first != second:
        raise NoDateError(f"{text!r} may be two days; write it as 2030-01-02")
    month, day = (second, first) if first > 12 else (first, second)
    return {"m": str(month), "d": str(day)}


def _at(day: date, text: str) -> datetime:
    """Raises ValueError."""
    if (match := _TIME.match(text.strip())) is None:
        raise ValueError(text)
    hour, minute, second, half = int(match[1]), int(match[2]), int(match[3] or 0), (match[4] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001  a local time


def put(body: Body, field: str, text: str) -> None:
    """Sets the field of a task of another program to what that program wrote. Raises NoDateError."""
    text = text.strip()
    if not text:
        return
    if field in FIELDS or field == "modified":
        if field == "end" and text.casefold() in _DONE | _OPEN:
            body.setdefault("status", _status(text))
        else:
            body[field] = date_of(text)
    elif field == "status":
        body["status"] = _status(text)
    elif field == "priority":
        priority = _PRIORITIES.get(text.casefold(), text)
        if priority is not None:
            body["priority"] = priority
    elif field == "tags":
        body["tags"] = list(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))
    elif field in body and isinstance(body[field], str) and body[field] != text:
        body[field] = f"{body[field]}\n{text}"
    else:
        body[field] = text


def _status(text: str) -> str:
    word = text.casefold()
    if word in _DONE:
        return "completed"
    return "deleted" if word in _DELETED else "pending" if word in _OPEN else text


def finished(body: Body) -> Body:
    """With the status that the rest says: what has an end is done."""
    return {**body, "status": "completed"} if "end" in body and "status" not in body else body


def instant_in(value: Any) -> str | None:
    """A moment of JSON: RFC 3339, or seconds or milliseconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        try:
            return text_of_point(datetime.fromtimestamp(value / (1000 if value > 1e11 else 1), UTC))
        except (ValueError, OverflowError, OSError):
            return None
    point = point_of(value)
    return None if point is None else text_of_point(point)
