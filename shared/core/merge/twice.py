"""What both sides of an array inserted, or removed, each at another place: it is there once, or gone once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shared.core.json.canonical import CONTAINERS, JsonValue
from shared.core.json.values import Key, is_strong
from shared.core.merge.arrays import Keyed
from shared.core.merge.counts import COUNTED, counted, counted_of, last_of


class Alone(NamedTuple):
    """A stretch that one side alone inserted, or removed."""

    by_ours: bool
    inserted: bool
    at: int
    """Where it stands in the result, or would."""
    stretch: Keyed


def too_often(
    alone: Sequence[Alone], base: Keyed, ours: Keyed, theirs: Keyed, keys_of_result: Callable[[], Sequence[Key]]
) -> tuple[Counter[Key], Counter[Key]]:
    """What is in the result too often, and not often enough, because each side did the same elsewhere."""
    done = {(by_ours, inserted): Counter[Key]() for by_ours in (True, False) for inserted in (True, False)}
    strong: dict[bool, set[Key]] = {True: set(), False: set()}
    for by_ours, inserted, _, stretch in alone:
        counts = counted(stretch.keys)
        done[by_ours, inserted].update(counts)
        if inserted:  # what is hardly equal by chance may as well be in the place of something else
            strong[not by_ours].update(_telling(stretch, counts))
    for by_ours, those in strong.items():
        if those:
            new = counted((ours if by_ours else theirs).keys) - counted(base.keys)
            done[by_ours, True] |= Counter({key: new[key] for key in those})
    drop, add = (done[True, inserted] & done[False, inserted] for inserted in (True, False))
    if drop or add:
        those = drop.keys() | add.keys()
        result, here, there = (counted_of(keys, those) for keys in (keys_of_result(), ours.keys, theirs.keys))
        drop &= result - (here | there)
        add &= (here & there) - result
    return drop, add


def _telling(stretch: Keyed, counts: Counter[Key]) -> list[Key]:
    """The keys of what is hardly equal by chance."""
    if stretch.keys is stretch.array:
        return [key for key in counts if is_strong(key)]
    return [key for key, value in dict(zip(stretch.keys, stretch.array, strict=True)).items() if _is_telling(value)]


def _is_telling(element: JsonValue) -> bool:
    """Whether two of these are hardly equal by chance."""
    return is_strong(element) or (isinstance(element, CONTAINERS) and bool(element))


def last(keys: Sequence[Key], counts: Counter[Key], at: int = 0) -> Sequence[int]:
    """The last indices of the keys that are counted, so many of each, the greatest first, `at` added to each; they
    are taken off."""
    left = counts.total()
    indices: list[int] = []
    if not left or counts.keys().isdisjoint(keys):
        return indices
    if len(counts) <= COUNTED:  # each at the speed of C
        for key, count in counts.items():
            taken = last_of(keys, key, count, at)
            counts[key] -= len(taken)
            indices += taken
        indices.sort(reverse=True)
        return indices
    for index in range(len(keys) - 1, -1, -1):
        key = keys[index]
        if counts[key] > 0:
            counts[key] -= 1
            indices.append(at + index)
            left -= 1
            if not left:
                break
    return indices
