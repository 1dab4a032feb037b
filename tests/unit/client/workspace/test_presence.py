"""What is not in the folder any more, and whether it was deleted; and a disk that does not take it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from client.cli import main
from client.config.config_file import UpstreamConfig
from client.config.tokens import Tokens
from client.folder.file_names import placeholder_of
from client.folder.problems import is_elsewhere
from client.folder.task_folder import TaskFolder
from client.workspace.multi_sync import MultiSync
from client.workspace.watch import Watch
from client.workspace.workspace import open_workspace
from shared.retry import Backoff
from tests.patience import PATIENCE_SECONDS

NAMES = ("t1", "t2", "t3")


class Device:
    """A folder with a few tasks, in sync with a directory."""

    def __init__(self, home: Path) -> None:
        self.home, self.tasks, self.up = home, home / "tasks", home / "up"
        self.up.mkdir()
        self.run("init", str(self.tasks))
        for name in NAMES:
            (self.tasks / f"{name}.json").write_text(json.dumps({"id": name, "description": f"task {name}"}))
        self.run("connect", f"folder://{self.up}")
        assert self.run("sync").exit_code == 0

    def run(self, *arguments: str) -> Result:
        env = {"HYPERTASK_CONFIG": str(self.home / "config.toml"), "HYPERTASK_PROFILE": None}
        result = CliRunner().invoke(main, arguments, env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    def here(self) -> set[str]:
        return {path.stem for path in self.tasks.glob("*.json")}

    def there(self) -> set[str]:
        return {path.stem for path in self.up.glob("*.json")}


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


# --- placeholders --------------------------------------------------------------------------------------------


def test_names_of_placeholders() -> None:
    for name in (".t1.json.icloud", "t1.json.nextcloud", "t1.json.owncloud"):
        assert placeholder_of(name) == "t1"
    for name in ("t1.json", ".t1.json", "icloud", ".icloud", "t1.nextcloud", ".x.icloud", "t1.json.icloud"):
        assert placeholder_of(name) is None


@pytest.mark.parametrize("name", [".{}.json.icloud", "{}.json.nextcloud", "{}.json.owncloud", "{}.json"])
@pytest.mark.parametrize("several", [1, 3])
def test_a_placeholder_of_a_cloud_drive_is_no_deletion(device: Device, name: str, several: int) -> None:
    for stem in NAMES[:several]:
        size = (device.tasks / f"{stem}.json").stat().st_size
        (device.tasks / f"{stem}.json").unlink()
        stub = device.tasks / name.format(stem)
        stub.touch()
        if name == "{}.json":  # a hole in the place of the text
            os.truncate(stub, size)
    result = device.run("sync")
    assert device.there() == set(NAMES), result.output
    said = device.run("status").stdout
    assert said.count("a cloud drive keeps this file elsewhere") == several
    for stem in NAMES[:several]:  # and it comes back
        (device.tasks / name.format(stem)).unlink()
        (device.tasks / f"{stem}.json").write_text(json.dumps({"id": stem, "description": "again"}))
    assert device.run("sync").exit_code == 0
    assert json.loads((device.up / "t1.json").read_text())["description"] == "again"


def test_a_placeholder_beside_its_file_is_nothing(device: Device) -> None:
    (device.tasks / ".t1.json.icloud").touch()
    assert TaskFolder(device.tasks).scan().problems == ()


def test_what_the_system_says_of_a_stub() -> None:
    class Found:
        st_file_attributes = 0
        st_flags = 0

    found: Any = Found()
    assert not is_elsewhere(found)
    for name, bits in (("st_file_attributes", (0x1000, 0x40000, 0x400000)), ("st_flags", (0x40000000,))):
        for bit in bits:
            setattr(found, name, bit)
            assert is_elsewhere(found)
        setattr(found, name, 0)


# --- all gone at once ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_a_folder_that_was_emptied_is_asked_about(device: Device, count: int) -> None:
    for name in NAMES[count:]:
        device.run("delete", name)
    device.run("sync")
    for path in device.tasks.glob("*.json"):
        path.unlink()
    result = device.run("sync")
    assert "vanished from the folder at once" in result.output, result.output
    assert "vanished from the folder at once" in device.run("status").stdout
    device.run("add", "a new one")
    assert "vanished from the folder at once" in device.run("sync").output
    assert device.there() >= set(NAMES[:count])
    assert device.run("sync", "--confirm-deletions").exit_code == 0
    assert not device.there() & set(NAMES)


def test_tasks_that_commands_deleted_are_deleted(device: Device) -> None:
    device.run("delete", *NAMES)
    assert device.run("sync").exit_code == 0
    assert device.there() == set()


def test_a_folder_that_holds_what_another_upstream_has_was_not_emptied(device: Device) -> None:
    """The one task that was agreed on with the second upstream is deleted; others are there."""
    second = device.home / "second"
    device.run("connect", f"folder://{second}", "--name", "second")
    for name in NAMES[1:]:
        (device.tasks / f"{name}.json").unlink()
    device.run("sync")
    (device.tasks / "t4.json").write_text(json.dumps({"id": "t4", "description": "task t4"}))
    device.run("sync", "up")
    (device.tasks / "t1.json").unlink()
    assert json.loads(device.run("sync", "second", "--json").stdout) is not None
    assert {path.stem for path in second.glob("*.json")} == {"t4"}
    device.run("sync")
    assert device.there() == {"t4"}


def test_what_arrives_in_an_emptied_folder_lets_nothing_be_deleted_elsewhere(device: Device) -> None:
    second = device.home / "second"
    device.run("connect", f"folder://{second}", "--name", "second")
    device.run("sync")
    (device.up / "t9.json").write_text(json.dumps({"id": "t9", "description": "task t9"}))
    for name in NAMES:
        (device.tasks / f"{name}.json").unlink()
    for _ in range(2):
        device.run("sync")
    assert device.here() == {"t9"}
    assert {path.stem for path in second.glob("*.json")} == {*NAMES, "t9"} == device.there()


@pytest.mark.parametrize("count", [1, 3])
def test_a_directory_that_was_emptied_removes_nothing_here(device: Device, count: int) -> None:
    device.run("delete", *NAMES[count:]) if count < len(NAMES) else None
    device.run("sync")
    for path in device.up.glob("*.json"):
        path.unlink()
    result = device.run("sync")
    assert result.exit_code == 1 and "vanished" in result.output, result.output
    assert device.here() == set(NAMES[:count])


# --- disks ---------------------------------------------------------------------------------------------------

FULL = sqlite3.OperationalError("database or disk is full")
COMMANDS = (["status"], ["sync"], ["doctor"], ["log", "t1"], ["conflicts"], ["list"], ["add", "x"], ["undo"])
WRITING = (["sync"], ["add", "x"], ["undo"])


@contextmanager
def failing_statement(number: int) -> Iterator[list[int]]:
    """The statement of that number, and all after it, meet a full disk. Counts them."""
    count = [0]

    class Broken(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            count[0] += 1
            if count[0] > number:
                raise FULL
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            count[0] += 1
            if count[0] > number:
                raise FULL
            return super().executemany(*arguments)

    connect = sqlite3.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Broken))
        yield count


@contextmanager
def failing_call(number: int, error: int) -> Iterator[list[int]]:
    """The call of the system of that number, and all after it, fail."""
    count = [0]

    def broken(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] > number:
                raise OSError(error, os.strerror(error), str(arguments[0]) if arguments else None)
            return call(*arguments, **options)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "scandir", "fsync", "rename", "replace", "mkdir", "unlink"):
            patch.setattr(os, name, broken(getattr(os, name)))
        yield count


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_statement_that_fails_ends_in_one_line(device: Device, arguments: list[str]) -> None:
    (device.tasks / "t4.json").write_text('{"id": "t4"}')
    for number in range(200):
        with failing_statement(number) as count:
            result = device.run(*arguments)
        assert result.exit_code in (0, 1) and "Traceback" not in result.output, (number, result.output)
        if count[0] <= number:
            break
        if "Error:" in result.stderr:
            assert result.stderr.count("Error:") == 1 and "disk is full. Make room" in result.stderr, result.stderr
    assert result.exit_code == 0 or arguments == ["undo"], result.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [*((command, errno.ENOSPC) for command in COMMANDS), *((command, errno.EROFS) for command in WRITING)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else errno.errorcode[value],
)
def test_every_call_that_fails_ends_in_one_line(device: Device, arguments: list[str], error: int) -> None:
    (device.tasks / "t4.json").write_text('{"id": "t4"}')
    for number in range(120):
        with failing_call(number, error) as count:
            result = device.run(*arguments)
        assert result.exit_code in (0, 1, 2) and "Traceback" not in result.output, (number, result.output)
        if count[0] <= number:
            break
        if "Error:" in result.stderr:
            assert result.stderr.count("Error:") == 1, result.stderr


async def test_a_watch_stays_while_the_disk_is_full_and_goes_on(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.workspace.watch.RETRY_FIRST", Backoff(base=0.01, cap=0.01))
    monkeypatch.setenv("HYPERTASK_CONFIG", str(device.home / "config.toml"))
    said: list[str] = []
    sync, left, synced = (
        MultiSync.sync,
        [FULL, OSError(errno.ENOSPC, "No space left on device", "x")],
        asyncio.Event(),
    )

    async def sometimes(self: MultiSync, *arguments: Any, **options: Any) -> Any:
        if left:
            raise left.pop(0)
        return await sync(self, *arguments, **options)

    monkeypatch.setattr(MultiSync, "sync", sometimes)
    profile = type("Profile", (), {"name": "default", "folder": device.tasks, "upstreams": ()})()
    with open_workspace(profile, Tokens(device.home / "config.toml")) as here:
        multi_sync = MultiSync(here, [UpstreamConfig("up", f"folder://{device.up}")])
        (device.tasks / "t4.json").write_text('{"id": "t4"}')
        watch = asyncio.create_task(Watch(multi_sync, lambda result: synced.set(), said.append).run())
        await asyncio.wait_for(synced.wait(), PATIENCE_SECONDS)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await multi_sync.close()
    assert "t4" in device.there() and len(said) == 2
    room = "Make room on that disk, and try again."
    assert said == [
        f"the memory of this device (.hypertask/memory.sqlite): database or disk is full. {room}",
        f"x: No space left on device. {room}",
    ]
