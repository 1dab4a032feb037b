"""What a command works on: the folder of a profile, its memory, its upstreams. Composition root of the sync half."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from client.config.config_file import Profile, UpstreamConfig
from client.config.tokens import Tokens
from client.folder.task_folder import TaskFolder
from client.sync.state_store import SyncStateStore
from client.sync.upstream import UpstreamError

if TYPE_CHECKING:
    from client.sync.upstream import Upstream

MEMORY: Final = "memory.sqlite"
SYNC_LOCK: Final = "sync.lock"
DAEMON_LOCK: Final = "daemon.lock"
LOCK_SECONDS: Final = 120.0


class SetUpError(UpstreamError):
    """Something is missing that a person has to give or to decide; the message says how."""

    code = "not-set-up"


@dataclass(frozen=True)
class Workspace:
    """A profile's folder and memory. The memory is written by who holds the sync lock."""

    profile: Profile
    tokens: Tokens
    folder: TaskFolder
    store: SyncStateStore

    @property
    def sync_lock(self) -> Path:
        return self.folder.state / SYNC_LOCK

    @property
    def daemon_lock(self) -> Path:
        return self.folder.state / DAEMON_LOCK

    def upstream(self, config: UpstreamConfig, *, make: bool = False, token: str | None = None) -> Upstream:
        """The driver for its address. Raises UpstreamError. `make`: set up what is not there yet. `token`: one that
        is tried before it is kept."""
        self.store.at_place(config.name, place_of(config))
        facts = self.store.upstream(config.name).facts
        token = token or self.tokens.token_for(self.profile.name, config.name)
        return driver_for(config, facts, token=token, make=make, work=self.folder.state / "upstreams" / config.name)


@contextmanager
def open_workspace(profile: Profile, tokens: Tokens, *, make: bool = False) -> Iterator[Workspace]:
    """Raises SetUpError where there is neither a folder of ours nor anything in it: a disk that is not mounted looks
    like that, and to fill it would help nobody."""
    folder = TaskFolder(profile.folder)
    if make:
        folder.make()
    elif not folder.state.is_dir() and not (folder.root.is_dir() and folder.scan().files):
        raise SetUpError(
            f"{folder.root} is not there, or was never set up. Is its disk connected? To set it up: hypertask init, "
            "or hypertask connect URL"
        )
    store = SyncStateStore.open(folder.state / MEMORY)
    try:
        yield Workspace(profile, tokens, folder, store)
    finally:
        store.close()


def place_of(config: UpstreamConfig) -> str:
    """What tells an upstream from another one of the same name."""
    return f"{config.url} {config.space or ''}".strip()


def device_name() -> str:
    """How this machine is called in the histories of documents."""
    return re.sub(r"[^a-z0-9-]+", "-", platform.node().lower()).strip("-")[:32] or "device"


def driver_for(config: UpstreamConfig, facts: object, *, token: str | None, make: bool, work: Path) -> Upstream:
    """The driver for an address. Drivers are imported when they are needed: each brings libraries of its own."""
    known = facts if isinstance(facts, dict) else {}
    scheme = urlsplit(config.url).scheme
    if scheme in ("http", "https"):
        from client.upstreams.http import HttpUpstream  # noqa: PLC0415
        from client.upstreams.http_channel import Channel  # noqa: PLC0415

        if token is None:
            raise SetUpError(
                f"there is no token for {config.name} ({config.url}). Sign in: hypertask login {config.url}, or give "
                f"one: hypertask connect {config.url}"
            )
        return HttpUpstream(Channel(config.url, token, space=config.space), known)
    if scheme == "folder":
        from client.upstreams.directory import FolderUpstream  # noqa: PLC0415

        return FolderUpstream(path_of(config.url), known, device=device_name(), make=make)
    if scheme.startswith("git+"):
        from client.upstreams.git import GitUpstream  # noqa: PLC0415

        return GitUpstream(config.url.removeprefix("git+"), work, known, device=device_name())
    if scheme in ("mongodb", "mongodb+srv"):
        try:
            from client.upstreams.mongodb import MongoUpstream, with_password  # noqa: PLC0415
        except ImportError as error:
            raise SetUpError(
                f"{config.url} needs the database driver, which is not installed ({error.name}). Install it: "
                "pip install 'hypertask[server]'"
            ) from error
        return MongoUpstream(with_password(config.url, token), known, device=device_name(), space=config.space)
    raise SetUpError(f"{config.url}: hypertask cannot sync with such an address")


def path_of(url: str) -> Path:
    """The directory that a folder:// or git+file:// address names."""
    parts = urlsplit(url)
    return Path(unquote(f"{parts.netloc}{parts.path}")).expanduser()
