"""The law of all formats: reading twice is reading once, and what was written is read as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.formats import csv_table, ical, plain_json, taskwarrior, todotxt
from client.formats.faults import ExportError
from client.ids import derived_id
from shared.core.canonical import equal
from shared.core.documents import DocumentId
from shared.testing.strategies import json_values

texts = st.one_of(
    st.sampled_from(
        ("buy milk", "", " two  spaces ", "+a", "@b", "a:b", "x", "(A)", 'quo"te', "a,b;c", "l1\nl2", "=1")
    )
    | st.sampled_from(
        (
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "20260101T000000Z",
            "0001-01-01T00:00:00+14:00",
            "é😀",
            "H",
            "completed",
            "0",
        )
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
)
ids = st.sampled_from(("pb67wndxge8293xd", "q7ab", "Fix-Me", "5f0c1e9a-3f5e-4c39-9f9e-0a6b3a2f1c11")).map(DocumentId)
fields = ("description", "status", "project", "priority", "due", "entry", "end", "modified", "notes", "uid", "ical")
fields += ("recur", "until", "parent", "foo", "a.b", "x:=", "Ü", "projects", "uuid", "wait", "tags")
values = st.one_of(texts, st.lists(texts, max_size=3), json_values(4))
bodies = st.builds(
    lambda identity, body: {**body, "id": identity}, ids, st.dictionaries(st.sampled_from(fields), values, max_size=6)
)
FORMATS = {"csv": csv_table, "ical": ical, "json": plain_json, "taskwarrior": taskwarrior, "todo.txt": todotxt}
LOSSLESS = ("csv", "json")


def each_once(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({body["id"]: body for body in found}.values())


@pytest.mark.parametrize("name", FORMATS)
@given(found=st.lists(bodies, max_size=3).map(each_once))
def test_what_was_written_is_read_as_it_was_but_for_what_was_named(name: str, found: list[dict[str, Any]]) -> None:
    text, left_out = FORMATS[name].text_of(found)
    if name in LOSSLESS:
        assert left_out == []
    if not found:
        return
    try:
        again = FORMATS[name].documents_of(text)
    except ExportError:  # Taskwarrior's uuid and id may be those of two tasks
        assert name == "taskwarrior"
        return
    assert FORMATS[name].documents_of(text) == again
    if name == "taskwarrior":
        return
    for body in found:
        if "id" in left_out:
            continue
        read = again[body["id"]]
        for field in body.keys() - set(left_out):
            assert equal(read[field], body[field]), field


@given(bodies.filter(lambda body: "uuid" not in body))
def test_our_tasks_come_back_from_taskwarrior_as_themselves(body: dict[str, Any]) -> None:
    ours = {"description": "x", "status": "pending", **body}
    if isinstance(ours.get("due"), str) and ours["due"].startswith("2026"):
        ours["due"] = "2026-01-01T00:00:00Z"
    for moment in ("entry", "end", "wait", "until", "modified"):
        ours.pop(moment, None)
    text, _ = taskwarrior.text_of([ours])
    [task] = json.loads(text)
    for program in ({}, {"id": 3, "urgency": 1.5}):
        [back] = taskwarrior.documents_of(json.dumps([{**task, **program}]).encode()).values()
        assert equal(back, ours)


@pytest.mark.parametrize("name", FORMATS)
@given(raw=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_file_is_read_or_refused_in_words(name: str, raw: bytes) -> None:
    try:
        documents = FORMATS[name].documents_of(raw)
    except ExportError as error:
        assert error.problems and all(problem.detail for problem in error.problems)
    else:
        assert all(body["id"] == document for document, body in documents.items())


TODO = b"""\
x 2026-01-02 2026-01-01 call Ann @phone +home due:2026-01-05 id:pb67wndxge8293xd pri:A
(A) 2026-01-01 Buy +x milk +y http://a:b 12:30 foo:bar Note:
plain
plain
"""


def test_todo_txt() -> None:
    one, two, three, four = todotxt.documents_of(TODO).values()
    assert one == {
        "id": "pb67wndxge8293xd",
        "description": "call Ann",
        "status": "completed",
        "end": "2026-01-02T00:00:00Z",
        "entry": "2026-01-01T00:00:00Z",
        "due": "2026-01-05T00:00:00Z",
        "priority": "A",
        "project": "home",
        "tags": ["phone"],
    }
    assert two["description"] == "Buy milk http://a:b 12:30 Note:"
    assert (two["project"], two["projects"], two["foo"]) == ("x", ["y"], "bar")
    assert three["id"] != four["id"]
    done = TODO.replace(b"(A) 2026", b"x 2026-02-02 2026").replace(b"foo:bar", b"due:2026-03-03 foo:bar")
    assert list(todotxt.documents_of(done)) == list(todotxt.documents_of(TODO))
    _, left_out = todotxt.text_of([{**one, "nested": {}, "status": "waiting"}])
    assert left_out == ["end", "nested", "status"]
    assert todotxt.documents_of(todotxt.text_of([one, two])[0]) == {one["id"]: one, two["id"]: two}


CALENDAR = b"""BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:no-task
END:VEVENT
BEGIN:VTODO
UID:abc@x
DTSTAMP:20260101T000000Z
SUMMARY:Hello\\, world
DUE;VALUE=DATE:20261124
DTSTART;TZID=Europe/Berlin:20261123T090000
CATEGORIES:a,b
CATEGORIES:c
STATUS:IN-PROCESS
RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270101T000000Z
PRIORITY:3
X-FOO;A=b:bar
X-FOO:bar2
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
DESCRIPTION:x
END:VALARM
END:VTODO
BEGIN:VTODO
UID:abc@x
RECURRENCE-ID:20261208T000000Z
SUMMARY:Hello this time
STATUS:COMPLETED
END:VTODO
BEGIN:VTODO
SUMMARY:no uid
RRULE:FREQ=MONTHLY;BYDAY=1MO
END:VTODO
END:VCALENDAR
"""


def test_ical() -> None:
    documents = ical.documents_of(CALENDAR)
    series, occurrence, unnamed = documents.values()
    assert series == {
        "id": derived_id("ical", "abc@x"),
        "uid": "abc@x",
        "description": "Hello, world",
        "due": "2026-11-24T00:00:00Z",
        "scheduled": "2026-11-23T08:00:00Z",
        "tags": ["a", "b", "c"],
        "status": "recurring",
        "recur": "2w",
        "until": "2027-01-01T00:00:00Z",
        "priority": "H",
        "ical": series["ical"],
    }
    assert series["ical"][:4] == ["STATUS:IN-PROCESS", "PRIORITY:3", "X-FOO;A=b:bar", "X-FOO:bar2"]
    assert series["ical"][4].startswith("BEGIN:VALARM")
    assert occurrence["parent"] == series["id"] and occurrence["status"] == "completed"
    assert occurrence["id"] == derived_id("occurrence", series["id"], "2026-12-08T00:00:00Z")
    assert unnamed["ical"] == ["RRULE:FREQ=MONTHLY;BYDAY=1MO"] and "recur" not in unnamed
    again = CALENDAR.replace(b"DTSTAMP:20260101T000000Z", b"DTSTAMP:20270101T000000Z")
    assert ical.documents_of(again) == documents
    text, left_out = ical.text_of(documents.values())
    assert ical.documents_of(text) == documents and left_out == []
    assert b"DUE;VALUE=DATE:20261124" in text and text.count(b"UID:abc@x") == 2
    mine = {"id": "q7", "description": "x", "status": "pending", "project": "p", "n": {"a,b;c": [1, "\\n\n"]}}
    text, left_out = ical.text_of([mine])
    assert ical.documents_of(text) == {"q7": mine} and left_out == []
    text, left_out = ical.text_of([{**mine, "ical": ["END:VTODO", "BEGIN:VTODO", "X-Y:z"]}])
    assert ical.documents_of(text) == {"q7": mine} and left_out == ["ical"]
    with pytest.raises(ExportError, match="no iCalendar"):
        ical.documents_of(CALENDAR.replace(b"VALUE=DATE:20261124", b"VALUE=DATE:soon"))


def test_csv() -> None:
    raw = 'id;description;tags;estimate:=\n;buy milk;a b;3\nq7;"two\nlines";;\n'.encode("utf-8-sig")
    first, second = csv_table.documents_of(raw).values()
    assert first == {"id": first["id"], "description": "buy milk", "tags": ["a", "b"], "estimate": 3}
    assert second == {"id": "q7", "description": "two\nlines"}
    assert csv_table.documents_of(raw) == csv_table.documents_of(raw)
    for wrong, says in [
        ("", "name the fields"),
        ("a,a\n1,2", "names a twice"),
        ("a\n1,2", "line 2: it has 2 cells"),
        ("id\na b", "line 2: 'a b' is no id"),
        ("a:=\n{", "line 2: the cell of a:= is no JSON"),
        ("id,a\nq,1\nq,2", "line 3: task q is there twice"),
        ('a\n"x', "quotation mark"),
    ]:
        with pytest.raises(ExportError, match=says):
            csv_table.documents_of(wrong.encode())
    with pytest.raises(ExportError, match="line 2: it is not UTF-8"):
        csv_table.documents_of(b"a\n\xff")


def test_plain_json() -> None:
    rows = [{"id": "q7", "x": 1}, {"x": 2}, {"x": 2}, {"id": 7}]
    array = plain_json.documents_of(json.dumps(rows).encode())
    assert plain_json.documents_of(json.dumps({"tasks": rows}).encode()) == array
    assert plain_json.documents_of("\n".join(map(json.dumps, rows)).encode()) == array
    assert [body.get("x") for body in array.values()] == [1, 2, 2, None]
    assert len(array) == 4 and list(array.values())[3]["original_id"] == 7
    assert plain_json.documents_of(b'{"id": "q7"}') == {"q7": {"id": "q7"}}
    text, _ = plain_json.lines_of(array.values())
    assert plain_json.documents_of(text) == array
    for wrong, says in [
        ("", "nothing in it"),
        ("[1]", "entry 1: a task is a JSON object"),
        ('{"id": "a"}\n{"id": ', "line 2"),
        ('[{"id": "a", "x": 1, "x": 2}]', "occurs twice"),
        ('[{"id": "a"}, {"id": "a", "x": 1}]', "entry 2: task a is there twice"),
    ]:
        with pytest.raises(ExportError, match=says):
            plain_json.documents_of(wrong.encode())
