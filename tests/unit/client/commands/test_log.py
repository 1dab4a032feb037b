"""`hypertask log` and `status` in sentences: what was changed, who did it, and for how long a server is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.commands.health import _next, _upstream_lines
from client.commands.log_lines import changes_said, revision_lines
from client.screen import SHOWN
from client.sync.engine.plan import Fetch
from client.sync.engine.planned import Plan
from client.sync.files import FolderContents
from client.workspace.health import Status, UpstreamStatus
from shared.core.documents import DocumentId
from tests.unit.client.desks import Desk

GONE = {"passing": True}
REFUSED = {"passing": False}
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"description": "A"}, {"description": "B"}, "description 'A' -> 'B'"),
        ({}, {"due": "2030-01-02"}, "due '2030-01-02'"),
        ({"due": "2030-01-02"}, {}, "due removed (it was '2030-01-02')"),
        ({"tags": ["a", "b"]}, {"tags": ["b", "c"]}, "tags +c -a"),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}, "tags in another order"),
        ({"n": 1}, {"n": True}, "n 1 -> true"),
        ({}, {"annotations": [{"description": "oat"}]}, "note 'oat'"),
        (
            {"annotations": [{"description": "a"}, {"description": "b"}]},
            {"annotations": [{"description": "b"}]},
            "note 'a' removed",
        ),
        ({"annotations": 1}, {"annotations": 2}, "annotations 1 -> 2"),
        ({"description": "A"}, {"description": "x" * 300}, f"description 'A' -> '{'x' * 300}'"),
        ({"modified": "x"}, {"modified": "y"}, "nothing but the time of the change"),
        (None, {"id": "t", "description": "A"}, "created: description 'A'"),
        ({"description": "A"}, None, "deleted"),
    ],
)
def test_changes_are_said_field_by_field(before: Any, after: Any, said: str) -> None:
    assert changes_said(before, after) == said


def row(content: str, **more: Any) -> dict[str, Any]:
    return {"hash": content, "device": "laptop", "at": 0, "outcome": "applied", **more}


def test_revisions_say_who_changed_what() -> None:
    bodies = {"h1": {"description": "A"}, "h2": {"description": "B"}, "h4": {"description": "C"}}
    conflict = {"path": "/description", "rule": "clock", "kept": "C", "dropped": "B"}
    rows = [
        row("h4", outcome="resurrected", device="desk", conflicts=[conflict]),
        row("h2", deleted=True),
        row("h5", received=True),
        row("h2"),
        row("h1"),
        row("h0"),
    ]
    told = [line[37:] if line.startswith(" " * 30) else line[23:] for line in revision_lines(rows, bodies, "h4")]
    assert told == [
        "h4  came back by an edit on desk: description 'C'  <- here",
        "description: kept 'C', dropped 'B' (the later edit won)",
        "h2  deleted on laptop",
        "h5  received from laptop, and merged or replaced at once",
        "h2  changed on laptop: description 'A' -> 'B'",
        "h1  changed on laptop (the text of it is not kept any more)",
        "h0  created on laptop (the text of it is not kept any more)",
    ]


def test_log_tells_what_happened_here_without_any_server(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "desk")
    milk = desk.add("buy milk")
    desk.run("modify", milk, "buy oat milk", "+shop")
    told = desk.run("log", milk, text=True)
    assert f'{milk} ("buy oat milk"): here in the state' in told
    did = f"(hypertask modify {milk} buy oat milk +shop)"
    assert f"description 'buy milk' -> 'buy oat milk', tags +shop  {did}" in told
    desk.run("modify", milk, "tags:")
    assert f'tags removed (it was ["shop"])  (hypertask modify {milk} tags:)' in desk.run("log", milk, text=True)
    desk.path(milk).write_text("{")
    assert "its file here cannot be read. What is wrong: hypertask status" in desk.run("log", milk, text=True)
    desk.path(milk).unlink()
    assert "not in this folder (deleted)." in desk.run("log", milk, text=True)


@pytest.mark.parametrize(
    ("waiting", "error", "daemon", "line", "then"),
    [
        (1, GONE, "7", "offline for 15 s; 1 task waits.", "The daemon keeps trying."),
        (2, GONE, None, "offline for 15 s; 2 tasks wait.", "Next: hypertask sync"),
        (0, REFUSED, "7", "stopped for 15 s.", "Next: correct that. To check everything: hypertask doctor"),
        (0, None, "7", "synced 15 s ago", "In sync."),
        (1, None, "7", "synced 15 s ago, not in sync; 1 task waits", "The daemon is syncing."),
        (0, None, None, "synced 15 s ago", "In sync. To stay so: hypertask daemon start"),
    ],
)
def test_status_says_how_it_is(
    waiting: int, error: dict[str, Any] | None, daemon: str | None, line: str, then: str
) -> None:
    since = NOW.timestamp() - 15
    last = {"at": since, "agreed": True, "error": error and {**error, "since": since, "message": "no answer"}}
    plan = Plan(tuple(Fetch(DocumentId(f"d{number}"), removes=False) for number in range(waiting)))
    upstream = UpstreamStatus("home", "https://tasks.example.org", last, plan)
    assert _upstream_lines(upstream, NOW) == [f"home: {line}", *(["  Why: no answer"] if error else [])]
    assert _next(Status(FolderContents({}), (upstream,), daemon)) == then


REASONS = {"read-only": "You may read the space.", "quota-exceeded": "Space documents: 3 of 3 are used."}


@pytest.mark.parametrize("code", REASONS)
@pytest.mark.parametrize("daemon", ["7", None])
@pytest.mark.parametrize(("count", "words", "verb"), [(1, "1 edit", "is"), (SHOWN + 2, f"{SHOWN + 2} edits", "are")])
def test_status_is_not_in_sync_while_edits_are_not_accepted(
    code: str, daemon: str | None, count: int, words: str, verb: str
) -> None:
    refused = {f"d{number}": {"code": code, "reason": REASONS[code]} for number in range(count)}
    last = {"at": NOW.timestamp() - 15, "agreed": False, "refused": refused}
    upstream = UpstreamStatus(
        "home", "https://tasks.example.org", last, Plan(refused=tuple(map(DocumentId, refused)))
    )
    first, *lines = _upstream_lines(upstream, NOW)
    assert first == f"home: synced 15 s ago, not in sync; {words} {verb} not accepted"
    assert f"[{code}]" in lines[0] and "kept here" in lines[0], "why, and what becomes of it"
    more = f"home: ... and {count - SHOWN} more edits that were refused; --json has all of them"
    assert count == 1 or lines[-1] == more
    then = _next(Status(FolderContents({}), (upstream,), daemon))
    assert then == f"Not in sync: {words} {verb} kept here alone; see above."


def test_status_says_that_nobody_is_signed_in() -> None:
    last = {"at": NOW.timestamp() - 15, "agreed": True}
    upstream = UpstreamStatus("home", "https://tasks.example.org", last, Plan(), no_token=True)
    [line] = _upstream_lines(upstream, NOW)
    assert line.startswith("home: signed out. To sync again: hypertask login https://tasks.example.org")
    assert _next(Status(FolderContents({}), (upstream,), None)) == "Next: sign in, as above."
