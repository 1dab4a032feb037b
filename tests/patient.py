"""`python -m tests.patient MODULE ARGUMENTS`: as `python -m MODULE`, for a process of a server that a test starts by
itself, with the constants that processes of servers of tests have (`tests.patience`)."""

from __future__ import annotations

import runpy
import sys

from tests.patience import SERVER_CONSTANTS, set_constants

if __name__ == "__main__":
    set_constants(SERVER_CONSTANTS)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
