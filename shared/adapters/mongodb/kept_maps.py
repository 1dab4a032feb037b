"""Hash maps of spaces, kept beside their documents, for an API process that finds none elsewhere. What is read may be
of two maps, or half of one, for nothing is locked: so a row of its own says what all others must come to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from bson import Binary, decode, encode
from bson.errors import InvalidBSON
from pymongo.write_concern import WriteConcern

from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.documents import Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap, digest_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_TEXT_BYTES: Final = 4 * 1024 * 1024
"""Of a row, before it is compressed; and one bucket more."""
_LEVEL: Final = 1
_SEAL: Final = "seal"
_WAITS_FOR_NOTHING: Final = WriteConcern(w=1)
"""The last row of a map waits for all before it."""


class KeptMaps:
    """A map is some rows of about a megabyte each, and one that says where the space stood, and a digest of all. The
    names of the rows are those of the map before, which they take the place of: there are never two."""

    def __init__(self, mongo: Mongo) -> None:
        self._maps = mongo.database["hash_maps"]
        self._parts = self._maps.with_options(write_concern=_WAITS_FOR_NOTHING)
        self._spaces = mongo.database["spaces"]

    async def load(self, space: SpaceId) -> BucketedMap | None:
        """As `DocumentStore.kept_map`."""
        with errors_mapped():
            seal = await self._maps.find_one({"_id": f"{space}/{_SEAL}"})
            if seal is None:
                return None
            rows = await self._maps.find(_parts_from(space, 0)).to_list(None)
        return await asyncio.to_thread(_map_of, seal, rows)

    async def keep(self, space: SpaceId, map_: BucketedMap) -> None:
        """As `DocumentStore.keep_map`."""
        portions, number = _portions(map_), 0
        while (data := await asyncio.to_thread(next, portions, None)) is not None:
            with errors_mapped():
                part = {"space": space, "data": Binary(data)}
                await self._parts.replace_one({"_id": _part(space, number)}, part, upsert=True)
            number += 1
        with errors_mapped():
            await self._parts.delete_many(_parts_from(space, number))
            where = {"epoch": map_.position.epoch, "sequence": map_.position.sequence, "digits": map_.digits}
            seal = {"space": space, **where, "digest": _digest(map_)}
            await self._maps.replace_one({"_id": f"{space}/{_SEAL}"}, seal, upsert=True)
            # Whoever drops a space removes its row, and then once more its map.
            if await self._spaces.find_one({"_id": space}, {"_id": 1}) is None:
                await self.drop(space)

    async def drop(self, space: SpaceId) -> None:
        """Of a space that is no more, or will be none."""
        with errors_mapped():
            await self._maps.delete_many({"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}})


def _part(space: SpaceId, number: int) -> str:
    return f"{space}/{number:06}"


def _parts_from(space: SpaceId, number: int) -> Row:
    return {"_id": {"$gte": _part(space, number), "$lt": f"{space}/:"}}


def _portions(map_: BucketedMap) -> Iterator[bytes]:
    portion: dict[str, bytes] = {}
    size = 0
    for prefix, members in map_.buckets.items():
        portion[prefix] = members
        size += len(members)
        if size >= _TEXT_BYTES:
            yield zstd.compress(encode(portion), _LEVEL)
            portion, size = {}, 0
    if portion:
        yield zstd.compress(encode(portion), _LEVEL)


def _map_of(seal: Row, rows: Sequence[Row]) -> BucketedMap | None:
    buckets: dict[str, bytes] = {}
    try:
        position = Position(Epoch(seal["epoch"]), SequenceNumber(seal["sequence"]))
        for row in rows:
            buckets.update(decode(zstd.decompress(row["data"])))
        map_ = BucketedMap.made(position, seal["digits"], buckets)
        return map_ if _digest(map_) == seal["digest"] else None
    except (KeyError, TypeError, ValueError, InvalidBSON, zstd.ZstdError):
        return None


def _digest(map_: BucketedMap) -> str:
    """Of all that the map says, and of how it is divided."""
    digests = "".join(f":{prefix}:{map_.digests[prefix]}" for prefix in sorted(map_.digests))
    return digest_of(f"{map_.position.epoch}:{map_.position.sequence}:{map_.digits}{digests}".encode())
