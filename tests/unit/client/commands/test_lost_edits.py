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


@pytest.mark.parametrize("kind", ["directory", "git", "server"])
def test_who_synced_first_and_lost_is_told(connected: Connected, kind: str) -> None:
    desk, laptop = connected(kind)
    milk = added(desk)
    in_sync(desk, laptop)
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
    desk, laptop = connected("directory")
    milk = added(desk)
    in_sync(desk, laptop)
    desk.edit(milk, description="buy oat milk", modified="2020-01-02T00:00:00Z")
    laptop.edit(milk, description="buy soy milk", modified="2020-01-01T00:00:00Z")
    desk.run("sync")
    assert "your edit of description" in laptop.run("sync", text=True)
    assert "lost" not in desk.run("sync", text=True)
    assert "yours, 'buy soy milk', lost to 'buy oat milk'" in laptop.run("conflicts", text=True)


@pytest.mark.parametrize("first", ["desk", "laptop"])
def test_a_deleter_is_told_that_the_task_lives_on(connected: Connected, first: str) -> None:
    desk, laptop = connected("directory")
    milk = added(desk)
    in_sync(desk, laptop)
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
    desk, laptop = connected("directory")
    milk = added(desk)
    in_sync(desk, laptop)
    desk.run("modify", milk, "buy oat milk")
    in_sync(desk, laptop)
    laptop.run("modify", milk, "buy soy milk", "+shop")
    laptop.run("sync")
    assert "lost" not in desk.run("sync", text=True)
    assert desk.run("conflicts")["conflicts"] == []


def test_what_could_not_be_asked_is_asked_by_the_next_sync(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, laptop = connected("directory")
    milk = added(desk)
    in_sync(desk, laptop)
    desk.edit(milk, description="buy oat milk", modified="2020-01-01T00:00:00Z")
    laptop.edit(milk, description="buy soy milk", modified="2020-01-02T00:00:00Z")
    desk.run("sync")
    laptop.run("sync")

    async def gone(self: FolderUpstream, document: str) -> list[dict[str, object]]:
        raise UpstreamUnreachableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(FolderUpstream, "story", gone)
        assert "lost" not in desk.run("sync", text=True)
    assert "your edit of description" in desk.run("sync", text=True)
    assert "lost" not in desk.run("sync", text=True)
