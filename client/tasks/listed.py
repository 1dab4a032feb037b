"""The numbers of what was listed last: a file in the folder's own part with an id a line, the first has number 1.

They stay the same until the next listing. Losing the file costs the numbers and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_NAME: Final = "listed"


def numbers(state: Path) -> tuple[str, ...]:
    """The ids of the last listing, in its order; none where nothing was listed."""
    try:
        return tuple((state / _NAME).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def keep_numbers(state: Path, ids: Iterable[str]) -> None:
    """Makes these the numbers. A folder that cannot be written can be listed all the same, without numbers."""
    new = state / f"{_NAME}.{os.urandom(4).hex()}.new"
    try:
        new.write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
        new.replace(state / _NAME)
    except OSError:
        new.unlink(missing_ok=True)
