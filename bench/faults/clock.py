"""`python -m bench.faults.clock FILE MODULE ARGUMENTS...`: runs a module under a clock that is shifted by as many
seconds as the file says, at any moment. Only the time of day is: clocks that never go back are left as they are, as
when a host's clock is set.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path

SIZE = 8


def write(file: Path, seconds: float) -> None:
    """In place, for those that have it open."""
    with file.open("r+b" if file.exists() else "w+b") as out:
        out.write(struct.pack("d", seconds))


def shift(file: Path) -> None:
    """Shifts the clock of this process, for what is imported from now on."""
    with file.open("rb") as opened:
        shown = mmap.mmap(opened.fileno(), SIZE, access=mmap.ACCESS_READ)
    real = time.time

    def shifted() -> float:
        return real() + float(struct.unpack("d", shown[:SIZE])[0])

    class ShiftedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(shifted(), tz)

    time.time = shifted
    from shared.adapters import arq  # says when jobs are due

    arq.datetime = ShiftedDatetime  # type: ignore[attr-defined]


def main() -> None:
    file, module, *arguments = sys.argv[1:]
    shift(Path(file))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
