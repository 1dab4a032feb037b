"""What people read when something is wrong, and what does not fit their terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from client.commands import task_words
from client.commands.task_words import title_line
from client.screen import width_of
from shared.codec import parse
from shared.core.json.strict import FaultError
from tests.unit.client.desks import Desk

WIDE = "牛乳を買う、それからパンと卵も忘れずに買って帰ること"


def test_status_does_not_say_that_all_is_synced_while_something_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "desk")
    stick = tmp_path / "stick"
    desk.run("connect", str(stick))
    milk = desk.add("buy milk")
    desk.run("sync")
    (desk.root / "half.json").write_text('{"id": "ha')
    assert desk.run("status", text=True).splitlines()[-1] == (
        "Next: correct the files named above; all others are synced."
    )
    stick.rename(tmp_path / "unplugged")
    desk.run("modify", milk, "+errand")
    desk.run("sync", fails=True)
    told = desk.run("status", text=True)
    assert told.splitlines()[-1] == "Next: correct the files named above, then: hypertask sync"
    assert "1 task waits" in told and "Unterminated string starting at line 1 column 8." in told


def test_the_sentences_of_everyday_trouble(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "desk")
    milk = desk.add("buy milk", "due:2099-01-01", "recur:yearly")
    assert "Created 1 task from a repeating task.\n" in desk.run("list", text=True)
    assert desk.run("conflicts", text=True) == "No conflicts.\n"
    assert desk.run("daemon", "stop", text=True).startswith("No daemon was running.\n")
    assert "\x1b" not in desk.run("doctor", text=True), "no colours where nobody sees them"
    assert f"{desk.root} has no server or folder to sync with yet. Next: hypertask connect URL" in desk.run(
        "sync", fails=True, text=True
    )
    desk.run("delete", milk)
    assert desk.run("log", milk, text=True).startswith(f"{milk}: not in this folder (deleted).\n")
    desk.run("connect", str(tmp_path / "stick"))
    tea = desk.add("buy tea")
    desk.run("sync")
    desk.path(tea).write_text('{"id": "ha')
    assert "in sync but for what is named next.\n" in desk.run("sync", fails=True, text=True)
    assert "stick: 1 task file cannot be read; see below.\n" in desk.run("status", text=True)


def test_an_edit_that_cannot_be_read_says_that_the_task_was_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, "desk")
    milk = desk.add("buy milk")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "{" > "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    assert " The task was not changed. Your draft is kept." in desk.run("edit", milk, fails=True, text=True)
    assert desk.read(milk)["description"] == "buy milk"


def test_a_text_that_is_cut_off_is_said_once_where_it_is() -> None:
    with pytest.raises(
        FaultError, match=r"^The text is not JSON: Unterminated string starting at line 1 column 8\.$"
    ):
        parse(b'{"id": "half', max_depth=8)


def test_nothing_is_cut_when_piped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "desk")
    milk = desk.add("buy milk")
    text = "word " * 60
    desk.run("modify", milk, f"note:={json.dumps(text)}")
    assert f"note {text!r}" in desk.run("log", milk, text=True)
    assert text.strip() in desk.run("show", milk, text=True)


def test_a_title_stays_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert title_line({"description": WIDE}) == f"  {WIDE}"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(task_words, "terminal_size", lambda: os.terminal_size((50, 20)))
    line = title_line({"description": WIDE})
    assert width_of(line) <= 50 and line.endswith("…") and line[2:-1] == WIDE[: len(line) - 3]


def test_the_months_of_a_narrow_calendar_are_apart(tmp_path: Path) -> None:
    lines = Desk(tmp_path, "desk").run("calendar", text=True).splitlines()
    heads = [number for number, line in enumerate(lines) if "Mo  Tu" in line]
    assert all(number == 1 or lines[number - 2] == "" for number in heads)
