"""Which edits of a document a state contains: a version vector.

A *source* is a place that numbers what happens in it: a folder (its replica id, made once for each folder) or a
history of an upstream (`shared.core.index.lineage`). A version says, of each source, up to which number of that
source the state contains everything that happened to this document. A source that is not named counts as 0.

Laws (tests/unit/core/test_version_vectors.py):
    join is commutative, associative and idempotent, and `{}` changes nothing
    join(a, b) is the least version that includes both; meet(a, b) the greatest that both include
    includes is a partial order; two versions are equal if each includes the other
    maximal leaves out exactly what another one includes
    bounded never says more than what it was given
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NewType, TypeVar

Source = NewType("Source", str)
Version = Mapping[Source, int]

T = TypeVar("T")

MAX_SOURCES: Final = 32
"""Sources that are stored with a state."""
MAX_SENT_SOURCES: Final = 64
"""Sources that a request may name in one version."""
MAX_COUNTER: Final = 2**53 - 1
MAX_SOURCE: Final = 64
"""Characters of a source."""

_SOURCE: Final = re.compile(r"[0-9a-z]{1,64}\Z", re.ASCII)


def is_source(text: str) -> bool:
    """1 to 64 characters of 0-9 a-z. None of them means anything in a field's name of a database."""
    return _SOURCE.match(text) is not None


def includes(a: Version, b: Version) -> bool:
    """Whether a state of version `a` contains every edit that one of version `b` contains."""
    return all(a.get(source, 0) >= number for source, number in b.items())


def equal(a: Version, b: Version) -> bool:
    """Whether both contain the same edits."""
    return includes(a, b) and includes(b, a)


def unseen(a: Version, b: Version) -> int:
    """How many edits a state of version `a` contains, by their numbers, that one of version `b` does not."""
    return sum(max(0, number - b.get(source, 0)) for source, number in a.items())


def join(*versions: Version) -> dict[Source, int]:
    """What a state contains into which states of these versions were merged."""
    joined: dict[Source, int] = {}
    for version in versions:
        for source, number in version.items():
            if number > joined.get(source, 0):
                joined[source] = number
    return joined


def meet(a: Version, b: Version) -> dict[Source, int]:
    """What both contain."""
    return {source: min(number, b[source]) for source, number in a.items() if min(number, b.get(source, 0)) > 0}


def maximal(candidates: Iterable[tuple[Version, T]]) -> list[tuple[Version, T]]:
    """Those whose version no other one includes, in the order given; of equal versions all."""
    given = list(candidates)
    return [
        (version, value)
        for version, value in given
        if not any(includes(other, version) and not includes(version, other) for other, _ in given)
    ]


def bounded(version: Version, droppable: Sequence[Source], most: int = MAX_SOURCES) -> dict[Source, int]:
    """At most `most` sources: those of `droppable` go first, in its order, then the ones with the least numbers.

    A version that says less is never wrong: the state counts as one that lacks what is not named, so that what
    it is compared with is merged once more, which changes nothing.
    """
    kept = {source: number for source, number in version.items() if number > 0}
    excess = len(kept) - most
    if excess <= 0:
        return kept
    first = [source for source in droppable if source in kept]
    others = sorted(kept.keys() - set(first), key=lambda source: (kept[source], source))
    for source in [*first, *others][:excess]:
        del kept[source]
    return kept
