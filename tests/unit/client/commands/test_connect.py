"""Connecting with a directory: what is made, and what is said of it."""

from __future__ import annotations

from pathlib import Path

from tests.unit.client.desks import Desk


def test_a_directory_that_is_made_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "desk")
    assert f"Created {tmp_path / 'stick'}." in desk.run("connect", str(tmp_path / "stick"), text=True)
    assert "Created" not in desk.run("connect", str(tmp_path / "stick"), text=True)


def test_a_path_of_which_nothing_is_there_is_not_made(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "desk")
    error = desk.run("connect", str(tmp_path / "stik" / "tasks"), fails=True)["error"]
    assert f"To create it: mkdir -p {tmp_path / 'stik' / 'tasks'}" in error["message"]
    assert not (tmp_path / "stik").exists()
    assert desk.run("config", "show")["profiles"]["default"]["upstreams"] == []
