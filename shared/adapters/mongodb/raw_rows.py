"""Rows of raw batches: made values when their turn comes, beside what else a process does."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from functools import lru_cache
from struct import Struct
from typing import Final

from bson import decode, decode_all, decode_iter

from shared.adapters.mongodb.client import CODEC, RAW, Row
from shared.core.documents import ContentHash, DocumentId, SpaceId

_SLICE_BYTES: Final = 128 * 1024
_HASH_ROW_BYTES: Final = 4 + (5 + 4 + 1 + 1) + (6 + 4 + 32 + 1) + 1
"""Of a row that `_hash_row` finds, without the names of its space and document."""
_LENGTH: Final = Struct("<i").unpack_from
"""Of the row that begins at an offset."""


async def in_thread_if_large(batch: bytes, take: Callable[[bytes], None]) -> None:
    """Others have their turn meanwhile."""
    if len(batch) <= _SLICE_BYTES:
        take(batch)
    else:
        await asyncio.to_thread(take, batch)


def hashes_in(batch: bytes, prefix: int) -> dict[DocumentId, ContentHash | None]:
    """Of heads that were asked for their hashes; `prefix`: characters of a key before the id. A row at a time would
    take three times as long."""
    return {DocumentId(row["_id"][prefix:]): row["hash"] if row["live"] else None for row in decode_all(batch)}


def live_in(batch: bytes, space: SpaceId) -> list[tuple[bytes, bytes]]:
    """The ids and hashes of heads that were asked for nothing else."""
    documents: list[tuple[bytes, bytes]] = _hash_row(space).findall(batch)
    size = sum([len(document) for document, _ in documents]) + len(documents) * (_HASH_ROW_BYTES + len(space))
    if size == len(batch):
        return documents
    # Not every row has the form, or not only rows: then the driver looks.
    prefix = len(space) + 1
    return [(row["_id"][prefix:].encode("ascii"), row["hash"].encode("ascii")) for row in decode_all(batch)]


@lru_cache(maxsize=16)
def _hash_row(space: SpaceId) -> re.Pattern[bytes]:
    """{"_id": "space/id", "hash": "..."} as BSON: a length, and two strings with their lengths. Making values of it
    takes twice as long."""
    key, value = rb"\x02_id\x00....%b/([^\x00]*)\x00", rb"\x02hash\x00\x21\x00\x00\x00([^\x00]{32})\x00"
    return re.compile(rb"...." + key % re.escape(space.encode("ascii")) + value + rb"\x00", re.DOTALL)


async def with_next_under_way(batches: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The batches; while one is looked at the next one is read. To be closed (`aclosing`): what is under way then
    uses the session, so its end is waited for."""
    rest = aiter(batches)
    upcoming = asyncio.create_task(_next(rest))
    try:
        while (batch := await upcoming) is not None:
            upcoming = asyncio.create_task(_next(rest))
            yield batch
    finally:
        await asyncio.gather(upcoming, return_exceptions=True)


async def _next(batches: AsyncIterator[bytes]) -> bytes | None:
    """None: there are no more."""
    return await anext(batches, None)


async def one_by_one(batches: AsyncIterable[bytes]) -> AsyncIterator[Row]:
    """The rows of raw batches."""
    async for piece in slices(batches):
        for row in decode_all(piece, CODEC):
            yield row


async def slices(batches: AsyncIterable[bytes], most: int | None = None) -> AsyncIterator[memoryview]:
    """The batches in pieces of whole rows, up to the row that reaches `most` bytes. Values take ten times their bytes
    or more: who makes them of a piece at a time holds few, and others have their turn between pieces."""
    begun, room = False, sys.maxsize if most is None else most
    async for batch in batches:
        for piece in _slices(batch, room):
            if begun:
                await asyncio.sleep(0)
            begun = True
            room -= len(piece)
            yield piece
        if room <= 0:
            return


def _slices(batch: bytes, most: int) -> Iterator[memoryview]:
    """Each of whole rows, and more than a row only up to a bound."""
    if len(batch) <= min(_SLICE_BYTES, most):
        if batch:
            yield memoryview(batch)
        return
    view = memoryview(batch)
    begin = end = 0
    while end < len(batch) and end < most:
        (length,) = _LENGTH(batch, end)
        if begin < end and end + length - begin > _SLICE_BYTES:
            yield view[begin:end]
            begin = end
        end += length
    if begin < end:
        yield view[begin:end]


async def sized(batches: AsyncIterable[bytes]) -> AsyncIterator[tuple[Row, int]]:
    """The same, each with its bytes, and made a value when its turn comes: for who may want no more of them."""
    since = 0
    async for batch in batches:
        for raw in decode_iter(batch, RAW):
            since += len(raw.raw)
            if since >= _SLICE_BYTES:
                since = 0
                await asyncio.sleep(0)
            yield decode(raw.raw, CODEC), len(raw.raw)
