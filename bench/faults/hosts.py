"""A server on several hosts: an instance that is supervised, and hosts beside it whose connections to its MongoDB and
Redis, to clients too, go through links that can be cut, and whose clocks can be set. They are processes of this
machine, as any user, or each is a network namespace, as root.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from bench.faults import clock
from bench.faults.links import LOOPBACK, Link, Links
from bench.faults.namespaces import HERE, Namespace, Network
from tests.instance import ROOT, Instance

START_SECONDS = 60.0
_RESTART_SECONDS = 0.2
_PORTS = range(15_000, 30_000)
ENDS = ("redis", "mongod", "clients")


def _free_port() -> int:
    """Not one of those that the kernel gives to connections: until somebody listens there, a connection to it could
    get the same port at its own end, and would be connected to itself."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise OSError(f"no free port among {_PORTS}")


def _through(url: str, link: Link, query: str | None = None) -> str:
    """What is reached through a link in its place."""
    parts = urlsplit(url)
    account = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    netloc = f"{account}{link.address}:{link.port}"
    return urlunsplit(parts._replace(netloc=netloc, query=parts.query if query is None else query))


class Host:
    """An API process and a worker."""

    def __init__(
        self,
        name: str,
        instance: Instance,
        links: Links,
        folder: Path,
        *,
        root: Path = ROOT,
        namespace: Namespace | None = None,
    ) -> None:
        """`root`: the checkout whose programs run. The clock of an earlier release is not shifted. `namespace`: where
        they run; None: beside everything else."""
        self.name = name
        self._root = root
        settings = instance.settings
        self._folder = folder
        self._clock = folder / f"{name}.clock"
        clock.write(self._clock, 0.0)
        port = _free_port()
        self._namespace = namespace
        here = HERE if namespace else dict.fromkeys(ENDS, LOOPBACK)
        address = namespace.address if namespace else LOOPBACK
        self.links: dict[str, Link] = {
            "redis": links.to(urlsplit(settings.redis_url).port or 0, listens=here["redis"]),
            "mongod": links.to(urlsplit(settings.mongo_url).port or 0, listens=here["mongod"]),
            "clients": links.to(port, address, source=here["clients"]),
        }
        self.url = f"http://127.0.0.1:{self.links['clients'].port}"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            # A driver asks a replica set where its members are, and would go around the link.
            "HYPERTASK_MONGO_URL": _through(
                settings.mongo_url, self.links["mongod"], "authSource=admin&directConnection=true"
            ),
            "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
            "HYPERTASK_REDIS_URL": _through(settings.redis_url, self.links["redis"]),
        }
        shifted = ["bench.faults.clock", str(self._clock)] if root == ROOT else []
        self._commands = {
            "api": [*shifted, "api.serve", "--host", address, "--port", str(port)],
            "worker": [*shifted, "worker"] if root == ROOT else ["arq", "worker.settings.WorkerSettings"],
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._supervisor = threading.Thread(target=self._supervise, name=f"host {name}", daemon=True)

    def start(self) -> None:
        """Returns when it answers."""
        with self._lock:
            for kind in self._commands:
                self._start(kind)
        self._supervisor.start()
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError), urlopen(f"{self.url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
            assert time.monotonic() < deadline, f"host {self.name} does not answer; its logs: {self._folder}"
            time.sleep(0.05)

    def _start(self, kind: str) -> None:
        with (self._folder / f"{self.name}-{kind}.log").open("ab") as log:
            self._processes[kind] = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(ROOT / "ops" / "die_with_parent.py")),
                    *(str(os.getpid()), str(int(signal.SIGKILL))),
                    *(self._namespace.command if self._namespace else []),
                    *(sys.executable, "-m", *self._commands[kind]),
                ],
                env=self._environment,
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _supervise(self) -> None:
        """Starts again what ended by itself: a process that is started while it does not reach MongoDB gives up."""
        while True:
            time.sleep(_RESTART_SECONDS)
            with self._lock:
                if self._stopped:  # and not before: what a thread started is killed when the thread ends
                    return
                for kind, process in self._processes.items():
                    if process.poll() is not None:
                        with (self._folder / f"{self.name}.log").open("a") as log:
                            log.write(f"{kind} (pid {process.pid}) ended with {process.returncode}, started again\n")
                        self._start(kind)

    def kill(self, kind: str) -> None:
        """And starts it again, as a supervisor does."""
        with self._lock:
            self._processes[kind].kill()
            self._processes[kind].wait()
            self._start(kind)

    def pause(self, kind: str, seconds: float) -> None:
        process = self._processes[kind]
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    def part(self, ends: tuple[str, ...], seconds: float, *, answers_alone: bool) -> None:
        """Cuts its connections for so long."""
        for end in ends:
            if self._namespace is not None:
                self._namespace.cut(end, answers_alone=answers_alone)
            else:
                self.links[end].cut(answers_alone=answers_alone)
        try:
            time.sleep(seconds)
        finally:
            for end in ends:
                if self._namespace is not None:
                    self._namespace.heal(end, answers_alone=answers_alone)
                else:
                    self.links[end].heal()

    def set_clock(self, seconds: float) -> None:
        """Shifts it by so much, from now on."""
        clock.write(self._clock, seconds)

    def stop(self) -> None:
        with self._lock:
            for process in self._processes.values():
                process.terminate()
            for process in self._processes.values():
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            self._stopped = True
        if self._supervisor.is_alive():
            self._supervisor.join()


class Fleet:
    """Use as a context: an instance, and hosts beside it."""

    def __init__(self, folder: Path, names: Sequence[str], root: Path = ROOT, *, namespaces: bool = False) -> None:
        """`root`: the checkout that the instance and the first hosts are of. `namespaces`: each host is one."""
        self.folder = folder
        self._network = Network() if namespaces else None
        self._names = names
        self._root = root
        self.hosts: list[Host] = []
        self.urls: list[str] = []
        """Where clients reach it; hosts that join are added."""
        self._stack = ExitStack()

    def __enter__(self) -> Fleet:
        with ExitStack() as stack:
            self.instance = Instance(self.folder / "data", root=self._root).start()
            self.urls.append(self.instance.url)
            stack.callback(self.instance.stop)
            if self._network is not None:
                stack.enter_context(self._network)
            self._links = stack.enter_context(Links())
            self._stack = stack.pop_all()
            for name in self._names:
                self.join(name, self._root)
        return self

    def join(self, name: str, root: Path = ROOT) -> Host:
        """One host more, which is started."""
        namespace = self._network.join(name) if self._network is not None else None
        host = Host(name, self.instance, self._links, self.folder, root=root, namespace=namespace)
        self._stack.callback(host.stop)
        self.hosts.append(host)
        host.start()
        self.urls.append(host.url)
        return host

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def take_over(self) -> None:
        """What the instance runs is of this checkout from now on. It is stopped meanwhile, MongoDB and Redis too."""
        self.instance.stop()
        url = self.instance.url
        self.instance = Instance(self.instance.data)
        self.instance.url = url
        self.instance.start_again()
        self._stack.callback(self.instance.stop)
