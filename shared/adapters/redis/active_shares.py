"""ActiveShares on Redis: one hash, from process to when it told something, and what. The key expires when nobody
tells anything any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import orjson
from redis.asyncio import Redis

from shared.adapters.redis.connection import errors_mapped, impatient_pool
from shared.adapters.redis.scripts import script
from shared.core.documents import SpaceId
from shared.ports.active_shares import TOLD_SECONDS
from shared.settings import Settings

_KEY: Final = "ht:active_shares"
MAX_PROCESSES: Final = 64
"""So many are listened to at most."""
_ANSWER_SECONDS: Final = 0.5


class RedisActiveShares:
    """On a connection of its own, which gives up soon: whoever asks has something to go on with. It connects when it
    is first used."""

    def __init__(self, settings: Settings, *, told_seconds: float = TOLD_SECONDS) -> None:
        self._redis: Redis = Redis(connection_pool=impatient_pool(settings, _ANSWER_SECONDS, connections=1))
        self._tell = self._redis.register_script(script("tell_shares"))
        self._told_ms = int(told_seconds * 1000)

    async def tell(self, process: str, asked: Mapping[SpaceId, int]) -> Mapping[SpaceId, int]:
        arguments: list[str | bytes | int] = [process, self._told_ms, MAX_PROCESSES, orjson.dumps(asked)]
        with errors_mapped():
            others = await self._tell(keys=[_KEY], args=arguments)
        counts: Counter[SpaceId] = Counter()
        for other in others:
            counts.update(orjson.loads(other))
        return counts

    async def close(self) -> None:
        """Gives back the connection."""
        await self._redis.aclose(close_connection_pool=True)
