"""What a command works with: which profile, which folder. Looked up when a command asks, and not before: an import
straight to a server needs no config, and `config edit` has to work with one that is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from client.config.config_file import ConfigFile, Profile
from client.folder.task_folder import TaskFolder
from client.tasks.ids import id_of
from client.tasks.local_time import Here
from client.tasks.task_list import Tasks
from shared.core.identifiers import DocumentId

if TYPE_CHECKING:
    from client.config.tokens import Tokens
    from client.tasks.hooks import Hooks
    from client.tasks.reports import Report

CONTEXT: Final = "context"
"""The file in the folder's own part with the name of the context that was chosen."""


class Session:
    """One run of the program. Made by the composition root, which gives it the environment and the clock."""

    def __init__(
        self, variables: Mapping[str, str], profile: str | None, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.variables = variables
        self._wanted = profile
        self._clock = clock or (lambda: datetime.now(Here()))
        self.filter_words: tuple[str, ...] = ()
        """What stands before the command: `hypertask +home done`."""
        self.config_file = ConfigFile.of_environment(variables)

    @property
    def now(self) -> datetime:
        """In the time of the place where the user is."""
        return self._clock()

    def new_id(self) -> DocumentId:
        """An id that no task has: 128 bits of chance, of which it keeps 77."""
        return id_of(int.from_bytes(os.urandom(16), "big"))

    @property
    def profile_name(self) -> str:
        """The wanted profile, whether or not it is in the config. Raises ConfigError."""
        return self.config_file.chosen(self._wanted)

    @cached_property
    def profile(self) -> Profile:
        """Raises ConfigError, NoProfileError. Where nothing was ever set up, config and folder are made."""
        is_new = self.config_file.make()
        profile = self.config_file.profile(self._wanted)
        if is_new:
            TaskFolder(profile.folder).make()
        return profile

    def read_settings_again(self) -> None:
        """They are looked up when they are asked for next."""
        for name in ("profile", "folder", "tasks", "hooks"):
            self.__dict__.pop(name, None)

    def make_profile(self, folder: Path) -> None:
        """Gives the wanted profile this folder, and makes both where they are missing."""
        self.config_file.make()
        self.config_file.add_profile(self.profile_name, folder.expanduser().absolute())
        TaskFolder(self.config_file.profile(self.profile_name).folder).make()

    @cached_property
    def folder(self) -> TaskFolder:
        """Of the profile. It is not said that it is there: every method of it says so by itself."""
        return TaskFolder(self.profile.folder)

    @cached_property
    def tasks(self) -> Tasks:
        """What commands do with the tasks of the profile."""
        return Tasks(self.folder, lambda: self.hooks, self.now)

    @property
    def own_reports(self) -> Mapping[str, Report]:
        """Of the config; none where there is no config yet. Raises ConfigError, NoProfileError."""
        from client.tasks.reports import REPORTS, Report  # noqa: PLC0415  most configs have none

        rows = self.profile.reports if self.config_file.path.exists() else {}
        return {
            name: Report(
                name,
                row.about or f"Report of the config: {' '.join(row.filter)}",
                row.filter,
                row.sort or REPORTS["next"].order,
                row.columns or REPORTS["next"].columns,
                row.limit,
            )
            for name, row in rows.items()
        }

    @property
    def context_name(self) -> str | None:
        """The context that was chosen in this folder, if the config still has it."""
        try:
            name = (self.folder.state / CONTEXT).read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return name if name in self.profile.contexts else None

    @property
    def context(self) -> tuple[str, ...]:
        """The words that narrow every report."""
        name = self.context_name
        return () if name is None else self.profile.contexts[name]

    def set_context(self, name: str | None) -> None:
        """Raises WordError if the config has none of that name."""
        if name is None:
            (self.folder.state / CONTEXT).unlink(missing_ok=True)
            return
        if name not in self.profile.contexts:
            from client.tasks.words import WordError  # noqa: PLC0415  a slip

            known = ", ".join(self.profile.contexts) or "none"
            raise WordError(
                f'there is no context "{name}". Contexts: {known}. '
                f'To make it: hypertask config set contexts.{name} "project:{name}"'
            )
        self.folder.prepare()
        (self.folder.state / CONTEXT).write_text(name, encoding="utf-8")

    @cached_property
    def hooks(self) -> Hooks:
        from client.tasks.hooks import Hooks  # noqa: PLC0415  what lists tasks runs none

        return Hooks(self.profile.hooks, self.profile.folder, self.variables)

    @property
    def tokens(self) -> Tokens:
        from client.config.tokens import Tokens  # noqa: PLC0415  only upstreams need one

        return Tokens(self.config_file.path)
