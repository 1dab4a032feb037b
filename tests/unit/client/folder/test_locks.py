"""Who holds a lock, as people are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from client.commands import daemon
from client.folder.locks import held, holder
from tests.unit.client.desks import Desk


def test_whoever_holds_it_is_named_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    path.write_text("123456789012")  # of an earlier holder, and longer
    with held(path):
        assert holder(path) == str(os.getpid())
    path.write_text("77\n56789012")  # not cut off yet
    assert holder(path) == "77"
    assert holder(tmp_path / "nothing") == ""


@pytest.mark.parametrize("earlier", ["", "111"])
def test_a_daemon_that_was_started_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: str) -> None:
    """It has the lock before it has written who it is."""
    desk = Desk(tmp_path, "desk")
    desk.run("connect", str(tmp_path / "stick"))
    locked, named = iter([False]), iter([earlier, earlier, "", "222"])
    monkeypatch.setattr(daemon, "_spawn", lambda session: None)
    monkeypatch.setattr(daemon, "is_held", lambda path: next(locked, True))
    monkeypatch.setattr(daemon, "holder", lambda path: next(named, "222"))
    assert "Started as process 222." in desk.run("daemon", "start", text=True)
