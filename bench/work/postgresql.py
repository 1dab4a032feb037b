"""A throw-away PostgreSQL cluster on loopback, with the settings of `initdb`."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
from pathlib import Path

from bench.work.columns import NotHereError
from bench.work.processes import Program, free_port, ran


class PostgreSQL:
    """fsync and synchronous_commit are on, as they come. It refuses to run as root: then it runs as `postgres` or
    `nobody`."""

    url: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "postgresql"
        self._program: Program | None = None

    def start(self) -> None:
        """Raises NotHereError."""
        user = _user() if os.geteuid() == 0 else None
        self._folder.mkdir()
        password = secrets.token_urlsafe(12)
        secret = self._folder / "password"
        secret.write_text(password)
        secret.chmod(0o600)
        if user is not None:
            for path in (self._folder, secret):
                shutil.chown(path, user)
        data = str(self._folder / "data")
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--username=bench", "--encoding=UTF8", "--locale=C"]
        ran([_command("initdb"), "-D", data, *options], self._folder, user=user)
        port = free_port()
        command = [_command("postgres"), "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", f"unix_socket_directories={self._folder}"]
        self._program = Program(
            command,
            self._folder,
            self._folder.parent / "postgresql.log",
            user=user,
            ending=signal.SIGINT,  # does not wait for clients
        )
        self._program.wait_for(port)
        self.url = f"postgresql://bench:{password}@127.0.0.1:{port}/postgres"

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise NotHereError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def _command(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not packaged:
        raise NotHereError(f"{name} was not found: install PostgreSQL's server, or put {name} on PATH")
    return str(packaged[-1])
