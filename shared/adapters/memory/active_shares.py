"""ActiveShares in memory: of processes that share an event loop, as those of tests do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from shared.core.documents import SpaceId
from shared.ports.active_shares import TOLD_SECONDS


class MemoryActiveShares:
    """Says what was told since it was made."""

    def __init__(self, *, told_seconds: float = TOLD_SECONDS) -> None:
        self._told_seconds = told_seconds
        self._counts: dict[str, tuple[float, dict[SpaceId, int]]] = {}

    async def tell(self, process: str, asked: Mapping[SpaceId, int]) -> Mapping[SpaceId, int]:
        now = time.monotonic()
        self._counts[process] = now, dict(asked)
        self._counts = {name: one for name, one in self._counts.items() if now - one[0] <= self._told_seconds}
        others: Counter[SpaceId] = Counter()
        for name, (_, counts) in self._counts.items():
            if name != process:
                others.update(counts)
        return others
