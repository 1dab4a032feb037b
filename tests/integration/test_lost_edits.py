"""Whose edit lost, is told so: in `sync`, `status` and `conflicts`, with the command that takes that side back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from client.sync.upstream import UpstreamUnreachableError
from client.upstreams.directory import FolderUpstream
from tests.instance import Instance
from tests.unit.client.desks import Desk

Pair = tuple[Desk, Desk]
Connected = Callable[..., Pair]


@pytest.fixture
def connected(tmp_path: Path, request: pytest.FixtureRequest) -> Connected:
    """Two desks with one upstream of that kind."""

    def both(kind: str) -> Pair:
        desks = Desk(tmp_path, "desk"), Desk(tmp_path, "laptop")
        server: Instance | None = request.getfixturevalue("server") if kind == "server" else None
        access = server.access(name="desk") if server is not None else None
        if kind == "git":
            subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "tasks.git")], check=True)
        for desk in desks:
            if access is not None and server is not None:
                token = server.access(space=access.space, name=desk.name).token
                desk.run("connect", server.url, "--name", "up", token=token)
            else:
                desk.run("connect", str(tmp_path / ("tasks.git" if kind == "git" else "stick")), "--name", "up")
        return desks

    return both


def added(desk: Desk) -> str:
    """A task with a clock of long ago: later ones are believed."""
    milk = desk.add("buy milk")
    desk.edit(milk, modified="2019-01-01T00:00:00Z")
    return milk


def in_sync(first: Desk, then: Desk) -> None:
    for desk in (first, then, first):
        desk.run("sync")


def with_milk(connected: Connected, kind: str = "directory") -> tuple[Desk, Desk, str]:
    """Both have a task."""
    desk, laptop = connected(kind)
    milk = added(desk)
    in_sync(desk, laptop)
    return desk, laptop, milk


@pytest.mark.parametrize("kind", ["directory", "git", "server"])
def test_who_synced_first_and_lost_is_told(connected: Connected, kind: str) -> None:
    desk, laptop, milk = with_milk(connected, kind)
    desk.edit(milk, description="buy oat milk", priority="H", modified="2020-01-01T00:00:00Z")
    laptop.edit(milk, description="buy soy milk", modified="2020-01-02T00:00:00Z")
    desk.run("sync")
    laptop.run("sync")
    told = desk.run("sync", text=True)
    assert f'your edit of description in {milk} ("buy soy milk") lost to one made elsewhere' in told
    assert "To take yours back: hypertask conflicts --take 1" in told
    if kind == "server":  # others are called as people know them
        assert "(by laptop)" in told and "changed on laptop: " in desk.run("log", milk, text=True)
    assert "hypertask conflicts --take 1" in desk.run("status", text=True)
    assert "yours, 'buy oat milk', lost to 'buy soy milk'" in desk.run("conflicts", text=True)
    assert "--take" not in desk.run("status", text=True)  # it was looked at
    desk.run("conflicts", "--take", "1")
    in_sync(desk, laptop)
    assert laptop.read(milk)["description"] == desk.read(milk)["description"] == "buy oat milk"
    assert laptop.read(milk)["priority"] == "H"
    assert "lost" not in desk.run("sync", text=True) + laptop.run("sync", text=True)


def test_who_synced_second_and_lost_is_told(connected: Connected) -> None:
    desk, laptop, milk = with_milk(connected)
    desk.edit(milk, description="buy oat milk", modified="2020-01-02T00:00:00Z")
    laptop.edit(milk, description="buy soy milk", modified="2020-01-01T00:00:00Z")
    desk.run("sync")
    assert "your edit of description" in laptop.run("sync", text=True)
    assert "lost" not in desk.run("sync", text=True)
    assert "yours, 'buy soy milk', lost to 'buy oat milk'" in laptop.run("conflicts", text=True)


@pytest.mark.parametrize("first", ["desk", "laptop"])
def test_a_deleter_is_told_that_the_task_lives_on(connected: Connected, first: str) -> None:
    desk, laptop, milk = with_milk(connected)
    desk.run("delete", milk)
    laptop.run("modify", milk, "+urgent")
    order = (desk, laptop) if first == "desk" else (laptop, desk)
    told = [(one, one.run("sync", text=True)) for one in (*order, *order)]
    sentence = f'{milk} ("buy milk") was deleted here and edited elsewhere'
    assert [one for one, text in told if sentence in text] == [desk]
    assert "To delete it after all: hypertask conflicts --take 1" in desk.run("status", text=True)
    assert "edited here, deleted elsewhere: it is kept" in laptop.run("conflicts", text=True) or first == "laptop"
    assert sentence not in laptop.run("status", text=True)
    desk.run("conflicts", "--take", "1")
    in_sync(desk, laptop)
    assert not laptop.path(milk).exists()


def test_an_edit_by_somebody_who_had_seen_ours_is_no_loss(connected: Connected) -> None:
    desk, laptop, milk = with_milk(connected)
    desk.run("modify", milk, "buy oat milk")
    in_sync(desk, laptop)
    laptop.run("modify", milk, "buy soy milk", "+shop")
    laptop.run("sync")
    assert "lost" not in desk.run("sync", text=True)
    assert desk.run("conflicts")["conflicts"] == []


def test_what_could_not_be_asked_is_asked_by_the_next_sync(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, laptop, milk = with_milk(connected)
    desk.edit(milk, description="buy oat milk", modified="2020-01-01T00:00:00Z")
    laptop.edit(milk, description="buy soy milk", modified="2020-01-02T00:00:00Z")
    desk.run("sync")
    laptop.run("sync")

    async def gone(self: FolderUpstream, document: str) -> list[dict[str, object]]:
        raise UpstreamUnreachableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(FolderUpstream, "history", gone)
        assert "lost" not in desk.run("sync", text=True)
    assert "your edit of description" in desk.run("sync", text=True)
    assert "lost" not in desk.run("sync", text=True)


def deleted_here_and_edited_there(connected: Connected) -> tuple[Desk, str]:
    desk, laptop, milk = with_milk(connected)
    laptop.run("modify", milk, "+urgent")
    laptop.run("sync")
    desk.run("delete", milk)
    desk.run("sync")
    assert "was deleted here and edited elsewhere" in desk.run("status", text=True)
    return desk, milk


def edited_on_both(connected: Connected) -> tuple[Desk, str]:
    desk, laptop, milk = with_milk(connected)
    laptop.edit(milk, description="buy oat milk", modified="2020-01-02T00:00:00Z")
    desk.edit(milk, description="buy soy milk", modified="2020-01-01T00:00:00Z")
    laptop.run("sync")
    desk.run("sync")
    assert "your edit of description" in desk.run("status", text=True)
    return desk, milk


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (["delete", "ID"], "it was kept, and was deleted since"),
        (["conflicts", "--take", "1"], "it was kept, and was deleted since"),
        (["done", "ID"], "it is kept. --take deletes it after all"),
    ],
    ids=["delete", "take", "done"],
)
def test_nobody_is_told_any_more_of_a_task_that_was_answered(
    connected: Connected, answer: list[str], then: str
) -> None:
    desk, milk = deleted_here_and_edited_there(connected)
    desk.run(*(milk if word == "ID" else word for word in answer))
    assert "edited elsewhere" not in desk.run("status", text=True)
    listed = desk.run("conflicts", text=True)
    assert then in listed
    assert ("Nothing is left to take back." in listed) == (answer != ["done", "ID"])


def test_a_task_that_was_removed_without_a_command_is_answered_too(connected: Connected) -> None:
    desk, milk = deleted_here_and_edited_there(connected)
    desk.path(milk).unlink()
    assert "edited elsewhere" not in desk.run("status", text=True)
    assert "Nothing to do: " in desk.run("conflicts", "--take", "1", text=True)


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (["conflicts", "--take", "1"], "What was dropped is there again"),
        (["modify", "ID", "buy soy milk"], "What was dropped is there again"),
        (["modify", "ID", "buy tea"], "It was changed again since"),
        (["delete", "ID"], "The task was deleted since"),
    ],
    ids=["take", "by hand", "another value", "delete"],
)
def test_nobody_is_told_any_more_of_an_edit_that_was_answered(
    connected: Connected, answer: list[str], then: str
) -> None:
    desk, milk = edited_on_both(connected)
    desk.run(*(milk if word == "ID" else word for word in answer))
    assert "lost" not in desk.run("status", text=True)
    assert then in desk.run("conflicts", text=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"priority": "H"}, "lost to one made elsewhere. To"),
        ({"description": "tea"}, "and was changed again since. To"),
    ],
)
def test_an_edit_that_lost_is_told_of_whatever_else_happens(
    connected: Connected, change: dict[str, str], said: str
) -> None:
    desk, milk = edited_on_both(connected)
    desk.run("modify", milk, "+shop")
    desk.edit(milk, **change)
    assert said in desk.run("status", text=True)


def test_taking_a_side_back_twice_does_it_once(connected: Connected) -> None:
    desk, milk = edited_on_both(connected)
    assert "Put back what was dropped" in desk.run("conflicts", "--take", "1", text=True)
    assert f"Nothing to do: {milk} is so already." in desk.run("conflicts", "--take", "1", text=True)
    assert desk.run("undo")["undone"] == "conflicts --take 1"
    assert desk.read(milk)["description"] == "buy oat milk"


def test_what_was_refused_is_not_said_to_be_when_it_was_changed(connected: Connected) -> None:
    desk, _ = connected("directory")
    milk = added(desk)
    desk.edit(milk, note="x" * 1_100_000)
    desk.run("sync", text=True, fails=True)
    assert "[too-large]" in desk.run("status", text=True)
    desk.edit(milk, note="x")
    assert "[too-large]" not in desk.run("status", text=True)


def test_a_protected_file_is_not_named_when_it_is_none_any_more(connected: Connected) -> None:
    desk, laptop, milk = with_milk(connected)
    laptop.run("modify", milk, "+urgent")
    laptop.run("sync")
    desk.path(milk).chmod(0o444)
    desk.run("sync", text=True, fails=True)
    assert "its file is protected" in desk.run("status", text=True)
    desk.path(milk).chmod(0o644)
    assert "its file is protected" not in desk.run("status", text=True)


def test_an_upstream_that_was_connected_again_is_not_said_to_be_gone(connected: Connected, tmp_path: Path) -> None:
    desk, _ = connected("directory")
    desk.run("sync")
    stick = tmp_path / "stick"
    stick.rename(tmp_path / "unplugged")
    desk.run("sync", text=True, fails=True)
    assert "Why: " in desk.run("status", text=True)
    (tmp_path / "unplugged").rename(stick)
    desk.run("connect", str(stick), "--name", "up")
    assert "Why: " not in (said := desk.run("status", text=True)) and "up: synced " in said
