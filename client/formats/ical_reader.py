"""iCalendar: the VTODO components of a calendar (RFC 5545), as tasks. Pure. How they are written: ical_writer.

    UID              id, if it can be one; else the id comes from it and `uid` keeps it
    SUMMARY          description            DESCRIPTION      notes
    DUE              due                    DTSTART          scheduled
    CREATED          entry                  LAST-MODIFIED    modified
    COMPLETED        end                    CATEGORIES       tags
    DURATION         due, counted from DTSTART
    STATUS           status: COMPLETED completed, CANCELLED deleted, else pending; without it COMPLETED and
                     PERCENT-COMPLETE:100 say completed
    PRIORITY         priority: 1 to 4 H, 5 M, 6 to 9 L
    RRULE            recur and until: the task is a pattern then, and its occurrences are tasks of their own
    EXDATE           exdates, of a pattern
    RECURRENCE-ID    the occurrence of that moment, with the id that it has everywhere

A day stays a day, a time without a zone a local time; a time with a TZID is an instant, and `timezone` keeps the
name. Every other property, and what of these says more than is written above, stands in `ical`, a line each, as it
was; alarms too. DTSTAMP, which is another one at each export, is left out. What we write has X-HYPERTASK, with the
fields that no property is for, and X-HYPERTASK-WAS, with what a property says otherwise than the task does: it counts
as long as the property says what it said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from client.formats.content_lines import Component, Line, components_of, pieces, unescaped
from client.formats.context import Context, Reading
from client.formats.faults import ExportError, FormatProblem
from client.formats.ical_values import BadValueError, Zones, duration, later, point, points, recur_of
from client.formats.naming import Names
from client.tasks.ids import derived_id
from client.tasks.moments import Point, point_of, text_of_point
from client.tasks.periods import NoPeriodError
from client.tasks.recurrence import occurrence_id
from shared.codec import parse
from shared.core.identifiers import Body, DocumentId, is_document_id
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits

MOMENTS: Final = {
    "DUE": "due",
    "DTSTART": "scheduled",
    "CREATED": "entry",
    "LAST-MODIFIED": "modified",
    "COMPLETED": "end",
}
TEXTS: Final = {"SUMMARY": "description", "DESCRIPTION": "notes"}
STATES: Final = {"NEEDS-ACTION": "pending", "COMPLETED": "completed", "CANCELLED": "deleted"}
PRIORITIES: Final = {1: "H", 5: "M", 9: "L"}
OWN: Final = "X-HYPERTASK"
WAS: Final = "X-HYPERTASK-WAS"
UNDERSTOOD: Final = frozenset({*MOMENTS, *TEXTS, "STATUS", "PRIORITY", "CATEGORIES", "RRULE", "EXDATE"})
"""Properties of which a field says what they do."""
PLACES: Final = frozenset(
    {"id", "tags", "status", "priority", "recur", "until", "exdates", "timezone", "ical", "parent"}
    | {*MOMENTS.values(), *TEXTS.values()}
)
"""Fields that properties are for."""
_LEFT_OUT: Final = frozenset({"DTSTAMP", "UID", "RECURRENCE-ID", OWN, WAS})
_LAST: Final = {"DURATION": 1, "RRULE": 2, "EXDATE": 3}
"""What needs another property to be known."""
_BLANK: Final = frozenset({"DTSTAMP", "UID", "CREATED", "LAST-MODIFIED", "SEQUENCE", "STATUS"})
"""Properties that every task has, and that say nothing of what is to be done."""


def documents_of(raw: bytes, context: Context | None = None) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    return read(raw, context or Context()).documents


def read(raw: bytes, context: Context) -> Reading:
    """Raises ExportError: for a file that ends early too, with what was whole in it."""
    if not raw.strip():
        return Reading({})
    outer = components_of(raw)
    todos = [todo for calendar in outer for todo in _todos(calendar)]
    _check_whole(outer, todos)
    zones, names, notes = Zones(outer), Names("ical", context), list[FormatProblem]()
    documents: dict[DocumentId, Body] = {}
    problems: list[FormatProblem] = []
    entries = [Todo(todo, zones, entry, notes) for entry, todo in enumerate(todos, 1)]
    masters = {todo.uid: todo for todo in entries if todo.uid is not None and todo.moment is None}
    for todo in entries:
        if todo.is_empty:
            notes.append(
                FormatProblem("it has nothing to do in it and is left out", todo.component.number, todo.entry)
            )
            continue
        body = todo.body(names, masters, context)
        if not equal(documents.setdefault(DocumentId(body["id"]), body), body):
            detail = f"task {body['id']} is there twice, and they are not the same"
            problems.append(FormatProblem(detail, todo.component.number, todo.entry))
    if problems:
        raise ExportError(*problems)
    return Reading(documents, tuple(notes))


def _todos(component: Component) -> list[Component]:
    if component.name == "VTODO":
        return [component]
    return [todo for part in component.components() for todo in _todos(part)]


def _check_whole(outer: list[Component], todos: list[Component]) -> None:
    if all(component.is_whole for component in outer) and outer:
        return
    if not outer:
        raise ExportError(FormatProblem("it is not an iCalendar file: no component begins in it", 1))
    titles = [unescaped(todo.value("SUMMARY") or "(no summary)") for todo in todos if todo.is_whole]
    cut = next((todo for todo in todos if not todo.is_whole), outer[-1])
    named = f": {', '.join(titles[:5])}{' ...' if len(titles) > 5 else ''}" if titles else ""
    detail = f"it ends early, inside of this {cut.name}: is it cut off? Whole in it were {len(titles)} tasks{named}"
    raise ExportError(FormatProblem(detail, cut.number))


@dataclass
class Todo:
    """One VTODO, its place in the file, and what is wrong with it."""

    component: Component
    zones: Zones
    entry: int
    notes: list[FormatProblem]
    fields: Body = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    """Of zones that no database knows."""

    def __post_init__(self) -> None:
        uid = self.component.value("UID")
        self.uid = unescaped(uid) if uid is not None else None
        self.moment: Point | None = None
        line = next((line for line in self.component.lines() if line.name == "RECURRENCE-ID"), None)
        if line is not None:
            try:
                self.moment = point(line, self.zones)
                if self.component.value(OWN) is None and self.component.value(WAS) is None:
                    self.rest.append(line.text)
            except BadValueError as error:
                self._note(line, str(error))

    @property
    def is_empty(self) -> bool:
        lines = [line for line in self.component.lines() if line.name not in _BLANK and line.value.strip()]
        zero = (("PRIORITY", "0"), ("PERCENT-COMPLETE", "0"))
        return all((line.name, line.value) in zero for line in lines) and not [*self.component.components()]

    @property
    def series(self) -> str:
        """The id of the task with this UID."""
        uid = self.uid or ""
        return uid if is_document_id(uid) else derived_id("ical", uid)

    def body(self, names: Names, masters: Mapping[str, Todo], context: Context) -> Body:
        self._take_all()
        body: Body = {"id": "", **self.fields}
        if self.rest:
            body["ical"] = list(dict.fromkeys(self.rest)) if len(set(self.rest)) == len(self.rest) else self.rest
        body |= self._own()
        if self.uid is None:
            body["id"] = names.of(*sorted(self.rest), body.get("description", ""), body.get("entry", ""))
        elif self.moment is not None:
            body["id"], body["parent"] = self._occurrence(body, masters.get(self.uid), context), self.series
        else:
            body["id"] = self.series
        if self.uid is not None and not is_document_id(self.uid):
            body["uid"] = self.uid
        return self._as_it_was(body)

    def _occurrence(self, body: Body, master: Todo | None, context: Context) -> DocumentId:
        """A series is counted by what is due, RECURRENCE-ID by what begins."""
        moment = self.moment
        assert moment is not None
        direct = occurrence_id(self.series, moment)
        shift = timedelta() if master is None else master.distance
        moved = occurrence_id(self.series, later(moment, shift)) if shift else direct
        return direct if moved != direct and context.known(direct, body) else moved

    @property
    def distance(self) -> timedelta:
        """From DTSTART to what is due."""
        self._take_all()
        start, due = point_of(self.fields.get("scheduled")), point_of(self.fields.get("due"))
        if start is None or due is None or type(start) is not type(due):
            return timedelta()
        try:
            return due - start
        except TypeError:  # one with a zone, one without
            return timedelta()

    # --- properties ---

    def _take_all(self) -> None:
        if "status" in self.fields:
            return
        self.fields["status"] = "pending"
        lines = [line for line in self.component.lines() if line.name not in _LEFT_OUT]
        counted = [line.name for line in lines]
        single = {name for name in counted if counted.count(name) == 1} | {"CATEGORIES", "EXDATE"}
        first = {name: next(line for line in lines if line.name == name) for name in counted}
        for line in sorted(lines, key=lambda line: _LAST.get(line.name, 0)):
            try:
                is_first = line is first[line.name] and line.name != "RRULE"
                taken = (line.name in single or is_first) and self._take(line)
                keeps = not taken or line.name not in single
            except BadValueError as error:
                self._note(line, str(error))
                keeps = bool(line.value.strip())
            if keeps:
                self.rest.append(line.text)
        places = [line.text for line in self.component.lines()]
        self.rest.sort(key=places.index)
        self.rest += [part.text() for part in self.component.components()] + self.definitions
        self._finish(set(counted))

    def _finish(self, names: set[str]) -> None:
        fields = self.fields
        done = self.component.value("PERCENT-COMPLETE") == "100" or "end" in fields
        if done and "STATUS" not in names:
            fields["status"] = "completed"
        if "recur" in fields and ("due" in fields or "scheduled" in fields) and fields["status"] == "pending":
            fields["status"] = "recurring"

    def _take(self, line: Line) -> bool:
        """Whether the fields now say all that the property does. Raises BadValueError."""
        fields, name = self.fields, line.name
        if name in TEXTS:
            fields[TEXTS[name]] = unescaped(line.value)
            return not line.parameters
        if name in MOMENTS:
            return self._take_moment(line)
        match name:
            case "CATEGORIES":
                fields["tags"] = list(dict.fromkeys([*fields.get("tags", ()), *filter(None, pieces(line.value))]))
                return True
            case "STATUS":
                state = line.value.strip().upper()
                fields["status"] = STATES.get(state, "pending")
                return state in STATES
            case "PRIORITY":
                return self._take_priority(line)
            case "RRULE":
                return self._take_rule(line)
            case "DURATION":
                span, start = duration(line.value), point_of(fields.get("scheduled"))
                if start is not None and "due" not in fields:
                    fields["due"] = text_of_point(later(start, span))
            case "EXDATE" if "recur" in fields:
                dates = [text_of_point(later(at, self.distance)) for at in points(line, self.zones)]
                fields["exdates"] = list(dict.fromkeys([*fields.get("exdates", ()), *dates]))
                return True
        return False

    def _take_moment(self, line: Line) -> bool:
        at = point(line, self.zones)
        self.fields[MOMENTS[line.name]] = text_of_point(at)
        zone = line.parameters.get("TZID")
        if zone is None or not isinstance(at, datetime) or line.value.strip().upper().endswith("Z"):
            return set(line.parameters) <= {"VALUE", "TZID"}
        if at.tzinfo is None:
            self._note(
                line, f"there is no time zone {zone} and the file does not define it; it is read as local time"
            )
            return False
        name = self.zones.name(zone)
        definition = self.zones.definition(zone)
        if name is None and definition is not None and definition.text() not in self.definitions:
            self.definitions.append(definition.text())
        if name is not None and self.fields.setdefault("timezone", name) == name:
            return name == zone and set(line.parameters) <= {"VALUE", "TZID"}
        return False

    def _take_priority(self, line: Line) -> bool:
        if not line.value.strip().isdecimal():
            raise BadValueError(f"{line.value!r} is not a number")
        number = int(line.value)
        if 1 <= number <= 9:
            self.fields["priority"] = "H" if number < 5 else "M" if number == 5 else "L"
        return number in PRIORITIES

    def _take_rule(self, line: Line) -> bool:
        first = point_of(self.fields.get("due", self.fields.get("scheduled")))
        if first is None:
            return False
        try:
            recur, until = recur_of(line.value, first)
        except NoPeriodError:
            self._note(line, "this rule is kept, and the task is not repeated here: its parts are not all understood")
            return False
        self.fields["recur"] = recur
        if until is not None:
            self.fields["until"] = text_of_point(until)
        return True

    def _note(self, line: Line, detail: str) -> None:
        summary = unescaped(self.component.value("SUMMARY") or "(no summary)")
        self.notes.append(FormatProblem(f"{line.name} of {summary!r}: {detail}", line.number, self.entry))

    # --- what we wrote ---

    def _own(self) -> Body:
        members = self._json(OWN)
        return {name: value for name, value in members.items() if name not in PLACES}

    def _as_it_was(self, body: Body) -> Body:
        """Fields that no property says, where the properties are as they were written."""
        for name, pair in self._json(WAS).items():
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, list) for one in pair):
                was, written = pair
                if equal([body[name]] if name in body else [], written):
                    body.pop(name, None)
                    body |= dict.fromkeys([name], *was) if was else {}
        return body

    def _json(self, name: str) -> dict[str, Any]:
        value = self.component.value(name)
        try:
            members = parse(unescaped(value).encode(), max_depth=Limits().max_depth + 3) if value is not None else {}
        except FaultError:
            return {}  # another program cut it off
        return members if isinstance(members, dict) else {}
