"""Which hash map a device has acknowledged, on Redis."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from redis.asyncio import Redis

from shared.adapters.redis.connection import errors_mapped
from shared.adapters.redis.keys import acknowledgements_key
from shared.adapters.redis.scripts import script
from shared.core.documents import DeviceId, SequenceNumber, SpaceId
from shared.core.resolution.context import AcknowledgedMap

_TTL_MS: Final = 30 * 24 * 3600 * 1000


class RedisMapAcknowledgements:
    """MapAcknowledgements on Redis: a small hash for each device, which is forgotten when it stays away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._listed = redis.register_script(script("note_listed"))

    async def listed(self, space: SpaceId, device: DeviceId, at: float, sequence: SequenceNumber) -> None:
        with errors_mapped():
            await self._listed(keys=[acknowledgements_key(space, device)], args=[repr(at), sequence, _TTL_MS])

    async def posted(
        self, senders: Collection[tuple[SpaceId, DeviceId]]
    ) -> dict[tuple[SpaceId, DeviceId], AcknowledgedMap]:
        acknowledged: dict[tuple[SpaceId, DeviceId], AcknowledgedMap] = {}
        with errors_mapped():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for space, device in senders:
                    # As text: a script object asks in a call of its own whether the server knows it.
                    pipeline.eval(script("note_posted"), 1, acknowledgements_key(space, device))
                answers = await pipeline.execute()
        for sender, (at, sequence) in zip(senders, answers, strict=True):
            if at is not None and sequence is not None:
                acknowledged[sender] = AcknowledgedMap(float(at), SequenceNumber(int(sequence)))
        return acknowledged
