"""Who may read and write the files, a folder that was moved, and a mount point without its disk."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client.cli import main
from client.folder.locks import LockedError, held
from client.folder.task_folder import FileChange, FolderError, Loaded, TaskFolder
from client.screen import plain
from client.sync.state_store import SyncStateStore
from shared.core.documents import DocumentId

A = DocumentId("a")


def run(home: Path, *arguments: str, **variables: str) -> Result:
    env = {"HYPERTASK_CONFIG": str(home / "config.toml"), "HYPERTASK_PROFILE": None, **variables}
    result = CliRunner().invoke(main, arguments, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def write(folder: TaskFolder, x: int) -> None:
    loaded = folder.read(A)
    assert isinstance(loaded, Loaded)
    folder.write(A, {"id": "a", "x": x}, expected=loaded.stamp)


def test_a_file_keeps_its_permissions_and_one_that_is_protected_its_content(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path / "tasks")
    folder.make()
    folder.write(A, {"id": "a", "x": 1}, expected=None)
    for mode in (0o600, 0o640, 0o664):
        folder.path(A).chmod(mode)
        write(folder, mode)
        assert stat.S_IMODE(folder.path(A).stat().st_mode) == mode
    folder.path(A).chmod(0o444)
    before = folder.path(A).read_bytes()
    with pytest.raises(FolderError, match="chmod u\\+w"):
        write(folder, 0)
    loaded = folder.read(A)
    assert isinstance(loaded, Loaded)
    with pytest.raises(FolderError, match="chmod u\\+w"):
        folder.apply([FileChange(A, None, loaded.stamp)])
    assert (folder.path(A).read_bytes(), list((folder.state / "tmp").iterdir())) == (before, [])


def test_an_arrival_leaves_a_protected_file_and_comes_when_it_may(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(tmp_path, "--profile", name, "init", str(tmp_path / name))
        assert run(tmp_path, "--profile", name, "connect", str(tmp_path / "stick")).exit_code == 0
    first, second = tmp_path / "one" / "a.json", tmp_path / "two" / "a.json"
    first.write_text('{"id": "a", "x": 1}')
    for name in ("one", "two"):
        run(tmp_path, "--profile", name, "sync")
    second.chmod(0o444)
    first.write_text('{"id": "a", "x": 2}')
    run(tmp_path, "--profile", "one", "sync")
    run(tmp_path, "--profile", "two", "sync")
    assert json.loads(second.read_text())["x"] == 1
    second.chmod(0o600)
    run(tmp_path, "--profile", "two", "sync")
    assert (json.loads(second.read_text())["x"], stat.S_IMODE(second.stat().st_mode)) == (2, 0o600)
    second.chmod(0o400)
    first.unlink()
    run(tmp_path, "--profile", "one", "sync", "--confirm-deletions")
    run(tmp_path, "--profile", "two", "sync", "--confirm-deletions")
    assert second.exists()
    second.chmod(0o600)
    run(tmp_path, "--profile", "two", "sync")
    assert not second.exists()


def test_a_shared_directory_is_for_all_who_may_use_it(tmp_path: Path) -> None:
    old = os.umask(0o002)
    try:
        run(tmp_path, "init", str(tmp_path / "tasks"))
        assert run(tmp_path, "connect", str(tmp_path / "shared"), "--sync").exit_code == 0
    finally:
        os.umask(old)
    control = tmp_path / "shared" / ".hypertask"
    assert stat.S_IMODE(control.stat().st_mode) == 0o775
    assert stat.S_IMODE((control / "upstream" / "ledger.sqlite").stat().st_mode) & 0o044


def test_what_is_remembered_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path / "tasks")
    folder.make()
    assert stat.S_IMODE(folder.state.stat().st_mode) == 0o700
    folder.state.chmod(0o755)  # of an earlier program
    TaskFolder(folder.root).prepare()
    assert stat.S_IMODE(folder.state.stat().st_mode) == 0o700
    path = folder.state / "memory.sqlite"
    SyncStateStore.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)  # of an earlier program
    SyncStateStore.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lock_makes_no_folder_that_was_moved_away(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), held(tmp_path / "tasks" / ".hypertask" / "sync.lock"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_holds_a_lock_is_said_with_the_command_that_ends_it(tmp_path: Path) -> None:
    with held(tmp_path / "daemon.lock"), pytest.raises(LockedError) as error, held(tmp_path / "daemon.lock"):
        pass
    assert "already syncs this folder. To stop it: hypertask daemon stop" in str(error.value)


@pytest.mark.parametrize("command", [["add", "buy milk"], ["list"]])
def test_nothing_is_written_into_an_empty_mount_point(tmp_path: Path, command: list[str]) -> None:
    run(tmp_path, "init", str(tmp_path / "tasks"))
    (tmp_path / "tasks").rename(tmp_path / "disk")
    (tmp_path / "tasks").mkdir()
    result = run(tmp_path, *command)
    assert result.exit_code == 1 and "Is its disk connected?" in result.output
    assert list((tmp_path / "tasks").iterdir()) == []


@pytest.mark.parametrize(
    "text", ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e", "a\u00a0b"]
)
def test_joiners_are_parts_of_what_is_seen(text: str) -> None:
    assert plain(text) == text


def test_a_draft_that_is_broken_can_be_thrown_away(tmp_path: Path) -> None:
    run(tmp_path, "init", str(tmp_path / "tasks"))
    (tmp_path / "tasks" / "a.json").write_text('{"id": "a", "description": "x"}')
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "{" > "$1"\n')
    editor.chmod(0o700)
    broken = run(tmp_path, "edit", "a", EDITOR=str(editor), VISUAL="")
    assert broken.exit_code == 2 and "hypertask edit a --discard" in broken.output
    assert run(tmp_path, "edit", "a", "--discard").exit_code == 0
    assert list((tmp_path / "tasks" / ".hypertask" / "edit").iterdir()) == []
