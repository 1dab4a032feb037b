"""Tasks as the VTODO components of a calendar; what the properties mean is said in client.formats.ical_reader. Pure.

A pattern leaves as a rule; its occurrences as exceptions of the same UID, with the moment that they are of as
RECURRENCE-ID; those that were made and are no more as EXDATE. What stands in `ical` leaves as it came, unless the
field that it was read as says something else now.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, Final

from client.formats.content_lines import Component, Line, components_of, escaped, folded, line_of
from client.formats.context import Context
from client.formats.faults import ExportError
from client.formats.ical_reader import MOMENTS, OWN, PLACES, PRIORITIES, STATES, TEXTS, UNDERSTOOD, WAS, Todo
from client.formats.ical_values import Zones, definition_of, property_of, rule_of
from client.formats.naming import Names
from client.tasks.ids import derived_id
from client.tasks.moments import Point, day_of, placed, point_of, text_of_point, utc
from client.tasks.periods import NoPeriodError, Rule
from client.tasks.recurrence import Occurrence, Series, zone_named
from client.tasks.view import tags_of
from shared.codec import dumps
from shared.core.identifiers import Body, DocumentId, is_document_id
from shared.core.json.canonical import equal

_INSTANTS: Final = ("COMPLETED", "CREATED", "LAST-MODIFIED")
"""Properties that have to be in UTC."""
_MAX_DATES: Final = 1000
_BEGIN: Final = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//hypertask//EN"]


def text_of(bodies: Iterable[Body], context: Context | None = None) -> tuple[bytes, list[str]]:
    """Nothing is left out."""
    context = context or Context()
    rows = list(bodies)
    known = {**context.everything, **{DocumentId(body["id"]): body for body in rows}}
    series = {pattern: Exceptions(body, known, context) for pattern, body in known.items() if _repeats(body)}
    lines, zones = list[str](), dict[str, set[int]]()
    definitions = dict[str, None]()
    for body in rows:
        todo = Writer(body, series, context)
        lines += todo.lines()
        for name, year in todo.used_zones():
            zones.setdefault(name, set()).update(range(year, year + 10))
        definitions |= dict.fromkeys(todo.definitions)
    head = [line for text in definitions for line in text.split("\r\n")]
    for name, years in zones.items():
        zone = zone_named(name)
        head += definition_of(name, zone, years) if zone is not None else []
    return b"".join(map(folded, [*_BEGIN, *head, *lines, "END:VCALENDAR"])), []


def _repeats(body: Body) -> bool:
    first = point_of(body.get("due", body.get("scheduled")))
    return body.get("status") == "recurring" and first is not None and rule_of(body.get("recur"), first) is not None


class Exceptions:
    """The occurrences of a pattern that were made: which moment each is of, and those that are not there any more."""

    def __init__(self, pattern: Body, known: dict[DocumentId, Body], context: Context) -> None:
        self.pattern = pattern
        self.moments: dict[str, Point] = {}
        self.gone: list[Point] = []
        made_until = point_of(pattern.get("made_until"))
        try:
            series = Series.of(pattern, context.zone)
            moments = self._made(series, made_until) if made_until is not None else []
        except NoPeriodError:
            return
        for one in moments:
            body = series.body(one)
            self.moments[body["id"]] = series.point(one.wall)
            if body["id"] not in known:
                self.gone.append(series.point(one.wall))

    @staticmethod
    def _made(series: Series, made_until: Point) -> list[Occurrence]:
        last = series.wall_of(made_until)
        occurrences = [
            one
            for one in islice(series.around(placed(last, series.here), _MAX_DATES), 2 * _MAX_DATES)
            if one.wall <= last and not series.is_over(one.wall)
        ]
        return (
            occurrences if series.mask is None else [one for one in occurrences if one.number >= (series.mask or 0)]
        )


class Writer:
    """One task."""

    def __init__(self, body: Body, series: dict[DocumentId, Exceptions], context: Context) -> None:
        self._body = body
        self._context = context
        parent = body.get("parent")
        exceptions = series.get(DocumentId(parent)) if isinstance(parent, str) else None
        self._pattern = exceptions.pattern if exceptions is not None else None
        self._moment = exceptions.moments.get(body["id"]) if exceptions is not None else None
        self._own = series.get(DocumentId(body["id"]))
        extra = body.get("ical")
        texts = [text for text in extra if isinstance(text, str)] if isinstance(extra, list) else []
        self._blocks = [text for text in texts if _is_block(text)]
        self._kept = [line_of(text) for text in texts if not text.upper().startswith("BEGIN:") and _is_line(text)]
        self.definitions = [text for text in self._blocks if text.startswith("BEGIN:VTIMEZONE")]
        raw = b"".join(folded(line) for text in self.definitions for line in text.split("\r\n"))
        self._zones = Zones([Component("VCALENDAR", parts=[*components_of(raw)])] if raw else [])
        self._zone_name = body.get("timezone") if isinstance(body.get("timezone"), str) else None
        self._zone = zone_named(self._zone_name)

    def lines(self) -> list[str]:
        body = self._body
        stamp = utc(body.get("modified")) or utc(body.get("entry")) or datetime.fromtimestamp(0, UTC)
        lines = [*self._identity(), property_of("DTSTAMP", stamp)]
        for name in ("SUMMARY", "DESCRIPTION", "CREATED", "LAST-MODIFIED", "DTSTART", "DUE", "COMPLETED"):
            lines += self._property(name, self._text(name) if name in TEXTS else self._time(name))
        tags = tags_of(body)
        lines += [f"CATEGORIES:{','.join(map(escaped, tags))}"] if tags else []
        lines += self._property("STATUS", self._status())
        lines += self._property("PRIORITY", self._priority())
        lines += self._rule()
        lines += self._others()
        if own := {name: value for name, value in body.items() if self._is_own(name)}:
            lines.append(f"{OWN}:{escaped(dumps(own).decode())}")
        elif not isinstance(body.get("description"), str) or not body["description"].strip():
            lines.append(f"{OWN}:{{}}")  # without it there would be nothing to do in it
        blocks = [line for text in self._blocks if text not in self.definitions for line in text.split("\r\n")]
        was = self._was([*lines, *blocks])
        lines += [f"{WAS}:{escaped(dumps(was).decode())}"] if was else []
        return ["BEGIN:VTODO", *lines, *blocks, "END:VTODO"]

    def used_zones(self) -> list[tuple[str, int]]:
        """Names of zones, and a year that they are needed in."""
        if self._zone is None or self._zone_name is None:
            return []
        moments = [utc(self._body.get(name)) for name in ("due", "scheduled")]
        return [(self._zone_name, at.year) for at in moments if at is not None]

    # --- identity ---

    def _identity(self) -> list[str]:
        body = self._body
        kept = [line.text for line in self._kept if line.name == "RECURRENCE-ID"]
        parent = body.get("parent")
        if kept and isinstance(parent, str):
            return [f"UID:{escaped(_uid(body if self._pattern is None else self._pattern, parent))}", *kept]
        if self._moment is not None and self._pattern is not None:
            zone = self._pattern.get("timezone")
            begins = _begins(self._pattern, self._moment)
            moment = property_of("RECURRENCE-ID", begins, zone_named(zone), zone)
            return [f"UID:{escaped(_uid(self._pattern))}", moment]
        return [f"UID:{escaped(_uid(body))}"]

    def _is_own(self, name: str) -> bool:
        if name == "uid":
            return bool(_uid(self._body) != self._body["uid"])
        return name not in PLACES

    # --- properties ---

    def _property(self, name: str, text: str | None) -> list[str]:
        """As it came, if that says what the field says now; else as it is now."""
        raw = [line for line in self._kept if line.name == name]
        field = {**TEXTS, **MOMENTS, "STATUS": "status", "PRIORITY": "priority"}[name]
        if raw and equal(_read(raw[0], field, self._zones), self._field(field)):
            return [line.text for line in raw]
        return ([] if text is None else [text]) + [line.text for line in raw[1:]]

    def _field(self, name: str) -> Any:
        value = self._body.get(name)
        return "pending" if name == "status" and value == "recurring" else value

    def _text(self, name: str) -> str | None:
        value = self._body.get(TEXTS[name])
        return f"{name}:{escaped(value)}" if isinstance(value, str) else None

    def _time(self, name: str) -> str | None:
        at = point_of(self._body.get(MOMENTS[name]))
        if name == "DTSTART" and at is None and self._own is not None:
            at = point_of(self._body.get("due"))  # a rule counts from there
        if at is None or (name == "DUE" and self._spans(at)):
            return None
        if name in _INSTANTS:
            try:
                at = placed(at, self._context.zone).astimezone(UTC)
            except (ValueError, OverflowError):
                return None
        return property_of(name, at, self._zone, self._zone_name)

    def _spans(self, due: Point) -> bool:
        """Whether DTSTART and a DURATION that came with it say so already."""
        raw = next((line for line in self._kept if line.name == "DURATION"), None)
        start = self._time("DTSTART")
        if raw is None or start is None:
            return False
        return equal(_read_all([start, raw.text], self._zones).get("due"), text_of_point(due))

    def _status(self) -> str:
        status = self._body.get("status")
        return f"STATUS:{next((state for state, word in STATES.items() if word == status), 'NEEDS-ACTION')}"

    def _priority(self) -> str | None:
        word = self._body.get("priority")
        return next((f"PRIORITY:{number}" for number, letter in PRIORITIES.items() if letter == word), None)

    def _rule(self) -> list[str]:
        body, raw = self._body, [line.text for line in self._kept if line.name in ("RRULE", "EXDATE")]
        first = point_of(body.get("due", body.get("scheduled")))
        rule = rule_of(body.get("recur"), first) if first is not None else None
        if rule is None or first is None:
            return raw
        lines = [f"RRULE:{rule}{self._until(first)}"]
        dates = body.get("exdates")
        excluded = [at for at in map(point_of, dates if isinstance(dates, list) else ()) if at is not None]
        for at in [*excluded, *(self._own.gone if self._own is not None else ())]:
            lines.append(property_of("EXDATE", _begins(body, at), self._zone, self._zone_name))
        return [*raw, *dict.fromkeys(lines)]

    def _until(self, first: Point) -> str:
        try:
            series = Series.of(self._body, self._context.zone)
        except NoPeriodError:
            return ""
        ends = series.repeats.until if isinstance(series.repeats, Rule) else None
        if ends is None and not series.until_moves:
            ends = point_of(self._body.get("until"))
        if ends is None:
            return ""
        zone = self._context.zone
        if not isinstance(first, datetime):
            at: Point = day_of(text_of_point(ends), zone) or date.max
        elif isinstance(ends, datetime):
            at = ends if first.tzinfo is None and ends.tzinfo is None else placed(ends, zone)
        else:
            last = datetime.combine(ends, time(23, 59, 59))
            at = last if first.tzinfo is None else last.replace(tzinfo=series.zone)
        return f";UNTIL={property_of('', at).partition(':')[2]}"

    def _others(self) -> list[str]:
        """Lines that no field speaks for, as they came. How much is done leaves only where it is true."""
        status, lines = self._body.get("status"), list[str]()
        for line in self._kept:
            done = line.name == "PERCENT-COMPLETE" and (line.value == "100") != (status == "completed")
            stale = line.name == "DURATION" and not self._spans_any()
            if line.name not in UNDERSTOOD | {"RECURRENCE-ID", "UID", OWN, WAS, "DTSTAMP"} and not done and not stale:
                lines.append(line.text)
        return lines

    def _spans_any(self) -> bool:
        due = point_of(self._body.get("due"))
        return due is None or self._spans(due)

    # --- exactness ---

    def _was(self, lines: list[str]) -> dict[str, Any]:
        """Fields that would be read otherwise: as they are, and as they would be read."""
        text = b"".join(map(folded, ["BEGIN:VCALENDAR", "BEGIN:VTODO", *lines, "END:VTODO", "END:VCALENDAR"]))
        again = self._again(text)
        was: dict[str, Any] = {}
        for name in sorted({*self._body, *again}):
            before = [self._body[name]] if name in self._body else []
            after = [again[name]] if name in again else []
            if not equal(before, after):
                was[name] = [before, after]
        return was

    def _again(self, text: bytes) -> Body:
        [component] = components_of(text)[0].components()
        todo = Todo(component, self._zones, 1, [])
        pattern = {} if self._pattern is None else {todo.uid or "": self._master()}
        return todo.body(Names("ical", self._context), pattern, self._context)

    def _master(self) -> Todo:
        assert self._pattern is not None
        lines = [
            line for name in ("DTSTART", "DUE") if (line := Writer(self._pattern, {}, self._context)._time(name))
        ]
        if len(lines) == 1:  # as it is written, it begins when it is due
            lines.append(lines[0].replace("DUE", "DTSTART", 1))
        return _todo(lines, self._zones)


def _begins(pattern: Body, due: Point) -> Point:
    """When the occurrence begins that is due then: what RECURRENCE-ID and EXDATE count by."""
    start, first = point_of(pattern.get("scheduled")), point_of(pattern.get("due"))
    if start is None or first is None or type(start) is not type(first):
        return due
    try:
        distance: timedelta = first - start
        return due - distance
    except (TypeError, OverflowError):
        return due


def _uid(body: Body, identity: str | None = None) -> str:
    """Its own UID, if its id comes from that; else its id."""
    identity = body["id"] if identity is None else identity
    uid = body.get("uid")
    leads_back = isinstance(uid, str) and not is_document_id(uid) and derived_id("ical", uid) == identity
    return str(uid) if leads_back else str(identity)


def _is_line(text: str) -> bool:
    line = line_of(text)
    return line.name not in ("", "BEGIN", "END") and "\n" not in text and "\r" not in text


def _is_block(text: str) -> bool:
    """Whether it is one whole component, which ends nothing else."""
    if not text.upper().startswith("BEGIN:"):
        return False
    try:
        [component] = components_of(text.encode())
    except (ExportError, ValueError):
        return False
    return component.is_whole and component.name not in ("VTODO", "VCALENDAR") and component.text() == text


def _todo(lines: list[str], zones: Zones) -> Todo:
    [component] = components_of(b"".join(map(folded, ["BEGIN:VTODO", *lines, "END:VTODO"])))
    return Todo(component, zones, 1, [])


def _read_all(lines: list[str], zones: Zones) -> Body:
    todo = _todo(lines, zones)
    _ = todo.distance
    return todo.fields


def _read(line: Line, field: str, zones: Zones) -> Any:
    fields = _read_all([line.text], zones)
    return fields.get(field) if field != "status" or line.name == "STATUS" else None
