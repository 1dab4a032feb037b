"""Words that mean nothing, or something else, and commands that change nothing: what is said, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from client.cli import main
from tests.unit.client.tasks.test_daily_work import body, four, told
from tests.unit.client.tasks.test_task_commands import file, home

__all__ = ["four", "home"]


def test_no_word_at_all_is_next(home: Path, four: dict[str, str]) -> None:
    assert told(home).stdout == told(home, "next").stdout


def test_no_word_at_all_is_the_help_where_nothing_was_set_up(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, [], env={"HYPERTASK_CONFIG": str(tmp_path / "config.toml")})
    assert "Usage:" in found.output and not (tmp_path / "config.toml").exists()


def test_a_listing_says_what_narrows_it(home: Path, four: dict[str, str]) -> None:
    told(home, "config", "set", "contexts.work", "project:work")
    told(home, "context", "work")
    assert "1 task of 4 in the context work." in told(home, "list").stdout
    assert "1 task in the context work." in told(home, "next").stdout
    hint = "Next: fewer words, or hypertask context none, or hypertask list --all"
    for report in ("list", "ready"):
        assert hint in told(home, report, "+nothing").stdout
    told(home, "context", "none")
    assert "0 tasks. Next: hypertask list --all" in told(home, "waiting").stdout


def test_a_command_that_changed_nothing_is_not_undone(home: Path, four: dict[str, str]) -> None:
    told(home, "modify", four["milk"], "+shop")
    file(home, four["call"]).chmod(0o444)
    for words in (["modify", "+shop"], ["done"], ["delete"]):
        said = told(home, words[0], four["call"], *words[1:], status=1).stderr
        assert "is write-protected" in said
    assert "Took back: hypertask modify" in told(home, "undo").stdout
    assert body(home, four["milk"])["tags"] == ["errand"]
    assert "Done" not in told(home, "log", four["call"]).stdout


def test_an_undo_that_changed_nothing_is_not_in_the_log(home: Path, four: dict[str, str]) -> None:
    told(home, "modify", four["milk"], "+shop")
    file(home, four["milk"]).chmod(0o444)
    assert "is write-protected" in told(home, "undo", status=1).stderr
    assert "hypertask undo" not in told(home, "log", four["milk"]).stdout
    file(home, four["milk"]).chmod(0o644)
    assert "Took back: hypertask modify" in told(home, "undo").stdout
    assert "(hypertask undo, of: modify" in told(home, "log", four["milk"]).stdout


def test_what_a_task_waits_for_is_shown_by_its_name(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "modify", "1", "depends:2,3")
    told(home, "delete", "3")
    shown = told(home, "show", "1").stdout
    assert f"{four['call']}  call" in shown and f"{four['mow']}  (not here)" in shown


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["due < today"], "write due.before:today"),
        (["project == home"], "is not understood"),
        (["milk"], "Tasks with that word: hypertask list milk"),
        (["done", "99"], "99 is no number of a task: the last listing has the numbers 1 to 4"),
        (["projects", "limit:1"], "limit is for list and the reports"),
        (["export", "json", "limit:1"], "limit is for list and the reports"),
        (["list", "+overdue"], "did you mean +OVERDUE?"),
        (["modify", "1", "tea", "description:milk"], "the description is given twice"),
        (["modify", "1", "depends:-2"], "write them without -: depends:2"),
        (["+errand", "count"], 'There is no command "count". Instead: '),
        (["limit:1", "done", "--yes"], "limit is for list and the reports"),
    ],
)
def test_what_is_not_understood_says_what_is_meant(
    home: Path, four: dict[str, str], words: list[str], hint: str
) -> None:
    told(home, "list")
    assert hint in told(home, *words, status=2).stderr


def test_restore_names_the_state_that_it_does_not_find(home: Path, four: dict[str, str]) -> None:
    told(home, "modify", four["milk"], "+shop")
    said = told(home, "restore", four["milk"], "--state", "fff0", status=1).stdout
    assert "no state of which the hash begins with fff0" in said and f"hypertask log {four['milk']}" in said


def test_an_export_chooses_what_a_list_chooses(home: Path, four: dict[str, str]) -> None:
    told(home, "list")
    told(home, "modify", "1", "depends:2")
    for words in (["+BLOCKED", "export", "json"], ["export", "json", "+BLOCKED"], ["export", "json", "1"]):
        assert [one["description"] for one in json.loads(told(home, *words).stdout)] == ["milk"]
    assert "did you mean due?" in told(home, "export", "json", "duee:today", status=2).stderr
