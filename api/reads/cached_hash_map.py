"""The hash maps that a process answered with last, as texts in every coding, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, repeat
from operator import itemgetter
from typing import Final

from api.http.codings import GZIP, IDENTITY
from api.http.compression import compressed
from api.http.segments import joined, segment
from shared.core.documents import Position, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.index.reconciliation import Comparison, Fingerprint, Prefix, Tree

SEGMENTED_BYTES: Final = 1024 * 1024
"""A map whose text is longer is compressed bucket by bucket. It comes out some hundredths longer so; what is shorter
is compressed in a few milliseconds."""
_THREADS: Final = 2
"""That compress a map. Others need a processor, too."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring buckets, compressed: those whose prefixes differ in the last digit alone. Of a map of thousands of
    buckets some hundred groups are looked at, and sent as they are."""

    lead: bytes
    """A segment that stands before them, of a comma or of the brace."""
    texts: tuple[bytes, ...]
    ends: tuple[int, ...]
    """Of their segments in `data`, between which there are commas."""
    data: bytes

    def segments(self, comma: bytes) -> dict[bytes, bytes]:
        """By their texts."""
        begins = (len(self.lead), *(end + len(comma) for end in self.ends))
        return {text: self.data[b:e] for text, b, e in zip(self.texts, begins, self.ends, strict=False)}


_Groups = Mapping[str, _Group]
"""By what their prefixes begin with."""


class CachedHashMap:
    """One map, and its bodies as far as they were asked for."""

    def __init__(self, map_: BucketedMap, before: CachedHashMap | None = None) -> None:
        """`before`: the map that this one was patched from. It is not kept, but what was made of its buckets is."""
        self.map = map_
        self.text_bytes = map_.text_bytes
        self._before = before._tree if before is not None else None
        self._tree: Tree | None = None
        self._groups: dict[str, _Groups] = dict(before._groups) if before is not None else {}
        self._bodies: dict[str, list[bytes]] = {}
        self._compressing: dict[str, asyncio.Task[None]] = {}

    @property
    def position(self) -> Position:
        return self.map.position

    async def body(self, coding: str) -> list[bytes]:
        """The JSON object, in parts. Compressing costs much more than sending the buckets, so it is done once, for
        those too that ask meanwhile; and of a large map only for the buckets that are not as in the map before."""
        if coding == IDENTITY:
            return self.map.parts()
        if coding not in self._bodies:
            await asyncio.shield(self._begun(coding))
        return self._bodies[coding]

    def begin(self, coding: str) -> None:
        """Has it compressed for who will ask for that in a moment, if it is large."""
        if coding != IDENTITY and self.is_segmented:
            self._begun(coding)

    def _begun(self, coding: str) -> asyncio.Task[None]:
        task = self._compressing.get(coding)
        if task is None:
            task = self._compressing[coding] = asyncio.create_task(self._compress(coding))
            task.add_done_callback(lambda _: self._compressing.pop(coding, None))
        return task

    @property
    def is_segmented(self) -> bool:
        """Whether its compressed parts are those of the next map, too, but for what changes."""
        return self.text_bytes > SEGMENTED_BYTES

    async def _compress(self, coding: str) -> None:
        if self.is_segmented:
            self._bodies[coding] = await asyncio.to_thread(self._in_segments, coding)
        else:
            self._bodies[coding] = [await compressed(coding, self.map.parts())]

    def _in_segments(self, coding: str) -> list[bytes]:
        before, buckets = self._groups.get(coding, {}), self.map.buckets
        named = {
            name: tuple(map(buckets.__getitem__, prefixes))
            for name, prefixes in groupby(sorted(buckets), itemgetter(slice(None, -1)))
        }
        leads = chain([segment(coding, b"{")], repeat(segment(coding, b",")))
        known = map(before.get, named)
        if before:
            groups = list(map(_grouped, repeat(coding), leads, named.values(), known))
        else:
            # Most of this lets go of the interpreter, so two threads take less time than one.
            with ThreadPoolExecutor(_THREADS) as threads:
                groups = list(threads.map(_grouped, repeat(coding), leads, named.values(), known))
        self._groups[coding] = dict(zip(named, groups, strict=True))
        texts_of_all = self.map.parts() if coding == GZIP else ()
        parts = [group.data for group in groups]
        return joined(coding, texts_of_all, [*parts, segment(coding, b"}")])

    async def compare(self, asked: Mapping[Prefix, Fingerprint]) -> Comparison:
        """The map with another one, by ranges. It may take long, so it is done beside other requests. A map that was
        patched takes over what was added up for the one before."""
        return await asyncio.to_thread(self._compare, asked)

    def _compare(self, asked: Mapping[Prefix, Fingerprint]) -> Comparison:
        tree = self._tree
        if tree is None:
            tree = Tree(self.map, self._before.sums if self._before is not None else None)
            self._tree, self._before = tree, None
        return tree.compare(asked)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.text_bytes + sum(map(self._compressed_bytes, self._bodies.keys() | self._groups.keys()))

    def _compressed_bytes(self, coding: str) -> int:
        """Also of the map before, as far as it is kept."""
        if coding in self._bodies:
            return sum(map(len, self._bodies[coding]))
        current = set(map(id, self.map.buckets.values()))
        return sum(
            len(group.data) + sum(len(text) for text in group.texts if id(text) not in current)
            for group in self._groups[coding].values()
        )


def _grouped(coding: str, lead: bytes, texts: tuple[bytes, ...], before: _Group | None) -> _Group:
    """`before`: what was made of these buckets as they were."""
    if before is not None and before.lead == lead and before.texts == texts:
        return before
    comma = segment(coding, b",")
    known = before.segments(comma) if before is not None else {}
    segments = [known[text] if text in known else segment(coding, text) for text in texts]
    ends = accumulate((len(comma) + len(data) for data in segments), initial=len(lead) - len(comma))
    return _Group(lead, texts, tuple(ends)[1:], lead + comma.join(segments))


class CachedHashMaps:
    """The newest one of each space, the spaces that were asked for last."""

    def __init__(self, max_bytes: int) -> None:
        self._most = max_bytes
        self._known: OrderedDict[SpaceId, tuple[CachedHashMap, int]] = OrderedDict()
        self._size = 0

    def get(self, space: SpaceId) -> CachedHashMap | None:
        cached = self._known.get(space)
        if cached is None:
            return None
        self._known.move_to_end(space)
        return cached[0]

    def put(self, space: SpaceId, hash_map: CachedHashMap) -> None:
        """To be called again when a body was made: its size has changed."""
        _, old = self._known.pop(space, (None, 0))
        size = hash_map.size
        self._known[space] = hash_map, size
        self._size += size - old
        while self._size > self._most:
            _, (_, size) = self._known.popitem(last=False)
            self._size -= size
