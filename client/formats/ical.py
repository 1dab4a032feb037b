"""iCalendar: the VTODO components of a calendar (RFC 5545). Pure.

    UID              id, if it can be one; else the id comes from it and `uid` keeps it
    SUMMARY          description            DESCRIPTION      notes
    DUE              due                    DTSTART          scheduled
    CREATED          entry                  LAST-MODIFIED    modified
    COMPLETED        end                    CATEGORIES       tags
    STATUS           status: COMPLETED completed, CANCELLED deleted, else pending
    PRIORITY         priority: 1 to 4 H, 5 M, 6 to 9 L
    RRULE            recur and until, where it says no more than "every n days, weeks, months or years": the task is
                     then a pattern, and its occurrences are tasks of their own
    RECURRENCE-ID    the occurrence of that moment, with the id that it has everywhere

A day is its midnight in UTC, as is a time without a zone. Every other property, and what of these says more than is
written above, stands in `ical`, a line each, as it was; alarms too. DTSTAMP, which is another one at each export, is
left out. The other way round, fields that no property is for go into X-HYPERTASK, as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any, Final

from icalendar import Calendar, Component, Todo
from icalendar.parser import Contentline

from client.filters import tags_of
from client.formats.faults import ExportError, Problem
from client.formats.naming import Names
from client.ids import derived_id
from client.moments import utc, written
from client.recurrence import NoPeriodError, period
from shared.core.canonical import equal
from shared.core.documents import Body, DocumentId, is_document_id
from shared.core.protocol import Limits
from shared.core.strict import FaultError
from shared.wire import dumps, parse

_MOMENTS: Final = {
    "DUE": "due",
    "DTSTART": "scheduled",
    "CREATED": "entry",
    "LAST-MODIFIED": "modified",
    "COMPLETED": "end",
}
_TEXTS: Final = {"SUMMARY": "description", "DESCRIPTION": "notes"}
_STATES: Final = {"NEEDS-ACTION": "pending", "COMPLETED": "completed", "CANCELLED": "deleted"}
_PRIORITIES: Final = {1: "H", 5: "M", 9: "L"}
_EVERY: Final = {"DAILY": "d", "WEEKLY": "w", "MONTHLY": "m", "YEARLY": "y"}
_LEFT_OUT: Final = ("BEGIN", "END", "DTSTAMP")
_OWN: Final = "X-HYPERTASK"
_PLACES: Final = {"id", "tags", "status", "priority", "recur", "until", "ical"}.union(
    _MOMENTS.values(), _TEXTS.values()
)
"""Fields that properties are for."""


def documents_of(raw: bytes) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    names, problems = Names("ical"), list[Problem]()
    documents: dict[DocumentId, Body] = {}
    try:
        calendars = Calendar.from_ical(raw, multiple=True)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ExportError(Problem(f"it is no iCalendar file: {error}")) from None
    todos = [todo for calendar in calendars for todo in calendar.walk("VTODO")]
    for entry, todo in enumerate(todos, 1):
        try:
            body = _body(todo, names)
        except ValueError as error:
            problems.append(Problem(str(error), entry=entry))
            continue
        if documents.setdefault(DocumentId(body["id"]), body) != body:
            problems.append(Problem(f"task {body['id']} is there twice, and they are not the same", entry=entry))
    if problems:
        raise ExportError(*problems)
    return documents


def text_of(bodies: Iterable[Body]) -> tuple[bytes, list[str]]:
    """What a component cannot say is found by reading it again."""
    left_out: set[str] = set()
    parts = [b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//hypertask//EN\r\n"]
    for body in bodies:
        text, again = _written_and_read(body)
        if again is None:  # what stands in `ical` is no part of a calendar
            text, again = _written_and_read({name: value for name, value in body.items() if name != "ical"})
        parts.append(text)
        left_out |= {name for name in body if name not in (again or {}) or not equal((again or {})[name], body[name])}
    return b"".join([*parts, b"END:VCALENDAR\r\n"]), sorted(left_out)


def _written_and_read(body: Body) -> tuple[bytes, Body | None]:
    text = _component(body)
    try:
        [again] = documents_of(b"BEGIN:VCALENDAR\r\n" + text + b"END:VCALENDAR\r\n").values()
    except ValueError:
        return text, None
    return text, again


# --- reading -------------------------------------------------------------------------------------------------


def _body(todo: Component, names: Names) -> Body:
    uid = str(todo["UID"]) if "UID" in todo else None
    body: Body = {"id": "", "status": "pending"}
    rest: list[str] = []
    for name, value in _properties(todo):
        if name in ("UID", "RECURRENCE-ID") or not _take(body, name, value):
            rest.append(_line(name, value))
    rest = [line for line in rest if not line.startswith(("UID", _OWN))]
    body |= _own_fields(todo)
    rest += [part.to_ical().decode().rstrip("\r\n") for part in todo.subcomponents]
    if "recur" in body and "due" in body and body["status"] == "pending":
        body["status"] = "recurring"
    if rest:
        body["ical"] = list(dict.fromkeys(rest))
    if uid is None:
        body["id"] = names.of(*sorted(rest), body.get("description", ""), body.get("entry", ""))
        return body
    known = is_document_id(uid)
    series = DocumentId(uid) if known else derived_id("ical", uid)
    if "RECURRENCE-ID" in todo:
        moment = _moment(todo["RECURRENCE-ID"])
        if moment is None:
            raise ValueError("its RECURRENCE-ID is no moment")
        body |= {"id": derived_id("occurrence", series, moment), "parent": series}
    else:
        body["id"] = series
    return body if known else {**body, "uid": uid}


def _own_fields(todo: Component) -> Body:
    try:
        found = parse(str(todo[_OWN]).encode(), max_depth=Limits().max_depth) if _OWN in todo else {}
    except FaultError:
        return {}  # another program cut it off
    return {name: v for name, v in found.items() if name not in _PLACES} if isinstance(found, dict) else {}


def _properties(todo: Component) -> Iterator[tuple[str, Any]]:
    for name, value in todo.items():
        if name not in _LEFT_OUT:
            for one in value if isinstance(value, list) and name != "CATEGORIES" else [value]:
                yield name, one


def _take(body: Body, name: str, value: Any) -> bool:
    """Whether the body now says all that the property does."""
    match name:
        case "SUMMARY" | "DESCRIPTION":
            body[_TEXTS[name]] = str(value)
            return not value.params
        case "DUE" | "DTSTART" | "CREATED" | "LAST-MODIFIED" | "COMPLETED":
            moment = _moment(value)
            if moment is None:
                return False
            body[_MOMENTS[name]] = moment
            return set(value.params) <= {"VALUE", "TZID"}
        case "CATEGORIES":
            several = value if isinstance(value, list) else [value]
            words = [str(word) for one in several for word in one.cats]
            body["tags"] = list(dict.fromkeys(words))
            return True
        case "STATUS":
            body["status"] = _STATES.get(str(value).upper(), "pending")
            return str(value).upper() in _STATES
        case "PRIORITY":
            number = int(value)
            if 1 <= number <= 9:
                body["priority"] = "H" if number < 5 else "M" if number == 5 else "L"
            return number in _PRIORITIES
        case "RRULE":
            return _take_rule(body, value)
    return False


def _take_rule(body: Body, rule: Any) -> bool:
    parts = {name.upper(): values for name, values in rule.items()}
    if not parts.keys() <= {"FREQ", "INTERVAL", "UNTIL", "WKST"}:
        return False
    unit = _EVERY.get(str(parts["FREQ"][0]).upper())
    if unit is None:
        return False
    body["recur"] = f"{int(parts.get('INTERVAL', [1])[0])}{unit}"
    if "UNTIL" in parts:
        body["until"] = _written(parts["UNTIL"][0])
    return "WKST" not in parts


def _moment(value: Any) -> str | None:
    found = getattr(value, "dt", None)
    return _written(found) if isinstance(found, date) else None


def _written(found: date) -> str:
    if not isinstance(found, datetime):
        found = datetime.combine(found, time(0))
    return written(found if found.tzinfo else found.replace(tzinfo=UTC))


def _line(name: str, value: Any) -> str:
    return str(Contentline.from_parts(name, value.params, value))


# --- writing -------------------------------------------------------------------------------------------------


def _component(body: Body) -> bytes:
    todo = Todo()
    extra = body.get("ical")
    lines = [line for line in extra if isinstance(line, str)] if isinstance(extra, list) else []
    kept = {re.split("[:;]", line, maxsplit=1)[0].upper() for line in lines}
    uid, parent = body.get("uid"), body.get("parent")
    moment = next((line for line in lines if line.upper().startswith("RECURRENCE-ID")), None)
    leads_back = isinstance(uid, str) and not is_document_id(uid) and derived_id("ical", uid) in (body["id"], parent)
    todo.add("uid", uid if leads_back else parent if moment and isinstance(parent, str) else body["id"])
    todo.add("dtstamp", utc(body.get("modified")) or utc(body.get("entry")) or datetime.fromtimestamp(0, UTC))
    for name, field in _TEXTS.items():
        if name not in kept and isinstance(body.get(field), str):
            todo.add(name, body[field])
    for name, field in _MOMENTS.items():
        found = utc(body.get(field))
        if name not in kept and found is not None:
            whole = name in ("DUE", "DTSTART") and found.time() == time(0)
            todo.add(name, found.date() if whole else found)
    if tags := tags_of(body):
        todo.add("categories", tags)
    if "STATUS" not in kept:
        state = next((state for state, status in _STATES.items() if status == body.get("status")), "NEEDS-ACTION")
        todo.add("status", state)
    number = next((number for number, word in _PRIORITIES.items() if word == body.get("priority")), None)
    if "PRIORITY" not in kept and number is not None:
        todo.add("priority", number)
    if "RRULE" not in kept and (rule := _rule(body)):
        todo.add("rrule", rule)
    own = {name: value for name, value in body.items() if name not in _PLACES and not (leads_back and name == "uid")}
    if own:
        todo.add(_OWN, dumps(own).decode())
    text: bytes = todo.to_ical()
    more = b"".join(_folded(part) + b"\r\n" for line in lines for part in line.splitlines())
    return text.removesuffix(b"END:VTODO\r\n") + more + b"END:VTODO\r\n"


def _folded(line: str) -> bytes:
    content: Any = Contentline
    return bytes(content(line).to_ical())


def _rule(body: Body) -> dict[str, Any] | None:
    try:
        count, unit = period(body.get("recur"))
    except NoPeriodError:
        return None
    frequency = next((name for name, letter in _EVERY.items() if letter == unit), None)
    if frequency is None:
        return None
    until = utc(body.get("until"))
    return {"freq": frequency, "interval": count, **({} if until is None else {"until": until})}
