"""The laws of all formats: what was written is read as it was, in every zone; reading twice is reading once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.formats import csv_table, ical, plain_json, taskwarrior, todotxt
from client.formats.context import Context
from client.formats.faults import ExportError
from client.tasks.recurrence import occurrences
from shared.core.documents import DocumentId
from shared.core.json.canonical import equal
from shared.testing.strategies import json_values
from tests.unit.client.zones import CHANGES, ZONES

FORMATS = {"csv": csv_table, "ical": ical, "json": plain_json, "taskwarrior": taskwarrior, "todo.txt": todotxt}

PLACES = [Context("/there/a.txt", zone) for zone in ZONES.values()]

days = st.sampled_from(CHANGES).map(str)
times = st.sampled_from(("00:00:00", "01:30:00", "02:30:00", "09:00:00", "23:59:59"))
points = st.one_of(days, st.builds("{}T{}".format, days, times), st.builds("{}T{}Z".format, days, times))
ODD = [
    *("buy milk", "", " ", " two  spaces ", "+a", "@b", "a:b", "x", "x ray", "(A)", "(A) first", 'quo"te', "a,b;c"),
    *("l1\nl2", "=1", "2026-01-01", "2026-01-01 party", "mail @George about +x", "due:friday", "id:1", "\\n", "a\\"),
    *("BEGIN:VTODO", "id:pb67wndxge8293xd", "é😀", "H", "A", "completed", "0", "pri:A", "[]", "null", "\r", "\x85"),
    *("0001-01-01T00:00:00+14:00", "20260101T000000Z", "sep=;", "\t", "'", "\ufeff", "X-HYPERTASK:{}"),
]
LINES = [
    *("X-FOO;A=b:bar", "SUMMARY;LANGUAGE=de:Hallo", "BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nEND:VALARM", "END:VTODO"),
    *("DURATION:PT1H", "PERCENT-COMPLETE:100", "RRULE:FREQ=DAILY", "STATUS:IN-PROCESS", "DUE:soon", "junk"),
    *("RECURRENCE-ID:20260101T000000Z", "BEGIN:VALARM", "DTSTART;TZID=Nowhere/City:20260329T090000"),
]
texts = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
ids = st.sampled_from(("pb67wndxge8293xd", "q7ab", "Fix-Me", "5f0c1e9a-3f5e-4c39-9f9e-0a6b3a2f1c11", "1", "-")).map(
    DocumentId
)
values = st.one_of(points, texts, st.lists(texts, max_size=3), json_values(4))
fields = {
    "description": texts | values,
    "status": st.sampled_from(("pending", "completed", "deleted", "recurring", "waiting", "someday")) | values,
    "priority": st.sampled_from(("H", "M", "L", "A")) | values,
    "tags": st.lists(texts, max_size=3) | values,
    "recur": st.sampled_from(("weekly", "weekdays", "2m", "1y", "P1Y2M", "FREQ=MONTHLY;BYDAY=1MO", "often")) | values,
    "timezone": st.sampled_from((*ZONES, "Nowhere/City")) | values,
    "exdates": st.lists(points, max_size=2) | values,
    "ical": st.lists(st.sampled_from(LINES) | texts, max_size=3),
    **dict.fromkeys(("due", "scheduled", "wait", "until", "entry", "end", "modified", "made_until"), points | values),
    **dict.fromkeys(("project", "notes", "uid", "parent", "mask", "foo", "a.b", "x:=", "Ü", "projects"), values),
    **dict.fromkeys(
        ("imask", "depends", "annotations", "hypertask", "-", "original_id", "title", "Due", "id2"), values
    ),
}
bodies = st.builds(
    lambda identity, body: {**body, "id": identity}, ids, st.fixed_dictionaries({}, optional=fields)  # type: ignore[arg-type]
)  # fmt: skip


def each_once(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({body["id"]: body for body in found}.values())


def check(found: list[dict[str, Any]], context: Context) -> None:
    for name, form in FORMATS.items():
        text, left_out = form.text_of(found, context)
        assert left_out == []
        again = form.read(text, context)
        assert [*again.documents] == [body["id"] for body in found], name
        for body in found:
            assert equal(again.documents[body["id"]], body), name
        assert again.numbered == 0, name


some_tasks = st.lists(bodies, max_size=4).map(each_once)


@given(found=some_tasks, context=st.sampled_from(PLACES))
def test_what_was_written_is_read_as_it_was(found: list[dict[str, Any]], context: Context) -> None:
    check(found, context)


@pytest.mark.soak
@settings(max_examples=10_000)
@given(found=some_tasks, context=st.sampled_from(PLACES))
def test_what_was_written_is_read_as_it_was_by_the_thousand(found: list[dict[str, Any]], context: Context) -> None:
    check(found, context)


patterns = st.builds(
    lambda due, recur, more: {"id": "pb67wndxge8293xd", "status": "recurring", "due": due, "recur": recur, **more},
    points,
    st.sampled_from(("daily", "weekdays", "2w", "monthly", "1y", "FREQ=WEEKLY;BYDAY=MO,FR", "PT12H")),
    st.fixed_dictionaries(
        {},
        optional={  # type: ignore[arg-type]
            "scheduled": points, "wait": points, "description": texts, "timezone": st.sampled_from(list(ZONES)),
            "uid": st.just("not/an id"), "until": points,
        },
    ),
)  # fmt: skip


series = (patterns, st.sampled_from(PLACES), st.sets(st.integers(0, 5)), st.none() | points)


def check_series(pattern: dict[str, Any], context: Context, gone: set[int], moved: str | None) -> None:
    """`gone`: which of its first occurrences were deleted. `moved`: when the first that is left is due instead."""
    now = datetime(2026, 11, 3, 12, tzinfo=UTC).astimezone(context.zone)
    made, after = occurrences(pattern, now)
    there = [body for number, body in enumerate(made[:6]) if number not in gone]
    if there and moved is not None:
        there[0] = {**there[0], "status": "completed", "due": moved}
    check([after, *there], context)


@given(*series)
def test_a_series_leaves_and_comes_back_whole(
    pattern: dict[str, Any], context: Context, gone: set[int], moved: str | None
) -> None:
    check_series(pattern, context, gone, moved)


@pytest.mark.soak
@settings(max_examples=3000)
@given(*series)
def test_many_series_leave_and_come_back_whole(
    pattern: dict[str, Any], context: Context, gone: set[int], moved: str | None
) -> None:
    check_series(pattern, context, gone, moved)


@pytest.mark.parametrize("name", FORMATS)
@given(raw=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_file_is_read_or_refused_in_words(name: str, raw: bytes) -> None:
    try:
        reading = FORMATS[name].read(raw, Context("a"))
    except ExportError as error:
        assert error.problems and all(problem.detail for problem in error.problems)
    else:
        assert all(body["id"] == document for document, body in reading.documents.items())
        assert FORMATS[name].read(raw, Context("a")) == reading
