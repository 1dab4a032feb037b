"""Programs of others, started on loopback and ended by their process ids."""

from __future__ import annotations

import http.client
import os
import pwd
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from bench.work.columns import NotHereError

START_SECONDS = 40
STOP_SECONDS = 15


def free_port() -> int:
    """One that nobody listens on now: these programs cannot be given a socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Program:
    """In a session of its own, so that Ctrl-C reaches it through `stop` alone. Its output goes to `log`."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        log: Path,
        *,
        user: str | None = None,
        ending: signal.Signals = signal.SIGTERM,
        environment: dict[str, str] | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self._log = log
        self._ending = ending
        self._name = Path(command[0]).name
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
                env={**os.environ, **(environment or {})},
                pass_fds=descriptors,
            )

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-600:].strip()

    def wait_for(self, port: int, path: str | None = None, headers: dict[str, str] | None = None) -> None:
        """Until it listens, and answers `path` without an error. Raises NotHereError."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise NotHereError(f"{self._name} ended with {self._process.returncode}: {self.said()}")
            with suppress(OSError, http.client.HTTPException):
                if path is None:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    return
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                try:
                    connection.request("GET", path, headers=headers or {})
                    if connection.getresponse().status < 400:
                        return
                finally:
                    connection.close()
            time.sleep(0.05)  # it tells nobody when it is ready
        raise NotHereError(f"{self._name} did not answer within {START_SECONDS} s: {self.said()}")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(self._ending)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)


def ran(command: list[str], folder: Path, *, user: str | None = None, seconds: float = 120) -> str:
    """Output of a command that ends by itself. Raises NotHereError."""
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            text=True,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHereError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise NotHereError(f"{' '.join(command[:4])} ended with {done.returncode}: {done.stdout[-600:].strip()}")
    return done.stdout
