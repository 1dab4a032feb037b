"""Objects of many fields: the scalars in them that need no decision, all at once, at the speed of C."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, compress, repeat
from operator import and_, ne, not_
from typing import Any, Final, NamedTuple

from shared.core.json.canonical import JsonValue
from shared.core.json.values import ABSENT, PLAIN, Absent, Value
from shared.core.merge.array_run import Members

MANY: Final = 32
"""Fewer fields are sooner looked at one by one."""

_COMPARABLE: Final = PLAIN | {Absent}


class Rows(NamedTuple):
    """Names, and what each has in the ancestor, in ours and in theirs."""

    names: list[Any]
    base: list[Value]
    ours: list[Any]
    theirs: list[Any]

    def where(self, chosen: Sequence[bool]) -> Rows:
        """Those that are chosen."""
        return Rows(*(list(compress(column, chosen)) for column in self))


Edited = tuple[Any, Value, JsonValue, JsonValue]
"""One row."""


NONE: Final = Rows([], [], [], [])


def in_line(base: Members, ours: Members, theirs: Members) -> bool:
    """Whether all three have the same names in the same order, and many."""
    if not MANY < len(base) == len(ours) == len(theirs):
        return False
    names = list(ours)
    return names == list(base) and names == list(theirs)


def names_of(ours: Members, theirs: Members) -> Members:
    """An object with the names that either has, in order; ours, where both have one."""
    return ours if have_same_names(ours, theirs) else {**ours, **theirs, **ours}


def have_same_names(a: Members, b: Members) -> bool:
    """Whether both have the same names. In the same order is seen soonest."""
    return (len(a) == len(b) > MANY and list(a) == list(b)) or a.keys() == b.keys()


def settled(result: Members, base: Members, ours: Members, theirs: Members, *, same_names: bool) -> tuple[Rows, Rows]:
    """Put the scalars that one side edited at most into the result, which is empty. The scalars that both edited, and
    not alike; and all others. Both are put in for their order. `same_names`: as `in_line` tells."""
    every = ours if same_names else names_of(ours, theirs)
    if same_names:
        rows = Rows(list(every), *(list(side.values()) for side in (base, ours, theirs)))
    else:
        rows = Rows(list(every), *(list(map(side.get, every, repeat(ABSENT))) for side in (base, ours, theirs)))
    result.update(every)
    others = NONE
    fitting = _COMPARABLE, PLAIN, PLAIN  # of booleans Python's == tells too many equal
    if not all(known.issuperset(map(type, column)) for known, column in zip(fitting, rows[1:], strict=True)):
        one, two, three = (
            map(known.__contains__, map(type, column)) for known, column in zip(fitting, rows[1:], strict=True)
        )
        plain = list(map(and_, map(and_, one, two), three))
        others, rows = rows.where(list(map(not_, plain))), rows.where(plain)
    rows = rows.where(list(map(ne, rows.theirs, rows.base)))
    by_ours = list(map(ne, rows.ours, rows.base))
    if not any(by_ours):
        result.update(zip(rows.names, rows.theirs, strict=True))
        return NONE, others
    if not all(by_ours):
        alone = list(map(not_, by_ours))
        result.update(zip(compress(rows.names, alone), compress(rows.theirs, alone), strict=True))
    return rows.where(list(map(and_, by_ours, map(ne, rows.ours, rows.theirs)))), others


def few(base: Members, ours: Members, theirs: Members) -> tuple[Members, list[Edited]] | None:
    """Of three objects with the same few fields, all of them scalars, ours with what theirs alone edited, and what
    both did. None for others, and where one side edited nothing."""
    if len(ours) > MANY or not ours.keys() == theirs.keys() == base.keys():
        return None
    if not PLAIN.issuperset(map(type, chain(ours.values(), theirs.values(), base.values()))):
        return None  # before they are compared: what is nested would be read at every depth
    if base in (ours, theirs):
        return None
    result = dict(ours)
    edited: list[Edited] = []
    for name, mine in ours.items():
        other = theirs[name]
        if other == mine:
            continue
        before = base[name]
        if mine == before:
            result[name] = other
        elif other != before:
            edited.append((name, before, mine, other))
    return result, edited
