import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import data_directory
import pytest
from data_directory import CannotStartError, DataDirectory, claimed, write_private


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def data(tmp_path: Path, said: list[str]) -> Iterator[DataDirectory]:
    with claimed(tmp_path / "data", said.append) as directory:
        yield directory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_for_its_owner_alone(data: DataDirectory) -> None:
    secret = data.secret("redis")
    assert len(secret) == 64
    assert data.secret("redis") == secret
    assert data.secret("mongo-root") != secret
    assert mode(data.secret_file("redis")) == 0o600
    assert mode(data.root) == mode(data.root / "secrets") == 0o700


def test_a_private_file_is_replaced_at_one_stroke(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o644)
    write_private(path, "after")
    assert (path.read_text(), mode(path)) == ("after", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_one_server_at_a_time(data: DataDirectory, said: list[str]) -> None:
    with (
        pytest.raises(CannotStartError, match=rf"already runs .*\(pid {os.getpid()}\).*--data"),
        claimed(data.root, said.append),
    ):
        pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path, said: list[str]) -> None:
    for _ in range(2):
        with claimed(tmp_path, said.append):
            pass
    assert said == []


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CannotStartError, match=r"cannot be used .*--data"),
        claimed(tmp_path / "file" / "data", said.append),
    ):
        pass


def test_what_a_killed_server_left_is_waited_for(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_directory, "ORPHANS_MAY_TAKE_SECONDS", 0.2)
    with claimed(tmp_path, said.append) as data:
        # It inherits the lock of the children, as all of them do, and outlives the server.
        orphan = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[data.children_lock]
        )
        data.publish({"pid": 4711, "children": {"mongod": orphan.pid, "api": [0x3FFFFF]}})
    with orphan:
        with (
            pytest.raises(CannotStartError, match=rf"End them first: kill {orphan.pid}$"),
            claimed(tmp_path, said.append),
        ):
            pass
        assert orphan.stdin is not None
        monkeypatch.setattr(data_directory, "ORPHANS_MAY_TAKE_SECONDS", 180)
        orphan.stdin.close()
        with claimed(tmp_path, said.append):
            pass
    assert "4711" in said[0]
    assert "was killed" in said[0]


def test_a_port_is_kept_while_it_is_free(data: DataDirectory) -> None:
    port = data.port("mongod")
    assert data.port("mongod") == port
    assert data.port("redis") != port
    with socket.create_server(("127.0.0.1", port)):
        moved = data.port("mongod")
        assert moved != port
    assert data.port("mongod") == moved
    assert data.port("mongod", another=True) != moved


def test_a_port_is_none_that_an_outgoing_connection_may_get(data: DataDirectory) -> None:
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not ephemeral.exists():
        pytest.skip("Linux says which ones these are")
    assert data.port("mongod") < int(ephemeral.read_text().split()[0])


def test_a_long_log_is_set_aside(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_directory, "LOG_ROTATES_AT_BYTES", 10)
    log = data.log("api-1")
    log.write_text("x" * 10)
    assert data.log("api-1").exists()
    log.write_text("x" * 11)
    assert not data.log("api-1").exists()
    assert (data.root / "logs" / "api-1.log.1").read_text() == "x" * 11


def test_a_damaged_file_is_like_none(data: DataDirectory) -> None:
    for content in ("", "{", "[]", json.dumps({"token": "t"})):
        (data.root / "first-token.json").write_text(content)
        assert data.first_token is None
    data.store_first_token({"token": "t", "space": "s"})
    assert data.first_token == {"token": "t", "space": "s"}
    assert mode(data.root / "first-token.json") == 0o600
