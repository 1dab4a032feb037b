"""docker-compose.yml started from a clean clone, as README.md says, and used by the command-line client."""

from __future__ import annotations

import json
import re
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import environment

from without_registry.scratch import CHECKOUT, Scratch, Step, StepFailedError

SCALE: Final = {"api": 3, "worker": 2}
SCALES: Final = [word for name, count in SCALE.items() for word in ("--scale", f"{name}={count}")]
_WITHIN_SECONDS: Final = 30.0


def clone(scratch: Scratch) -> str:
    """The commit. What is not committed is not in it."""
    if not scratch.clone.exists():
        scratch.run("git", "clone", "--quiet", CHECKOUT, scratch.clone)
    commit = scratch.run("git", "-C", CHECKOUT, "rev-parse", "HEAD").strip()
    scratch.run("git", "-C", scratch.clone, "fetch", "--quiet", CHECKOUT, commit)
    scratch.run("git", "-C", scratch.clone, "checkout", "--quiet", "--force", "--detach", commit)
    return commit


def up(scratch: Scratch) -> float:
    """Returns when all containers are healthy: seconds that this took, without the image's build."""
    if "listen" not in scratch.state():
        with socket.create_server(("127.0.0.1", 0)) as one:
            scratch.keep(listen=f"127.0.0.1:{one.getsockname()[1]}")
    if "hypertask_mongo" not in scratch.docker("volume", "ls", "--quiet").split():
        scratch.keep(token=None)
    scratch.run("ops/make-secrets", cwd=scratch.clone)
    with Step("Building the project's image by ops/Dockerfile"):
        scratch.compose("build")
    with Step("docker compose up") as step:
        scratch.compose("up", "--detach", "--wait", *SCALES)
        return step.seconds


def address(scratch: Scratch) -> str:
    return f"http://{scratch.state()['listen']}"


def token(scratch: Scratch) -> str:
    """A device's. Made once in a life of the database."""
    if scratch.state().get("token") is None:
        command = ("hypertask-server", "token", "create", "--name", "first", "--json")
        device = json.loads(scratch.compose("exec", "-T", "api", *command))
        scratch.keep(token=device["token"])
    kept: str = scratch.state()["token"]
    return kept


def python() -> Path:
    """One that has the project and what its tests need."""
    return environment.ensure(CHECKOUT, ["server", "local", "dev"])


def pages(scratch: Scratch) -> None:
    """The web client and the page of the API, with all that they name, are in the image. Raises StepFailedError."""
    for page in ("/app/", "/docs"):
        text = _got(scratch, page)
        for name in re.findall(r'(?:src|href)="([^":?]+\.(?:js|css)[^"]*)"', text):
            _got(scratch, urljoin(page, name))


def _got(scratch: Scratch, path: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address(scratch) + path, timeout=30) as answer:
            return bytes(answer.read()).decode()
    except urllib.error.HTTPError as error:
        raise StepFailedError(f"{path}: {error.code}") from error


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Raises StepFailedError."""
    ends = time.monotonic() + _WITHIN_SECONDS
    while not holds():
        if time.monotonic() > ends:
            raise StepFailedError(otherwise)
        time.sleep(0.1)


class Client:
    """The command-line client on a folder of its own."""

    def __init__(self, scratch: Scratch, name: str, env: Mapping[str, str]) -> None:
        self._scratch = scratch
        home = scratch.root / "clients" / name
        home.mkdir(parents=True)
        self.folder = home / "tasks"
        config = {"PYTHONPATH": str(CHECKOUT), "HOME": str(home), "HYPERTASK_CONFIG": str(home / "config.toml")}
        self._environ = {**config, **env}
        self._run("init", str(self.folder))

    def connect(self, address: str) -> None:
        self._run("connect", address, "--sync", HYPERTASK_TOKEN=token(self._scratch))

    def sync(self) -> None:
        self._run("sync")

    def _run(self, *arguments: str, **env: str) -> None:
        words = ("-m", "client.cli", *arguments)
        self._scratch.run(python(), *words, cwd=self.folder.parent, env={**self._environ, **env})


def sync_through_nginx(scratch: Scratch, url: str | None = None, env: Mapping[str, str] | None = None) -> None:
    """An edit of each of two folders is in both at the end. Raises StepFailedError."""
    mark = f"document-{secrets.token_hex(6)}"
    one, two = (Client(scratch, f"{mark}-{name}", env or {}) for name in ("one", "two"))
    file = one.folder / f"{mark}.json"
    file.write_text(json.dumps({"id": mark, "title": "Water the plants"}))
    for client in (one, two):
        client.connect(url or address(scratch))
    other = two.folder / file.name
    other.write_text(json.dumps({**json.loads(other.read_text()), "done": True}))
    two.sync()
    one.sync()
    if json.loads(file.read_text()).get("done") is not True:
        raise StepFailedError(f"The edit of the second folder is not in {file}.")
