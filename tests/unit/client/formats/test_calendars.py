"""Calendars as phones, servers and people leave them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from client.formats import ical
from client.formats.content_lines import components_of, folded, lines_of
from client.formats.context import Context
from client.formats.faults import ExportError
from client.tasks.recurrence import occurrence_id, occurrences
from tests.unit.client.zones import ZONES


def calendar(*todos: str, before: str = "") -> bytes:
    parts = [f"BEGIN:VTODO\r\n{todo}\r\nEND:VTODO\r\n" for todo in todos]
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{before}{''.join(parts)}END:VCALENDAR\r\n".encode()


def only(raw: bytes, context: Context | None = None) -> dict[str, Any]:
    [body] = ical.documents_of(raw, context).values()
    return body


def notes(raw: bytes) -> list[str]:
    return [str(note) for note in ical.read(raw, Context()).notes]


def lines(raw: bytes) -> list[str]:
    return [line.text for line in lines_of(raw)]


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1).filter(
        lambda t: t[0] not in " \t\ufeff"
    )
)
def test_what_was_folded_unfolds_to_itself(text: str) -> None:
    raw = folded(text)
    assert all(len(line) <= 75 and line.decode() is not None for line in raw.split(b"\r\n"))
    assert [line.text for line in lines_of(raw)] == [text]


def test_bytes_are_unfolded_before_they_are_decoded() -> None:
    raw = calendar("UID:a\r\nSUMMARY:Krak@").replace(b"@", b"\xc3\r\n \xb3w")
    assert only(raw)["description"] == "Kraków"


@pytest.mark.parametrize(
    ("encoding", "said"), [("iso-8859-1", "probably Windows-1252 or ISO 8859-1"), ("utf-16", "it is UTF-16")]
)
def test_another_encoding_is_refused_by_name_and_line(encoding: str, said: str) -> None:
    raw = calendar("UID:a\r\nSUMMARY:Grüße").decode().encode(encoding)
    with pytest.raises(ExportError, match=said) as refused:
        ical.documents_of(raw)
    assert refused.value.problems[0].line == (5 if encoding == "iso-8859-1" else 1)


@pytest.mark.parametrize("end", ["\r\nEND:VTODO", "\r\nEND:VTOD", "\r\nSUMMARY:sec", "DUE;VALUE=DA"])
def test_a_file_that_ends_early_is_refused_with_what_was_whole(end: str) -> None:
    raw = calendar("UID:a\r\nSUMMARY:first", "UID:b\r\nSUMMARY:second")
    cut = raw[: raw.rindex(b"\r\nSUMMARY:second")] + end.encode()
    with pytest.raises(ExportError, match=r"ends early.*is it cut off\? Whole in it were \d tasks: first"):
        ical.documents_of(cut)


def test_one_bad_property_costs_that_property() -> None:
    raw = calendar(
        "UID:a\r\nSUMMARY:call\r\nDTSTART:\r\nDUE;VALUE=DATE:soon\r\nPRIORITY:high", "UID:b\r\nSUMMARY:two"
    )
    one, two = ical.documents_of(raw).values()
    assert one == {
        "id": "a",
        "description": "call",
        "status": "pending",
        "ical": ["DUE;VALUE=DATE:soon", "PRIORITY:high"],
    }
    assert two["description"] == "two"
    assert notes(raw) == [
        "line 6, entry 1: DTSTART of 'call': it has no value",
        "line 7, entry 1: DUE of 'call': 'soon' is neither a day nor a time",
        "line 8, entry 1: PRIORITY of 'call': 'high' is not a number",
    ]


@pytest.mark.parametrize("said", ["COMPLETED:20260101T000000Z", "PERCENT-COMPLETE:100"])
def test_what_is_done_without_a_status_is_done_and_leaves_as_done(said: str) -> None:
    body = only(calendar(f"UID:a\r\nSUMMARY:x\r\n{said}"))
    assert body["status"] == "completed"
    text, _ = ical.text_of([body])
    assert {"STATUS:COMPLETED", said} <= set(lines(text))
    reopened, _ = ical.text_of([{**body, "status": "pending"}])
    assert "PERCENT-COMPLETE:100" not in lines(reopened) and "STATUS:NEEDS-ACTION" in lines(reopened)


@pytest.mark.parametrize(
    ("start", "span", "due"),
    [
        ("DTSTART:20260329T010000Z", "PT1H30M", "2026-03-29T02:30:00Z"),
        ("DTSTART:20260329T010000", "PT2H", "2026-03-29T03:00:00"),
        ("DTSTART;VALUE=DATE:20260328", "P2D", "2026-03-30"),
    ],
)
def test_a_start_with_a_duration_gives_due_and_leaves_as_it_came(start: str, span: str, due: str) -> None:
    body = only(calendar(f"UID:a\r\nSUMMARY:x\r\n{start}\r\nDURATION:{span}"))
    assert body["due"] == due
    left = lines(ical.text_of([body])[0])
    assert f"DURATION:{span}" in left and not any(line.startswith("DUE") for line in left)
    moved = lines(ical.text_of([{**body, "due": "2026-04-01"}])[0])
    assert "DUE;VALUE=DATE:20260401" in moved and f"DURATION:{span}" not in moved


KEPT = [
    "RRULE:FREQ=WEEKLY;BYDAY=MO",
    "RRULE:FREQ=MONTHLY;BYMONTHDAY=1",
    "RESOURCES:a,b",
    "X-A;P=\"a;b:c\":\\d\\,e",
    "ATTACH;FMTTYPE=text/plain:file:///a\\b",
    "GEO:48.85;2.35",
    "SUMMARY;LANGUAGE=de:Grüße\\, alle",
    "BEGIN:VALARM",
    "TRIGGER;X-P=C:\\\\temp\\new:-PT15M",
    "END:VALARM",
]  # fmt: skip


def test_what_is_not_understood_leaves_as_it_came() -> None:
    raw = calendar("\r\n".join(["UID:a", "DTSTAMP:20260101T000000Z", *KEPT]))
    body = only(raw)
    left = lines(ical.text_of([body])[0])
    assert [line for line in left if line in KEPT] == sorted(KEPT, key=left.index) and set(KEPT) <= set(left)
    assert only(ical.text_of([body])[0]) == body


def test_a_line_that_says_what_a_field_no_longer_does_is_written_anew() -> None:
    raw = calendar("UID:a\r\nSUMMARY;LANGUAGE=de:Hallo\r\nSTATUS:IN-PROCESS\r\nPRIORITY:3")
    body = only(raw)
    left = lines(ical.text_of([{**body, "description": "hello", "status": "completed", "priority": "L"}])[0])
    assert {"SUMMARY:hello", "STATUS:COMPLETED", "PRIORITY:9"} <= set(left)
    assert not {"SUMMARY;LANGUAGE=de:Hallo", "STATUS:IN-PROCESS", "PRIORITY:3"} & set(left)


def test_an_empty_to_do_is_named_and_makes_no_task() -> None:
    raw = calendar("UID:a\r\nDTSTAMP:20260101T000000Z\r\nSTATUS:NEEDS-ACTION\r\nSUMMARY:", "UID:b\r\nSUMMARY:x")
    assert [body["id"] for body in ical.documents_of(raw).values()] == ["b"]
    assert notes(raw) == ["line 3, entry 1: it has nothing to do in it and is left out"]


def test_a_zone_that_nobody_knows_is_kept_and_named() -> None:
    raw = calendar("UID:a\r\nSUMMARY:x\r\nDTSTART;TZID=Nowhere/City:20260329T090000")
    body = only(raw)
    assert body["scheduled"] == "2026-03-29T09:00:00" and "timezone" not in body
    assert "DTSTART;TZID=Nowhere/City:20260329T090000" in lines(ical.text_of([body])[0])
    assert "there is no time zone Nowhere/City" in notes(raw)[0]


def test_a_zone_that_the_file_defines_is_taken_from_it() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:My Zone\r\nX-A:b\r\nBEGIN:STANDARD\r\nDTSTART:20000101T000000\r\n"
        "TZOFFSETFROM:+0330\r\nTZOFFSETTO:+0330\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    raw = calendar("UID:a\r\nSUMMARY:x\r\nDUE;TZID=My Zone:20260329T090000", before=zone)
    body = only(raw)
    assert body["due"] == "2026-03-29T05:30:00Z"
    text, _ = ical.text_of([body])
    assert only(text) == body and "DUE;TZID=My Zone:20260329T090000" in lines(text) and b"TZID:My Zone\r\n" in text


@pytest.mark.parametrize("name", list(ZONES))
def test_a_time_in_a_zone_leaves_in_it_and_repeats_in_it(name: str) -> None:
    raw = calendar(f"UID:series-1\r\nSUMMARY:x\r\nDUE;TZID={name}:20260325T090000\r\nRRULE:FREQ=WEEKLY")
    body = only(raw)
    assert body["timezone"] == name and body["recur"] == "1w"
    made, after = occurrences(body, datetime(2026, 11, 10, tzinfo=UTC))
    walls = {datetime.fromisoformat(one["due"]).astimezone(ZONES[name]).time().isoformat() for one in made}
    assert walls == {"09:00:00"} and len(made) > 30
    text, _ = ical.text_of([after, *made])
    assert f"DUE;TZID={name}:20260325T090000" in lines(text)
    # Another library reads the same moments, by the definitions of the zone that are in the file.
    calendars = Calendar.from_ical(text)
    theirs = {str(todo["uid"]) for todo in calendars.walk("VTODO")}
    moments = [todo["due"].dt.astimezone(UTC) for todo in calendars.walk("VTODO")]
    assert theirs == {"series-1"}
    assert moments[1:] == [datetime.fromisoformat(one["due"]) for one in made]


def test_a_series_leaves_as_a_rule_with_exceptions() -> None:
    pattern = {"id": "water", "status": "recurring", "description": "x", "due": "2026-11-02", "recur": "weekly"}
    made, after = occurrences(pattern, datetime(2026, 11, 20, tzinfo=UTC))
    assert [one["due"] for one in made] == ["2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23"]
    done = {**made[0], "status": "completed"}
    text, _ = ical.text_of([after, done, made[2], made[3]])
    left = lines(text)
    assert left.count("UID:water") == 4 and left.count("RRULE:FREQ=WEEKLY") == 1
    assert "EXDATE;VALUE=DATE:20261109" in left
    assert [line for line in left if line.startswith("RECURRENCE-ID")] == [
        f"RECURRENCE-ID;VALUE=DATE:202611{day}" for day in ("02", "16", "23")
    ]
    # An occurrence that a filter left out is not one that was deleted.
    everything = {body["id"]: body for body in (after, *made)}
    partly, _ = ical.text_of([after], Context(everything=everything))
    assert b"EXDATE" not in partly


def test_exceptions_of_a_calendar_are_the_occurrences_that_are_made_here() -> None:
    raw = calendar(
        "UID:s\r\nSUMMARY:x\r\nDTSTART;VALUE=DATE:20261101\r\nDUE;VALUE=DATE:20261102\r\nRRULE:FREQ=WEEKLY\r\n"
        "EXDATE;VALUE=DATE:20261115",
        "UID:s\r\nSUMMARY:x, moved\r\nRECURRENCE-ID;VALUE=DATE:20261108\r\nDUE;VALUE=DATE:20261112",
    )
    pattern, moved = ical.documents_of(raw).values()
    made, _ = occurrences(pattern, datetime(2026, 11, 20, tzinfo=UTC))
    assert [one["due"] for one in made] == ["2026-11-02", "2026-11-09", "2026-11-23"]
    assert moved["id"] == made[1]["id"]
    text, _ = ical.text_of([pattern, moved])
    assert {"EXDATE;VALUE=DATE:20261115", "RECURRENCE-ID;VALUE=DATE:20261108"} <= set(lines(text))


@pytest.mark.parametrize(
    ("rule", "recur"),
    [
        ("FREQ=DAILY;INTERVAL=3", "3d"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "weekdays"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "1m"),
        ("FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=1MO"),
        ("FREQ=YEARLY", "1y"),
        ("FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;COUNT=3"),
        ("FREQ=WEEKLY;UNTIL=20260131", "FREQ=WEEKLY;UNTIL=20260131"),
    ],
)
def test_rules_mean_here_what_they_mean_there(rule: str, recur: str) -> None:
    body = only(calendar(f"UID:a\r\nSUMMARY:x\r\nDUE;VALUE=DATE:20260131\r\nRRULE:{rule}"))
    assert (body["recur"], body["status"]) == (recur, "recurring")
    assert f"RRULE:{rule}" in lines(ical.text_of([body])[0])


def test_a_rule_that_is_not_understood_is_kept_and_named() -> None:
    raw = calendar("UID:a\r\nSUMMARY:x\r\nDUE;VALUE=DATE:20260131\r\nRRULE:FREQ=SECONDLY;BYHOUR=25")
    assert only(raw)["ical"] == ["RRULE:FREQ=SECONDLY;BYHOUR=25"] and only(raw)["status"] == "pending"
    assert "this rule is kept" in notes(raw)[0]


def test_ids_of_occurrences_are_those_of_earlier_versions() -> None:
    raw = calendar("UID:s\r\nSUMMARY:x\r\nRECURRENCE-ID;VALUE=DATE:20261108\r\nDUE;VALUE=DATE:20261112")
    assert only(raw)["id"] == occurrence_id("s", datetime(2026, 11, 8, tzinfo=UTC))


def test_what_ends_something_else_is_refused_by_line() -> None:
    with pytest.raises(ExportError, match="line 2: END:VTODO ends no VCALENDAR, which began in line 1"):
        components_of(b"BEGIN:VCALENDAR\r\nEND:VTODO\r\nX:y\r\n")
    with pytest.raises(ExportError, match=re.escape("line 1: it is not an iCalendar file")):
        components_of(b"hello\r\n")
