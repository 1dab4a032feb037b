"""How commands end: every known error becomes a sentence, a code and an exit status, with --json an object."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, cast
from urllib.parse import urlsplit

import click

from client.commands.editor import EditorError
from client.commands.session import Session
from client.config.config_file import ConfigError, NoProfileError, NoSettingError, SettingRefusedError
from client.config.tokens import TokenError
from client.folder.disk import DISK_ERRORS, sentence
from client.folder.locks import LockedError
from client.folder.task_folder import ChangedError, FolderError, FolderGoneError
from client.screen import INCOMPLETE, USAGE, Screen
from client.sync.upstream import UpstreamError
from client.tasks.hooks import HookError
from client.tasks.ids import NoSuchTaskError
from client.tasks.moments import NoMomentError
from client.tasks.periods import NoPeriodError
from client.tasks.task_list import NotATaskError, NothingToUndoError
from client.tasks.undone import CannotUndoError
from client.tasks.words import WordError
from shared.core.json.strict import FaultError

P = ParamSpec("P")

FAILURES: Final[list[tuple[type[Exception], str, int]]] = [
    (ConfigError, "config-wrong", USAGE),
    (NoProfileError, "no-such-profile", USAGE),
    (NoSettingError, "no-such-setting", USAGE),
    (SettingRefusedError, "setting-refused", USAGE),
    (TokenError, "token-unusable", USAGE),
    (EditorError, "editor-failed", INCOMPLETE),
    (FolderGoneError, "folder-gone", INCOMPLETE),
    (FolderError, "folder-unusable", INCOMPLETE),
    (ChangedError, "changed-meanwhile", INCOMPLETE),
    (LockedError, "in-use", INCOMPLETE),
    (NoSuchTaskError, "no-such-task", USAGE),
    (NotATaskError, "not-a-task", INCOMPLETE),
    (NothingToUndoError, "nothing-to-undo", INCOMPLETE),
    (CannotUndoError, "changed-since", INCOMPLETE),
    (HookError, "refused-by-hook", INCOMPLETE),
    (WordError, "word-not-understood", USAGE),
    (NoMomentError, "no-date", USAGE),
    (NoPeriodError, "no-period", USAGE),
    (FaultError, "invalid-document", USAGE),
    (sqlite3.Error, "memory-unusable", INCOMPLETE),
    (OSError, "disk-unusable", INCOMPLETE),
]
"""The first that fits. The messages of these errors say what to do."""


def reports(command: Callable[Concatenate[Session, Screen, P], None]) -> Callable[P, None]:
    """Gives a command --json, its session and its screen, and turns its errors into reports."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object to standard output.")
    @click.pass_context
    @wraps(command)
    def reported(context: click.Context, /, *args: Any, as_json: bool, **options: Any) -> None:
        screen = Screen(as_json=as_json)
        try:
            command(context.obj, screen, *args, **options)
        except UpstreamError as error:
            screen.fail(error.code, str(error), INCOMPLETE)
        except BrokenPipeError:
            raise  # who read the output has enough of it
        except KeyboardInterrupt:
            screen.fail("interrupted", "stopped by you", INCOMPLETE)
        except tuple(kind for kind, _, _ in FAILURES) as error:
            code, status = next((code, status) for kind, code, status in FAILURES if isinstance(error, kind))
            screen.fail(code, sentence(error) if isinstance(error, DISK_ERRORS) else str(error), status)

    return cast(Callable[P, None], reported)


def warn_of_plain_http(screen: Screen, url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in ("localhost", "::1") and not host.startswith("127."):
        screen.warn(f"the token travels to {host} unencrypted; use https outside a trusted network")
