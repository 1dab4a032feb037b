"""Imports and exports as commands: what is said, what is asked, and that a second time changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.client.tasks.test_days import Home, in_every_zone
from tests.unit.client.zones import ZONES, living_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *((form, text) for form in ("todo.txt", "csv", "json", "ical", "taskwarrior") for text in ("", "\n")),
        *(("json", "[]"), ("json", '{"tasks": []}'), ("taskwarrior", "[]"), ("csv", "description\n")),
        ("ical", "BEGIN:VCALENDAR\nEND:VCALENDAR\n"),
    ],
)
def test_nothing_to_import_is_no_error(home: Home, form: str, text: str) -> None:
    (home.path / "file").write_text(text)
    result = home.run("import", form, str(home.path / "file"))
    assert (result.exit_code, result.stdout) == (0, f"There is nothing to import in {home.path / 'file'}.\n")


def test_ids_of_a_file_are_said_to_be_of_it(home: Home) -> None:
    file = home.path / "a.txt"
    file.write_text("buy milk id:1\n")
    said = home.run("import", "todo.txt", str(file)).stdout
    assert f"1 task with ids of the file itself: they count within {file} (--source)." in said
    assert home.imported("todo.txt", "sell milk id:1\n", name="b.txt")["created"] == 1
    assert home.imported("todo.txt", "buy milk id:1\n", name="a.txt")["unchanged"] == 1
    assert home.imported("todo.txt", "buy milk id:1\n", "--source", str(file), name="moved.txt")["unchanged"] == 1
    assert len(home.listed()) == 2


def test_what_an_earlier_version_brought_under_its_number_stays_it(home: Home) -> None:
    (home.path / "tasks" / "1.json").write_text('{"id": "1", "description": "buy milk"}')
    counts = home.imported("csv", "id,description,project\n1,buy milk,home\n")
    assert counts["updated"] == 1 and len(home.listed()) == 1


def test_what_was_deleted_stays_deleted_though_more_is_read_of_it_now(home: Home) -> None:
    earlier = {"id": "s", "description": "x", "due": "2030-01-02T00:00:00Z", "status": "pending"}
    state = home.path / "tasks" / ".hypertask"
    state.mkdir(exist_ok=True)
    (state / "imported.ndjson").write_text(json.dumps(earlier) + "\n")
    calendar = "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:s\nSUMMARY:x\nDUE;VALUE=DATE:20300102\nEND:VTODO\nEND:VCALENDAR\n"
    assert home.imported("ical", calendar)["stays_deleted"] == 1
    assert not (state / "imported.ndjson").exists()
    changed = calendar.replace("SUMMARY:x", "SUMMARY:y")
    assert home.imported("ical", changed)["created"] == 1


def test_a_dry_run_shows_a_table_of_what_would_come(home: Home) -> None:
    (home.path / "a.csv").write_text("Was,Due\nmow,2030-01-02\noil,\n")
    arguments = ("import", "csv", str(home.path / "a.csv"), "--map", "Was=description", "--dry-run")
    lines = home.run(*arguments).stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["created", "created"]
    assert lines[0].endswith("2030-01-02  mow") and lines[1].endswith("oil")
    assert lines[2] == "Nothing was changed. It would be: 2 created, 0 updated, 0 unchanged."
    assert home.listed() == []
    wrong = home.run("import", "csv", str(home.path / "a.csv"), "--map", "Was")
    assert wrong.exit_code == 2 and "is not COLUMN=FIELD. Example: Deadline=due" in wrong.stderr


def test_what_did_not_come_in_is_said_and_the_rest_did(home: Home) -> None:
    calendar = "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:a\nSUMMARY:x\nDTSTART:\nEND:VTODO\nEND:VCALENDAR\n"
    (home.path / "a.ics").write_text(calendar)
    result = home.run("import", "ical", str(home.path / "a.ics"))
    assert (result.exit_code, "1 created" in result.stdout) == (0, True)
    assert "a.ics, line 5, entry 1: DTSTART of 'x': it has no value" in result.stderr


def test_many_are_brought_with_progress(home: Home) -> None:
    (home.path / "a.txt").write_text("".join(f"task {n}\n" for n in range(150)))
    result = home.run("import", "todo.txt", str(home.path / "a.txt"))
    assert "Imported 150 of 150" in result.stderr and "Imported 75 of 150" in result.stderr


@in_every_zone
def test_patterns_of_taskwarrior_go_on_and_make_nothing_again(home: Home, zone: str) -> None:
    """The parent is due on a Friday, at midnight where the user is; three of its tasks were made."""
    moments = {"Pacific/Auckland": "20261008T110000Z", "UTC": "20261009T000000Z", "Europe/Berlin": "20261008T220000Z"}
    moments |= {"America/New_York": "20261009T040000Z", "Asia/Kolkata": "20261008T183000Z"}
    uuid = "5f0c1e9a-3f5e-4c39-9f9e-0a6b3a2f1c11"
    parent = {"uuid": uuid, "description": "bins", "status": "recurring", "due": moments[zone], "mask": "-+X"}
    parent |= {"recur": "P1W", "wait": moments[zone], "rtype": "periodic"}
    child: dict[str, object] = {
        "uuid": uuid[:-1] + "2",
        "description": "bins",
        "status": "pending",
        "due": moments[zone],
    }
    child |= {"parent": uuid, "imask": 0, "recur": "P1W"}
    with living_in(zone):
        home.at("2026-11-10T12:00")
        home.imported("taskwarrior", json.dumps([parent, child]))
        found = home.listed("status:pending", "or", "status:waiting")
        made = [task for task in found if "imask" in task and task["imask"] > 0]
        assert [task["imask"] for task in made] == [3, 4, 5]
        days = home.run("list", "status:pending", "or", "status:waiting").stdout
        assert all(f"2026-{day} " in days for day in ("10-09", "10-30", "11-06", "11-13"))
        assert [task["wait"] for task in made] == [task["due"] for task in made]
        assert len(home.listed("status:pending", "or", "status:waiting")) == len(found)
        # Taskwarrior hears of them: it will not make them again.
        tasks = {task["uuid"]: task for task in json.loads(home.exported("taskwarrior"))}
        assert tasks[uuid]["mask"] == "-+X---"
        assert sorted(task["imask"] for task in tasks.values() if "imask" in task) == [0, 3, 4, 5]
        assert home.imported("taskwarrior", json.dumps([*tasks.values()]))["unchanged"] == 5
    assert set(moments) == set(ZONES)


def test_what_is_to_repeat_and_does_not_is_named_by_doctor(home: Home) -> None:
    rows = [{"recur": "often", "due": "2030-01-02"}, {"recur": "weekly"}, {"recur": "2wk", "due": "2030-01-02"}]
    for number, more in enumerate(rows):
        body = {"id": f"t{number}", "description": f"task {number}", "status": "recurring", **more}
        (home.path / "tasks" / f"t{number}.json").write_text(json.dumps(body))
    result = home.run("doctor")
    assert result.exit_code == 1 and "Nothing is wrong" not in result.stdout
    assert "t0 (task 0) does not repeat: 'often' is not a period" in result.stdout
    assert "t1 (task 1) does not repeat" in result.stdout and "t2 (task 2)" not in result.stdout
