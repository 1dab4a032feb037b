"""undo and restore, as people type them: two folders that are synced through a directory, without a server."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.client.desks import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "desk")


@pytest.fixture
def both(tmp_path: Path, desk: Desk) -> tuple[Desk, Desk]:
    laptop = Desk(tmp_path, "laptop")
    for one in (desk, laptop):
        one.run("connect", str(tmp_path / "stick"))
    return desk, laptop


def test_undo_never_takes_back_what_an_editor_wrote_to_the_same_field(desk: Desk) -> None:
    milk = desk.add("buy milk", "project:home")
    desk.run("modify", milk, "project:shop", "+errand")
    desk.edit(milk, project="market", modified="2020-01-01T00:00:00Z")
    before = desk.path(milk).read_bytes()
    error = desk.run("undo", fails=True)["error"]
    assert error["code"] == "changed-since"
    assert "project" in error["message"] and "hypertask undo --skip" in error["message"]
    assert desk.path(milk).read_bytes() == before
    desk.run("undo", "--skip")
    assert "changed since" in desk.run("undo", fails=True)["error"]["message"]


def test_a_task_that_was_deleted_since_is_not_brought_back_in_silence(desk: Desk) -> None:
    milk = desk.add("buy milk")
    desk.run("modify", milk, "+errand")
    desk.path(milk).unlink()
    assert f"hypertask restore {milk}" in desk.run("undo", fails=True)["error"]["message"]


def test_listing_does_not_stand_in_the_way_of_undo(desk: Desk) -> None:
    desk.add("water plants", "due:2026-01-01", "recur:yearly")
    assert len(desk.run("list")["tasks"]) > 1
    desk.run("undo")
    assert list(desk.root.glob("*.json")) == []


def test_what_was_done_with_a_task_of_a_pattern_stays(desk: Desk) -> None:
    desk.add("water plants", "due:2026-01-01", "recur:yearly")
    one = desk.run("list")["tasks"][0]["id"]
    desk.edit(one, note="by hand")
    desk.run("undo")
    assert [path.stem for path in desk.root.glob("*.json")] == [one]


def test_an_arrival_is_taken_back_and_what_was_edited_since_stays(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    milk = desk.add("buy milk")
    desk.run("sync"), laptop.run("sync")
    laptop.run("modify", milk, "project:shop")
    laptop.run("sync"), desk.run("sync")
    mine = desk.add("call Ann")
    desk.edit(milk, note="by hand")
    desk.run("undo", "--sync")
    after = desk.read(milk)
    assert "project" not in after and after["note"] == "by hand" and desk.path(mine).exists()
    desk.run("undo")
    assert not desk.path(mine).exists()
    desk.run("sync"), laptop.run("sync")
    assert laptop.read(milk) == desk.read(milk) and "project" not in laptop.read(milk)


def test_a_side_that_was_taken_back_can_be_given_up_again(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    milk = desk.add("buy milk")
    desk.run("sync"), laptop.run("sync")
    desk.edit(milk, project="of the desk")
    laptop.edit(milk, project="of the laptop")
    desk.run("sync"), laptop.run("sync")
    [decision] = laptop.run("conflicts")["conflicts"]
    stood = laptop.read(milk)["project"]
    laptop.run("conflicts", "--take", str(decision["number"]))
    assert laptop.read(milk)["project"] != stood
    laptop.run("undo")
    assert laptop.read(milk)["project"] == stood


def test_restore_brings_back_what_was_deleted_here_or_elsewhere(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    milk, tea, rice = desk.add("buy milk"), desk.add("buy tea"), desk.add("buy rice")
    desk.run("sync"), laptop.run("sync")
    desk.run("delete", milk)
    laptop.run("delete", tea)
    laptop.run("sync"), desk.run("sync")
    assert not desk.path(milk).exists() and not desk.path(tea).exists()
    desk.run("restore", milk[:6])
    assert desk.read(milk)["description"] == "buy milk"
    assert [row["id"] for row in desk.run("restore", "--all")["restored"]] == [tea]
    desk.run("sync"), laptop.run("sync")
    assert laptop.read(milk) == desk.read(milk) and laptop.read(tea) == desk.read(tea)
    desk.run("undo")
    assert not desk.path(tea).exists() and desk.path(rice).exists()


def test_restore_asks_the_upstream_for_what_is_not_in_the_journal(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    milk = desk.add("buy milk")
    desk.run("sync"), laptop.run("sync")
    desk.edit(milk, description="buy cheese")
    desk.run("sync"), laptop.run("sync")
    shutil.rmtree(laptop.root / ".hypertask" / "arrived")
    laptop.run("restore", milk)
    assert laptop.read(milk)["description"] == "buy milk"
    history = laptop.run("log", milk)["upstreams"]["stick"]
    newest = next(row for row in history if row["hash"] != history[-1]["hash"])
    laptop.run("restore", milk, "--state", newest["hash"][:12])
    assert laptop.read(milk)["description"] == "buy cheese"


def test_restore_since_a_moment(desk: Desk) -> None:
    milk, tea = desk.add("buy milk"), desk.add("buy tea")
    moment = 0.0
    for path in (desk.root / ".hypertask" / "undo").iterdir():
        moment = max(moment, int(path.name.partition("-")[0]) / 1e9)
    desk.run("modify", milk, "project:x")
    desk.run("delete", tea)
    new = desk.add("made since")
    at = datetime.fromtimestamp(moment + 0.000_01, UTC).isoformat()
    planned = desk.run("restore", "--since", at, "--dry-run")
    assert set(planned["would_restore"]) == {milk, tea} and "project" in desk.read(milk)
    desk.run("restore", "--since", at)
    assert "project" not in desk.read(milk) and desk.path(tea).exists() and desk.path(new).exists()


@pytest.mark.parametrize("arguments", [[], ["q7", "--all"], ["--all", "--since", "2h"], ["--state", "ab"]])
def test_restore_says_how_it_is_called(desk: Desk, arguments: list[str]) -> None:
    assert "hypertask restore ID" in desk.run("restore", *arguments, fails=True, text=True)


def test_a_folder_that_was_emptied_waits_for_an_answer(both: tuple[Desk, Desk]) -> None:
    desk, _ = both
    ids = [desk.add("task", str(number)) for number in range(3)]
    desk.run("sync")
    for document in ids:
        desk.path(document).unlink()
    said = desk.run("sync", fails=True, text=True)
    told = desk.run("status", text=True)
    for text in (said, told):
        assert "stopped: waiting for your answer" in text
        assert "hypertask sync --confirm-deletions" in text and "hypertask restore --held" in text
    assert "Next: one of the two commands above." in told
    assert set(desk.run("restore", "--held")["restored"][0]) == {"id", "before", "after"}
    assert all(desk.path(document).exists() for document in ids)
    desk.run("sync")


def test_what_vanished_elsewhere_is_kept_everywhere(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    ids = [desk.add("task", str(number)) for number in range(30)]
    desk.run("sync"), laptop.run("sync")
    for document in ids:
        desk.path(document).unlink()
    desk.run("sync", "--confirm-deletions")
    assert len(laptop.run("sync", fails=True)["upstreams"]["stick"]["held_there"]) == 30
    laptop.run("restore", "--held")
    laptop.run("sync"), desk.run("sync")
    assert len(list(desk.root.glob("*.json"))) == 30


@pytest.mark.parametrize("kind", ["made", "changed", "removed"])
def test_every_kind_of_arrival_is_taken_back(both: tuple[Desk, Desk], kind: str) -> None:
    desk, laptop = both
    milk = laptop.add("buy milk", "project:shop")
    laptop.run("add", "stays")
    if kind != "made":
        laptop.run("sync"), desk.run("sync")
    before = desk.path(milk).read_bytes() if kind != "made" else None
    if kind == "changed":
        laptop.run("modify", milk, "project:", "+errand")
    if kind == "removed":
        laptop.run("delete", milk)
    laptop.run("sync"), desk.run("sync")
    desk.run("undo", "--sync")
    if before is None:
        assert not desk.path(milk).exists()
    else:
        was = json.loads(before)
        assert {**desk.read(milk), "modified": was["modified"]} == was
    desk.run("sync"), laptop.run("sync")
    assert laptop.path(milk).exists() == (kind != "made")


def test_a_deletion_that_was_taken_after_all_can_be_taken_back(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    milk = desk.add("buy milk")
    desk.run("sync"), laptop.run("sync")
    desk.run("delete", milk), laptop.run("modify", milk, "+urgent")
    desk.run("sync"), laptop.run("sync"), desk.run("sync")
    edited = _asked_for(desk, milk)
    desk.run("conflicts", "--take", "1")
    assert not desk.path(milk).exists()
    desk.run("undo")
    assert _asked_for(desk, milk) == edited


LISTING = [
    ["list"],
    ["list", "--all"],
    ["show", "ID"],
    ["status"],
    ["doctor"],
    ["log", "ID"],
    ["conflicts"],
    ["conflicts", "--task", "ID"],
    ["export", "json"],
    ["export", "taskwarrior"],
    ["export", "ical"],
    ["config", "show"],
    ["daemon", "status"],
    ["sync", "--dry-run"],
    ["restore", "--all", "--dry-run"],
]


@pytest.mark.parametrize("done", ["add", "modify", "done", "delete"])
def test_what_only_lists_does_not_change_what_undo_compares(both: tuple[Desk, Desk], done: str) -> None:
    """The task repeats: `list` makes tasks of it, and writes how far into it."""
    desk, _ = both
    plants = ["water plants", "due:2026-01-01", "recur:yearly", "until:2030-01-01"]
    document = "" if done == "add" else desk.add(*plants)
    before = _asked_for(desk, document)
    if done == "add":
        document = desk.add(*plants)
    else:
        desk.run(done, document, *(["+green"] if done == "modify" else []))
    after = _asked_for(desk, document)
    for command in LISTING:
        if after is None and "ID" in command:
            continue
        desk.run(*(document if word == "ID" else word for word in command), text=True)
        assert _asked_for(desk, document) == after, command
    desk.run("undo")
    assert _asked_for(desk, document) == before


def _asked_for(desk: Desk, document: str) -> dict[str, Any] | None:
    """The task without what commands write by themselves; None: it is not there."""
    if not document or not desk.path(document).exists():
        return None
    return {name: value for name, value in desk.read(document).items() if name not in ("modified", "made_until")}


def test_a_task_that_undo_removes_is_deleted_on_purpose_and_can_be_restored(both: tuple[Desk, Desk]) -> None:
    desk, laptop = both
    milk = desk.add("buy milk")
    desk.run("sync"), laptop.run("sync")
    desk.run("undo")
    desk.run("sync"), laptop.run("sync")
    assert not laptop.path(milk).exists()
    desk.run("restore", milk)
    assert desk.read(milk)["description"] == "buy milk"


def test_a_task_that_was_deleted_before_any_sync_is_restored_by_its_id(desk: Desk) -> None:
    milk = desk.add("buy milk")
    desk.run("delete", milk)
    desk.run("restore", milk[:8])
    assert desk.read(milk)["description"] == "buy milk"
