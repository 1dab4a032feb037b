"""What clients call a revision.

A rev is `<sequence>.<history>-<hash>`, and `<sequence>.<history>-<hash>-deleted` is the tombstone over the body of
that hash. Without `.<history>` it is of the oldest history of its space (shared/core/index/lineage.py). If a version
is stored with the revision, `.<source>~<number in base 36>` follows for each source of it, but for the position
itself: so a client that brings the rev to a store that was put back tells what its state contains. Clients take it as
it is. It is unique, and it still tells the hash of a body that is long pruned.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import lru_cache
from typing import Final, NewType

from shared.core import protocol
from shared.core.documents import ContentHash, Epoch, SequenceNumber
from shared.core.frozen import frozen
from shared.core.index.lineage import in_base_36, without_origins
from shared.core.version_vectors import MAX_COUNTER, Source, Version, bounded

Rev = NewType("Rev", str)

CREATED: Final = Rev(protocol.CREATED)
MAX_REV_SOURCES: Final = 8
"""Sources that a rev names."""


@frozen
class RevParts:
    """A rev, taken apart. Two that differ in `version` alone name the same revision."""

    sequence: SequenceNumber
    hash: ContentHash
    """Of the body; for a tombstone, of the body that it buried: "" if there was none."""
    deleted: bool
    history: Epoch | None = None
    """None: the oldest of its space."""
    version: Version = field(default_factory=dict)
    """What the state contains; `{}`: what its position implies."""


_POSITION: Final = re.compile(
    rf"(\d{{1,19}})(?:\.([0-9a-z]{{1,64}}))?((?:\.[0-9a-z]{{1,64}}~[0-9a-z]{{1,11}}){{0,{MAX_REV_SOURCES}}})\Z",
    re.ASCII,
)


def make_rev(
    sequence: SequenceNumber,
    content: ContentHash,
    *,
    deleted: bool,
    history: Epoch | None = None,
    version: Version | None = None,
) -> Rev:
    """The rev of the revision that got `sequence`. `version`: as it is stored with it."""
    number = f"{sequence}.{history}" if history else str(sequence)
    if version is not None:
        own = {} if history is None else {Source(history): sequence}
        given = {source: count for source, count in version.items() if own.get(source) != count}
        given = bounded(without_origins(given), (), MAX_REV_SOURCES - 1)
        given |= {source: version.get(source, 0) for source, count in own.items() if version.get(source) != count}
        number += "".join(f".{source}~{in_base_36(count)}" for source, count in sorted(given.items()))
    return Rev(f"{number}-{content}-deleted" if deleted else f"{number}-{content}")


def plain_rev(sequence: SequenceNumber, content: ContentHash, history: Epoch) -> Rev:
    """The same of a live revision with which no version is stored: a page holds thousands."""
    return Rev(f"{sequence}.{history}-{content}")


@lru_cache(maxsize=4096)
def parse_rev(text: str) -> RevParts | None:
    """The parts of a rev; None for any other text, CREATED and a content hash among it."""
    number, dash, rest = text.partition("-")
    if not dash:
        return None
    content, mark_dash, mark = rest.partition("-")
    position = _POSITION.match(number)
    if position is None:
        return None
    if (mark != "deleted") if mark_dash else not content:
        return None
    history = Epoch(position[2]) if position[2] else None
    version: dict[Source, int] = {}
    if position[3]:
        counts = (count.split("~") for count in position[3].split(".")[1:])
        version = {Source(source): min(int(count, 36), MAX_COUNTER) for source, count in counts}
        if history is not None:
            version = {Source(history): int(position[1]), **version}
    return RevParts(SequenceNumber(int(position[1])), ContentHash(content), bool(mark_dash), history, version)
