"""On a real mongod, as docker-compose.yml uses it: one whose user root exists before it is a replica set."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import program
import pymongo
import pymongo.errors
import pytest

from tests.patience import PATIENCE_SECONDS

OPS = Path(__file__).parents[2] / "ops"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def mongod() -> Path:
    return program.find(program.MONGOD, print).path


@contextmanager
def made(mongod: Path, folder: Path) -> Iterator[str]:
    """In two steps, as the entry point of the official image does it."""
    port = free_port()
    key = folder / "key"
    key.write_text("a2V5" * 8)
    key.chmod(0o600)
    base = [str(mongod), "--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port), "--quiet"]
    base += ["--nounixsocket", "--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
    with running(base), pymongo.MongoClient[dict[str, object]]("127.0.0.1", port) as client:
        client.admin.command("createUser", "root", pwd="r00t", roles=["root"])
    with running([*base, "--replSet", "rs0", "--keyFile", str(key)]):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def address(mongod: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """It may be a replica set already."""
    with made(mongod, tmp_path_factory.mktemp("mongod")) as found:
        yield found


class running:
    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        assert self._process.wait(PATIENCE_SECONDS) == 0


def prepare(address: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {
        "MONGO_ADDRESS": address,
        "MONGO_ROOT_PASSWORD": "r00t",
        "MONGO_PASSWORD": "app",
        **changes,
    }
    return subprocess.run(
        [sys.executable, str(OPS / "replica_set.py")],
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_it_is_made_ready_and_can_be_again(address: str) -> None:
    for _ in range(2):
        ran = prepare(address)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert json.loads(ran.stdout).items() >= {"event": "replica_set_ready", "address": address}.items()

    with client(address, "app") as application:
        with application.start_session() as session, session.start_transaction():
            application["hypertask"]["documents"].insert_one({"_id": 1}, session=session)
        application["hypertask"]["documents"].create_index("space")
        with pytest.raises(pymongo.errors.OperationFailure, match="not authorized"):
            application["other"]["documents"].insert_one({})

    # A new password in .env is taken over.
    assert prepare(address, MONGO_PASSWORD="changed").returncode == 0
    with client(address, "changed") as application:
        assert application["hypertask"]["documents"].find_one() == {"_id": 1}


def test_a_wrong_password_is_said(address: str) -> None:
    assert prepare(address).returncode == 0
    ran = prepare(address, MONGO_ROOT_PASSWORD="wrong")
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"The mongod at {address} refuses: ")
    assert "wrong" not in ran.stderr


def test_passwords_are_read_from_files_and_the_probe_sees_a_primary(mongod: Path, tmp_path: Path) -> None:
    with made(mongod, tmp_path) as address:
        check_files_and_probe(address, tmp_path)


def check_files_and_probe(address: str, tmp_path: Path) -> None:
    port = address.rpartition(":")[2]
    probe = ["bash", str(OPS / "probes" / "mongod"), port]
    assert subprocess.run(probe, check=False).returncode == 1, "it belongs to no replica set yet"
    for name, text in (("root", "r00t\n"), ("app", "app")):
        (tmp_path / name).write_text(text)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MONGO_")} | {
        "MONGO_ADDRESS": address,
        "MONGO_ROOT_PASSWORD_FILE": str(tmp_path / "root"),
        "MONGO_PASSWORD_FILE": str(tmp_path / "app"),
    }
    subprocess.run([sys.executable, str(OPS / "replica_set.py")], env=env, check=True)
    subprocess.run(probe, check=True)
    with client(address, "app") as application:
        assert application["hypertask"]["documents"].find_one() is None
    assert subprocess.run(["bash", str(OPS / "probes" / "mongod"), str(free_port())], check=False).returncode == 1


def test_a_missing_password_is_said() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MONGO_")}
    ran = subprocess.run(
        [sys.executable, str(OPS / "replica_set.py")], env=env, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "Set MONGO_ADDRESS.\n")


def client(address: str, password: str) -> pymongo.MongoClient[dict[str, object]]:
    return pymongo.MongoClient(
        f"mongodb://hypertask:{password}@{address}/?replicaSet=rs0&authSource=admin",
        serverSelectionTimeoutMS=20_000,
    )
