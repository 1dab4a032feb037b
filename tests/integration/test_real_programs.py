"""What the programs themselves make of what we write, and what we have after they wrote it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import vobject
from pytodotxt import TodoTxt

from client.formats import ical, taskwarrior, todotxt
from client.formats.context import Context
from client.tasks.recurrence import occurrences
from shared.core.json.canonical import equal
from tests.unit.client.zones import NAMES, POSIX, ZONES

DAYS = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-09-27", "2026-10-25", "2026-11-01", "2030-01-02"]
PATTERN: dict[str, Any] = {
    "id": "gz67wndxge8293xd",
    "description": "water",
    "status": "recurring",
    "entry": "2026-01-01T00:00:00Z",
    "due": "2026-10-19",
    "wait": "2026-10-18",
    "recur": "weekly",
}


def tasks() -> list[dict[str, Any]]:
    """Days around the changes of the clocks, local times, moments, and what each format has no word for."""
    found: list[dict[str, Any]] = [
        {"id": f"pb67wndxge8293x{letter}", "description": f"on {day}", "status": "pending", "due": day}
        for letter, day in zip("23456789", DAYS, strict=False)
    ]
    found += [
        {"id": "cc67wndxge8293x2", "description": "at nine", "status": "pending", "due": "2026-10-25T09:00:00"},
        {
            "id": "cc67wndxge8293x3",
            "description": 'Grüße, ;\\ "x" \U0001f600',
            "status": "pending",
            "tags": ["a", "b"],
        },
        {"id": "cc67wndxge8293x4", "description": "l1\nl2", "status": "completed", "end": "2026-10-25T00:30:00Z"},
        {
            "id": "cc67wndxge8293x5",
            "status": "someday",
            "n": {"a": [1]},
            "priority": "Z",
            "parent": "q7",
            "steps": ["x"],
        },
        {"id": "q7", "description": "x ray", "status": "pending", "due": "2026-10-25T00:30:00Z", "estimate": 3},
    ]
    stamp = "2026-10-01T00:00:00Z"
    return [{"entry": stamp, "modified": stamp, **body} for body in found]


def task_program() -> str:
    found = shutil.which("task")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("the Taskwarrior of Debian (apt-get install taskwarrior) has to be there in CI")
        pytest.skip("there is no Taskwarrior here: apt-get install taskwarrior")
    return found


class Taskwarrior:
    """The real program, with a directory of its own, in one of the zones."""

    def __init__(self, path: Path, zone: str) -> None:
        self._program = task_program()
        (path / "taskrc").write_text(
            f"data.location={path}\nconfirmation=off\nhooks=off\nrecurrence=off\nverbose=nothing\n"
        )
        self._env = {"TASKRC": str(path / "taskrc"), "TZ": POSIX[zone], "HOME": str(path), "LC_ALL": "C.UTF-8"}

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            [self._program, *arguments], input=stdin, capture_output=True, env=self._env, check=False
        )
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
        return done.stdout


@pytest.mark.parametrize("zone", NAMES)
def test_taskwarrior_takes_all_of_it_and_gives_it_back(tmp_path: Path, zone: str) -> None:
    program, context = Taskwarrior(tmp_path, zone), Context(zone=ZONES[zone])
    made, after = occurrences(PATTERN, datetime(2026, 11, 3, 12, tzinfo=ZONES[zone]))
    ours = [*tasks(), after, *made]
    program.run("import", "-", stdin=taskwarrior.text_of(ours, context)[0])
    # It knows the days as the days that they are.
    for day in DAYS:
        assert json.loads(program.run(f"due:{day}", "status:pending", "export"))[0]["description"] == f"on {day}"
    back = taskwarrior.read(program.run("export"), context).documents
    assert [*back] == [body["id"] for body in ours] or set(back) == {body["id"] for body in ours}
    for body in ours:
        now = {name: value for name, value in back[body["id"]].items() if name != "modified" or "modified" in body}
        assert equal(now, body), (now, body)
    # What is done there is done here.
    program.run("due:2030-01-02", "modify", "due:2030-01-05")
    [moved] = [body for body in taskwarrior.read(program.run("export"), context).documents.values()
               if body.get("description") == "on 2030-01-02"]  # fmt: skip
    assert moved["due"] == "2030-01-05"


@pytest.mark.parametrize("zone", NAMES)
def test_what_taskwarrior_makes_comes_back_to_it_as_it_was(tmp_path: Path, zone: str) -> None:
    program = Taskwarrior(tmp_path, zone)
    program.run("add", "bins", "due:2026-10-23", "recur:weekly", "+home", "project:a.b")
    program.run("add", "call", "due:2026-10-25T09:00", "wait:2026-10-24", "priority:H")
    before = program.run("export")
    documents = taskwarrior.read(before, Context(zone=ZONES[zone])).documents
    text, _ = taskwarrior.text_of(documents.values(), Context(zone=ZONES[zone]))
    assert json.loads(text) == json.loads(before)


@pytest.mark.parametrize("zone", NAMES)
def test_pytodotxt_reads_what_is_meant(tmp_path: Path, zone: str) -> None:
    context, file = Context(zone=ZONES[zone]), tmp_path / "todo.txt"
    ours = tasks()
    file.write_bytes(todotxt.text_of(ours, context)[0])
    read = TodoTxt(file)
    read.parse()
    assert len(read.tasks) == len(ours)
    for theirs, body in zip(read.tasks, ours, strict=True):
        assert theirs.is_completed is (body["status"] == "completed")
        if len(str(body.get("due", ""))) == 10:
            assert theirs.attributes["due"] == [body["due"]]
        if theirs.is_completed:
            end = datetime.fromisoformat(body["end"]).astimezone(ZONES[zone]).date()
            assert theirs.completion_date == end
    assert [task.bare_description() for task in read.tasks[: len(DAYS)]] == [f"on {day}" for day in DAYS]
    # Written by that program, it is what it was; what is finished there is finished here.
    read.tasks[0].is_completed = True
    read.tasks[0].completion_date = date(2026, 11, 2)
    read.save()
    back = todotxt.read(file.read_bytes(), context).documents
    for body in ours[1:]:
        assert equal(back[body["id"]], body)
    assert (back[ours[0]["id"]]["status"], back[ours[0]["id"]]["end"]) == ("completed", "2026-11-02")


@pytest.mark.parametrize("zone", NAMES)
def test_vobject_reads_what_is_meant_and_writes_it_back(zone: str) -> None:
    context = Context(zone=ZONES[zone])
    ours = tasks()
    calendar = vobject.readOne(ical.text_of(ours, context)[0].decode())
    theirs = {todo.uid.value: todo for todo in calendar.vtodo_list}
    for body in ours:
        todo = theirs[body["id"]]
        if "description" in body:
            assert todo.summary.value == body["description"]
        if len(str(body.get("due", ""))) == 10:
            assert todo.due.value == date.fromisoformat(body["due"])
        if body["status"] == "completed":
            assert todo.status.value == "COMPLETED"
    assert theirs["cc67wndxge8293x2"].due.value == datetime(2026, 10, 25, 9)  # noqa: DTZ001
    back = ical.read(calendar.serialize().encode(), context).documents
    for body in ours:
        assert equal(back[body["id"]], body)


@pytest.mark.parametrize("zone", NAMES)
def test_vobject_counts_a_series_as_we_do(zone: str) -> None:
    context = Context(zone=ZONES[zone])
    for due in ("2026-10-19", "2026-10-19T09:00:00", "2026-10-19T09:00:00Z"):
        pattern = {**PATTERN, "due": due, "timezone": zone}
        made, after = occurrences(pattern, datetime(2026, 11, 12, 12, tzinfo=UTC).astimezone(ZONES[zone]))
        # One was deleted; of times in a zone vobject compares exceptions by their offset, not by their moment.
        there = made if due.endswith("Z") else [made[0], *made[2:]]
        calendar = vobject.readOne(ical.text_of([after, *there], context)[0].decode())
        [master] = [todo for todo in calendar.vtodo_list if not hasattr(todo, "recurrence_id")]
        instances = [at.replace(tzinfo=None) for at in master.getrruleset(addRDate=True)[: len(there)]]
        local = [datetime.combine(date.fromisoformat(one["due"][:10]), time(9 if "T" in due else 0)) for one in there]
        if due.endswith("Z"):
            local = [datetime.fromisoformat(one["due"]).astimezone(ZONES[zone]).replace(tzinfo=None) for one in there]
        assert instances == local
