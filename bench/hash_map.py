"""What the hash map of a space costs the server, without a database: `python -m bench.hash_map [documents]`.

CPU milliseconds of making the map from ids and hashes, of compressing it the first time, and then, after a write and
after a batch of 500, of bringing it up to date and compressing it again.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from api.http.codings import CODINGS
from api.reads.cached_hash_map import CachedHashMap
from shared.core.documents import ContentHash, DocumentId, Epoch, Position, SequenceNumber
from shared.core.index.hash_map import BucketedMap

T = TypeVar("T")

DOCUMENTS: Final = 1_000_000
CHANGES: Final = (1, 500)
EPOCH: Final = Epoch("bench")


def timed(what: str, work: Callable[[], T]) -> T:
    """Of this process, all its threads."""
    began = time.process_time()
    result = work()
    print(f"{what:50}{(time.process_time() - began) * 1e3:10.1f} ms", flush=True)
    return result


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    dice = random.Random(1)

    def changed(documents: range | list[int]) -> dict[DocumentId, ContentHash]:
        return {DocumentId(f"t{number:08}"): ContentHash(dice.randbytes(16).hex()) for number in documents}

    hashes = changed(range(count))
    made = timed("made of ids and hashes", lambda: BucketedMap.of(Position(EPOCH, SequenceNumber(1)), hashes))
    listing = CachedHashMap(made)
    for coding in CODINGS:
        body = timed(f"{coding}, the first time", lambda coding=coding: asyncio.run(listing.body(coding)))  # type: ignore[misc]
        print(f"{'':50}{sum(map(len, body)) / count:10.1f} bytes a document")
    for turn, changes in enumerate(CHANGES, 2):
        some = changed(dice.sample(range(count), changes))
        patched = timed(
            f"{changes} written: brought up to date",
            lambda before=listing.map, turn=turn, some=some: before.patched(
                Position(EPOCH, SequenceNumber(turn)), some
            )[0],  # type: ignore[misc]
        )
        listing = CachedHashMap(patched, listing)
        for coding in CODINGS:
            timed(
                f"{changes} written: {coding}",
                lambda listing=listing, coding=coding: asyncio.run(listing.body(coding)),  # type: ignore[misc]
            )


if __name__ == "__main__":
    main()
