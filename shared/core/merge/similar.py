"""Which value is a changed form of which other: for a key that was renamed, an element that was edited.

The measure is Dice's coefficient over leaves (L. R. Dice, "Measures of the Amount of Ecologic Association
Between Species", 1945): twice the common ones over all of both. It is a guess, so it is made only where few
candidates stand against each other and one of them is clearly the best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, TypeVar

from shared.core.json.canonical import CONTAINERS, JsonValue
from shared.core.json.values import Key, Keys, Value, is_number, is_strong
from shared.core.merge.version_strings import version_order

MAX_LEAVES: Final = 256
"""A value with more is like no other: reading on would cost more than the guess is worth."""
MAX_PAIRS: Final = 64
"""With more pairs to compare, none is compared."""
MAX_OTHERS: Final = 256

EDITED: Final = 0.5
"""The least likeness of an element and its edited form."""
RENAMED: Final = 0.75
"""The least likeness of what stood under a key and what stands under the new one."""
WEAK_LEAVES: Final = 8
"""So many common leaves prove as much as one strong value."""

TELLING_LENGTH: Final = 6
"""Characters of a string that proves a field to be another that was renamed, if nothing else has it."""
TELLING_NUMBER: Final = 100

A = TypeVar("A", bound=Hashable)
B = TypeVar("B", bound=Hashable)
Leaves = Counter[tuple[str, Key]]


def edited(before: Mapping[A, JsonValue], after: Mapping[B, JsonValue], keys: Keys) -> dict[A, B]:
    """Names of objects and arrays before -> after, where each is more like the other than like any else."""
    return _pairs(_all_leaves(before, keys), _all_leaves(after, keys), EDITED)


def renamed(
    before: Mapping[A, JsonValue], after: Mapping[B, JsonValue], others: Iterable[JsonValue], keys: Keys
) -> dict[A, B]:
    """As `edited`, with proof: enough in common, and nothing among `others` that is as like to the new one.

    The last is against records made from one template, which are all alike.
    """
    old, new = _all_leaves(before, keys), _all_leaves(after, keys)
    pairs = _pairs(old, new, RENAMED)
    pairs = {a: b for a, b in pairs.items() if _proves(old[a] & new[b])}
    if not pairs:
        return {}
    rest = list(others)
    if len(rest) > MAX_OTHERS:
        return {}
    siblings = _all_leaves(dict(enumerate(rest)), keys).values()
    return {
        a: b
        for a, b in pairs.items()
        if not any(_likeness(sibling, new[b]) >= _likeness(old[a], new[b]) for sibling in siblings)
    }


def renamed_leaves(base: Mapping[A, JsonValue], edited: Mapping[A, Value], new: Mapping[A, JsonValue]) -> dict[A, A]:
    """Old name -> new name of scalars that are in `base` once, and in `new` once, as they were or are edited."""
    times = Counter(value for value in base.values() if is_telling(value))
    versions = sum(version_order(value) is not None for value in base.values())
    come: dict[JsonValue, list[A]] = {}
    for name, value in new.items():
        if is_telling(value):
            come.setdefault(value, []).append(name)
    renames: dict[A, A] = {}
    for name, value in edited.items():
        was = base[name]
        # One of many versions is often equal to another's.
        if is_telling(was) and times[was] == 1 and (versions < 2 or version_order(was) is None):
            names = {*come.get(was, ()), *(come.get(value, ()) if is_telling(value) else ())}
            if len(names) == 1:
                renames[name] = names.pop()
    return {old: name for old, name in renames.items() if list(renames.values()).count(name) == 1}


def is_telling(value: Any) -> bool:
    """Whether a scalar is hardly the same by chance: booleans, null, small numbers and the shortest strings are."""
    if isinstance(value, str):
        return len(value) >= TELLING_LENGTH
    return is_number(value) and (abs(value) >= TELLING_NUMBER or value != int(value))


def _pairs(old: dict[A, Leaves], new: dict[B, Leaves], least: float) -> dict[A, B]:
    if len(old) * len(new) > MAX_PAIRS:
        return {}
    best_old: dict[A, tuple[float, B | None]] = {}
    best_new: dict[B, tuple[float, A | None]] = {}
    for a, leaves_a in old.items():
        for b, leaves_b in new.items():
            score = _likeness(leaves_a, leaves_b)
            if score >= least:
                _better(best_old, a, score, b)
                _better(best_new, b, score, a)
    return {a: b for a, (_, b) in best_old.items() if b is not None and best_new[b][1] == a}


def _better(best: dict[A, tuple[float, B | None]], name: A, score: float, of: B) -> None:
    """Keep the best; two that are equally good are as bad as none."""
    known = best.get(name)
    if known is None or score > known[0]:
        best[name] = score, of
    elif score == known[0]:
        best[name] = score, None


def _likeness(a: Leaves, b: Leaves) -> float:
    return 2 * (a & b).total() / (a.total() + b.total())


def _proves(common: Leaves) -> bool:
    return common.total() >= WEAK_LEAVES or any(is_strong(key) for _, key in common)


def _all_leaves(values: Mapping[A, JsonValue], keys: Keys) -> dict[A, Leaves]:
    """The leaves of the objects and arrays that are not empty and have few."""
    leaves = {}
    for name, value in values.items():
        if not value or not isinstance(value, CONTAINERS):
            continue
        known = keys.leaves.get(id(value))
        if known is None:
            known = keys.leaves[id(value)] = _leaves(value, keys), value
        if known[0] is not None:
            leaves[name] = known[0]
    return leaves


def _leaves(value: JsonValue, keys: Keys) -> Leaves | None:
    """Path and key of each leaf; members of arrays have no path of their own."""
    leaves: Leaves = Counter()
    rest = [("", value)]
    for read in range(2 * MAX_LEAVES):
        if not rest:
            return leaves
        if read + len(rest) > 2 * MAX_LEAVES:
            break
        path, value = rest.pop()
        if isinstance(value, CONTAINERS) and read + len(rest) + len(value) >= 2 * MAX_LEAVES:
            break  # before the members of something large are read, at every depth that it is seen from
        if isinstance(value, dict) and value:
            rest.extend((f"{path}/{key}", child) for key, child in value.items())
        elif isinstance(value, list) and value:
            rest.extend((f"{path}/", child) for child in value)
        else:
            leaves[path, keys.key(value)] += 1
    return None
