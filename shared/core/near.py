"""What a client that names no base was on: read from the states themselves.

A strong value is a string of at least 8 characters or a member of a set, at its path; that two states have one in
common proves that one comes from the other. Booleans, null, numbers, short strings and absence prove nothing.
The `id` is in every state of a document and is left out.

Laws (tests/unit/core/test_near.py):
    the order of the states that are given changes nothing
    pick leaves at least one of the states that have a body, and all of them where S shows nothing
    nearest finds a state that is S itself, and never one without a strong value in common with S
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from shared.core.canonical import canonical
from shared.core.clock import CLOCK_POINTERS
from shared.core.documents import Body
from shared.core.memory import ValueKey, value_key
from shared.core.merge import differing_paths, strong_values

Strong = frozenset[tuple[str, str | bytes]]
"""(path, value): strings as they are, members of sets that are something else in canonical form."""


def differing(a: Body, b: Body) -> int:
    """How many paths differ, the clock aside; against {} all paths of `a`."""
    return sum(path not in CLOCK_POINTERS for path in differing_paths(a, b))


def strong(body: Body) -> Strong:
    """The strong values of a state."""
    return frozenset(
        (path, value if isinstance(value, str) else canonical(value))
        for path, value in strong_values(body)
        if path != "/id" and path not in CLOCK_POINTERS
    )


@lru_cache(maxsize=4096)
def key_of(path: str, value: str | bytes) -> ValueKey:
    """The stored name of one strong value."""
    return value_key(path, value if isinstance(value, str) else [value.decode()])


def keys_of(values: Strong) -> frozenset[ValueKey]:
    """The stored names of strong values."""
    return frozenset(key_of(path, value) for path, value in values)


def pick(candidates: Sequence[Body], state: Body) -> list[Body]:
    """Of the states that a device may be on, those that `state` can come from, in the order given.

    One whose strong values in `state`, where the candidates differ, are a strict subset of another's is out.
    """
    shown = strong(state)
    every = [strong(body) for body in candidates]
    common = frozenset.intersection(*every) if every else frozenset()
    matches = [shown & values - common for values in every]
    return [
        body for body, mine in zip(candidates, matches, strict=True) if not any(mine < other for other in matches)
    ]


def new_strong(state: Body, bases: Iterable[Body]) -> Strong:
    """The strong values of `state` that none of the bases has: those of its edits."""
    return strong(state).difference(*(strong(base) for base in bases))


def nearest(state: Body, candidates: Iterable[Body]) -> list[Body]:
    """The states that `state` most likely comes from: all of those with the fewest differing paths.

    A candidate has a strong value in common with it, and differs in at most half its paths + 1.
    """
    shown = strong(state)
    limit = differing(state, {}) / 2 + 1
    found: list[Body] = []
    for candidate in candidates:
        if shown.isdisjoint(strong(candidate)):
            continue
        distance = differing(state, candidate)
        if distance < limit:
            limit, found = distance, [candidate]
        elif distance == limit:
            found.append(candidate)
    return found
