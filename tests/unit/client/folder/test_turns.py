"""Who puts files into a folder does so by turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.folder import locks, replace
from client.folder.durable import FEW, make_durable
from client.folder.locks import turn
from client.folder.replace import ChangedError, Stamp
from client.folder.task_folder import FileChange, Loaded, TaskFolder
from client.sync.arrivals import Arrivals
from client.sync.state_store import Arriving, SyncStateStore
from shared.core.documents import DocumentId
from tests.patience import PATIENCE_SECONDS

A = DocumentId("a")


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path / "tasks")
    made.make()
    return made


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when somebody is told that it is not its turn."""
    told = threading.Event()

    def locked(descriptor: int, really: Callable[[int], bool] = locks._locked) -> bool:
        has_it = really(descriptor)
        if not has_it:
            told.set()
        return has_it

    monkeypatch.setattr(locks, "_locked", locked)
    return told


def refused_or_over(thread: threading.Thread, refused: threading.Event) -> None:
    """Returns when the thread was told that it is not its turn, or has ended."""
    while thread.is_alive() and not refused.wait(0.01):
        pass


def put_by_a_command(folder: TaskFolder) -> None:
    folder.write(A, {"id": "a"}, expected=None)


def put_by_a_sync(folder: TaskFolder) -> None:
    store = SyncStateStore.open(folder.state / "memory.sqlite")
    arrivals = Arrivals(folder, store)
    arrivals.place(arrivals.stage({A: Arriving({"id": "a"}, None)}))
    store.close()


@pytest.mark.parametrize("count", [2 * FEW, 1, 0])
async def test_others_of_the_event_loop_have_their_turn_while_the_disk_is_waited_for(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Where one waits for many files; few are not worth a thread. What was written is durable when it is staged."""
    answered, said = threading.Event(), list[object]()

    def durable(paths: list[str]) -> bool:
        said.append(len(paths) <= FEW or answered.wait(PATIENCE_SECONDS))
        return make_durable(paths)

    monkeypatch.setattr("client.sync.arrivals.make_durable", durable)
    store = SyncStateStore.open(folder.state / "memory.sqlite")
    arrivals = Arrivals(folder, store, said.append)
    wanted = {DocumentId(f"d{n}"): Arriving({"id": f"d{n}"}, None) for n in range(count)}
    staging = asyncio.create_task(arrivals.stage_meanwhile(wanted))
    await asyncio.sleep(0)
    answered.set()
    rows = await staging
    assert said == ([True, "staged"] if count else [])
    assert arrivals.place(rows).keys() == wanted.keys() == folder.scan().files.keys()
    store.close()


@pytest.mark.parametrize("put", [put_by_a_command, put_by_a_sync])
def test_whoever_puts_a_file_in_place_waits_for_its_turn(
    folder: TaskFolder, refused: threading.Event, put: Callable[[TaskFolder], None]
) -> None:
    putting = threading.Thread(target=put, args=(folder,))
    with folder.turn():
        putting.start()
        refused_or_over(putting, refused)
        assert folder.read(A) is None
    putting.join()
    assert isinstance(folder.read(A), Loaded)


def test_who_puts_a_file_in_place_looks_and_puts_before_another_one_does(
    folder: TaskFolder, refused: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another one may write between, and somebody may build on what stands there until that is put back."""
    stamp = folder.write(A, {"id": "a", "n": 1}, expected=None)
    outcome: list[Stamp | ChangedError | None] = []
    other = threading.Thread(
        target=lambda: outcome.append(TaskFolder(folder.root).apply([FileChange(A, {"id": "a", "n": 3}, stamp)])[A])
    )
    exchange = replace._renamed

    def slow(*arguments: Any) -> bool:
        monkeypatch.setattr(replace, "_renamed", exchange)
        other.start()
        refused_or_over(other, refused)
        assert other.is_alive()
        return exchange(*arguments)

    monkeypatch.setattr(replace, "_renamed", slow)
    folder.write(A, {"id": "a", "n": 2}, expected=stamp)
    other.join()
    assert isinstance(outcome[0], ChangedError)
    read = folder.read(A)
    assert isinstance(read, Loaded)
    assert read.body == {"id": "a", "n": 2}


def test_a_turn_is_waited_for_but_not_behind_a_process_that_stands_still(
    tmp_path: Path, refused: threading.Event
) -> None:
    path, told = tmp_path / "placing.lock", list[str]()

    def second() -> None:
        with turn(path):
            told.append("second")

    waiting = threading.Thread(target=second)
    with turn(path):
        with turn(path, seconds=0.05):  # the holder does nothing
            told.append("first")
        refused.clear()
        waiting.start()
        refused_or_over(waiting, refused)
        told.append("first again")
    waiting.join()
    assert told == ["first", "first again", "second"]


def test_a_turn_is_taken_where_nobody_may_lock(tmp_path: Path) -> None:
    with turn(tmp_path / "missing" / "placing.lock"), turn(tmp_path / "missing" / "placing.lock"):
        assert not (tmp_path / "missing").exists()
