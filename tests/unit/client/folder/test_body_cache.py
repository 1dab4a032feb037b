"""What is read through the cache is what is in the files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from client.folder import body_cache
from client.folder.body_cache import ENTRIES_TO_WRITE, NAME, read_all, recalled
from client.folder.task_folder import FileProblem, Loaded, TaskFolder
from shared.core.documents import Body, DocumentId

LONG_AGO = 1_000_000_000


def write(folder: TaskFolder, body: Body, *, at: int | None = LONG_AGO) -> None:
    path = folder.path(DocumentId(body["id"]))
    path.write_text(json.dumps(body))
    if at is not None:
        os.utime(path, (at, at))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskFolder:
    # The change of the name or the rights of a file cannot be set back: here it is long ago at once.
    monkeypatch.setattr("client.folder.replace.TICK_NS", 0)
    made = TaskFolder(tmp_path / "tasks")
    made.make()
    for number in range(ENTRIES_TO_WRITE):
        write(made, {"id": f"t{number:03}", "number": number})
    return made


def read_one_by_one(folder: TaskFolder) -> dict[DocumentId, Body]:
    read = {document: folder.read(document) for document in folder.scan().files}
    return {document: loaded.body for document, loaded in read.items() if isinstance(loaded, Loaded)}


def files_read(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many files `read_all` opens; what it gives is compared with the files."""
    opened: list[DocumentId] = []
    with monkeypatch.context() as patch:
        real = TaskFolder.read

        def read(self: TaskFolder, document: DocumentId) -> Loaded | FileProblem | None:
            opened.append(document)
            return real(self, document)

        patch.setattr(TaskFolder, "read", read)
        bodies = read_all(folder).bodies
    assert bodies == read_one_by_one(folder)
    return len(opened)


def test_the_second_reading_opens_no_file(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files_read(folder, monkeypatch) == ENTRIES_TO_WRITE
    assert files_read(folder, monkeypatch) == 0
    assert (folder.state / NAME).stat().st_mode & 0o777 == 0o600


def test_every_kind_of_change_is_seen(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    read_all(folder)
    write(folder, {"id": "t001", "number": "changed"})
    write(folder, {"id": "t002", "number": 9})  # as long as before, and its time set back
    folder.path(DocumentId("t003")).unlink()
    write(folder, {"id": "new", "number": 1})
    (folder.root / "t004.json").write_text("{")
    (folder.root / "t006.json").replace(folder.root / "t005.json")
    assert files_read(folder, monkeypatch) == 5
    assert {problem.name for problem in read_all(folder).problems} == {"t004.json", "t005.json"}


def test_a_file_that_was_just_written_is_not_trusted(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.folder.replace.TICK_NS", 2_000_000_000)
    for _ in range(2):
        assert files_read(folder, monkeypatch) == ENTRIES_TO_WRITE
    assert not (folder.state / NAME).exists()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\0" * 100, b"[]", b"{", b'{"format": 1}', b'{"format": 1, "files": {"t001": 7}}',
        b'{"format": 1, "files": {"t001": [[], 7]}}', b'{"format": 2, "files": {}}',
        b'{"format": 1, "files": {"t001": [[1, 2, 3, 4], {"id": "t001", "number": "wrong"}], "gone": [[], {}]}}',
    ],
)  # fmt: skip
def test_what_is_no_cache_is_made_again(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    (folder.state / NAME).write_bytes(text)
    assert files_read(folder, monkeypatch) == ENTRIES_TO_WRITE
    assert files_read(folder, monkeypatch) == 0


def test_numbers_come_back_as_they_were(folder: TaskFolder) -> None:
    odd = {"id": "odd", "small": 1e-7, "large": 1e300, "exact": 9007199254740991, "zero": -0.0, "float": 1.0}
    write(folder, odd)
    first, second = read_all(folder).bodies[DocumentId("odd")], read_all(folder).bodies[DocumentId("odd")]
    assert repr(first) == repr(second)


def test_where_nothing_can_be_written_everything_is_read(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_cache, "NAME", "missing/cache")
    assert files_read(folder, monkeypatch) == files_read(folder, monkeypatch) == ENTRIES_TO_WRITE


def test_what_is_recalled_has_every_file_that_is_there_and_no_other(folder: TaskFolder) -> None:
    assert recalled(folder) == read_one_by_one(folder)
    read_all(folder)
    folder.path(DocumentId("t003")).unlink()
    write(folder, {"id": "New", "number": 1})
    assert recalled(folder) == read_one_by_one(folder)
    write(folder, {"id": "t001", "number": "changed"})
    assert recalled(folder)[DocumentId("t001")] == {"id": "t001", "number": 1}
