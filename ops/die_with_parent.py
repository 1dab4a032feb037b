"""Runs a command that dies when the process that started it does: die_with_parent.py PARENT SIGNAL COMMAND...

On Linux the kernel sees to it, however the parent dies. Elsewhere the command just runs; the next start on
the same folder then waits for what was left, and names it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def main(parent: int, number: int, command: list[str]) -> None:
    if sys.platform == "linux":
        with suppress(ImportError):  # a Python that was built without ctypes
            import ctypes  # noqa: PLC0415

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it was killed before the line above
            sys.exit(f"pid {parent} is gone")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.execv(command[0], command)


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
