"""The config file: where it is, made when it is missing, changed without losing its comments."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from client.config.config_text import (
    Config,
    ConfigError,
    ConfigProblem,
    Profile,
    Surroundings,
    UpstreamConfig,
    read_config,
)

if TYPE_CHECKING:
    from client.config.config_edit import EditedToml

__all__ = ["Config", "ConfigError", "ConfigFile", "ConfigProblem", "Profile", "UpstreamConfig"]
__all__ += ["NoProfileError", "NoSettingError", "SettingRefusedError"]

PATH_VARIABLE: Final = "HYPERTASK_CONFIG"
"""Names another config file than the platform's."""
PROFILE_VARIABLE: Final = "HYPERTASK_PROFILE"

NEW: Final = """\
# Hypertask's settings. Change them here (hypertask config edit) or with: hypertask config set KEY VALUE
# Tokens are not in this file; they are kept beside it, for your eyes only.

# The profile that is used without --profile and without HYPERTASK_PROFILE.
default_profile = "default"

# A profile is a folder of tasks with what belongs to it. There may be several: [profiles.work] ...
[profiles.default]

# Where the tasks are, one JSON file each. ~ and $VARIABLES are expanded, here and in the others.
folder = "~/hypertask"

# Programs that are run when a task is added, changed or arrives. By default the folder "hooks" beside this file.
# hooks = "~/hooks"

# The editor for: hypertask edit, hypertask config edit. By default $VISUAL, then $EDITOR.
# editor = "nano"

# What the folder is kept in sync with; any number. `hypertask connect URL` adds one.
# [[profiles.default.upstreams]]
# name = "home"
# url = "https://tasks.example.org"    # or folder:///media/stick/tasks, git+ssh://..., mongodb://...
"""


class NoProfileError(Exception):
    """The message says which there are."""

    def __init__(self, name: str, config: Config, path: Path) -> None:
        known = ", ".join(config.profiles)
        super().__init__(
            f'there is no profile "{name}" in {path}. Profiles: {known}. '
            f"To make it: hypertask --profile {name} init FOLDER"
        )


class NoSettingError(Exception):
    """A key that no setting has, or that is not set."""


class SettingRefusedError(Exception):
    """The file would not be right with this value. It is as it was."""


class ConfigFile(NamedTuple):
    """Nothing is read before a method is called, and nothing is kept."""

    path: Path
    variables: Mapping[str, str]

    @classmethod
    def of_environment(cls, variables: Mapping[str, str]) -> ConfigFile:
        named = variables.get(PATH_VARIABLE)
        path = Path(named) if named else _usual_path(variables)
        return cls(path.absolute(), variables)

    def make(self) -> bool:
        """Creates the file with its commented defaults if it is missing, and says whether it was."""
        if self.path.exists():
            return False
        self._save(NEW)
        return True

    def text(self) -> str:
        """Raises ConfigError if there is no file or no text in it."""
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            sentence = "there is no such file. To make it: hypertask config init"
            raise ConfigError(self.path, ConfigProblem(sentence)) from None
        except UnicodeDecodeError as error:
            line = self.path.read_bytes().count(b"\n", 0, error.start) + 1
            raise ConfigError(self.path, ConfigProblem("this is not UTF-8", line=line)) from None
        except OSError as error:
            raise ConfigError(self.path, ConfigProblem(f"it cannot be read: {error.strerror}")) from None

    def config(self) -> Config:
        """Raises ConfigError."""
        return self._understood(self.text())

    def profile(self, name: str | None) -> Profile:
        """The profile of that name, else the one that HYPERTASK_PROFILE names, else the default. Raises
        ConfigError, NoProfileError."""
        config = self.config()
        name = name or self.variables.get(PROFILE_VARIABLE) or config.default_profile
        if name not in config.profiles:
            raise NoProfileError(name, config, self.path)
        return config.profiles[name]

    def chosen(self, name: str | None) -> str:
        """`name`, else what HYPERTASK_PROFILE says, else the default; there need not be such a profile. Raises
        ConfigError."""
        return name or self.variables.get(PROFILE_VARIABLE) or self.config().default_profile

    def get(self, key: str, profile: str) -> Any:
        """The value of a setting as it stands in the file. Raises ConfigError, NoSettingError.

        `key` is dotted from the top (`profiles.work.folder`, `default_profile`) or short and of `profile`
        (`folder`). An upstream is called by its name: `upstreams.home.url`.
        """
        value = self._edited().get(_whole_key(key, profile))
        if value is None:
            raise NoSettingError(f"{key} is not set in {self.path}. All settings: hypertask config show")
        return value

    def set(self, key: str, value: str, profile: str) -> None:
        """Sets a text; `get` says what keys are like. What is missing above the key is made. Comments stay.

        Raises ConfigError, NoSettingError, SettingRefusedError.
        """
        edited = self._edited()
        *above, last = _whole_key(key, profile)
        if not edited.put(above, {last: value}):
            raise NoSettingError(f"{key} cannot be set. All settings: hypertask config show")
        self._save_if_right(edited.text())

    def unset(self, key: str, profile: str) -> None:
        """Takes a setting, an upstream or a profile out. Raises as `get` and `set` do."""
        self.get(key, profile)
        edited = self._edited()
        edited.remove(_whole_key(key, profile))
        self._save_if_right(edited.text())

    def add_profile(self, name: str, folder: Path) -> None:
        """Makes or changes the profile, and the file if it is missing. Raises ConfigError, SettingRefusedError."""
        self.make()
        self.set(f"profiles.{name}.folder", _with_tilde(folder), name)

    def add_upstream(self, profile: str, upstream: UpstreamConfig) -> None:
        """Adds the upstream, or changes the one of that name. Raises ConfigError, SettingRefusedError."""
        values = {"url": upstream.url} | ({} if upstream.space is None else {"space": upstream.space})
        edited = self._edited()
        if not edited.put(["profiles", profile, "upstreams", upstream.name], values):
            raise NoSettingError(f"{upstream.name} cannot be added. All settings: hypertask config show")
        self._save_if_right(edited.text())

    def _edited(self) -> EditedToml:
        from client.config.config_edit import EditedToml  # noqa: PLC0415  most commands change no setting and need no parser

        text = self.text()
        try:
            return EditedToml(text)
        except ValueError:
            self._understood(text)  # says it better
            raise

    def _understood(self, text: str) -> Config:
        return read_config(text, self.path, Surroundings(self.variables, Path.home(), self.path.parent))

    def _save_if_right(self, text: str) -> None:
        try:
            self._understood(text)
        except ConfigError as error:
            reasons = [f"{p.key}: {p.sentence}" if p.key else p.sentence for p in error.problems]
            raise SettingRefusedError(
                "nothing was changed, because the result would not be valid:\n" + "\n".join(reasons)
            ) from None
        self._save(text)

    def _save(self, text: str) -> None:
        # A link, as people have who keep their settings under version control, stays one.
        path = self.path.resolve()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
            new.write_text(text, encoding="utf-8")
            if path.exists():
                new.chmod(path.stat().st_mode)
            with new.open("rb+") as file:
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise ConfigError(self.path, ConfigProblem(f"it cannot be written: {error.strerror}")) from None


_TOP: Final = ("default_profile", "profiles")


def _whole_key(key: str, profile: str) -> list[str]:
    parts = key.split(".")
    if not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
        raise NoSettingError(f'"{key}" is not a setting. Examples: folder, upstreams.home.url')
    return parts if parts[0] in _TOP else ["profiles", profile, *parts]


def _with_tilde(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except ValueError:
        return path.as_posix()


def _usual_path(variables: Mapping[str, str]) -> Path:
    if sys.platform == "linux" and not variables.get("XDG_CONFIG_HOME"):
        # What is below would say the same, and takes longer to load than a short command takes.
        return Path.home() / ".config" / "hypertask" / "config.toml"
    import platformdirs  # noqa: PLC0415  as above

    return platformdirs.user_config_path("hypertask", appauthor=False) / "config.toml"
