"""Tokens of upstreams: secrets, so not in the config. In files of mode 600 beside it, or in the system's keyring.

The keyring is used where the package `keyring` is installed and somebody put the token there; a file goes first.
"""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path
from typing import Any, Final

SERVICE: Final = "hypertask"


class TokenError(Exception):
    """A token that cannot be used; the message says what to do and never what the token is."""


class Tokens:
    """The tokens that belong to one config file."""

    def __init__(self, config_path: Path) -> None:
        self.folder = config_path.parent / "tokens"

    def path(self, profile: str, upstream: str) -> Path:
        """Both are names that the config has accepted."""
        return self.folder / f"{profile}.{upstream}"

    def token_for(self, profile: str, upstream: str) -> str | None:
        """None: there is none. Raises TokenError if others can read the file, or we cannot."""
        path = self.path(profile, upstream)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return _from_keyring(profile, upstream)
        except OSError as error:
            raise TokenError(f"the token in {path} cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
            if os.name == "posix" and os.fstat(descriptor).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise TokenError(f"others can read the token in {path}: chmod 600 {path}")
            return checked(file.read())

    def put(self, profile: str, upstream: str, token: str) -> Path:
        """Keeps the token in a file that only its owner can read, and says where. Raises TokenError."""
        path = self.path(profile, upstream)
        token = checked(token)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(token + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise TokenError(f"the token cannot be kept in {path}: {error.strerror}") from None
        return path

    def drop(self, profile: str, upstream: str) -> None:
        """No error if there is none."""
        self.path(profile, upstream).unlink(missing_ok=True)


def checked(text: str) -> str:
    """The token in `text`, white space around it taken off. Raises TokenError."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError("a token is one word of printable ASCII; was it copied whole?")
    return token


def _from_keyring(profile: str, upstream: str) -> str | None:
    try:
        keyring: Any = importlib.import_module("keyring")
        errors: Any = importlib.import_module("keyring.errors")
    except ImportError:
        return None
    try:
        token = keyring.get_password(SERVICE, f"{profile}.{upstream}")
    except errors.KeyringError as error:
        raise TokenError(f"the system's keyring did not give the token: {error}") from None
    return None if token is None else checked(token)
