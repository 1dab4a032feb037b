"""How often each element is there, in sequences of which many have the same few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from itertools import compress, islice, repeat
from operator import eq
from typing import Final

from shared.core.json.values import Key

LONG: Final = 1_000
COUNTED: Final = 4
"""So few keys are counted one by one, sooner than all, in more than LONG."""
PART: Final = 8_192
"""So many keys are looked at together: whether all are one and the same is seen sooner than which they are."""
MIXED: Final = 16
"""So many parts may have several keys; of more all is counted."""


def counted(keys: Sequence[Key]) -> Counter[Key]:
    """How often each key is there. The same few in a long sequence are counted one by one, sooner than all."""
    if _has_few(keys):
        counts = _in_parts(keys)
        if counts is not None:
            return counts
        those = set(keys)
        if len(those) <= COUNTED:
            common = keys[len(keys) // 2]  # is counted soonest: it is mostly identical, and need not be compared
            last, *others = (those - {common}) or {common}
            counts = Counter({key: keys.count(key) for key in (common, *others)})
            counts[last] += len(keys) - counts.total()
            return counts
    return Counter(keys)


def counted_of(keys: Sequence[Key], those: Set[Key]) -> Counter[Key]:
    """How often each of these is there; perhaps of others too."""
    if len(those) > COUNTED:
        return Counter(keys)
    counts = _in_parts(keys) if _has_few(keys) else None
    return Counter({key: keys.count(key) for key in those}) if counts is None else counts


def distinct(keys: Sequence[Key]) -> Iterable[Key]:
    """Each key that is there, and perhaps more than once."""
    counts = _in_parts(keys) if _has_few(keys) else None
    return keys if counts is None else counts


def last_of(keys: Sequence[Key], key: Key, count: int, at: int) -> list[int]:
    """The last indices of a key, so many if there are, the greatest first, `at` added to each."""
    indices: list[int] = []
    end = len(keys)
    while end and len(indices) < count:
        start = max(0, end - PART)
        part = keys[start:end]
        there = part.count(key)
        places: Iterable[int] = range(at + end - 1, at + start - 1, -1)
        if there < len(part):
            places = compress(places, map(eq, reversed(part), repeat(key))) if there else ()
        indices += islice(places, count - len(indices))
        end = start
    return indices


def _has_few(keys: Sequence[Key]) -> bool:
    """Whether it is long, and its first LONG are no more than COUNTED."""
    return len(keys) > LONG and len(set(keys[:LONG])) <= COUNTED


def _in_parts(keys: Sequence[Key]) -> Counter[Key] | None:
    """How often each key is there, if nearly all parts are one and the same key."""
    common = keys[len(keys) // 2]
    counts = Counter({common: 0})
    mixed = 0
    for start in range(0, len(keys), PART):
        part = keys[start : start + PART]
        if part.count(common) == len(part):
            counts[common] += len(part)
            continue
        mixed += 1
        if mixed > MIXED:
            return None
        counts.update(part)
    return counts
