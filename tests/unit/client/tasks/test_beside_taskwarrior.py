"""The same tasks, the same words: what comes out of ours is what comes out of the real `task`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.formats.taskwarrior_fields import from_taskwarrior
from client.tasks.filters import filter_of
from client.tasks.moments import moment
from client.tasks.reports import REPORTS, ordered
from client.tasks.urgency import COEFFICIENTS, urgency
from client.tasks.view import View
from shared.core.documents import Body
from tests.unit.client.tasks.seeded import seeded

TASK = shutil.which("task")
pytestmark = pytest.mark.skipif(TASK is None and "CI" not in os.environ, reason="Taskwarrior is not installed")
Ask = Callable[..., list[dict[str, object]]]

FILTERS = [
    "status:pending", "status:completed", "status:waiting", "+errand", "-errand", "+errand -shop", "+next",
    "project:home", "project:home.garden", "project.is:home", "project.isnt:home", "project.none:",
    "project.any:", "project:", "project.has:garden", "project.hasnt:garden", "priority:H", "priority.none:",
    "priority.any:", "pri:H", "proj:work", "due.before:today", "due.after:today", "due.before:eom",
    "due.after:eoy", "due.by:eow", "due.none:", "due.any:", "due.before:now+3d", "due.after:now-1w",
    "due:tomorrow", "due.before:monday", "due.before:today+2wks", "due.over:today", "due.under:now",
    "due.above:tomorrow", "due.below:tomorrow", "scheduled.before:now", "wait.any:", "start.any:",
    "entry.before:today-30d", "entry.after:soy", "entry.before:sopm", "end.after:today-2d", "until.any:",
    "description.has:milk", "description.contains:Ann", "description.hasnt:milk", "description.startswith:buy",
    "description.left:call", "description.endswith:7", "description.right:42", "description.word:report",
    "description.noword:report", "milk", "/mil./", "buy milk", "+errand or +shop", "+errand and +shop",
    "+errand xor +shop", "( +errand or +shop ) project:home", "( project:home or project:work ) and -next",
    "+errand or +shop and project:home", "+errand xor +shop or +next", "+errand or +shop xor +next",
    "! ( +errand or +shop )", "urgency.over:10", "+ACTIVE", "+ANNOTATED", "+BLOCKED", "+BLOCKING", "+CHILD",
    "+COMPLETED", "+DELETED", "+DUE", "+DUETODAY", "+INSTANCE", "+MONTH", "+OVERDUE", "+PARENT", "+PENDING",
    "+PRIORITY", "+PROJECT", "+QUARTER", "+READY", "+SCHEDULED", "+TAGGED", "+TEMPLATE", "+TODAY", "+TOMORROW",
    "+UDA", "+UNBLOCKED", "+UNTIL", "+WAITING", "+WEEK", "+YEAR", "+YESTERDAY", "-BLOCKED", "-WAITING +PENDING",
    "-TAGGED", "-PROJECT",
]  # fmt: skip

DATES = (
    "today tomorrow yesterday sod eod sow eow som eom soq eoq soy eoy sonw eonw sopw eopw sonm eonm sopm eopm sonq "
    "eonq sopq eopq sony eony sopy eopy tuesday wed december jan 1st 23rd 2027-12 2026-12-24 2026-340 easter "
    "goodfriday ascension pentecost midsommar later someday today+3d tuesday-1d eom+1d now+2h"
)


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

    def run(*words: str) -> list[dict[str, object]]:
        done = subprocess.run(
            [program, "rc.verbose=nothing", "rc.confirmation=off", *words], env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, object]] = json.loads(done.stdout) if done.stdout.startswith("[") else []
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


@pytest.mark.parametrize("word", DATES.split())
def test_a_date_word_is_the_same_moment(word: str, calculate: Callable[[str], str]) -> None:
    before = datetime.now(UTC)
    theirs = datetime.fromisoformat(calculate(word) + "+00:00")
    ours = {moment(word, now) for now in (before, datetime.now(UTC))}  # a second may pass
    # The last second of a period there is the end of that second here.
    assert theirs in ours or theirs + timedelta(seconds=1) in ours


def ids(rows: list[dict[str, object]]) -> set[object]:
    return {row["uuid"] for row in rows}


@pytest.mark.parametrize("words", FILTERS)
def test_a_filter_finds_the_same(words: str, ask: Ask, bodies: list[Body], view: View) -> None:
    fits = filter_of(words.split(), view.now, view)
    assert {body["id"] for body in bodies if fits(body)} == ids(ask(*words.split(), "export"))


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "all"])
def test_a_report_finds_the_same(name: str, ask: Ask, bodies: list[Body], view: View) -> None:
    """Which tasks; their order is not compared."""
    report = REPORTS[name]
    fits = filter_of(report.words, view.now, view)
    listed = ordered([body for body in bodies if fits(body)], report.order, view, COEFFICIENTS)
    theirs = ask(f"rc.report.{name}.filter={' '.join(report.words)}", *report.words, "export")
    assert {body["id"] for body in listed} == ids(theirs)


def test_urgency_is_the_same(ask: Ask, bodies: list[Body], view: View) -> None:
    theirs = {row["uuid"]: float(str(row["urgency"])) for row in ask("export")}
    ours = {body["id"]: urgency(body, view) for body in bodies}
    assert {one: ours[one] for one in ours} == pytest.approx(theirs, abs=0.02)
