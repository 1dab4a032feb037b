"""Putting a file in the place of another without losing what somebody else wrote there meanwhile.

A rename over a file destroys whatever the file holds at that moment. So nothing is renamed over: on Linux and macOS
old and new change places in one step, the old one is looked at where nobody can open it any more, and it goes only if
it is what was expected. Otherwise they change back.

What remains open:
    Elsewhere, and on file systems that cannot exchange (exFAT, many network drives), the last look and the rename are
    two steps, microseconds apart.
    A program that opened the old file for writing before the exchange and writes after it: on Linux a lease says
    whether there is one; elsewhere that write is lost if it comes later than the look.
    A program that writes from memory what it read before (an editor with the file open) is not a question of
    replacing: it overwrites the new file with intent. The next sync sees that as its edit.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

READ_ONLY: Final = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
"""How a file is opened that may be a link or a pipe by now. Python closes it for programs that are started."""
EXCHANGES: Final = 3
"""So often a file is put back that somebody changed meanwhile; then both are kept."""


class ChangedError(Exception):
    """The file is not what was expected any more; it was left as it is. Read it again and decide again."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(
            f"{self.path.name} was changed by another program at this moment; nothing was lost. Try again."
        )


class WriteProtectedError(Exception):
    """We may not write into the file; it was left as it is."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(f"{self.path} is write-protected. To let it be changed: chmod u+w {self.path}")


class Stamp(NamedTuple):
    """What the file system says of a file without reading it. Equal stamps: the file was not changed, unless the
    stamp is racy."""

    mtime_ns: int
    size: int
    inode: int
    ctime_ns: int
    """Of the last change of the file or its name: sees also what sets `mtime` back, as unpacking and copying do."""

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)

    def racy(self, read_ns: int) -> bool:
        """Whether the file may change after `read_ns`, when it was read, and its stamp stay the same: the clocks of
        file systems tick in steps."""
        return max(self.mtime_ns, self.ctime_ns) > read_ns - _tick_ns(self.mtime_ns, self.ctime_ns)

    @property
    def key(self) -> str:
        """As a memory keeps it."""
        return f"{self.mtime_ns}-{self.size}-{self.inode}-{self.ctime_ns}"

    def same_content(self, other: Stamp) -> bool:
        """Whether both are of one file that was renamed and not changed between: renaming moves `ctime` alone."""
        return self[:3] == other[:3]


TICK_NS: Final = 20_000_000
"""A file that was changed so shortly before it was read may change again without a new time;"""
COARSE_TICK_NS: Final = 2_100_000_000
"""so shortly where the times are multiples of milliseconds or more (FAT has two seconds)."""


def _tick_ns(time_ns: int, other_ns: int = 0) -> int:
    return TICK_NS if time_ns % 1_000_000 or other_ns % 1_000_000 else COARSE_TICK_NS


def placed_key(written: Stamp | None, now: Stamp | None) -> str:
    """The key of a file that we wrote as `written` and renamed since; "" if the stamp does not prove that it holds
    what we wrote. Its content is older than its name, so whoever writes into it now gives it another `mtime`."""
    if written is None or now is None or not written.same_content(now):
        return ""
    return now.key if written.mtime_ns < time.time_ns() - _tick_ns(written.mtime_ns) else ""


def stamp_at(path: Path | str) -> Stamp | None:
    """None: there is nothing of that name."""
    try:
        return Stamp.of(os.stat(path, follow_symlinks=False))  # noqa: PTH116  paths may be texts, which are faster
    except FileNotFoundError:
        return None


def put_new(new: Path | str, target: Path | str) -> None:
    """Gives the file `new` the name `target`, which nobody has. Raises ChangedError if somebody has it."""
    call = _system_call()
    if call is not None and _renamed(new, target, call, call.exclusive):
        return
    try:
        os.link(new, target)
    except FileExistsError:
        raise ChangedError(target) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise ChangedError(target) from None
        os.rename(new, target)  # noqa: PTH104
    else:
        os.unlink(new)  # noqa: PTH108


def put_over(
    new: Path | str,
    target: Path | str,
    expected: Stamp,
    rescue: Callable[[Path], None],
    remove: Callable[[Path | str], None] = os.unlink,
) -> None:
    """Gives the file `new` the name `target`, whose file goes if it is at `expected`.

    The new file gets the permissions of the old one. Raises WriteProtectedError, with nothing changed, if we may not
    write into the old one, and ChangedError if it is not at `expected`; `target` is then what somebody else made
    of it, and what could not stay there was handed to `rescue`. What is left at `new` after that is ours.
    `remove`: takes the old file, which is at `new`, in place of removing it at once.
    """
    if stamp_at(target) != expected:
        raise ChangedError(target)
    mode = _mode_if_writable(target)
    status = os.stat(new)  # noqa: PTH116
    if stat.S_IMODE(status.st_mode) != mode:
        with suppress(PermissionError):  # a disk that has no permissions
            os.chmod(new, mode)  # noqa: PTH101
        status = os.stat(new)  # noqa: PTH116
    ours = Stamp.of(status)
    call = _system_call()
    if call is None or not _renamed(new, target, call, call.exchange):
        os.replace(new, target)  # noqa: PTH105
        return
    if _is_final(new, expected):
        remove(new)
        return
    for _ in range(EXCHANGES):
        # Somebody was faster: theirs goes back. Whoever wrote over ours in that moment wrote over what they had
        # written before, so theirs is newest.
        if not _exchanged(new, target, call):
            break
        if _is_final(new, ours):
            os.unlink(new)  # noqa: PTH108
            raise ChangedError(target)
    rescue(Path(new))
    raise ChangedError(target)


def take_away(target: Path, to: Path, expected: Stamp, rescue: Callable[[Path], None]) -> None:
    """Removes the file `target` if it is at `expected`. `to` is a free name on the same file system.

    Raises WriteProtectedError, with nothing changed, if we may not write into it, and ChangedError if it is not at
    `expected`: then it is there again, or, where somebody made a new one meanwhile, with `rescue`.
    """
    if stamp_at(target) != expected:
        raise ChangedError(target)
    _mode_if_writable(target)
    try:
        target.rename(to)
    except FileNotFoundError:
        raise ChangedError(target) from None
    if _is_final(to, expected):
        to.unlink()
        return
    try:
        put_new(to, target)
    except ChangedError:
        rescue(to)
    raise ChangedError(target)


def is_protected(target: Path | str) -> bool:
    """Whether there is such a file, and we may not write into it."""
    try:
        _mode_if_writable(target)
    except WriteProtectedError:
        return True
    except ChangedError:
        return False
    return False


def _mode_if_writable(target: Path | str) -> int:
    """The permissions of the file. Raises WriteProtectedError, ChangedError."""
    try:
        mode = os.stat(target, follow_symlinks=False).st_mode  # noqa: PTH116
    except FileNotFoundError:
        raise ChangedError(target) from None
    # The administrator may write everything, and is asked to respect the mark all the same.
    if not mode & stat.S_IWUSR or not os.access(target, os.W_OK):
        raise WriteProtectedError(target)
    return stat.S_IMODE(mode)


def _is_final(path: Path | str, expected: Stamp) -> bool:
    """Whether the file at `path`, a name that only we know, is at `expected` and stays so."""
    try:
        descriptor = os.open(path, READ_ONLY)
    except OSError:  # a link now, or not for us to read: certainly not what we read before
        return False
    try:
        # First the lease, then the look: a writer that is not there now cannot come any more.
        return not _has_writer(descriptor) and expected.same_content(Stamp.of(os.fstat(descriptor)))
    finally:
        os.close(descriptor)


def _has_writer(descriptor: int) -> bool:
    """Whether some program has the file open for writing; False where the system does not say."""
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415  Windows has none, and most commands replace no file
    import signal  # noqa: PLC0415  likewise

    try:
        # Should somebody open it by another link in this moment, the signal is one that does nothing.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:  # another owner, or a file system that has no leases
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


# --- renaming with flags, which Python does not offer --------------------------------------------------------


class _Rename(NamedTuple):
    """The function, its flag for "do not replace" and its flag for "exchange", and what tells its error."""

    function: Any
    exclusive: int
    exchange: int
    error: Callable[[], int]


@cache
def _system_call() -> _Rename | None:
    """Looked up when the first file is put in place: most commands put none."""
    if sys.platform == "win32":  # its rename does not replace by itself, and it has no exchange
        return None
    import ctypes  # noqa: PLC0415  as above

    library = ctypes.CDLL(None, use_errno=True)
    try:
        darwin = sys.platform == "darwin"
        function, exclusive = (library.renameatx_np, 0x4) if darwin else (library.renameat2, 0x1)
    except AttributeError:  # an old or another C library
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return _Rename(function, exclusive, 0x2, ctypes.get_errno)


_HERE: Final = -2 if sys.platform == "darwin" else -100  # AT_FDCWD


def _renamed(source: Path | str, target: Path | str, call: _Rename, flag: int) -> bool:
    """False: this file system or kernel does not have it. Raises ChangedError where the flag forbids it."""
    if call.function(_HERE, os.fsencode(source), _HERE, os.fsencode(target), flag) == 0:
        return True
    error = call.error()
    # Nothing to exchange with, or something where nothing was to be: somebody was faster.
    if error == (errno.ENOENT if flag == call.exchange else errno.EEXIST):
        raise ChangedError(target)
    return False


def _exchanged(new: Path | str, target: Path | str, call: _Rename) -> bool:
    """Like `_renamed`; somebody may have removed `target`, then there is nothing to exchange with."""
    try:
        return _renamed(new, target, call, call.exchange)
    except ChangedError:
        return False
