"""A day with the command line: numbers of the last listing, filters before the command, reports, notes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from client.cli import COMMANDS, FILTERED, GROUPS, NAMED, ONE_TASK, OTHER_NAMES, REPORTS
from client.tasks import reports
from tests.unit.client.tasks.test_task_commands import add, file, home, listed, run

__all__ = ["home"]


@pytest.fixture
def four(home: Path) -> dict[str, str]:
    """The ids of four tasks by their descriptions; `list` shows them in this order."""
    return {
        "milk": add(home, "milk", "+errand", "due:2030-01-02", "project:home"),
        "call": add(home, "call", "+errand", "due:2030-01-03", "project:work", "priority:H"),
        "mow": add(home, "mow", "due:2030-01-04", "project:home.garden"),
        "read": add(home, "read", "due:2030-01-05"),
    }


def body(home: Path, document: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file(home, document).read_text())
    return found


def told(home: Path, *arguments: str, status: int = 0) -> Result:
    result = run(home, *arguments)
    assert result.exit_code == status, result.output
    return result


def test_numbers_stay_until_the_next_listing(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "done", "1")
    told(home, "2", "modify", "+urgent")
    told(home, "done", "3-4")
    assert [body(home, four[name])["status"] for name in four] == ["completed", "pending", "completed", "completed"]
    assert body(home, four["call"])["tags"] == ["errand", "urgent"]
    told(home, "list")
    assert "call" in told(home, "show", "1").stdout
    assert "call" in told(home, "1").stdout
    assert "numbers 1 to 1" in told(home, "done", "1-3", status=2).stderr


def test_json_does_not_count_anew(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "list", "--json", "read")
    told(home, "done", "1")
    assert body(home, four["milk"])["status"] == "completed"


def test_one_character_changes_nothing_unless_it_is_a_number(home: Path, four: dict[str, str]) -> None:
    letter = four["milk"][0]
    for command in (["done"], ["delete"], ["start"], ["edit"]):
        assert "two characters or more" in told(home, *command, letter, status=2).stderr
    assert len(listed(home)) == 4


def test_a_task_that_is_gone_keeps_its_number(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "delete", "1")
    assert "is not there any more" in told(home, "done", "1", status=2).stderr
    told(home, "done", "2")
    assert body(home, four["call"])["status"] == "completed"


@pytest.mark.parametrize(
    "words",
    [("+errand", "done"), ("done", "+errand"), ("project:home", "modify", "priority:L"), ("+errand", "delete")],
)
def test_a_filter_is_confirmed(home: Path, four: dict[str, str], words: tuple[str, ...]) -> None:
    refused = told(home, *words, status=2)
    assert "2 tasks:" in refused.stderr and "milk" in refused.stderr and "--yes" in refused.stderr
    assert "status" in body(home, four["milk"]) and "priority" not in body(home, four["milk"])
    assert told(home, *words, "--yes").stdout.count("\n") == 3


def test_a_filter_changes_what_list_shows_with_it(home: Path, four: dict[str, str]) -> None:
    told(home, "done", four["milk"])
    told(home, "modify", four["call"], "wait:2031-01-01")
    assert "no task matches: +errand" in told(home, "+errand", "delete", "--yes", status=2).stderr
    told(home, "+COMPLETED", "delete", "--yes")
    assert not file(home, four["milk"]).exists() and file(home, four["call"]).exists()


def test_a_filter_may_be_an_expression(home: Path, four: dict[str, str]) -> None:
    told(home, "(", "+errand", "or", "project:home", ")", "and", "!", "priority:H", "done", "--yes")
    assert {task["description"] for task in listed(home)} == {"call", "read"}
    told(home, "-errand", "done", "--yes")
    assert {task["description"] for task in listed(home)} == {"call"}


def test_a_filter_behind_modify_is_no_change(home: Path, four: dict[str, str]) -> None:
    assert "hypertask +errand modify" in told(home, "modify", "+errand", "priority:H", status=2).stderr


def test_notes(home: Path, four: dict[str, str]) -> None:
    milk = four["milk"]
    told(home, "annotate", milk, "two", "litres")
    told(home, milk, "annotate", "--", "-- of oat")
    assert [note["description"] for note in body(home, milk)["annotations"]] == ["two litres", "-- of oat"]
    assert "milk [2]" in told(home, "list").stdout
    told(home, "denotate", milk, "litres")
    assert [note["description"] for note in body(home, milk)["annotations"]] == ["-- of oat"]
    assert "no note of" in told(home, "denotate", milk, "litres", status=2).stderr


def test_append_prepend_start_stop_duplicate(home: Path, four: dict[str, str]) -> None:
    milk = four["milk"]
    told(home, "append", milk, "and", "bread", "+shop")
    told(home, "prepend", milk, "buy")
    assert body(home, milk)["description"] == "buy milk and bread"
    assert body(home, milk)["tags"] == ["errand", "shop"]
    told(home, "start", milk)
    assert [task["description"] for task in listed(home, "+ACTIVE")] == ["buy milk and bread"]
    told(home, "duplicate", milk, "due:2031-01-01")
    told(home, "stop", milk)
    assert "start" not in body(home, milk)
    copies = [task for task in listed(home, "bread") if task["id"] != milk]
    assert [(copy["due"], copy["tags"]) for copy in copies] == [("2031-01-01", ["errand", "shop"])]
    assert "start" not in copies[0]


def test_a_filter_is_duplicated_after_a_question(home: Path, four: dict[str, str]) -> None:
    told(home, "start", four["call"])
    refused = told(home, "+errand", "duplicate", "+again", "due:2031-01-01", status=2)
    assert "Duplicate 2 tasks:" in refused.stderr and "--yes" in refused.stderr
    assert len(listed(home)) == 4
    told(home, "+errand", "duplicate", "+again", "due:2031-01-01", "--yes")
    copies = listed(home, "+again")
    assert sorted(copy["description"] for copy in copies) == ["call", "milk"]
    assert all(copy["due"] == "2031-01-01" and "start" not in copy for copy in copies)
    assert not {copy["id"] for copy in copies} & {*four.values()}
    told(home, "undo")
    assert len(listed(home)) == 4
    told(home, "list")
    told(home, "duplicate", "1,3")
    assert sorted(task["description"] for task in listed(home)) == ["call", "milk", "milk", "mow", "mow", "read"]
    assert "which tasks?" in told(home, "duplicate", status=2).stderr


def test_a_field_that_came_since_the_last_listing_is_known(home: Path, four: dict[str, str]) -> None:
    """What a word may name is looked up in what was read last; what is not in there, in the files."""
    told(home, "list")
    path = file(home, four["milk"])
    path.write_text(json.dumps({**body(home, four["milk"]), "projekt": "x"}))
    told(home, "modify", four["call"], "projekt:y")
    assert body(home, four["call"])["projekt"] == "y"
    assert "did you mean project?" in told(home, "modify", four["call"], "projectt:y", status=2).stderr


def test_a_note_is_shown_with_its_time(home: Path, four: dict[str, str]) -> None:
    told(home, "annotate", four["milk"], "of", "oat")
    at = body(home, four["milk"])["annotations"][0]["entry"]
    assert f"annotations  {at[:10]} {at[11:16]}  of oat\n" in told(home, "show", four["milk"]).stdout
    told(home, "modify", four["call"], 'annotations:=[{"description": 1}]')
    assert 'annotations  [{"description": 1}]' in told(home, "show", four["call"]).stdout


@pytest.mark.parametrize(
    "words",
    [
        *(["add", "+errand"], ["modify", "23"], ["done"], ["annotate", "+errand", "x"], ["edit", "zz"]),
        *(["lisst"], ["show"], ["conflicts", "--take", "x"], ["sync", "--no-such-option"], ["connect", "ftp://x"]),
        *(["daemon"], ["daemon", "statr"], ["config", "sett"], ["import", "nothing"], ["log", "1", "2"]),
    ],
)
def test_what_is_wrong_with_a_command_is_an_object_with_json(words: list[str], home: Path) -> None:
    error = json.loads(told(home, *words, "--json", status=2).stdout)["error"]
    assert error["code"] in {"wrong-usage", "no-such-task", "word-not-understood"} and error["message"]


def test_a_task_that_gets_a_period_repeats(home: Path, four: dict[str, str]) -> None:
    milk, read = four["milk"], four["read"]
    told(home, "modify", milk, "recur:weekly")
    assert body(home, milk)["status"] == "recurring"
    [made] = [one for one in listed(home, "milk") if one.get("parent") == milk]
    refused = told(home, "modify", made["id"], "recur:daily", status=2)
    assert f"hypertask modify {milk} recur:daily" in refused.stderr
    assert "due:friday recur:weekly" in told(home, "modify", milk, "due:", status=2).stderr
    assert "is not a period" in told(home, "modify", milk, "recur:sometimes", status=2).stderr
    told(home, "modify", milk, "recur:")
    assert body(home, milk)["status"] == "pending" and "made_until" not in body(home, milk)
    told(home, "modify", read, "due:")
    assert "due:friday recur:weekly" in told(home, "modify", read, "recur:weekly", status=2).stderr
    assert "recur" not in body(home, read)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("due.befor:eom", "list"), "did you mean due.before?"),
        (("modify", "ID", "due.befor:eom"), "did you mean due.before?"),
        (("add", "x", "project.hass:y"), "did you mean project.has?"),
        (("list", "status:done"), "did you mean completed?"),
        (("list", "status.not:pendin"), "did you mean pending?"),
        (("modify", "ID", "status:done"), "did you mean completed?"),
        (("list", "limit:many"), "limit:20"),
        (("next", "limit:0"), "limit:20"),
        (("sync", "nowhere"), "to sync with yet"),
        (("rc.verbose=nothing", "list"), "hypertask config show"),
        (("rc:other", "add", "x"), "hypertask config show"),
        (("due < today", "list"), "write due.before:today."),
        (("list", "project == home"), "write project.is:home."),
        (("list", "description~milk"), "write description.has:milk."),
        (("list", "due", "<", "today"), "write FIELD.before:VALUE."),
        (("modify", "ID", "priority:=x"), "'x' is not JSON: Expecting value at line 1 column 1."),
        (("add",), "a task needs a description"),
        (("annotate",), "hypertask ID annotate TEXT"),
        (("conflicts", "--take", "9"), "no conflict 9"),
    ],
)
def test_what_is_not_understood_is_never_an_empty_answer(
    words: tuple[str, ...], said: str, home: Path, four: dict[str, str]
) -> None:
    before = body(home, four["milk"])
    status = 1 if words[0] == "sync" else 2
    assert said in told(home, *(four["milk"] if word == "ID" else word for word in words), status=status).stderr
    assert body(home, four["milk"]) == before and len(listed(home)) == 4


def test_a_status_of_one_s_own_is_taken_when_it_is_meant(home: Path, four: dict[str, str]) -> None:
    told(home, "modify", four["milk"], 'status:="asleep"')
    assert [one["description"] for one in listed(home, "status:asleep")] == ["milk"]
    told(home, "modify", four["call"], "status:asleep")
    assert body(home, four["call"])["status"] == "asleep"


def test_an_empty_listing_leaves_the_numbers(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "active")
    told(home, "list", "nothing like that")
    told(home, "done", "1")
    assert body(home, four["milk"])["status"] == "completed"


def test_signs_are_text_where_they_compare_no_field(home: Path, four: dict[str, str]) -> None:
    told(home, "add", "a=b", "and", "x <= y", "rc.local", "https://example.org/?due=1")
    assert [one["description"] for one in listed(home, "a=b")] == [
        "a=b and x <= y rc.local https://example.org/?due=1"
    ]
    assert len(listed(home, "https://example.org/?due=1")) == len(listed(home, "--", "x <= y")) == 1


def test_list_takes_a_limit_as_reports_do(home: Path, four: dict[str, str]) -> None:
    assert told(home, "list", "limit:1").stdout.endswith("4 tasks, the first is shown. Next: hypertask done NUMBER\n")
    assert "2 tasks of 4." in told(home, "list", "+errand", "limit:2").stdout
    assert "4 tasks, the first 2 are shown." in told(home, "next", "limit:2").stdout


def test_a_calendar_of_a_year_or_from_a_month(home: Path, four: dict[str, str]) -> None:
    year = told(home, "calendar", "2030").stdout
    assert "January 2030" in year and "December 2030" in year and "2029" not in year and "2031" not in year
    assert re.search(r" 2\* +3\* +4\* +5\*", year)
    three = told(home, "calendar", "+errand", "11", "2029").stdout
    assert "November 2029" in three and "January 2030" in three and "February" not in three
    assert " 4*" not in three and " 3*" in three


def test_dependencies_exist_and_go_in_no_circle(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "modify", "2", "depends:1")
    told(home, "modify", "3", "depends:2")
    assert body(home, four["call"])["depends"] == [four["milk"]]
    refused = told(home, "modify", "1", "depends:3", status=2)
    assert f"{four['milk']} -> {four['mow']} -> {four['call']} -> {four['milk']}" in refused.stderr
    assert "depends" in told(home, "modify", "1", "depends:zzzz", status=2).stderr
    assert [task["description"] for task in listed(home, "+BLOCKED")] == ["call", "mow"]
    assert "call" in told(home, "blocking").stdout and "read" not in told(home, "blocking").stdout


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_runs_and_numbers_what_it_lists(name: str, home: Path, four: dict[str, str]) -> None:
    told(home, "done", four["read"])
    lines = told(home, name).stdout.splitlines()
    rows = json.loads(told(home, name, "--json").stdout)["tasks"]
    assert len(lines) == len(rows) + (2 if rows else 1)
    if rows:
        assert lines[0].split()[:2] == ["No", "ID"]
        assert rows[0]["description"] in told(home, "show", "1").stdout


def test_the_most_urgent_is_first_and_the_config_may_say_what_is_urgent(home: Path, four: dict[str, str]) -> None:
    rows = json.loads(told(home, "next", "--json").stdout)["tasks"]
    assert rows[0]["description"] == "call" and rows[0]["urgency"] > 6
    told(home, "config", "set", "profiles.default.urgency.project.home", "20")
    rows = json.loads(told(home, "next", "--json", "limit:2").stdout)["tasks"]
    assert {row["description"] for row in rows} == {"milk", "mow"}


def test_reports_and_contexts_of_the_config(home: Path, four: dict[str, str]) -> None:
    told(home, "config", "set", "profiles.default.reports.mine.filter", "project:home or +errand")
    told(home, "config", "set", "profiles.default.reports.mine.sort", "description-")
    told(home, "config", "set", "profiles.default.reports.mine.columns", "project,description")
    lines = told(home, "mine").stdout.splitlines()
    assert [line.split()[-1] for line in lines[:4]] == ["Description", "mow", "milk", "call"]
    assert lines[0].split() == ["No", "ID", "Project", "Description"]
    told(home, "config", "set", "profiles.default.contexts.work", "project:work")
    told(home, "context", "work")
    assert "1 task" in told(home, "mine").stdout and "1 task" in told(home, "list").stdout
    told(home, "context", "none")
    assert "3 tasks" in told(home, "mine").stdout
    assert "no context" in told(home, "context", "wrok", status=2).stderr


def test_values_of_the_config(home: Path, four: dict[str, str]) -> None:
    told(home, "config", "set", "profiles.default.values.priority", "H,M,L")
    assert "one of H, M, L" in told(home, "add", "x", "priority:X", status=2).stderr
    told(home, "add", "x", "priority:M")


def test_counts(home: Path, four: dict[str, str]) -> None:
    told(home, "done", four["milk"])
    assert json.loads(told(home, "projects", "--json").stdout) == {"(none)": 1, "home.garden": 1, "work": 1}
    assert json.loads(told(home, "tags", "--json").stdout) == {"errand": 1}
    [none, garden, work] = json.loads(told(home, "summary", "--json").stdout)["projects"]
    assert (none["project"], garden["remaining"], work["complete"]) == ("(none)", 1, 0)
    weeks = json.loads(told(home, "burndown", "--json").stdout)["weeks"]
    assert len(weeks) == 10 and (weeks[-1]["open"], weeks[-1]["done"]) == (3, 1)
    assert json.loads(told(home, "calendar", "--json").stdout)["due"]["2030-01-03"] == 1
    assert re.search(r"\d<", told(home, "calendar").stdout)


@pytest.mark.parametrize("word", [*OTHER_NAMES, *NAMED])
def test_names_of_taskwarrior_work_or_name_the_command_that_does_it(home: Path, word: str) -> None:
    if word in OTHER_NAMES:
        assert OTHER_NAMES[word] in {*COMMANDS, *REPORTS}
        told(home, word, "--help")
    else:
        assert "Instead: " in told(home, word, status=2).stderr


def test_what_is_no_command_names_one_that_is_near(home: Path) -> None:
    assert "Did you mean modify?" in told(home, "modfy", "1", "+x", status=2).stderr
    assert "hypertask --help" in told(home, "qqqqqqqq", status=2).stderr


def test_the_tables_of_names_agree() -> None:
    assert set(REPORTS) == set(reports.REPORTS)
    assert {*FILTERED, *ONE_TASK} <= {*COMMANDS, *REPORTS}
    assert sorted(name for names in GROUPS.values() for name in names) == sorted([*COMMANDS, *REPORTS])
    assert not {*NAMED} & {*COMMANDS, *REPORTS, *OTHER_NAMES}


@pytest.mark.parametrize("name", [*COMMANDS, *REPORTS])
def test_h_is_help_everywhere(home: Path, name: str) -> None:
    assert "Usage:" in told(home, name, "-h").stdout
