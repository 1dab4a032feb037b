"""The errors that are known, with codes and exit statuses. Loaded when a command fails: it needs the whole client."""

from __future__ import annotations

import sqlite3
from typing import Final

from client.commands.editor import EditorError
from client.config.config_file import ConfigError, NoProfileError, NoSettingError, SettingRefusedError
from client.config.tokens import TokenError
from client.folder.disk import DISK_ERRORS, sentence
from client.folder.locks import LockedError
from client.folder.task_folder import ChangedError, FolderError, FolderGoneError
from client.screen import INCOMPLETE, USAGE
from client.sync.upstream import UpstreamError
from client.tasks.hooks import HookError
from client.tasks.ids import NoSuchTaskError
from client.tasks.moments import NoMomentError
from client.tasks.periods import NoPeriodError
from client.tasks.task_list import NotATaskError, NothingToUndoError
from client.tasks.undone import CannotUndoError
from client.tasks.words import WordError
from shared.core.json.strict import FaultError

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


def failure_of(error: Exception) -> tuple[str, str, int] | None:
    """Code, sentence and exit status; None for an error that nobody expects."""
    if isinstance(error, UpstreamError):
        return error.code, str(error), INCOMPLETE
    for kind, code, status in FAILURES:
        if isinstance(error, kind):
            return code, sentence(error) if isinstance(error, DISK_ERRORS) else str(error), status
    return None
