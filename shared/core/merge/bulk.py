"""Very many members of one kind, merged all at once: small lists that are not compared, and named records."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain, compress
from operator import and_, lt, methodcaller, ne, or_
from typing import Any, Final

from shared.core.json.canonical import MAX_SAFE_INTEGER, JsonValue
from shared.core.json.pointers import Place, escape
from shared.core.json.values import ABSENT, PLAIN, Value
from shared.core.merge import wide
from shared.core.merge.array_run import At, Members, Run
from shared.core.merge.arrays import segment_of
from shared.core.merge.conflicts import Side

_LISTS: Final = frozenset({list})


def lists(
    run: Run, at: At, names: Collection[Any], sides: tuple[Members, Members, Members], result: Members
) -> list[Any]:
    """Put in, of many names, those lists of scalars that both sides changed, not alike, and that are no sets, if no
    elements are compared. The other names. Raises TooManyArrays if they are too many to be compared."""
    every = list(names)
    columns: list[list[Any]] = [[side.get(name) for name in every] for side in sides]
    if len(every) <= wide.MANY or not all(_LISTS.issuperset(map(type, column)) for column in columns):
        return every
    if not PLAIN.issuperset(map(type, chain.from_iterable(chain(*columns)))):
        return every
    base, ours, theirs = columns
    repeats = [map(lt, map(len, map(set, column)), map(len, column)) for column in columns]
    changed = [list(map(ne, a, b)) for a, b in ((ours, theirs), (ours, base), (theirs, base))]
    any_repeats = list(repeats[1])
    if not all(any_repeats):
        any_repeats = list(map(or_, map(or_, any_repeats, repeats[0]), repeats[2]))
    chosen = list(map(and_, map(and_, map(and_, changed[0], changed[1]), changed[2]), any_repeats))
    decision = run.of_arrays(sum(chosen))
    if decision is None:
        return every
    side, rule = decision
    above, in_array = at.place.stable(), at.place.in_array
    for name, mine, other in zip(*(compress(column, chosen) for column in (every, ours, theirs)), strict=True):
        result[name], dropped = (mine, other) if side is Side.OURS else (other, mine)
        below = f"/{escape(name)}"
        where, rest = (at.place, below) if in_array else (above + below, "")
        run.note((where, result[name], dropped, rule, rest))
    return [name for name, is_chosen in zip(every, chosen, strict=True) if not is_chosen]


EVERY: Final = object()
"""What Records are called among the places of members."""


class Records:
    """Conflicts in members that a field names, told when it is known where these are in the result."""

    def __init__(self, above: Place) -> None:
        self.above = above
        self.rows: list[tuple[Any, str, Value, Value, str]] = []
        """Name, what follows in the pointer, what is kept and dropped, the rule."""
        self.indices: dict[Any, int] = {}

    def conflicts(self, known: dict[Place, str]) -> list[tuple[str, Value, Value, str]]:
        """Pointer into the result, what is kept and dropped, the rule."""
        above, indices = self.above.in_result(known), self.indices
        return [
            (f"{above}/{indices.get(name, '-')}{below}", kept, dropped, rule)
            for name, below, kept, dropped, rule in self.rows
        ]


def records(
    run: Run, at: At, named: str, sides: tuple[Members, Members, Members], result: Members
) -> tuple[list[Any], Records] | None:
    """Put in, of members that a field names, those that both sides edited, if all sides have the same ones, and all
    members the same few fields, which are scalars. The names of the others, and the conflicts; None of any others."""
    base, ours, theirs = sides
    if not base.keys() == ours.keys() == theirs.keys():
        return None
    members = [list(map(side.__getitem__, ours)) for side in sides]
    fields = [field for field in members[1][0] if field != named]  # that one is the same on all sides
    if not 0 < len(fields) <= wide.MANY or any({*map(len, column)} != {len(fields) + 1} for column in members):
        return None
    columns = [[list(map(methodcaller("get", field, ABSENT), column)) for column in members] for field in fields]
    if not all(PLAIN.issuperset(map(type, values)) for of_field in columns for values in of_field):
        return None
    by_ours, by_theirs = (
        list(map(any, zip(*(map(ne, of_field[side], of_field[0]) for of_field in columns), strict=True)))
        for side in (1, 2)
    )
    both = list(map(and_, by_ours, by_theirs))
    names = list(compress(ours, both))
    copies = list(map(dict.copy, compress(members[1], both)))
    edited = []
    for field, of_field in zip(fields, columns, strict=True):
        before, mine, other = (list(compress(values, both)) for values in of_field)
        by_theirs = list(map(and_, map(ne, other, before), map(ne, other, mine)))
        rows = zip(*(compress(values, by_theirs) for values in (names, copies, before, mine, other)), strict=True)
        edited += [(field, *row) for row in rows]
    if any(type(our) is type(their) is str and our != was for *_, was, our, their in edited):
        return None  # some strings are put together
    result.update(zip(names, copies, strict=True))
    conflicts = Records(at.place)
    _decide(run, conflicts, f"{at.place.stable()}/", named, edited)
    return [name for name, is_both in zip(ours, both, strict=True) if not is_both], conflicts


def _decide(
    run: Run,
    conflicts: Records,
    above: str,
    named: str,
    edited: Iterable[tuple[str, Any, Members, JsonValue, JsonValue, JsonValue]],
) -> None:
    """Of each edit of theirs: field, name, member of the result, ancestor, ours, theirs."""
    decide, note, to_ours = run.decide, conflicts.rows.append, Side.OURS
    for field, name, member, was, our, their in edited:
        if our == was:
            member[field] = their
            continue
        below = f"/{escape(field)}"
        side, rule = decide(f"{above}{_segment(named, name)}{below}", our, their)
        if side is to_ours:
            note((name, below, our, their, rule))
        else:
            member[field] = their
            note((name, below, their, our, rule))


def _segment(named: str, name: Any) -> str:
    if type(name) is int and -MAX_SAFE_INTEGER <= name <= MAX_SAFE_INTEGER:
        return f"{named}={name}"
    return escape(segment_of(named, name))
