"""Who puts files into a folder does so by turns."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from client.folder import replace
from client.folder.locks import turn
from client.folder.replace import ChangedError, Stamp
from client.folder.task_folder import FileChange, Loaded, TaskFolder
from shared.core.documents import DocumentId

A = DocumentId("a")


def test_who_puts_a_file_in_place_looks_and_puts_before_another_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another one may write between, and somebody may build on what stands there until that is put back."""
    folder = TaskFolder(tmp_path / "tasks")
    folder.make()
    stamp = folder.write(A, {"id": "a", "n": 1}, expected=None)
    outcome: list[Stamp | ChangedError | None] = []
    other = threading.Thread(
        target=lambda: outcome.append(TaskFolder(folder.root).apply([FileChange(A, {"id": "a", "n": 3}, stamp)])[A])
    )
    exchange = replace._renamed

    def slow(*arguments: Any) -> bool:
        monkeypatch.setattr(replace, "_renamed", exchange)
        other.start()
        other.join(1)
        assert other.is_alive()  # it waits for its turn
        return exchange(*arguments)

    monkeypatch.setattr(replace, "_renamed", slow)
    folder.write(A, {"id": "a", "n": 2}, expected=stamp)
    other.join()
    assert isinstance(outcome[0], ChangedError)
    read = folder.read(A)
    assert isinstance(read, Loaded)
    assert read.body == {"id": "a", "n": 2}


def test_a_turn_is_waited_for_but_not_behind_a_process_that_stands_still(tmp_path: Path) -> None:
    path, told = tmp_path / "placing.lock", list[str]()

    def second() -> None:
        with turn(path):
            told.append("second")

    waiting = threading.Thread(target=second)
    with turn(path):
        with turn(path, seconds=0.05):  # the holder does nothing
            told.append("first")
        waiting.start()
        waiting.join(0.2)
        told.append("first again")
    waiting.join()
    assert told == ["first", "first again", "second"]


def test_a_turn_is_taken_where_nobody_may_lock(tmp_path: Path) -> None:
    with turn(tmp_path / "missing" / "placing.lock"), turn(tmp_path / "missing" / "placing.lock"):
        assert not (tmp_path / "missing").exists()
