"""The same tasks, the same words: what comes out of ours is what comes out of the real `task`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from client.cli import main
from client.folder.file_text import text_of
from client.formats.taskwarrior_fields import from_taskwarrior
from client.tasks.filters import filter_of
from client.tasks.moments import day_of, moment
from client.tasks.reports import REPORTS
from client.tasks.urgency import urgency
from client.tasks.view import View, is_pending
from shared.core.documents import Body
from tests.unit.client.tasks.seeded import seeded

TASK = shutil.which("task")
pytestmark = pytest.mark.skipif(TASK is None and "CI" not in os.environ, reason="Taskwarrior is not installed")
Ask = Callable[..., list[dict[str, object]]]

PAGE = Path(__file__).parents[2] / "docs" / "taskwarrior.md"


def same(heading: str) -> list[str]:
    """The examples of the rows of a table that say "same"."""
    _, _, part = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    rows = [line.split(" | ") for line in part.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [example for row in rows if row[1] == "same" for example in re.findall(r"`([^`]+)`", row[0])]


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Ask:
    """`task WORDS... export` as rows."""
    root = tmp_path_factory.mktemp("taskwarrior")
    (root / "rc").write_text(f"data.location={root}/data\nconfirmation=off\nnews.version=2.6.0\ngc=off\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "TASKRC": str(root / "rc"), "TZ": "UTC"}
    assert TASK is not None
    program = TASK

    def output(*words: str) -> str:
        command = [program, "rc.verbose=nothing", "rc.confirmation=off", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(*words: str, copy: bool = False) -> list[dict[str, object]]:
        """`copy`: on a copy of the tasks, and then all of them."""
        if copy:
            place = (
                f"rc.data.location={shutil.copytree(root / 'data', tempfile.mkdtemp(dir=root), dirs_exist_ok=True)}"
            )
            output(place, *words)
            words = (place, "export")
        text = output(*words)
        rows: list[dict[str, object]] = json.loads(text) if text.startswith("[") else []
        return rows

    (root / "tasks.json").write_text(json.dumps(seeded(500, now)))
    run("import", str(root / "tasks.json"))
    return run


@pytest.fixture
def calculate(tmp_path: Path) -> Callable[[str], str]:
    """What `task calc WORD` prints, in UTC."""
    (tmp_path / "rc").write_text(f"data.location={tmp_path}/data\nnews.version=2.6.0\nweekstart=monday\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TASKRC": str(tmp_path / "rc"), "TZ": "UTC"}

    def run(word: str) -> str:
        assert TASK is not None
        done = subprocess.run([TASK, "calc", word], env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


@pytest.fixture(scope="module")
def bodies(ask: Ask) -> list[Body]:
    found = [from_taskwarrior(row) for row in ask("export")]
    assert len(found) == 500
    return found


@pytest.fixture(scope="module")
def view(bodies: list[Body], now: datetime) -> View:
    return View.of(bodies, now)


@pytest.mark.parametrize("word", same("Dates"))
def test_a_date_word_is_the_same_moment(word: str, calculate: Callable[[str], str]) -> None:
    before = datetime.now(UTC)
    theirs = datetime.fromisoformat(calculate(word) + "+00:00")
    ours = {moment(word, now) for now in (before, datetime.now(UTC))}  # a second may pass
    # The last second of a period there is the end of that second here.
    assert theirs in ours or theirs + timedelta(seconds=1) in ours


def ids(rows: list[dict[str, object]]) -> set[object]:
    return {row["uuid"] for row in rows}


@pytest.mark.parametrize("words", [*same("Filters and modifiers"), *same("Virtual tags")])
def test_a_filter_finds_the_same(words: str, ask: Ask, bodies: list[Body], view: View) -> None:
    fits = filter_of(words.split(), view.now, view)
    assert {body["id"] for body in bodies if fits(body)} == ids(ask(*words.split(), "export"))


@pytest.mark.parametrize("name", same("Reports"))
def test_a_report_finds_the_same(name: str, ask: Ask, bodies: list[Body], view: View) -> None:
    """Which tasks, all of them; their order is not compared."""
    words = REPORTS[name].words if name in REPORTS else ()
    fits = filter_of(words, view.now, view)
    ours = {body["id"] for body in bodies if fits(body) and (name in REPORTS or is_pending(body, view.now))}
    theirs = ask(*(["rc.report.next.filter=status:pending -WAITING"] if name == "next" else []), "export", name)
    assert ours == ids(theirs)


def test_every_report_is_compared() -> None:
    assert {*same("Reports")} == {*REPORTS, "list"}


def test_urgency_is_the_same(ask: Ask, bodies: list[Body], view: View) -> None:
    theirs = {row["uuid"]: float(str(row["urgency"])) for row in ask("export")}
    ours = {body["id"]: urgency(body, view) for body in bodies}
    assert {one: ours[one] for one in ours} == pytest.approx(theirs, abs=0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bodies: list[Body]) -> Path:
    """The same 500 tasks as files."""
    home = tmp_path_factory.mktemp("hypertask")
    (home / "tasks").mkdir()
    (home / "config.toml").write_text(f'[profiles.default]\nfolder = "{home}/tasks"\n')
    for body in bodies:
        (home / "tasks" / f"{body['id']}.json").write_bytes(text_of(body))
    return home


@pytest.mark.parametrize("words", same("Commands"))
def test_a_command_changes_the_same(words: str, folder: Path, ask: Ask, tmp_path: Path, bodies: list[Body]) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.toml").write_text(f'[profiles.default]\nfolder = "{tmp_path}/tasks"\n')
    env = {"HYPERTASK_CONFIG": str(tmp_path / "config.toml"), "HYPERTASK_PROFILE": None, "TZ": "UTC"}
    result = CliRunner().invoke(main, words.split() + ([] if words.startswith("add") else ["--yes"]), env=env)
    assert result.exit_code == 0, result.output
    ours = [json.loads(path.read_text()) for path in (tmp_path / "tasks").glob("*.json")]
    theirs = [from_taskwarrior(row) for row in ask("rc.bulk=0", *words.split(), copy=True)]
    known = {body["id"] for body in bodies}
    before = {what(body, known) for body in bodies}
    assert {what(body, known) for body in ours} == {what(body, known) for body in theirs} != before


def what(body: Body, known: set[str]) -> tuple[object, ...]:
    """What commands change, without the moments at which they do; a new task has an id of its own."""
    fields = ("description", "status", "project", "priority")
    notes = tuple(note["description"] for note in body.get("annotations", []))
    tags = tuple(sorted(body.get("tags", [])))
    known_id = body["id"] if body["id"] in known else "new"
    due = day_of(body.get("due"), UTC)
    return (known_id, *(body.get(field) for field in fields), tags, "start" in body, due, notes)
