"""Commands of the client, each in a process of its own that need not load Python and the client's modules first: that
takes half a second of CPU, a command a tenth of it, and the tests run hundreds.

A server has loaded them, and forks for each command. As with `python -m client.cli` the command has an environment
and a working directory of its own, and what it leaves behind in memory is gone. Commands that load what they need are
in `test_wheel.py`, `test_readme.py` and the tests of daemons.
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
from typing import NoReturn

import client
from client.cli import main
from tests.instance import ROOT
from tests.patience import PATIENCE_SECONDS


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """As subprocess.run() returns it."""
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(_server()))
        request = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [output.fileno(), errors.fileno()])
        connection.sendall(request)
        status = int(connection.makefile().read())
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(arguments), status, output.read().decode(), errors.read().decode())


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
    _, status = os.waitpid(command, 0)
    connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
