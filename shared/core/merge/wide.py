"""Objects of many fields: the scalars in them that need no decision, all at once, at the speed of C."""

from __future__ import annotations

from collections.abc import Collection
from itertools import compress, repeat
from operator import and_, ne
from typing import Any, Final, NamedTuple

from shared.core.json.canonical import JsonValue
from shared.core.json.values import ABSENT, PLAIN, Absent, Value
from shared.core.merge.array_run import Members

MANY: Final = 32
"""Fewer fields are sooner looked at one by one."""

_COMPARABLE: Final = PLAIN | {Absent}


def in_line(base: Members, ours: Members, theirs: Members) -> bool:
    """Whether all three have the same names in the same order, and many."""
    if not MANY < len(base) == len(ours) == len(theirs):
        return False
    names = list(ours)
    return names == list(base) and names == list(theirs)


def names_of(ours: Members, theirs: Members) -> Members:
    """An object with the names that either has, in order."""
    return ours if have_same_names(ours, theirs) else {**ours, **theirs}


def have_same_names(a: Members, b: Members) -> bool:
    """Whether both have the same names. In the same order is seen soonest."""
    return (len(a) == len(b) > MANY and list(a) == list(b)) or a.keys() == b.keys()


class Settled(NamedTuple):
    """The fields of an object."""

    result: Members
    """The scalars that one side edited at most; of the others the names, so that all have their order."""
    edited: list[tuple[Any, Value, JsonValue, JsonValue]]
    """The scalars that both edited, and not alike: name, ancestor, ours, theirs."""
    others: list[Any]
    """The names of what is not a scalar on both sides."""


def settled(base: Members, ours: Members, theirs: Members, *, same_names: bool) -> Settled:
    """`same_names`: whether all three have the same ones, in the same order."""
    every = ours if same_names else names_of(ours, theirs)
    names: Collection[Any] = every
    columns: list[list[Value]]
    if same_names:
        columns = [list(side.values()) for side in (base, ours, theirs)]
    else:
        columns = [list(map(side.get, every, repeat(ABSENT))) for side in (base, ours, theirs)]
    result: Members = dict(ours) if every is ours else {**every, **ours}
    edited: list[tuple[Any, Value, JsonValue, JsonValue]] = []
    others: list[Any] = []
    fitting = _COMPARABLE, PLAIN, PLAIN  # of booleans Python's == tells too many equal
    if not all(known.issuperset(map(type, column)) for known, column in zip(fitting, columns, strict=True)):
        one, two, three = (
            map(known.__contains__, map(type, column)) for known, column in zip(fitting, columns, strict=True)
        )
        plain = list(map(and_, map(and_, one, two), three))
        others = [name for name, is_plain in zip(names, plain, strict=True) if not is_plain]
        columns = [list(compress(column, plain)) for column in columns]
        names = list(compress(names, plain))
    by_theirs = list(map(ne, columns[2], columns[0]))
    for row in zip(*(compress(column, by_theirs) for column in (names, *columns)), strict=True):
        name, before, mine, other = row
        if mine == before:
            result[name] = other
        elif mine != other:
            edited.append(row)
    return Settled(result, edited, others)
