"""Why a daemon has to restart its work: its settings changed, or its folder is another one than it was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchfiles import awatch

from client.config.config_file import ConfigError, ConfigFile, NoProfileError, Profile
from client.config.tokens import Tokens
from client.folder.locks import HeldLock
from client.folder.replace import Stamp, stamp_at
from client.folder.task_folder import FolderError, TaskFolder
from shared.observability import event

logger = logging.getLogger(__name__)

LOOK_MS: Final = 2_000
"""So often is looked at least: some drives tell nothing of their changes."""
SETTINGS: Final = "settings"
FOLDER: Final = "folder"


class RestartReason:
    """What a daemon was started with. `warn`: is told once why settings that are wrong are not used."""

    def __init__(
        self, config: ConfigFile, profile: Profile, tokens: Tokens, lock: HeldLock, warn: Callable[[str], None]
    ) -> None:
        self._config = config
        self._profile = profile
        self._tokens = tokens
        self._lock = lock
        self._warn = warn
        self._folder = TaskFolder(profile.folder)
        self._stamp = stamp_at(config.path)
        self._token_stamps = self._tokens_now(profile)
        self._wrong = ""

    async def wait(self) -> str:
        """Returns SETTINGS or FOLDER when the daemon has to restart its work."""
        while True:
            places = {path for path in (self._config.path.parent, self._tokens.folder) if path.is_dir()}
            watching = awatch(*places, recursive=False, rust_timeout=LOOK_MS, yield_on_timeout=True)
            try:
                async for _ in watching:
                    if (reason := self.reason()) is not None:
                        return reason
            except (FileNotFoundError, OSError, RuntimeError) as error:
                event(logger, logging.DEBUG, "settings_not_watched", cause=error)
            await asyncio.sleep(LOOK_MS / 1000)
            if (reason := self.reason()) is not None:
                return reason

    def reason(self) -> str | None:
        """SETTINGS, FOLDER, or None: all is as it was, or it cannot be used as it is now."""
        return SETTINGS if self._has_other_settings() else FOLDER if self._has_another_folder() else None

    def _has_other_settings(self) -> bool:
        if self._tokens_now(self._profile) != self._token_stamps:
            return True
        now = stamp_at(self._config.path)
        if now == self._stamp:
            return False
        try:
            profile = self._config.profile(self._profile.name)
        except (ConfigError, NoProfileError) as error:  # somebody is writing it
            if str(error) != self._wrong:
                self._warn(f"{error}\nUntil then the settings from before are used.")
            self._wrong = str(error)
            return False
        self._stamp, self._wrong = now, ""
        return profile != self._profile

    def _has_another_folder(self) -> bool:
        """Whether the lock is not the one at its place any more: the folder was moved, and another one made there, or
        `.hypertask` was deleted. A folder that is gone may come back, as a disk does."""
        if self._lock.is_at_its_place():
            return False
        try:
            return self._folder.state.is_dir() or bool(self._folder.scan().files)
        except FolderError:
            return False

    def _tokens_now(self, profile: Profile) -> dict[str, Stamp | None]:
        return {one.name: stamp_at(self._path(profile, one.name)) for one in profile.upstreams}

    def _path(self, profile: Profile, upstream: str) -> Path:
        return self._tokens.path(profile.name, upstream)
