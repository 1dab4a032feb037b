"""Which edits the file of a document contains: what a state carries from one upstream to another.

A folder with several upstreams hands states on. What an upstream has never seen may still be behind what it has: the
other folders brought the edits that followed on another way. So each state goes with its version
(shared/core/version_vectors.py), and an edit made here gets a number of this folder, which nothing else ever had.

Laws (tests/unit/client/sync/engine/test_versions.py):
    a file that is as it was known has the version that was known, and no new number
    what was agreed on with any upstream is contained in the file
    an ancestor is contained in the state that it is sent with
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from client.sync.engine.records import Ancestor
from shared.core.identifiers import ContentHash
from shared.core.version_vectors import Source, Version, includes, join


class FileVersion(NamedTuple):
    """What a file was last known to hold, and what that contains. `hash` None: it was deleted."""

    hash: ContentHash | None
    version: Version


class Agreed(NamedTuple):
    """What was agreed on with one upstream. `hash` None: that there is no document."""

    hash: ContentHash | None
    version: Version


def contained(known: FileVersion | None, agreed: Iterable[Agreed]) -> Version:
    """What the file contains, an edit that has no number so far aside."""
    return known.version if known is not None else join(*(one.version for one in agreed))


def is_edited(known: FileVersion | None, here: ContentHash | None, agreed: Sequence[Agreed]) -> bool:
    """Whether the file holds an edit that has no number so far. `here` None: it was deleted."""
    if known is not None:
        return known.hash != here
    return any(one.hash != here for one in agreed) or (not agreed and here is not None)


def numbered(version: Version, replica: Source, number: int) -> Version:
    """With an edit that was made here."""
    return join(version, {replica: number})


def arrived(known: FileVersion | None, answer: FileVersion, then: ContentHash | None) -> FileVersion:
    """When an answer was brought into the file, which holds `then` now: an edit that is in it beside the answer and
    what was known has no number so far."""
    version = join(known.version, answer.version) if known is not None else answer.version
    unchanged = known is not None and known.hash == then
    return FileVersion(then if unchanged else answer.hash, version)


def ancestors(version: Version, content: ContentHash | None, earlier: Iterable[Ancestor]) -> tuple[Ancestor, ...]:
    """Those that the state can be based on, each once, the newest first."""
    distinct: dict[tuple[ContentHash | None, frozenset[tuple[Source, int]]], Ancestor] = {}
    for one in earlier:
        if one.version and one.hash != content and includes(version, one.version):
            distinct[one.hash, frozenset(one.version.items())] = one
    return tuple(sorted(distinct.values(), key=lambda one: sum(one.version.values()), reverse=True))
