"""Commands of the client, its daemon, and servers, each in a process of its own that need not load Python and its
modules first: that takes half a second of CPU, a command a tenth of it, and the tests run hundreds; a server is five
such processes (`tests.forked`).

A process that has loaded them forks for each. As with `python -m client.cli` a command has an environment and a
working directory of its own, and what it leaves behind in memory is gone. Commands that load what they need are in
`test_wheel.py`, `test_readme.py` and `test_daemon_settings.py`, and servers that do in `test_serve.py` and
`tests/chaos`.
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
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import IO, NoReturn

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parent.parent
CLIENT, SERVER = "client", "server"
"""What is loaded."""
CONSTANTS = "TESTS_CONSTANTS"
"""The variable of the environment that says which constants a server's processes have in place of their own."""
_LATE = ("anyio._backends._asyncio", "anyio.streams.tls", "certifi", "h11", "httpcore")
"""What httpx loads with its first client."""
_LATE_IN_SERVERS = ("pymongo.asynchronous.auth", "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.supervisors")
"""What pymongo and uvicorn load when they begin."""


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
        *,
        program: str = CLIENT,
    ) -> None:
        self._status: int | None = None
        descriptors = [output.fileno(), errors.fileno()]
        self._connection, self.pid = asked(_loaded(program), arguments, environment, folder, descriptors)

    def poll(self) -> int | None:
        ended = self._status is None and select.select([self._connection], [], [], 0)[0]
        return self.wait() if ended else self._status

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int:
        if self._status is None:
            self._connection.settimeout(timeout)
            self._status = int(_line(self._connection))
            self._connection.close()
        return self._status

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def asked(
    place: Path, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, descriptors: Sequence[int]
) -> tuple[socket.socket, int]:
    """Makes a fork of the process that listens there: what tells its exit status in a line when it has ended, and its
    pid. `descriptors`: its output, its errors, and its input, if it has any."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_SECONDS)
    connection.connect(str(place))
    request = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
    socket.send_fds(connection, [len(request).to_bytes(4, "big")], descriptors)
    connection.sendall(request)
    return connection, int(_line(connection))


def _line(connection: socket.socket) -> bytes:
    """Not a byte of what follows it."""
    line = b""
    while not line.endswith(b"\n"):
        one = connection.recv(1)
        if not one:
            raise EOFError("the process that has loaded the modules has ended")
        line += one
    return line


@cache
def _loaded(program: str) -> Path:
    """Where the process that has loaded it listens. It ends with this process."""
    place = Path(tempfile.mkdtemp()) / "socket"
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(place), program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"listens\n"
    atexit.register(process.communicate)  # the end of its input is the server's
    return place


def _client(_place: Path) -> Callable[[], object]:
    import client
    from client.cli import main

    for module in pkgutil.walk_packages(client.__path__, "client."):
        with suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(module.name)
    for name in (*_LATE, "ctypes"):
        importlib.import_module(name)
    return partial(main, prog_name="python -m client.cli")


def _server(place: Path) -> Callable[[], object]:
    sys.path.append(str(ROOT / "ops"))
    from tests import forked

    supervise = importlib.import_module("supervise")
    ours = ("api.app", "api.cli", "api.serve", "worker.settings", "worker.large_process")
    for module in (*ours, *_LATE, *_LATE_IN_SERVERS):
        importlib.import_module(module)
    forked.install(place)

    def main() -> None:
        if sys.argv[1:2] == ["-m"]:
            del sys.argv[:2]
            forked.run(sys.argv[0])
        else:
            sys.exit(supervise.main())

    return main


def _serve(place: Path, main: Callable[[], object]) -> None:
    gc.collect()
    gc.freeze()
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
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):  # what they used is counted with what this process did
                continue
        if os.fork() == 0:
            listener.close()
            _answer(connection, main)
        connection.close()


def end_with(main: Callable[[], object]) -> NoReturn:
    """Of a fork: runs it, and ends. Python itself would go through all that is loaded first, and so copy it."""
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:  # noqa: BLE001 -- nothing may go back to where the fork was made
        traceback.print_exc()
    finally:
        try:
            vars(threading)["_shutdown"]()
            vars(atexit)["_run_exitfuncs"]()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _answer(connection: socket.socket, main: Callable[[], object]) -> NoReturn:
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    request = connection.makefile("rb").read(int.from_bytes(head, "big"))
    arguments, environment, folder = json.loads(request)
    command = os.fork()
    if command == 0:
        connection.close()
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        for number, descriptor in zip((1, 2, 0), descriptors, strict=False):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[1:] = arguments
        end_with(main)
    for descriptor in (1, *descriptors):  # whoever waits for their end does not wait for this process
        os.close(descriptor)
    connection.sendall(b"%d\n" % command)
    _, status = os.waitpid(command, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), {CLIENT: _client, SERVER: _server}[sys.argv[2]](Path(sys.argv[1])))
