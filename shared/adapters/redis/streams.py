"""StreamCounter on Redis: of each key a hash from process to count, and of each process a key that expires unless the
process says that it lives. All have one hash tag: a script takes several of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis

from shared.adapters.redis.connection import errors_mapped, impatient_pool
from shared.adapters.redis.scripts import script
from shared.settings import Settings

_PREFIX: Final = "ht:{streams}:"
_LIVES: Final = f"{_PREFIX}process:"
LIVES_SECONDS: Final = 60.0
KEPT_SECONDS: Final = 86_400.0
"""What nobody enters or leaves for so long is forgotten. A process counts again more often than that."""
_ANSWER_SECONDS: Final = 0.5
"""Whoever opens a stream waits no longer for its count."""
_CONNECTIONS: Final = 16
_KEYS_AT_ONCE: Final = 500


class RedisStreamCounter:
    """On connections of its own, which give up soon: whoever asks has something to go on with. It connects when it is
    first used."""

    def __init__(self, settings: Settings, *, lives_seconds: float = LIVES_SECONDS) -> None:
        self._redis: Redis = Redis(
            connection_pool=impatient_pool(settings, _ANSWER_SECONDS, connections=_CONNECTIONS)
        )
        self._enter = self._redis.register_script(script("enter_streams"))
        self._add = self._redis.register_script(script("add_streams"))
        self._lives_ms = int(lives_seconds * 1000)

    async def lives(self, process: str, *, begins: bool = False) -> bool:
        with errors_mapped():
            return bool(await self._redis.set(_LIVES + process, "1", px=self._lives_ms, nx=begins, xx=not begins))

    async def enter(self, process: str, bounds: Mapping[str, int]) -> str | None:
        keys = list(bounds)
        arguments: list[str | int] = [process, int(KEPT_SECONDS * 1000), _LIVES, *(bounds[key] for key in keys)]
        with errors_mapped():
            full = int(await self._enter(keys=[_PREFIX + key for key in keys], args=arguments))
        return keys[full - 1] if full else None

    async def add(self, process: str, counts: Mapping[str, int]) -> None:
        keys = list(counts)
        for begin in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[begin : begin + _KEYS_AT_ONCE]
            arguments: list[str | int] = [process, int(KEPT_SECONDS * 1000), *(counts[key] for key in some)]
            with errors_mapped():
                await self._add(keys=[_PREFIX + key for key in some], args=arguments)

    async def ends(self, process: str) -> None:
        with errors_mapped():
            await self._redis.delete(_LIVES + process)

    async def close(self) -> None:
        """Gives back the connections."""
        await self._redis.aclose(close_connection_pool=True)
