"""What the disk or the memory's file does not take: errors of the system, as sentences. Pure."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

DISK_ERRORS: Final = (OSError, sqlite3.Error)
"""They may pass: there may be room again, a disk may come back. Nothing that was acknowledged is lost by them."""
_ROOM: Final = "Make room on that disk, and try again."
_RIGHTS: Final = "Make it writable again, and try again."


def sentence(error: Exception) -> str:
    """One line: where, what, and what to do."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        what = error.strerror or str(error) or type(error).__name__
        return f"{where}{what}. {_advice(error.errno)}"
    what = str(error) or type(error).__name__
    where = "the memory of this device (.hypertask/memory.sqlite)"
    if "full" in what:
        return f"{where}: {what}. {_ROOM}"
    if "readonly" in what or "unable to open" in what:
        return f"{where}: {what}. {_RIGHTS}"
    if "locked" in what:
        return f"{where}: {what}. Another program has it open; try again when that is done."
    return f"{where}: {what}. It can be deleted: undo forgets, nothing else is lost."


def _advice(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return _ROOM
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _RIGHTS
    return "Correct that, and try again."
