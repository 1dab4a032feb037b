"""Who takes most of a worker's time rests while others have something to do.

A batch of a space that floods takes as long as hundreds of another one's, in the same interpreter and on the same
database. So after each of its batches it rests as long as that took: half of the time is for the others. A space that
is alone never rests.
"""

from __future__ import annotations

import time
from typing import Final

from shared.core.documents import SpaceId

_WINDOW_SECONDS: Final = 1.0
_MAX_REST_SECONDS: Final = 0.5
_SHARE: Final = 0.5


class TimeShares:
    """Of one worker process. Times are of a clock that never goes back, in seconds."""

    def __init__(self, now: float | None = None) -> None:
        self._taken: dict[SpaceId, float] = {}
        self._before: dict[SpaceId, float] = {}
        self._since = time.monotonic() if now is None else now

    def took(self, space: SpaceId, seconds: float, now: float | None = None) -> float:
        """A batch of the space took so long; how long the space should rest before the next one."""
        now = time.monotonic() if now is None else now
        self._turn(now)
        self._taken[space] = self._taken.get(space, 0.0) + seconds
        mine = self._taken[space] + self._before.get(space, 0.0)
        everything = sum(self._taken.values()) + sum(self._before.values())
        others = (self._taken.keys() | self._before.keys()) - {space}
        if not others or mine <= _SHARE * everything:
            return 0.0
        return min(seconds, _MAX_REST_SECONDS)

    def _turn(self, now: float) -> None:
        """The sums are of this window and the one before."""
        passed = now - self._since
        if passed >= _WINDOW_SECONDS:
            self._before = self._taken if passed < 2 * _WINDOW_SECONDS else {}
            self._taken, self._since = {}, now
