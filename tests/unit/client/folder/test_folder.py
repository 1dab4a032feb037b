"""The folder of task files, on a real disk."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client.folder import replace
from client.folder.task_folder import (
    ChangedError,
    FileChange,
    FileProblem,
    FolderError,
    FolderGoneError,
    Loaded,
    TaskFolder,
)
from shared.core.documents import DocumentId
from shared.core.json.strict import FaultError

A, B = DocumentId("a"), DocumentId("b")


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path / "tasks")
    made.make()
    return made


def loaded(folder: TaskFolder, document: DocumentId = A) -> Loaded:
    found = folder.read(document)
    assert isinstance(found, Loaded), found
    return found


def rest(folder: TaskFolder) -> list[str]:
    """What is in our own part besides what belongs there."""
    return [path.name for path in (folder.state / "tmp").iterdir()]


def test_what_is_written_is_read(folder: TaskFolder) -> None:
    stamp = folder.write(A, {"id": "a", "x": 1}, expected=None)
    found = loaded(folder)
    assert (found.body, found.stamp) == ({"id": "a", "x": 1}, stamp)
    assert folder.scan().files == {A: stamp}
    assert folder.read(B) is None
    second = folder.write(A, {"id": "a", "x": 2}, expected=stamp)
    assert second != stamp
    folder.remove(A, expected=second)
    assert folder.scan().files == {}
    assert rest(folder) == []
    assert (folder.state / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("mtime", "ctime", "tick"),
    [
        (1, 7, replace.TICK_NS),
        (7, 1, replace.TICK_NS),
        (1_000_000, 7_000_001, replace.TICK_NS),
        (1_000_000, 7_000_000, replace.COARSE_TICK_NS),
    ],
)
def test_a_file_at_rest_is_not_racy(mtime: int, ctime: int, tick: int) -> None:
    stamp = replace.Stamp(mtime, 1, 1, ctime)
    assert stamp.racy(max(mtime, ctime) + tick - 1)
    assert not stamp.racy(max(mtime, ctime) + tick)


def test_nothing_is_written_over_what_was_not_expected(folder: TaskFolder) -> None:
    stamp = folder.write(A, {"id": "a", "x": 1}, expected=None)
    with pytest.raises(ChangedError):
        folder.write(A, {"id": "a", "x": 2}, expected=None)
    folder.path(A).write_text('{"id": "a", "x": "by hand"}')
    for change in (FileChange(A, {"id": "a"}, stamp), FileChange(A, None, stamp), FileChange(A, None, None)):
        assert isinstance(folder.apply([change])[A], ChangedError)
    assert loaded(folder).body["x"] == "by hand"
    folder.path(A).unlink()
    for change in (FileChange(A, {"id": "a"}, stamp), FileChange(A, None, stamp)):
        assert isinstance(folder.apply([change])[A], ChangedError)
    assert folder.apply([FileChange(A, None, None)])[A] is None
    assert list(folder.root.iterdir()) == [folder.state]
    assert rest(folder) == []


class Interference:
    """Somebody who does something between the look at a file and its replacement."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.path = path
        self.deeds: Iterator[Callable[[], None]] = iter(())
        self._look = replace.stamp_at
        monkeypatch.setattr(replace, "stamp_at", self)

    def __call__(self, path: Path) -> object:
        found = self._look(path)
        for deed in self.deeds:
            deed()
        return found


@pytest.fixture
def interference(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> Interference:
    return Interference(monkeypatch, folder.path(A))


BY_HAND = '{"id": "a", "x": "by hand"}'


@pytest.mark.parametrize("body", [{"id": "a", "x": 2}, None])
@pytest.mark.parametrize("manner", ["in place", "by rename", "same size"])
def test_an_edit_in_the_last_moment_stands(
    folder: TaskFolder, interference: Interference, body: dict[str, object] | None, manner: str
) -> None:
    stamp = folder.write(A, {"id": "a", "x": 1}, expected=None)

    def edit() -> None:
        if manner == "by rename":
            (folder.root / ".swp").write_text(BY_HAND)
            (folder.root / ".swp").rename(folder.path(A))
        elif manner == "same size":
            folder.path(A).write_bytes(folder.path(A).read_bytes().replace(b"1", b"7"))
        else:
            folder.path(A).write_text(BY_HAND)

    interference.deeds = iter([edit])
    assert isinstance(folder.apply([FileChange(A, body, stamp)])[A], ChangedError)
    assert loaded(folder).body["x"] == (7 if manner == "same size" else "by hand")
    assert rest(folder) == []
    assert folder.scan().problems == ()


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux says who has a file open")
@pytest.mark.parametrize("body", [{"id": "a", "x": 2}, None])
def test_a_file_that_is_open_for_writing_is_left_alone(folder: TaskFolder, body: dict[str, object] | None) -> None:
    stamp = folder.write(A, {"id": "a", "x": 1}, expected=None)
    with folder.path(A).open("r+") as writer:
        assert isinstance(folder.apply([FileChange(A, body, stamp)])[A], ChangedError)
        writer.write(BY_HAND)
        writer.truncate()
    assert loaded(folder).body["x"] == "by hand"
    with folder.path(A).open():  # a reader is no hindrance
        folder.write(A, {"id": "a", "x": 3}, expected=loaded(folder).stamp)
    assert folder.scan().problems == ()


@pytest.mark.parametrize("body", [{"id": "a", "x": 2}, None])
@pytest.mark.parametrize("links", [True, False])
def test_where_files_cannot_be_exchanged(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, body: dict[str, object] | None, links: bool
) -> None:
    monkeypatch.setattr(replace, "_renamed", lambda *_: False)
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError()))
    stamp = folder.write(A, {"id": "a", "x": 1}, expected=None)
    with pytest.raises(ChangedError):
        folder.write(A, {"id": "a", "x": 2}, expected=None)
    assert not isinstance(folder.apply([FileChange(A, body, stamp)])[A], ChangedError)
    assert (folder.read(A) is None) == (body is None)
    assert rest(folder) == []


def test_a_race_is_won_by_one_and_lost_by_nobody(folder: TaskFolder) -> None:
    """Two writers that add to one list, each by read, change, write: as many entries as both were told of."""
    folder.write(A, {"id": "a", "list": []}, expected=None)

    def add(name: str, rounds: int) -> None:
        own = TaskFolder(folder.root)
        done = 0
        while done < rounds:
            match own.read(A):
                case Loaded(body=body, stamp=stamp):
                    changed = {**body, "list": [*body["list"], f"{name}{done}"]}
                    if not isinstance(own.apply([FileChange(A, changed, stamp)])[A], ChangedError):
                        done += 1
                case _:
                    pass  # at this moment it is being written

    writers = [threading.Thread(target=add, args=(name, 40)) for name in "pq"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(loaded(folder).body["list"]) == sorted(f"{name}{n}" for name in "pq" for n in range(40))
    assert rest(folder) == []
    assert folder.scan().problems == ()


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux says who has a file open")
def test_an_editor_that_writes_in_place_loses_nothing_either(folder: TaskFolder) -> None:
    """It opens the file, reads it, changes it and writes it back, as many editors and scripts do."""
    folder.write(A, {"id": "a", "list": []}, expected=None)
    finished = threading.Event()

    def edit() -> None:
        for n in range(200):
            with folder.path(A).open("r+") as file:
                body = json.load(file)
                file.seek(0)
                file.truncate()
                json.dump({**body, "list": [*body["list"], f"e{n}"]}, file)
        finished.set()

    editor = threading.Thread(target=edit)
    editor.start()
    mine = 0
    while not finished.is_set() or mine < 40:
        match folder.read(A):
            case Loaded(body=body, stamp=stamp):
                change = FileChange(A, {**body, "list": [*body["list"], f"m{mine}"]}, stamp)
                if not isinstance(folder.apply([change])[A], ChangedError):
                    mine += 1
            case _:
                pass  # at this moment it is being written
    editor.join()
    kept = loaded(folder).body["list"]
    for path in (folder.state / "rescued").glob("*"):
        kept += json.loads(path.read_text())["list"]
    assert set(kept) == {f"e{n}" for n in range(200)} | {f"m{n}" for n in range(mine)}
    assert rest(folder) == []


@pytest.mark.parametrize("body", [{"id": "a", "x": 2}, None])
def test_a_version_that_finds_no_place_is_kept_and_named(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, body: dict[str, object] | None
) -> None:
    """Somebody is faster every time, whatever we put where."""
    stamp = folder.write(A, {"id": "a", "x": 1}, expected=None)
    look = replace._is_final

    def faster(path: Path, expected: replace.Stamp) -> bool:
        if look(path, expected):
            path.write_text(BY_HAND)
            folder.path(A).write_text('{"id": "a", "x": "there, too"}')
        return False

    monkeypatch.setattr(replace, "_is_final", faster)
    assert isinstance(folder.apply([FileChange(A, body, stamp)])[A], ChangedError)
    [problem] = folder.scan().problems
    assert (problem.code, problem.document) == ("rescued", None)
    versions = {json.loads((folder.root / problem.name).read_text())["x"], loaded(folder).body["x"]}
    assert versions == {"by hand", "there, too"}
    assert rest(folder) == []


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.json", '{"id": "a", ', "not-json"),
        ("a.json", "", "empty"),
        ("a.json", "<<<<<<< HEAD\n", "not-json"),
        ("a.json", '{"id": "a", "x": 1, "x": 2}', "not-valid"),
        ("a.json", '{"id": "b"}', "wrong-id"),
        ("a.json", '{"x": 1}', "wrong-id"),
        ("a.json", '{"id": "a", "_deleted": true}', "marked-deleted"),
        ("a.json", " " * (9 << 20), "too-large"),
        ("a.sync-conflict-20260101-120000-ABCDEFG.json", '{"id": "a"}', "copy"),
        ("a (conflicted copy).json", '{"id": "a"}', "copy"),
        ("A.json", '{"id": "A"}', "wrong-name"),
        ("two words.json", '{"id": "a"}', "wrong-name"),
    ],
)
def test_a_file_that_is_no_document_is_reported_and_left_alone(
    folder: TaskFolder, name: str, text: str, code: str
) -> None:
    folder.write(B, {"id": "b"}, expected=None)
    (folder.root / name).write_text(text)
    scan = folder.scan()
    assert B in scan.files
    problem = folder.read(A) if A in scan.files else scan.problems[0]
    assert isinstance(problem, FileProblem)
    assert (problem.name, problem.code) == (name, code)
    assert len(problem.sentence) > 30
    assert problem.document == (A if name == "a.json" else None)
    assert (folder.root / name).read_text() == text
    assert loaded(folder, B).body == {"id": "b"}


def test_what_else_may_be_called_like_a_task(folder: TaskFolder) -> None:
    folder.write(B, {"id": "b"}, expected=None)
    folder.path(A).symlink_to("b.json")
    folder.path(DocumentId("c")).mkdir()
    os.mkfifo(folder.path(DocumentId("d")))
    assert [(problem.document, problem.code) for problem in folder.scan().problems] == [
        (name, "not-a-file") for name in "acd"
    ]
    for name in "acd":
        problem = folder.read(DocumentId(name))
        assert isinstance(problem, FileProblem) and problem.code in ("not-a-file", "unreadable")


def test_nobody_s_business(folder: TaskFolder) -> None:
    for name in ("README.md", ".hidden.json", ".a.json.swp", "a.json~", "#a.json#", "a.json.tmp"):
        (folder.root / name).write_text("x")
    (folder.root / "sub").mkdir()
    (folder.root / "sub" / "a.json").write_text('{"id": "a"}')
    assert folder.scan() == type(folder.scan())({}, ())


def test_a_renamed_file_says_what_it_holds(folder: TaskFolder) -> None:
    folder.write(A, {"id": "a"}, expected=None)
    folder.path(A).rename(folder.path(B))
    wrong = folder.read(B)
    assert isinstance(wrong, FileProblem) and wrong.holds == A and "mv b.json a.json" in wrong.sentence
    assert folder.withheld([wrong]) == {A: "b.json"}
    folder.path(B).rename(folder.root / "b (1).json")
    assert folder.withheld(folder.scan().problems) == {A: "b (1).json"}


def test_a_folder_that_is_gone_is_not_empty(folder: TaskFolder) -> None:
    stamp = folder.write(A, {"id": "a"}, expected=None)
    folder.root.rename(folder.root.with_name("elsewhere"))
    for deed in (
        folder.scan,
        lambda: folder.read(A),
        lambda: folder.write(A, {"id": "a"}, expected=None),
        lambda: folder.remove(A, expected=stamp),
    ):
        with pytest.raises(FolderGoneError, match="Is its disk connected"):
            deed()
    assert not folder.root.exists()


def test_our_own_part_may_be_removed_at_any_time(folder: TaskFolder) -> None:
    folder.write(A, {"id": "a"}, expected=None)
    for path in sorted(folder.state.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.state.rmdir()
    folder.write(B, {"id": "b"}, expected=None)
    assert set(folder.scan().files) == {A, B}


def test_what_is_no_document_is_not_written(folder: TaskFolder) -> None:
    for body in ({"id": "b"}, {"id": "a", "_deleted": True}, {"id": "a", "x": float("inf")}):
        with pytest.raises(FaultError):
            folder.apply([FileChange(B, {"id": "b"}, None), FileChange(A, body, None)])
    assert folder.scan().files == {}


def test_a_disk_that_does_not_take_it(folder: TaskFolder) -> None:
    (folder.state / "tmp").rmdir()
    (folder.state / "tmp").write_text("")
    with pytest.raises(FolderError, match="try again"):
        folder.write(A, {"id": "a"}, expected=None)


def test_left_overs_of_a_process_that_was_killed_go(folder: TaskFolder) -> None:
    old, new = folder.state / "tmp" / "old", folder.state / "tmp" / "new"
    old.write_text("")
    new.write_text("")
    os.utime(old, (1, 1))
    TaskFolder(folder.root).write(A, {"id": "a"}, expected=None)
    assert rest(folder) == ["new"]


def test_temporary_files_of_others_come_and_go(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.state / "tmp" / "theirs").write_text("")
    look = Path.iterdir

    def late(path: Path) -> list[Path]:
        found = list(look(path))
        if path.name == "tmp":
            for theirs in found:
                theirs.unlink()
        return found

    monkeypatch.setattr(Path, "iterdir", late)
    TaskFolder(folder.root).write(A, {"id": "a"}, expected=None)
    assert loaded(folder).body == {"id": "a"}


def test_many_at_once(folder: TaskFolder) -> None:
    documents = [DocumentId(f"d{n}") for n in range(1200)]
    written = folder.apply(FileChange(d, {"id": d, "n": 1}, None) for d in documents)
    assert folder.scan().files == written
    some = random.Random(1).sample(documents, 600)
    folder.path(some[0]).write_text("x")
    results = folder.apply(FileChange(d, None, written[d]) for d in some)  # type: ignore[arg-type]
    assert isinstance(results[some[0]], ChangedError)
    assert set(folder.scan().files) == set(documents) - set(some[1:])
