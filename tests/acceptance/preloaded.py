"""Commands of the client, and its daemon, each in a process of its own that need not load Python and the client's
modules first: that takes half a second of CPU, a command a tenth of it, and the tests run hundreds.

A server has loaded them, and forks for each command. As with `python -m client.cli` the command has an environment
and a working directory of its own, and what it leaves behind in memory is gone. Commands that load what they need are
in `test_wheel.py`, `test_readme.py` and `test_daemon_settings.py`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import client
from client.cli import main
from tests.instance import ROOT
from tests.patience import PATIENCE_SECONDS


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """As subprocess.run() returns it."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        status = Started(arguments, environment, folder, output, errors).wait()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(arguments), status, output.read().decode(), errors.read().decode())


class Started:
    """A process, as subprocess.Popen has it."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        output: IO[bytes],
        errors: IO[bytes],
    ) -> None:
        self._status: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(PATIENCE_SECONDS)
        self._connection.connect(str(_server()))
        request = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
        descriptors = [output.fileno(), errors.fileno()]
        socket.send_fds(self._connection, [len(request).to_bytes(4, "big")], descriptors)
        self._connection.sendall(request)
        self._answers = self._connection.makefile()
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        ended = self._status is None and select.select([self._connection], [], [], 0)[0]
        return self.wait() if ended else self._status

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int:
        if self._status is None:
            self._connection.settimeout(timeout)
            self._status = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self._status

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@cache
def _server() -> Path:
    """Where it listens. It ends with this process."""
    place = Path(tempfile.mkdtemp()) / "socket"
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(place)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"listens\n"
    atexit.register(process.communicate)  # the end of its input is the server's
    return place


def _serve(place: Path) -> None:
    for module in pkgutil.walk_packages(client.__path__, "client."):
        with suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen(128)
    print("listens", flush=True)
    while True:
        ready, _, _ = select.select([listener.fileno(), 0], [], [])
        if 0 in ready:
            place.unlink()
            place.parent.rmdir()
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _answer(connection)
        connection.close()


def _answer(connection: socket.socket) -> NoReturn:
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 2)
    request = connection.makefile("rb").read(int.from_bytes(head, "big"))
    arguments, environment, folder = json.loads(request)
    command = os.fork()
    if command == 0:
        connection.close()
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        for number, descriptor in enumerate(descriptors, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[1:] = arguments
        main(prog_name="python -m client.cli")
        sys.exit()
    connection.sendall(b"%d\n" % command)
    _, status = os.waitpid(command, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
