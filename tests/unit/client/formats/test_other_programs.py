"""What other programs leave: sentences, ids of their own, tables with other names, exports of services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from client.formats import csv_table, plain_json, todotxt
from client.formats.context import Context
from client.formats.faults import ExportError
from client.formats.fields import NoDateError, date_of

HERE, THERE = Context("/here/todo.txt"), Context("/there/todo.txt")


def line(text: str, context: Context = HERE) -> dict[str, Any]:
    [body] = todotxt.documents_of(text.encode(), context).values()
    return body


def row(text: str, context: Context = HERE) -> dict[str, Any]:
    [body] = csv_table.documents_of(text.encode(), context).values()
    return body


def bodies(value: Any, context: Context = HERE) -> list[dict[str, Any]]:
    found = plain_json.documents_of(json.dumps(value).encode(), context)
    return [
        {name: field for name, field in body.items() if name not in ("id", "original_id")} for body in found.values()
    ]


# --- todo.txt ------------------------------------------------------------------------------------------------


def test_a_sentence_keeps_its_words() -> None:
    body = line("discuss with @George about +x")
    assert body["description"] == "discuss with @George about +x"
    assert (body["tags"], body["project"]) == (["George"], "x")
    assert todotxt.documents_of(todotxt.text_of([body])[0]) == {body["id"]: body}


def test_a_finished_task_has_both_its_days() -> None:
    ours = {
        "id": "pb67wndxge8293xd",
        "description": "buy milk",
        "status": "completed",
        "entry": "2026-11-28T10:00:00Z",
        "end": "2026-11-28T18:30:00Z",
    }
    text, _ = todotxt.text_of([ours])
    assert text.startswith(b"x 2026-11-28 2026-11-28 buy milk ")
    assert todotxt.documents_of(text) == {ours["id"]: ours}
    assert line("x 2026-11-28 2026-11-27 buy milk")["entry"] == "2026-11-27"


@pytest.mark.parametrize("description", ["x ray", "(A) first", "2026-01-01 party", "x 2026-01-01 a", "x"])
def test_a_description_is_not_taken_for_what_stands_at_the_beginning(description: str) -> None:
    ours = {"id": "pb67wndxge8293xd", "description": description, "status": "pending"}
    text = todotxt.text_of([ours])[0].decode()
    assert not text.startswith(("x ", "(A) ", "2026")) and description in text
    assert todotxt.documents_of(text.encode()) == {ours["id"]: ours}


def test_what_earlier_versions_wrote_is_read_as_it_was_meant() -> None:
    body = line("call Ann @phone +home due:2026-01-05 id:pb67wndxge8293xd")
    assert (body["description"], body["tags"], body["project"]) == ("call Ann", ["phone"], "home")


# --- ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (todotxt, b"buy milk id:1"),
        (csv_table, b"id,description\n1,buy milk"),
        (plain_json, b'[{"id": 1, "description": "buy milk"}]'),
        (plain_json, b'[{"id": "1", "description": "buy milk"}]'),
    ],
)
def test_an_id_of_another_program_is_of_that_file(form: Any, text: bytes) -> None:
    [here], [there] = form.read(text, HERE).documents, form.read(text, THERE).documents
    assert here != there and form.read(text, HERE).numbered == 1
    assert [*form.read(text, HERE).documents] == [here]
    assert [*form.read(text, Context("/there/todo.txt", keep_ids=True)).documents] in (["1"], [there])


def test_a_task_that_is_here_under_that_id_stays_it() -> None:
    known = Context("a", known=lambda identity, body: identity == "1" and body["description"] == "buy milk")
    assert [*todotxt.read(b"buy milk id:1", known).documents] == ["1"]
    assert [*todotxt.read(b"sell milk id:1", known).documents] != ["1"]


@pytest.mark.parametrize("identity", ["pb67wndxge8293xd", "5F0C1E9A-3f5e-4c39-9f9e-0a6b3a2f1c11"])
def test_what_no_two_programs_give_is_of_the_world(identity: str) -> None:
    assert line(f"buy milk id:{identity}")["id"] == identity
    assert row(f"id,description\n{identity},x")["id"] == identity
    assert [*plain_json.documents_of(json.dumps([{"id": identity}]).encode())] == [identity]


# --- tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Description,Due\nmow,2030-01-02\n", {"due": "2030-01-02"}),
        ("sep=;\nTask;Due Date;Done\nmow;02.01.2030;yes\n", {"due": "2030-01-02", "status": "completed"}),
        ('"sep=,"\r\nTitle,Deadline\r\nmow,2030-01-02 18:00\r\n', {"due": "2030-01-02T18:00:00"}),
        ("Content\tPriority\tLabels\nmow\thigh\ta, b\n", {"priority": "H", "tags": ["a", "b"]}),
        ("Subject,Due Date,Notes\nmow,2030-01-02T18:00:00Z,n\n", {"due": "2030-01-02T18:00:00Z", "notes": "n"}),
        ("Task,Due\nmow,13/1/2030 6:30 PM\n", {"due": "2030-01-13T18:30:00"}),
        ("Name,Wann\nmow,x\n", {"Wann": "x"}),
    ],
)  # fmt: skip
def test_columns_are_what_people_call_them(text: str, body: dict[str, Any]) -> None:
    found = row(text)
    assert {name: value for name, value in found.items() if name != "id"} == {"description": "mow", **body}


def test_other_columns_are_mapped() -> None:
    context = Context("a", columns={"Was": "description", "Wann": "due"})
    assert row("Was;Wann;Wo\nmow;2.1.2030;there\n", context) | {"id": ""} == {
        "id": "",
        "description": "mow",
        "due": "2030-01-02",
        "Wo": "there",
    }


def test_a_date_that_may_be_two_days_is_kept_and_named() -> None:
    reading = csv_table.read(b"Task,Due\nmow,1/2/2030\n", HERE)
    [body] = reading.documents.values()
    assert body["due_text"] == "1/2/2030" and "due" not in body
    assert str(reading.notes[0]) == (
        "line 2: Due: '1/2/2030' may be two days; write it as 2030-01-02; it is kept as due_text"
    )
    with pytest.raises(NoDateError):
        date_of("30.2.2030")


TODOIST = """\
TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE
section,Home,,,,,,,,
task,mow @garden,the lawn,1,1,me,,2030-01-02,en,Europe/Berlin
task,oil,,4,2,me,,every day,en,
note,before,,,,,,,,
"""


def test_todoist_s_table() -> None:
    reading = csv_table.read(TODOIST.encode(), HERE)
    mow, oil = reading.documents.values()
    assert mow | {"id": ""} == {
        "id": "", "description": "mow @garden", "status": "pending", "notes": "the lawn", "project": "Home",
        "tags": ["garden"], "priority": "H", "due": "2030-01-02",
    }  # fmt: skip
    assert (oil["part_of"], oil["notes"], oil["due_text"]) == ("mow @garden", "before", "every day")
    assert len(reading.notes) == 1 and "line 4" in str(reading.notes[0])


TICKTICK = """\
"Date: 2026-11-01+0000"
"Version: 7.1"
"Status:
0 Normal
1 Completed
2 Archived"
"Folder Name","List Name","Title","Kind","Tags","Content","Is Check list","Start Date","Due Date","Reminder",\
"Repeat","Priority","Status","Created Time","Completed Time","Order","Timezone","Is All Day","taskId","parentId"
"","Home","mow","TEXT","garden, out","the lawn","N","2030-01-01T23:00:00+0000","2030-01-01T23:00:00+0000","",\
"FREQ=WEEKLY;INTERVAL=1","5","0","2026-10-01T08:00:00+0000","","-1","Europe/Berlin","true","1",""
"","Home","oil","TEXT","","","N","","","","","0","2","2026-10-01T08:00:00+0000","2026-10-02T08:00:00+0000","-1","","","2","1"
"""


def test_ticktick_s_table() -> None:
    mow, oil = csv_table.documents_of(TICKTICK.encode(), HERE).values()
    assert mow | {"id": ""} == {
        "id": "", "original_id": "1", "description": "mow", "notes": "the lawn", "project": "Home",
        "tags": ["garden", "out"], "priority": "H", "scheduled": "2030-01-02", "due": "2030-01-02",
        "entry": "2026-10-01T08:00:00Z", "status": "recurring", "recur": "FREQ=WEEKLY;INTERVAL=1",
    }  # fmt: skip
    assert (oil["status"], oil["end"], oil["part_of"]) == ("completed", "2026-10-02T08:00:00Z", "1")


# --- services ------------------------------------------------------------------------------------------------

GOOGLE = {
    "kind": "tasks#taskLists",
    "items": [
        {"kind": "tasks#tasks", "title": "Home", "items": [
            {"kind": "tasks#task", "id": "a1", "title": "mow", "status": "needsAction",
             "due": "2030-01-02T00:00:00.000Z"},
            {"kind": "tasks#task", "id": "a2", "title": "oil", "status": "completed", "notes": "n",
             "completed": "2026-10-02T08:00:00.000Z"},
        ]},
        {"kind": "tasks#tasks", "title": "Empty"},
    ],
}  # fmt: skip
TRELLO = {
    "name": "Board",
    "lists": [{"id": "l1", "name": "Doing"}],
    "checklists": [{"id": "c1", "checkItems": [{"name": "step"}]}],
    "cards": [
        {"id": "k1", "name": "mow", "desc": "the lawn", "idList": "l1", "due": "2030-01-02T18:00:00.000Z",
         "dueComplete": False, "labels": [{"name": "garden", "color": "green"}], "idChecklists": ["c1"]},
        {"id": "k2", "name": "oil", "idList": "l1", "closed": True, "labels": [{"name": "", "color": "red"}]},
    ],
}  # fmt: skip
REST = [
    {"id": "1", "content": "mow", "description": "", "project_id": "p", "priority": 4, "labels": ["garden"],
     "is_completed": False, "due": {"date": "2030-01-02", "is_recurring": False, "string": "Jan 2"}},
    {"id": "2", "content": "oil", "project_id": "p", "priority": 1, "checked": True,
     "due": {"date": "2030-01-02", "datetime": "2030-01-02T18:00:00Z", "is_recurring": True, "string": "every day"}},
]  # fmt: skip
MICROSOFT = {
    "value": [
        {"id": "AQ", "title": "mow", "status": "notStarted", "importance": "high", "body": {"content": "n"},
         "dueDateTime": {"dateTime": "2030-01-02T00:00:00.0000000", "timeZone": "UTC"}, "categories": ["garden"]},
        {"id": "AR", "title": "oil", "status": "completed", "importance": "normal",
         "completedDateTime": {"dateTime": "2026-10-02T08:00:00.0000000", "timeZone": "UTC"}},
    ]
}  # fmt: skip


def test_google_tasks() -> None:
    assert bodies(GOOGLE) == [
        {"description": "mow", "status": "pending", "project": "Home", "due": "2030-01-02"},
        {"description": "oil", "status": "completed", "project": "Home", "notes": "n", "end": "2026-10-02T08:00:00Z"},
    ]
    assert bodies({"kind": "tasks#taskLists", "items": []}) == []


def test_trello() -> None:
    mow, oil = bodies(TRELLO)
    assert mow == {
        "description": "mow", "notes": "the lawn", "status": "pending", "project": "Board", "list": "Doing",
        "tags": ["garden"], "due": "2030-01-02T18:00:00Z", "steps": ["step"],
    }  # fmt: skip
    assert (oil["status"], oil["tags"]) == ("deleted", ["red"])


def test_todoist() -> None:
    mow, oil = bodies(REST)
    assert mow == {
        "description": "mow", "status": "pending", "priority": "H", "tags": ["garden"], "project": "p",
        "due": "2030-01-02",
    }  # fmt: skip
    assert (oil["status"], oil["due"], oil["repeat_text"]) == ("completed", "2030-01-02T18:00:00Z", "every day")
    whole = {"items": REST, "projects": [{"id": "p", "name": "Home"}]}
    assert {body["project"] for body in bodies(whole)} == {"Home"}


def test_microsoft_to_do() -> None:
    mow, oil = bodies(MICROSOFT)
    assert mow == {
        "description": "mow", "status": "pending", "priority": "H", "notes": "n", "due": "2030-01-02",
        "tags": ["garden"],
    }  # fmt: skip
    assert (oil["status"], oil["end"]) == ("completed", "2026-10-02T08:00:00Z")
    lists = {"lists": [{"displayName": "Home", "tasks": MICROSOFT["value"]}]}
    assert {body["project"] for body in bodies(lists)} == {"Home"}


@pytest.mark.parametrize("service", [GOOGLE, TRELLO, REST, MICROSOFT])
def test_a_second_reading_gives_the_same_ids(service: Any) -> None:
    raw = json.dumps(service).encode()
    assert plain_json.read(raw, HERE) == plain_json.read(raw, HERE)
    assert not set(plain_json.read(raw, HERE).documents) & set(plain_json.read(raw, THERE).documents)


@pytest.mark.parametrize(
    ("value", "saw"),
    [
        ({"kind": "calendar", "items": [{"a": 1}]}, "an object with kind, items"),
        ([{"foo": 1}, {"foo": 2}], "an object with foo"),
        ({"cards": [{"name": "x"}]}, "an object with cards"),
        ({"id": "board", "columns": [{"x": 1}]}, "an object with id, columns"),
    ],
)
def test_what_is_no_list_of_tasks_is_refused_with_what_was_seen(value: Any, saw: str) -> None:
    with pytest.raises(ExportError, match=f"not a list of tasks but {saw}.*Todoist.*--map"):
        plain_json.documents_of(json.dumps(value).encode())


def test_keys_of_another_program_are_mapped() -> None:
    rows = [{"was": "mow", "wann": "2030-01-02", "fertig": True}]
    context = Context("a", columns={"was": "description", "wann": "due", "fertig": "status"})
    assert bodies(rows, context) == [{"description": "mow", "due": "2030-01-02", "status": "completed"}]
    assert bodies([{"title": "mow", "done": False}]) == [{"description": "mow", "status": "pending"}]


@pytest.mark.parametrize("form", [todotxt, csv_table, plain_json])
@pytest.mark.parametrize("raw", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_nothing_in_it(form: Any, raw: bytes) -> None:
    assert form.read(raw, HERE).documents == {}


@pytest.mark.parametrize("form", [todotxt, csv_table, plain_json])
def test_another_encoding_is_refused_by_name_and_line(form: Any) -> None:
    with pytest.raises(ExportError, match="line 2: it is not UTF-8 but probably Windows-1252"):
        form.read("a\ngrün".encode("cp1252"), HERE)
    with pytest.raises(ExportError, match="line 1: it is UTF-16, not UTF-8"):
        form.read("a\ngrün".encode("utf-16"), HERE)
