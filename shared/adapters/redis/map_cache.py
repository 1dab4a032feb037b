"""The hash-map cache on Redis. What is in a cached map may be garbage, so nothing about it is taken for granted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from collections.abc import Set as AbstractSet
from typing import Any, Final, cast

import orjson
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

from shared.adapters.redis.connection import errors_mapped
from shared.adapters.redis.keys import space_key
from shared.adapters.redis.scripts import script
from shared.core.documents import Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap, digest_of

MAP_TTL_MS: Final = 7 * 24 * 3600 * 1000
BUILD_LEASE_MS: Final = 10_000
"""How long the others wait for a builder that says nothing. It is renewed by nobody: a build that takes
longer is repeated by another process, which costs time and nothing else."""

_CALLED_SECONDS: Final = 3
"""How long each of the others waits to be called before it looks. It stays under the socket's time."""


class RedisHashMapCache:
    """HashMapCache on Redis: one Redis hash a space.

    A field for each bucket, and `seal`: "epoch:sequence:form:digits:" and the digest of each bucket, with a digest
    of its own. So a map that was garbled, cut short or mixed from two states is seen for what it is. An old map
    that is intact is not a fault: its position says how old it is.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._replace = redis.register_script(script("replace_map"))
        self._patch = redis.register_script(script("patch_map"))

    async def load(self, space: SpaceId) -> BucketedMap | None:
        with errors_mapped():
            try:
                fields = await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(space_key(space, "map")))
            except ResponseError:  # the key holds something else
                return None
        return await asyncio.to_thread(_unpack, fields)  # a large one takes a while

    async def replace(self, space: SpaceId, new: BucketedMap) -> None:
        arguments: list[Any] = [MAP_TTL_MS, new.position.epoch, new.position.sequence, "seal", _seal(new)]
        for prefix, members in new.buckets.items():
            arguments += [prefix, members]
        await self._run(self._replace, space, arguments)

    async def patch(self, space: SpaceId, old: Position, new: BucketedMap, touched: AbstractSet[str]) -> None:
        gone = [prefix for prefix in touched if prefix not in new.buckets]
        arguments: list[Any] = [MAP_TTL_MS, _prefix(old), len(gone), *gone, "seal", _seal(new)]
        for prefix in touched:
            if prefix in new.buckets:
                arguments += [prefix, new.buckets[prefix]]
        await self._run(self._patch, space, arguments)

    async def build(self, space: SpaceId) -> RedisBuilderLock:
        return RedisBuilderLock(self._redis, space)

    async def _run(self, script: AsyncScript, space: SpaceId, arguments: list[Any]) -> None:
        key = space_key(space, "map")
        with errors_mapped():
            try:
                await script(keys=[key], args=arguments)
            except ResponseError:  # the key holds something else, or a seal that Lua cannot read
                await self._redis.delete(key)


class RedisBuilderLock:
    """BuilderLock on Redis: a lock with a token, and a latch that the others block on until the builder is done."""

    def __init__(self, redis: Redis, space: SpaceId) -> None:
        self._redis = redis
        self._lock = space_key(space, "map:build")
        self._space = space
        self._token = secrets.token_hex(8)
        self._mine = False

    async def __aenter__(self) -> bool:
        with errors_mapped():
            taken = await self._redis.set(self._lock, self._token, nx=True, px=BUILD_LEASE_MS)
            if taken:
                self._mine = True
                return True
            other = cast("bytes | None", await self._redis.get(self._lock))
            if other is not None:
                latch = self._latch(other.decode("utf-8", "replace"))
                # Moving the element onto the same list leaves it there for the next one who waits.
                await cast("Awaitable[bytes | None]", self._redis.blmove(latch, latch, _CALLED_SECONDS))
        return False

    async def __aexit__(self, *exc: object) -> None:
        if self._mine:
            with errors_mapped():
                done = self._redis.register_script(script("finish_build"))
                await done(keys=[self._lock, self._latch(self._token)], args=[self._token])

    def _latch(self, token: str) -> str:
        return space_key(self._space, f"map:built:{token}")


def _prefix(position: Position) -> bytes:
    return f"{position.epoch}:{position.sequence}:".encode("ascii")


_FORM: Final = b"3"
"""Of a seal. A map whose seal an older release made is not taken for one of ours."""


def _seal(map_: BucketedMap) -> bytes:
    digests = orjson.dumps(map_.digests, option=orjson.OPT_SORT_KEYS)
    content = b"%s%s:%d:%s" % (_prefix(map_.position), _FORM, map_.digits, digests)
    return content + digest_of(content).encode("ascii")


def _unpack(fields: dict[bytes, bytes]) -> BucketedMap | None:
    seal = fields.pop(b"seal", b"")
    try:
        epoch, sequence, _, digits, _ = seal.split(b":", 4)
        position = Position(Epoch(epoch.decode("ascii")), SequenceNumber(int(sequence)))
        buckets = {name.decode("ascii"): members for name, members in fields.items()}
        hash_map = BucketedMap.made(position, int(digits), buckets)
    except ValueError:
        return None
    return hash_map if _seal(hash_map) == seal else None
