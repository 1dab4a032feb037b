"""States that are handed on between upstreams: edits by hand in a repository, folders that are copied, and the notice
of a document that alternates."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from client.cli import main
from client.folder.task_folder import TaskFolder
from client.sync.state_store import SyncStateStore
from client.sync.sync_run import Sync
from client.upstreams.directory import FolderUpstream
from client.upstreams.git import GitUpstream
from shared.core.documents import ContentHash, DocumentId
from tests.integration.test_too_large import commit

D = DocumentId("d")


class Folder:
    """A folder on this machine. `place`: where its files and its memory lie."""

    def __init__(self, place: Path, upstreams: dict[str, Any]) -> None:
        self.folder = TaskFolder(place)
        self.folder.make()
        self.upstreams = upstreams
        self.facts: dict[str, Any] = {name: {"device": place.name} for name in upstreams}

    @property
    def memory(self) -> Path:
        return self.folder.state / "memory.sqlite"

    def put(self, **fields: Any) -> None:
        self.folder.path(D).write_text(json.dumps({"id": D, **fields}))

    @property
    def fields(self) -> dict[str, Any] | None:
        path = self.folder.path(D)
        return {k: v for k, v in json.loads(path.read_bytes()).items() if k != "id"} if path.exists() else None

    @property
    def replica(self) -> str:
        with closing(SyncStateStore.open(self.memory)) as store, store.transaction():
            return store.replica()[0]

    def sync(self, *names: str) -> int:
        """How much travelled."""
        return sum(asyncio.run(self._sync(name)) for name in names or self.upstreams)

    async def _sync(self, name: str) -> int:
        driver = self.upstreams[name](self.folder.root.name, self.facts[name])
        with closing(SyncStateStore.open(self.memory)) as store:
            try:
                report = await Sync(self.folder, store, name, driver, several=True).run()
            finally:
                await driver.close()
        self.facts[name] = driver.abilities.facts
        assert report.agreed
        return report.sent + report.fetched + report.deleted + report.removed


def directory(place: Path) -> Any:
    return lambda name, facts: FolderUpstream(place, facts, device=name, make=True)


def repository(root: Path) -> Any:
    subprocess.run(["git", "init", "-q", "--bare", str(root / "shared.git")], check=True)
    return lambda name, facts: GitUpstream(f"file://{root / 'shared.git'}", root / f"of-{name}", facts, device=name)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Folder, Folder]:
    """Two folders over a repository and a directory, which both have a document."""
    upstreams = {"git": repository(tmp_path), "u": directory(tmp_path / "u")}
    a, b = (Folder(tmp_path / name, upstreams) for name in "ab")
    a.put(due="v1")
    a.sync()
    b.sync()
    return a, b


def settle(*folders: Folder) -> None:
    for _ in range(3):
        for folder in folders:
            folder.sync()
    assert sum(folder.sync() for folder in folders) == 0


# By hand


def test_an_edit_by_hand_in_a_repository_is_one_that_had_seen_what_was_there(
    tmp_path: Path, pair: tuple[Folder, Folder]
) -> None:
    a, b = pair
    commit(tmp_path, {"id": D, "due": "v2"})
    a.sync("git", "u")
    b.sync("u")  # it has v1 still
    settle(a, b)
    assert a.fields == b.fields == {"due": "v2"}


def test_an_edit_by_hand_and_one_on_a_device_are_both_there(tmp_path: Path, pair: tuple[Folder, Folder]) -> None:
    a, b = pair
    b.put(due="v1", mine=1)
    b.sync("u")
    commit(tmp_path, {"id": D, "due": "v2", "hand": 1})
    a.sync("git")
    settle(a, b)
    assert a.fields == b.fields == {"due": "v2", "mine": 1, "hand": 1}


def test_a_deletion_by_hand_stays_made(tmp_path: Path, pair: tuple[Folder, Folder]) -> None:
    a, b = pair
    commit(tmp_path, {"id": D, "due": "v2"})
    git = ["git", "-C", str(tmp_path / "clone"), "-c", "user.name=p", "-c", "user.email=p@p.invalid"]
    subprocess.run([*git, "rm", "-q", "d.json"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "by hand"], check=True)
    subprocess.run([*git, "push", "-q"], check=True)
    a.sync("git")
    b.sync("u")
    settle(a, b)
    assert a.fields is b.fields is None


def test_an_edit_by_hand_before_a_repository_was_put_back_and_one_after_are_two(
    tmp_path: Path, pair: tuple[Folder, Folder]
) -> None:
    a, b = pair
    shutil.copytree(tmp_path / "shared.git", tmp_path / "copy.git")
    commit(tmp_path, {"id": D, "due": "v1", "before": 1})
    a.sync("git")
    shutil.rmtree(tmp_path / "shared.git")
    shutil.rmtree(tmp_path / "clone")
    (tmp_path / "copy.git").rename(tmp_path / "shared.git")
    commit(tmp_path, {"id": D, "due": "v1", "after": 1})
    b.sync("git")
    settle(a, b)
    assert a.fields == b.fields == {"due": "v1", "before": 1, "after": 1}


# Copies of a folder


def test_a_copy_of_a_folder_has_a_replica_id_of_its_own(tmp_path: Path, pair: tuple[Folder, Folder]) -> None:
    a, b = pair
    a.put(due="v1", a=1)
    a.sync()
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    c = Folder(tmp_path / "c", a.upstreams)
    a.put(due="v1", a=2)
    c.put(due="v1", a=1, c=1)
    a.sync("u")
    c.sync("git")
    assert c.replica != a.replica
    settle(a, b, c)
    assert a.fields == b.fields == c.fields == {"due": "v1", "a": 2, "c": 1}


def test_a_copy_that_has_not_synced_since_an_edit_does_not_share_its_number(
    tmp_path: Path, pair: tuple[Folder, Folder]
) -> None:
    """The edit has a number already, of the folder that was copied: at one of its upstreams."""
    a, b = pair
    a.put(due="v1", a=1)
    a.sync("u")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    c = Folder(tmp_path / "c", a.upstreams)
    c.put(due="v1", a=1, c=1)
    a.put(due="v1", a=1, b=1)
    for folder in (c, a):
        folder.sync("git")
    settle(a, b, c)
    assert a.fields == b.fields == c.fields == {"due": "v1", "a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("edits_first", [False, True])
def test_a_memory_that_was_put_back_in_its_place_gives_no_number_twice(
    pair: tuple[Folder, Folder], *, edits_first: bool
) -> None:
    """Nothing on the disk tells that it is a copy, but the upstream knows a number that the folder does not. If both
    gave the same number to an edit, what both have is joined."""
    a, b = pair
    with closing(sqlite3.connect(a.memory)) as memory:
        memory.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before, replica = a.memory.read_bytes(), a.replica
    a.put(due="v1", lost=1)
    a.sync("u")
    b.sync("u")
    for suffix in ("-wal", "-shm"):
        a.memory.with_name(a.memory.name + suffix).unlink(missing_ok=True)
    a.memory.write_bytes(before)
    a.put(due="v1")
    if not edits_first:
        a.sync("u")
        assert a.replica != replica
    a.put(**(a.fields or {}), again=1)
    settle(a, b)
    assert a.fields == b.fields == {"due": "v1", "lost": 1, "again": 1}


# What alternates


def test_a_document_that_returns_three_times_within_an_hour_alternates() -> None:
    with closing(SyncStateStore.open(Path(":memory:"))) as store:
        one, other = ContentHash("1"), ContentHash("2")
        for number in range(5):
            change = (one, other) if number % 2 == 0 else (other, one)
            assert store.alternating(100.0) == ((D,) if number == 4 else ())
            store.note_contents({D: change}, 10.0 * number)
        assert store.alternating(3600.0 + 15.0) == (D,)
        assert store.alternating(3600.0 + 60.0) == ()


def test_a_document_that_alternates_is_named_to_the_user(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments, env={"HYPERTASK_CONFIG": str(tmp_path / "config.toml")})
        assert result.exit_code == 0, result.output
        return result.stdout

    run("init", str(tmp_path / "tasks"))
    (tmp_path / "tasks" / "d.json").write_text('{"id": "d", "due": "v1"}')
    run("connect", str(tmp_path / "u"), "--name", "u")
    run("sync")
    for value in ("v2", "v1", "v2", "v1"):
        assert "back and forth" not in run("sync")
        (tmp_path / "u" / "d.json").write_text(json.dumps({"id": "d", "due": value}))
    notice = "d keeps changing back and forth: two programs undo each other's edits. What was there: hypertask log d"
    assert notice in run("sync")
    assert notice in run("status")
    assert json.loads(run("sync", "--json"))["upstreams"]["u"]["alternating"] == ["d"]
