"""The folder that one local server lives in: locks, secrets, ports, logs, and what it tells others.

supervisor.lock   held by the supervisor
children.lock     held by the supervisor and all its children, so by whoever is left of a killed one
connection.json   how to reach the parts and who they are; there while the server runs
secrets/          passwords and keys, made once
first-token.json  the first device's token
ports.json        what mongod and redis-server listened on last
mongo/ redis/ logs/
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LOG_ROTATES_AT_BYTES: Final = 10_000_000
ORPHANS_MAY_TAKE_SECONDS: Final = 60.0
# Below the ports that systems hand out to outgoing connections: a client that calls in vain while a server
# is down could otherwise be given the server's own port, and keep it from coming back.
_LOOPBACK_PORTS: Final = range(20_000, 32_000)

Say = Callable[[str], None]


class CannotStartError(Exception):
    """The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    root: Path
    children_lock: int
    """A descriptor that every child inherits."""

    def path(self, *parts: str) -> Path:
        """A file in it; the folder that the file is in is made."""
        path = self.root.joinpath(*parts)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return path

    def folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def secret(self, name: str) -> str:
        """The text of a secret, made when it is first asked for: hex digits, which need no quoting."""
        return self.secret_file(name).read_text()

    def secret_file(self, name: str) -> Path:
        path = self.path("secrets", name)
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return path

    def log(self, name: str) -> Path:
        """The log file of that name. A long one is set aside first, in the place of the one before."""
        path = self.path("logs", f"{name}.log")
        with suppress(FileNotFoundError):
            if path.stat().st_size > LOG_ROTATES_AT_BYTES:
                path.replace(path.with_suffix(".log.1"))
        return path

    def port(self, name: str, *, another: bool = False) -> int:
        """A free port on 127.0.0.1; the one of last time unless it is taken or `another` is asked for."""
        path = self.path("ports.json")
        ports: dict[str, int] = _read_json(path) or {}
        last = ports.get(name)
        if last is not None and not another and _is_free(last):
            return last
        candidates = random.sample(_LOOPBACK_PORTS, 200)
        port = next((port for port in candidates if port not in ports.values() and _is_free(port)), None)
        if port is None:
            raise CannotStartError(f"No free port on 127.0.0.1 among {_LOOPBACK_PORTS}; end what uses them.")
        write_private(path, json.dumps({**ports, name: port}))
        return port

    @property
    def first_token(self) -> dict[str, str] | None:
        """What `store_first_token` stored."""
        token = _read_json(self.root / "first-token.json")
        return token if token is not None and {"token", "space"} <= token.keys() else None

    def store_first_token(self, token: dict[str, str]) -> None:
        write_private(self.path("first-token.json"), json.dumps(token) + "\n")

    def publish(self, connection: dict[str, Any]) -> None:
        """Replaces connection.json atomically."""
        write_private(self.path("connection.json"), json.dumps(connection, indent=1) + "\n")

    def unpublish(self) -> None:
        (self.root / "connection.json").unlink(missing_ok=True)


@contextmanager
def claimed(root: Path, say: Say) -> Iterator[DataDirectory]:
    """The folder, for this process and its children alone. Raises CannotStartError if it is taken."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        supervisor = _open_lock(root / "supervisor.lock")
        children = _open_lock(root / "children.lock")
    except OSError as error:
        raise CannotStartError(
            f"{root} cannot be used ({error.strerror}). Choose a folder that can be written to: --data DIR"
        ) from None
    try:
        if not _lock(supervisor):
            holder = os.pread(supervisor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise CannotStartError(
                f"A server already runs on {root} (pid {holder}). Stop that one (kill {holder}), or give "
                "this one a folder of its own: --data DIR"
            )
        os.ftruncate(supervisor, 0)
        os.pwrite(supervisor, f"{os.getpid()}\n".encode("ascii"), 0)
        left = _read_json(root / "connection.json")
        if left is not None:
            say(f"The last server on {root} (pid {left.get('pid')}) was killed; taking up its data.")
        _wait_for_orphans(children, root, left or {}, say)
        yield DataDirectory(root, children)
    finally:
        os.close(supervisor)
        os.close(children)


def write_private(path: Path, text: str) -> None:
    """Puts a file in place atomically, for its owner's eyes only."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_orphans(lock: int, root: Path, left: dict[str, Any], say: Say) -> None:
    if _lock(lock):
        return
    say(f"Its processes still use {root}; waiting for them to end ...")
    deadline = time.monotonic() + ORPHANS_MAY_TAKE_SECONDS
    while not _lock(lock):
        if time.monotonic() > deadline:
            alive = " ".join(str(pid) for pid in _pids(left.get("children", {})) if _is_alive(pid))
            raise CannotStartError(
                f"Processes of an earlier server still use {root}. End them first: kill {alive or '(see ps)'}"
            )
        time.sleep(0.05)


def _pids(children: dict[str, Any]) -> list[int]:
    return [pid for pids in children.values() for pid in (pids if isinstance(pids, list) else [pids])]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do it
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _read_json(path: Path) -> dict[str, Any] | None:
    """None for a file that is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
