"""Counting event streams, for limits that hold over all processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class StreamCounter(Protocol):
    """How many streams processes hold, by key. A process counts under a name, and only while it says that it lives:
    what one that has died held is nobody's soon. Errors: UnavailableError; then what was counted is not known."""

    async def lives(self, process: str, *, begins: bool = False) -> bool:
        """The process lives. False: it was forgotten, as it had not said so for too long; what it had counted is not
        counted any more, and it begins under another name. `begins`: with this name, which nobody has had."""
        ...

    async def enter(self, process: str, bounds: Mapping[str, int]) -> str | None:
        """Counts one more of each key, and returns None, unless of one of them there are as many as its bound, over
        all processes; then nothing is counted, and that key is returned. 0: any number. Whoever else enters at the
        same time, none goes beyond its bound."""
        ...

    async def add(self, process: str, counts: Mapping[str, int]) -> None:
        """Counts so many more of each key, or fewer, whatever the bounds are. It is never less than none."""
        ...

    async def ends(self, process: str) -> None:
        """It holds nothing any more."""
        ...
