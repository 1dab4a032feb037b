"""`ops/serve` as people use it: real processes, a real mongod, a real redis-server, real deaths."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pymongo
import pymongo.errors
import pytest

from tests.patience import PATIENCE_SECONDS, SERVER_SETTINGS

CHECKOUT = Path(__file__).parents[2]
# In the checkout's own environment that is the very command; elsewhere it would first have to make one.
COMMAND = (
    [str(CHECKOUT / "ops" / "serve")]
    if Path(sys.prefix) == CHECKOUT / ".venv"
    else [sys.executable, str(CHECKOUT / "ops" / "supervise.py")]
)

T = TypeVar("T")


def until(ask: Callable[[], T | None], what: str) -> T:
    """The first answer that is not None or False."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None and answer is not False:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_SECONDS:g} s: {what}")


class Instance:
    """A server that was started, and what it has said."""

    def __init__(self, data: Path, logs: Path, *arguments: str) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.data = data
        self._stderr = logs / "stderr"
        self._stdout = logs / "stdout"
        with self._stdout.open("wb") as out, self._stderr.open("wb") as error:
            self.process = subprocess.Popen(
                [*COMMAND, "--no-web-client", "--port", "0", "--json", "--data", str(data), *arguments],
                stdout=out,
                stderr=error,
                env={**SERVER_SETTINGS, **os.environ},
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()

    @property
    def connection(self) -> dict[str, Any]:
        connection: dict[str, Any] = json.loads((self.data / "connection.json").read_text())
        return connection

    @property
    def pids(self) -> dict[str, int]:
        """The children's, by the names that they are called by."""
        children = self.connection["children"]
        numbered = {f"{kind} {n}": pid for kind in ("api", "worker") for n, pid in enumerate(children[kind], 1)}
        return {**numbered, "mongod": children["mongod"], "redis": children["redis"]}

    def ready(self) -> "Instance":
        until(lambda: self.stdout.endswith("\n") or self.process.poll() is not None, "the line on stdout")
        assert self.process.poll() is None, self.stderr
        self.result: dict[str, str] = json.loads(self.stdout)
        return self

    def says(self, pattern: str) -> re.Match[str]:
        return until(lambda: re.search(pattern, self.stderr), f"{pattern} in:\n{self.stderr}")

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.result["url"],
            headers={"Authorization": f"Bearer {self.result['token']}"},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        )

    def write(self, document: dict[str, Any]) -> bool:
        """Whether the server took it."""
        try:
            with self.client() as client:
                answer = client.post(f"/task/{document['id']}", json={"client_state": document})
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 500, 503), answer.text
        return answer.status_code == 200 and answer.json() == {"server_state": document}

    def hashes(self) -> dict[str, str]:
        with self.client() as client:
            answer = client.get("/hashes").raise_for_status()
        hashes: dict[str, str] = answer.json()
        return hashes

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """It ends with status 0, and leaves no process and no connection.json."""
        family = self.family()
        started_before = self.stderr.count("restarted")
        if number is signal.SIGINT:  # Ctrl-C is for the whole group, and the supervisor alone must mind it
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.stderr
        assert alive(family) == []
        assert not (self.data / "connection.json").exists()
        assert self.stderr.count("restarted") == started_before
        assert "did not stop" not in self.stderr
        last_line = (self.data / "logs" / "mongod.log").read_text().splitlines()[-1]
        assert json.loads(last_line)["attr"] == {"exitCode": 0}, "mongod left its data in order"


Start = Callable[..., Instance]


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Starts instances; none is left at the end."""
    instances: list[Instance] = []

    def start(data: Path | str = "data", *arguments: str) -> Instance:
        instance = Instance(folder / data, folder / f"logs-{len(instances)}", *arguments)
        instances.append(instance)
        return instance

    try:
        yield start
    finally:
        for instance in instances:
            if instance.process.poll() is None:
                instance.process.terminate()
                try:
                    instance.process.wait(PATIENCE_SECONDS)
                except subprocess.TimeoutExpired:
                    instance.process.kill()  # the kernel ends its children with it
                    instance.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One for the tests that leave it in order."""
    with starting(tmp_path_factory.mktemp("serve")) as start:
        yield start("data", "--api", "2").ready()


@pytest.fixture(scope="module")
def beside(running: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Another one, until it is stopped."""
    with starting(tmp_path_factory.mktemp("beside")) as start:
        yield start().ready()


def test_when_it_is_ready_it_prints_one_line_of_json(running: Instance) -> None:
    assert running.stdout.count("\n") == 1
    assert running.result.keys() == {"url", "token", "space"}
    assert running.write({"id": "first", "n": 1})
    assert "first" in running.hashes()


def test_who_is_who_is_kept_for_the_owner_alone(running: Instance) -> None:
    connection = running.connection
    assert connection.items() >= running.result.items()
    assert connection["mongo_url"].startswith("mongodb://hypertask:")
    assert connection["mongo_database"] == "hypertask"
    assert connection["redis_url"].startswith("redis://:")
    assert connection["pid"] == running.process.pid
    assert {name.split()[0] for name in running.pids} == {"api", "worker", "mongod", "redis"}
    assert all(map(psutil.pid_exists, running.pids.values()))
    private = ["connection.json", "first-token.json", "secrets/redis", "secrets/mongo-key"]
    modes = {name: stat.S_IMODE((running.data / name).stat().st_mode) for name in private}
    assert modes == dict.fromkeys(private, 0o600)


def test_passwords_are_in_no_command_line_and_no_log(running: Instance) -> None:
    secrets = [path.read_text() for path in (running.data / "secrets").iterdir()]
    secrets.append(running.result["token"])
    texts = [" ".join(process.cmdline()) for process in running.family()]
    texts += [path.read_text() for path in (running.data / "logs").iterdir()]
    assert [secret for secret in secrets for text in texts if secret in text] == []


def test_it_says_once_how_the_first_administrator_signs_in(running: Instance) -> None:
    name, password = running.says(r"administrator is (\S+), password (\S+) ").groups()
    assert password not in (running.data / "first-token.json").read_text()
    assert [path for path in (running.data / "logs").iterdir() if password in path.read_text()] == []
    with httpx.Client(base_url=running.result["url"]) as client:
        assert client.post("/session", json={"name": name, "password": password}).status_code == 200
        assert client.get("/admin").status_code == 200


def test_ctrl_c_reaches_the_supervisor_alone(running: Instance) -> None:
    # A terminal sends it to a whole process group; whoever else were in it would not be stopped in order.
    groups = [os.getpgid(pid) for pid in running.pids.values()]
    assert os.getpgid(running.process.pid) not in groups


def test_the_databases_listen_on_loopback_and_ask_for_a_password(running: Instance) -> None:
    for name in ("mongod", "redis"):
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(running.pids[name]).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == ["127.0.0.1"], name
    ports = json.loads((running.data / "ports.json").read_text())
    with (
        pymongo.MongoClient[Any]("127.0.0.1", ports["mongod"], directConnection=True) as stranger,
        pytest.raises(pymongo.errors.OperationFailure, match="requires authentication"),
    ):
        stranger["hypertask"]["documents"].find_one()
    with socket.create_connection(("127.0.0.1", ports["redis"])) as redis:
        redis.sendall(b"PING\r\n")
        assert redis.recv(100).startswith(b"-NOAUTH")


@pytest.mark.parametrize("name", ["api 2", "worker 1", "redis", "mongod"])
def test_who_dies_is_started_again_and_it_is_said(name: str, running: Instance) -> None:
    assert running.write({"id": "before", "n": 1})
    pid = running.pids[name]
    os.kill(pid, signal.SIGKILL)
    again = running.says(rf"{name} \(pid {pid}\) died with signal 9, restarted as pid (\d+)")
    until(lambda: running.pids[name] == int(again.group(1)), "the new pid in connection.json")
    assert psutil.pid_exists(int(again.group(1)))
    until(lambda: running.write({"id": f"after-{pid}", "n": 2}), "a write is taken")
    assert {"before", f"after-{pid}"} <= running.hashes().keys()


def test_while_an_api_process_is_replaced_nobody_is_refused(running: Instance) -> None:
    # Both are killed: who calls now waits until one is there again, instead of being turned away.
    for name in ("api 1", "api 2"):
        os.kill(running.pids[name], signal.SIGKILL)
    with running.client() as client:
        assert client.get("/healthz").status_code == 200


def test_a_second_one_on_the_same_folder_is_refused(running: Instance, start: Start) -> None:
    second = start(running.data)
    assert second.process.wait(PATIENCE_SECONDS) == 1
    assert second.stdout == ""
    assert f"already runs on {running.data} (pid {running.process.pid})" in second.stderr
    assert "--data DIR" in second.stderr
    assert running.write({"id": "undisturbed"})


def test_a_second_one_on_the_same_port_is_refused(running: Instance, start: Start) -> None:
    port = running.result["url"].rpartition(":")[2]
    second = start("data", "--port", port)
    assert second.process.wait(PATIENCE_SECONDS) == 1
    assert f"port {port}" in second.stderr
    assert "--port 0" in second.stderr


def test_two_side_by_side_do_not_disturb_each_other(running: Instance, beside: Instance) -> None:
    assert beside.result["url"] != running.result["url"]
    assert beside.result["token"] != running.result["token"]
    assert running.write({"id": "mine", "of": 1})
    assert beside.write({"id": "mine", "of": 2})
    assert list(beside.hashes()) == ["mine"]
    assert running.hashes()["mine"] != beside.hashes()["mine"]
    with beside.client() as client:
        stranger = client.get("/hashes", headers={"Authorization": f"Bearer {running.result['token']}"})
        assert stranger.status_code == 401


def test_the_next_start_has_the_same_token_and_data_and_takes_up_what_a_killed_server_left(
    running: Instance, beside: Instance, start: Start
) -> None:
    first, others = beside, running.pids
    assert first.write({"id": "kept", "n": 1})
    hashes = first.hashes()
    first.stop(signal.SIGINT)
    assert running.pids == others
    assert running.write({"id": "mine", "of": 3})
    with pytest.raises(httpx.ConnectError), first.client() as client:
        client.get("/readyz")
    # Its ports are somebody else's now: MongoDB must learn that it has moved.
    with occupied(json.loads((first.data / "ports.json").read_text()).values()):
        second = start(first.data).ready()
        assert second.result["token"] == first.result["token"]
        assert second.hashes() == hashes
        assert second.write({"id": "kept", "n": 2})
    family = second.family()
    second.process.kill()
    second.process.wait()
    third = start(first.data)
    assert f"(pid {second.process.pid}) was killed" in third.ready().stderr
    if sys.platform == "linux":
        assert alive(family) == []
    assert third.result["token"] == first.result["token"]
    assert "kept" in third.hashes()
    third.stop()


@contextmanager
def occupied(ports: Iterable[int]) -> Iterator[None]:
    """Listens on these ports, and hangs up on whoever calls."""
    sockets = [socket.create_server(("127.0.0.1", port)) for port in ports]
    threads = [threading.Thread(target=hang_up, args=(one,)) for one in sockets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for one, thread in zip(sockets, threads, strict=True):
            one.shutdown(socket.SHUT_RDWR)
            thread.join()
            one.close()


def hang_up(one: socket.socket) -> None:
    while True:
        try:
            one.accept()[0].close()
        except OSError:
            return


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that only waits for its parent to take note of its end does not."""
    return [one for one in processes if state(one) not in (psutil.STATUS_ZOMBIE, None)]


def state(process: psutil.Process) -> str | None:
    try:
        status: str | None = process.status() if process.is_running() else None
    except psutil.NoSuchProcess:
        return None
    return status
