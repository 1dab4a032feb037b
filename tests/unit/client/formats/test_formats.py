"""What each format's files mean, and what is wrong with them."""

from __future__ import annotations

import json

import pytest

from client.formats import csv_table, ical, plain_json, todotxt
from client.formats.context import Context
from client.formats.faults import ExportError
from client.tasks.ids import derived_id

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
        "end": "2026-01-02",
        "entry": "2026-01-01",
        "due": "2026-01-05",
        "priority": "A",
        "project": "home",
        "tags": ["phone"],
    }
    assert two["description"] == "Buy +x milk +y http://a:b 12:30 Note:"
    assert (two["project"], two["projects"], two["foo"]) == ("x", ["y"], "bar")
    assert three["id"] != four["id"]
    done = TODO.replace(b"(A) 2026", b"x 2026-02-02 2026").replace(b"foo:bar", b"due:2026-03-03 foo:bar")
    assert list(todotxt.documents_of(done)) == list(todotxt.documents_of(TODO))
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
        "due": "2026-11-24",
        "timezone": "Europe/Berlin",
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
    assert unnamed["ical"] == ["RRULE:FREQ=MONTHLY;BYDAY=1MO"] and "recur" not in unnamed  # it begins never
    again = CALENDAR.replace(b"DTSTAMP:20260101T000000Z", b"DTSTAMP:20270101T000000Z")
    assert ical.documents_of(again) == documents
    text, left_out = ical.text_of(documents.values())
    assert ical.documents_of(text) == documents and left_out == []
    assert b"DUE;VALUE=DATE:20261124" in text and text.count(b"UID:abc@x") == 2
    mine = {"id": "q7", "description": "x", "status": "pending", "project": "p", "n": {"a,b;c": [1, "\\n\n"]}}
    text, left_out = ical.text_of([mine])
    assert ical.documents_of(text) == {"q7": mine} and left_out == []
    text, left_out = ical.text_of([{**mine, "ical": ["END:VTODO", "BEGIN:VTODO", "X-Y:z"]}])
    assert ical.documents_of(text) == {"q7": {**mine, "ical": ["END:VTODO", "BEGIN:VTODO", "X-Y:z"]}}


def test_csv() -> None:
    raw = 'id;description;tags;estimate:=\n;buy milk;a b;3\nq7;"two\nlines";;\n'.encode("utf-8-sig")
    first, second = csv_table.documents_of(raw).values()
    assert first == {"id": first["id"], "description": "buy milk", "tags": ["a", "b"], "estimate": 3}
    assert second == {"id": second["id"], "original_id": "q7", "description": "two\nlines"}
    assert csv_table.documents_of(raw) == csv_table.documents_of(raw)
    for wrong, says in [
        (",", "name the fields"),
        ("a,a\n1,2", "names a twice"),
        ("a\n1,2", "line 2: it has 2 cells"),
        ('id:=\n"""a b"""', "line 2: 'a b' is not an id"),
        ("a:=\n{", "line 2: the cell of a:= is not JSON"),
        ("id,a\nq,1\nq,2", "line 3: task .* is there twice"),
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
    [only] = plain_json.documents_of(b'{"id": "q7"}', Context(keep_ids=True)).values()
    assert only == {"id": "q7"}
    text, _ = plain_json.lines_of(array.values())
    assert plain_json.documents_of(text) == array
    for wrong, says in [
        ("[1]", "entry 1: a task is a JSON object"),
        ('{"id": "a"}\n{"id": ', "line 2"),
        ('[{"id": "a", "x": 1, "x": 2}]', "occurs twice"),
        ('[{"id": "a"}, {"id": "a", "x": 1}]', "entry 2: task .* is there twice"),
    ]:
        with pytest.raises(ExportError, match=says):
            plain_json.documents_of(wrong.encode())


def test_long_integers_are_numbers_in_every_format_that_has_json() -> None:
    wanted = {"id": "pb67wndxge8293xd", "n": 1e17}
    [array] = plain_json.documents_of(b'[{"id": "pb67wndxge8293xd", "n": 100000000000000000}]').values()
    [line] = plain_json.documents_of(b'{"id": "pb67wndxge8293xd", "n": 100000000000000000}\n').values()
    [cell] = csv_table.documents_of(b"id,n:=\npb67wndxge8293xd,100000000000000000\n").values()
    for body in (array, line, cell):
        assert body == wanted and type(body["n"]) is float
    for writer in (plain_json.text_of, plain_json.lines_of, csv_table.text_of):
        text, _ = writer([wanted])
        reader = csv_table if writer is csv_table.text_of else plain_json
        assert reader.documents_of(text) == {"pb67wndxge8293xd": wanted}
    for reader, text in (
        (plain_json, b'{"id": "pb67wndxge8293xd", "n": 9007199254740993}'),
        (csv_table, b"id,n:=\npb67wndxge8293xd,9007199254740993"),
    ):
        with pytest.raises(ExportError, match="9007199254740993"):
            reader.documents_of(text)


@pytest.mark.parametrize("identity", [".", ".."])
def test_dot_segments_become_no_ids(identity: str) -> None:
    [body] = plain_json.documents_of(json.dumps({"id": identity}).encode()).values()
    assert body["id"] != identity and body["original_id"] == identity
    [body] = csv_table.documents_of(f"id,description\n{identity},x\n".encode()).values()
    assert body["id"] != identity
    [body] = todotxt.documents_of(f"buy milk id:{identity}".encode()).values()
    assert body["id"] != identity
