"""StreamCounter in memory: of processes that share an event loop, as those of tests do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class MemoryStreamCounter:
    """Nobody is forgotten but by `ends`."""

    def __init__(self) -> None:
        self._held: dict[str, Counter[str]] = {}

    async def lives(self, process: str, *, begins: bool = False) -> bool:
        if begins:
            self._held[process] = Counter()
        return process in self._held

    async def enter(self, process: str, bounds: Mapping[str, int]) -> str | None:
        for key, most in bounds.items():
            if most and sum(held[key] for held in self._held.values()) >= most:
                return key
        await self.add(process, dict.fromkeys(bounds, 1))
        return None

    async def add(self, process: str, counts: Mapping[str, int]) -> None:
        held = self._held.get(process, Counter())
        for key, count in counts.items():
            held[key] = max(held[key] + count, 0)

    async def ends(self, process: str) -> None:
        self._held.pop(process, None)
