"""Importing again and again into the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from client.cli import main
from client.formats.imports import ImportOutcome, decided
from shared.core.json.canonical import equal
from shared.testing.strategies import documents, edited, histories

EXPORT = Path(__file__).with_name("taskwarrior_export.json")


@given(st.none() | documents(), documents())
def test_a_second_import_changes_nothing(local: Any, new: dict[str, Any]) -> None:
    _, after = decided(new, None, local)
    assert equal(decided(new, new, after)[1], after)


@given(histories())
def test_what_happened_here_since_stays(history: tuple[Any, Any, Any]) -> None:
    base, local, new = history
    fate, after = decided(base, base, local)
    assert fate is ImportOutcome.UNCHANGED and equal(after, local)
    assert decided(base, base, None) == (ImportOutcome.STAYS_DELETED, None)
    assert decided(new, base, base)[1] == new


@given(st.data(), documents())
def test_both_changes_stand(data: st.DataObject, base: dict[str, Any]) -> None:
    local, new = {**base, "here": data.draw(edited(base))}, {**base, "there": data.draw(edited(base))}
    _, after = decided(new, base, local)
    assert after is not None and equal(after["here"], local["here"]) and equal(after["there"], new["there"])


def test_without_a_memory_the_newer_clock_stands() -> None:
    old = {"id": "a", "x": 1, "modified": "2026-01-01T00:00:00Z"}
    new = {"id": "a", "x": 2, "modified": "2026-01-02T00:00:00Z"}
    assert decided(new, None, old) == (ImportOutcome.UPDATED, new)
    assert decided(old, None, new) == (ImportOutcome.UNCHANGED, new)
    assert decided({"id": "a", "x": 3, "y": 4}, None, new)[1] == {**new, "y": 4}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    run(tmp_path, "init", str(tmp_path / "tasks"))
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    env = {"HYPERTASK_CONFIG": str(home / "config.toml")}
    clean = dict.fromkeys(("HYPERTASK_PROFILE", "HYPERTASK_URL", "HYPERTASK_TOKEN"))
    result = CliRunner().invoke(main, arguments, env={**clean, **env})
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def bring(home: Path, *arguments: str) -> dict[str, Any]:
    result = run(home, "import", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return {name: count for name, count in found.items() if count and name in set(ImportOutcome)}


def snapshot(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "tasks").glob("*.json")}


def test_taskwarrior_into_the_folder(home: Path) -> None:
    count = len(json.loads(EXPORT.read_text()))
    assert bring(home, "taskwarrior", str(EXPORT), "--dry-run") == {"created": count}
    assert snapshot(home) == {}
    assert bring(home, "taskwarrior", str(EXPORT)) == {"created": count}
    before = snapshot(home)
    assert len(before) == count
    assert bring(home, "taskwarrior", str(EXPORT)) == {"unchanged": count}
    assert snapshot(home) == before
    # Urgency is another one tomorrow, and that is no edit.
    tomorrow = [{**task, "urgency": 99} for task in json.loads(EXPORT.read_text())]
    file = home / "tomorrow.json"
    file.write_text(json.dumps(tomorrow))
    assert bring(home, "taskwarrior", str(file)) == {"unchanged": count}
    assert snapshot(home) == before
    run(home, "undo")
    assert snapshot(home) == {}


def test_what_changed_on_both_sides(home: Path) -> None:
    file = home / "todo.csv"
    file.write_text("id,description,project\na1,one,p\nb1,two,p\nc1,three,p\n")
    assert bring(home, "csv", str(file), "--keep-ids") == {"created": 3}
    run(home, "modify", "a1", "+here")
    run(home, "delete", "b1")
    assert bring(home, "csv", str(file), "--keep-ids") == {"unchanged": 2, "stays_deleted": 1}
    file.write_text("id,description,project\na1,one,q\nb1,two,p\nc1,3,p\nd1,four,\n")
    assert bring(home, "csv", str(file), "--keep-ids") == {"created": 1, "updated": 2, "stays_deleted": 1}
    a1 = json.loads(snapshot(home)["a1.json"])
    assert (a1["project"], a1["tags"]) == ("q", ["here"])
    (home / "tasks" / ".hypertask" / "imported-2.ndjson").unlink()
    assert bring(home, "csv", str(file), "--keep-ids") == {"created": 1, "unchanged": 3}


def test_a_file_that_is_wrong_or_in_the_way(home: Path) -> None:
    file = home / "todo.csv"
    file.write_text("id,description\na1,one\nb b,two\n")
    refused = run(home, "import", "csv", str(file), "--keep-ids")
    assert refused.exit_code == 2
    assert f"{file} cannot be imported; nothing was changed.\n  line 3: 'b b' is not an id" in refused.stderr
    assert snapshot(home) == {}
    (home / "tasks" / "a1.json").write_text("{")
    file.write_text("id,description\na1,one\nb1,two\n")
    result = run(home, "import", "csv", str(file), "--keep-ids")
    assert result.exit_code == 1 and "Left alone: a1.json" in result.stderr and "1 created" in result.stdout
    assert (home / "tasks" / "a1.json").read_text() == "{"


@pytest.mark.parametrize("name", ["json", "ndjson", "csv", "todo.txt", "ical", "taskwarrior"])
def test_there_and_back(home: Path, name: str) -> None:
    run(home, "add", "buy milk", "+errand", "due:2026-12-24T00:00:00Z", "project:home", "--json")
    run(home, "add", "call Ann")
    before = snapshot(home)
    file = home / "out"
    said = run(home, "export", name, "-o", str(file))
    assert said.stdout == f"Wrote 2 tasks to {file}.\n", said.output
    reader = "json" if name == "ndjson" else name
    assert said.stderr == ""
    assert bring(home, reader, str(file)) == {"unchanged": 2}
    assert snapshot(home) == before
    run(home, "--profile", "other", "init", str(home / "other"))
    there = run(home, "--profile", "other", "import", reader, str(file), "--json")
    assert json.loads(there.stdout)["created"] == 2
    found = json.loads(run(home, "--profile", "other", "list", "--json").stdout)["tasks"]
    assert [(task["description"], task.get("project"), task.get("tags")) for task in found] == [
        ("buy milk", "home", ["errand"]),
        ("call Ann", None, None),
    ]
    assert run(home, "export", name, "milk").stdout_bytes.count(b"call Ann") == 0
