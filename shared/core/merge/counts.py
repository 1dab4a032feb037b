"""How often each element is there, in sequences of which many have the same few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from typing import Final

from shared.core.json.values import Key

LONG: Final = 1_000
COUNTED: Final = 4
"""So few keys are counted one by one, sooner than all, in more than LONG."""


def counted(keys: Sequence[Key]) -> Counter[Key]:
    """How often each key is there. The same few in a long sequence are counted one by one, sooner than all."""
    if len(keys) > LONG and len(set(keys[:LONG])) <= COUNTED:
        distinct = set(keys)
        if len(distinct) <= COUNTED:
            common = keys[len(keys) // 2]  # is counted soonest: it is mostly identical, and need not be compared
            last, *others = (distinct - {common}) or {common}
            counts = Counter({key: keys.count(key) for key in (common, *others)})
            counts[last] += len(keys) - counts.total()
            return counts
    return Counter(keys)


def counted_of(keys: Sequence[Key], those: Set[Key]) -> Counter[Key]:
    """How often each of these is there; perhaps of others too."""
    return Counter({key: keys.count(key) for key in those}) if len(those) <= COUNTED else Counter(keys)
