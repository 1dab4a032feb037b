"""Very many members of one kind, merged at once: plain fields, small lists that are not compared, named records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, compress
from operator import and_, eq, itemgetter, lt, ne, not_, or_
from typing import Any, Final, NamedTuple

from shared.core.json.canonical import MAX_SAFE_INTEGER, JsonValue
from shared.core.json.pointers import Place, escape
from shared.core.json.values import ABSENT, PLAIN, Value
from shared.core.merge import wide
from shared.core.merge.array_run import At, Members, Run
from shared.core.merge.arrays import segment_of
from shared.core.merge.conflicts import Decide, Side, elsewhere
from shared.core.merge.wide import Rows

_LISTS: Final = frozenset({list})


class Standing(NamedTuple):
    """What stands at very many places, what does not, and why."""

    kept: list[JsonValue]
    dropped: list[JsonValue]
    rules: list[str]


def _standing(decide: Decide, pointers: list[str], ours: list[JsonValue], theirs: list[JsonValue]) -> Standing:
    decisions, to_ours = list(map(decide, pointers, ours, theirs)), Side.OURS
    mine = [side is to_ours for side, _ in decisions]
    rules = [rule for _, rule in decisions]
    if not any(mine):
        return Standing(theirs, ours, rules)
    kept = [our if is_mine else their for is_mine, our, their in zip(mine, ours, theirs, strict=True)]
    dropped = [their if is_mine else our for is_mine, our, their in zip(mine, ours, theirs, strict=True)]
    return Standing(kept, dropped, rules)


def _alike(decide: Decide, ours: list[JsonValue], theirs: list[JsonValue]) -> Standing | None:
    """What stands at places that are no clocks, if it is known to be the same side's everywhere."""
    answer = elsewhere(decide)
    return None if answer is None else _of_one_side(answer, ours, theirs)


def _of_one_side(answer: tuple[Side, str], ours: list[JsonValue], theirs: list[JsonValue]) -> Standing:
    side, rule = answer
    kept, dropped = (ours, theirs) if side is Side.OURS else (theirs, ours)
    return Standing(kept, dropped, [rule] * len(ours))


class FieldConflicts:
    """Conflicts in fields of one object."""

    def __init__(self, above: Place, names: list[str]) -> None:
        self._above = above
        self._names = names
        self._segments = _escaped(names)
        self.pointers = list(map(f"{above.stable()}/".__add__, self._segments))
        """Stable ones."""
        self._standing = Standing([], [], [])

    def settle(self, run: Run, standing: Standing, result: Members) -> None:
        """Put in what stands; recorded."""
        self._standing = standing
        result.update(zip(self._names, standing.kept, strict=True))
        run.note((self, ABSENT, ABSENT, "", ""))

    def conflicts(self, known: dict[Place, str]) -> Iterable[tuple[str, Value, Value, str]]:
        """Pointer into the result, what is kept and dropped, the rule."""
        pointers: Iterable[str] = self.pointers
        if self._above.in_array:
            pointers = map(f"{self._above.in_result(known)}/".__add__, self._segments)
        return zip(pointers, *self._standing, strict=True)


def _escaped(names: list[str]) -> list[str]:
    every = "".join(names)
    return list(map(escape, names)) if "~" in every or "/" in every else names


def fields(run: Run, at: At, edited: Rows, result: Members) -> None:
    """Put in, of an object, very many scalars that both sides edited, none of them a string on both."""
    conflicts = FieldConflicts(at.place, edited.names)
    standing = _alike(run.decide, edited.ours, edited.theirs) if at.place.above else None  # the document has clocks
    if standing is None:
        standing = _standing(run.decide, conflicts.pointers, edited.ours, edited.theirs)
    conflicts.settle(run, standing, result)


def lists(run: Run, at: At, rows: Rows, result: Members) -> Sequence[Any]:
    """Put in, of many names, those lists of scalars that both sides changed, not alike, and that are no sets, if no
    elements are compared. The other names. Raises TooManyArrays if they are too many to be compared."""
    columns: list[list[Any]] = [rows.base, rows.ours, rows.theirs]
    if len(rows.names) <= wide.MANY or not all(_LISTS.issuperset(map(type, column)) for column in columns):
        return rows.names
    if not PLAIN.issuperset(map(type, chain.from_iterable(chain(*columns)))):
        return rows.names
    base, ours, theirs = columns
    repeats = [map(lt, map(len, map(set, column)), map(len, column)) for column in columns]
    changed = [list(map(ne, a, b)) for a, b in ((ours, theirs), (ours, base), (theirs, base))]
    any_repeats = list(repeats[1])
    if not all(any_repeats):
        any_repeats = list(map(or_, map(or_, any_repeats, repeats[0]), repeats[2]))
    chosen = list(map(and_, map(and_, map(and_, changed[0], changed[1]), changed[2]), any_repeats))
    decision = run.of_arrays(sum(chosen))
    if decision is None:
        return rows.names
    names, mine, other = (list(compress(column, chosen)) for column in (rows.names, ours, theirs))
    if names:
        FieldConflicts(at.place, names).settle(run, _of_one_side(decision, mine, other), result)
    return list(compress(rows.names, map(not_, chosen)))


EVERY: Final = object()
"""What RecordConflicts are called among the places of members."""


class RecordConflicts:
    """Conflicts in members that a field names, told when it is known where these are in the result."""

    def __init__(self, above: Place) -> None:
        self._above = above
        self.of_fields: list[tuple[str, list[Any], Standing]] = []
        """What follows in the pointer, the names of the members, what stands in them."""
        self.order: list[Any] = []
        """The names of all members of the result."""

    def conflicts(self, known: dict[Place, str]) -> Iterable[tuple[str, Value, Value, str]]:
        """Pointer into the result, what is kept and dropped, the rule."""
        return chain.from_iterable(
            self._of_field(self._above.in_result(known), *of_field) for of_field in self.of_fields
        )

    def _of_field(
        self, above: str, below: str, names: list[Any], standing: Standing
    ) -> Iterable[tuple[str, Value, Value, str]]:
        """In the order of the result: so they are hardly out of order when they are sorted."""
        if names == self.order:
            return zip([f"{above}/{index}{below}" for index in range(len(names))], *standing, strict=True)
        rows = list(map(dict(zip(names, range(len(names)), strict=True)).get, self.order))
        pointers = [f"{above}/{index}{below}" for index, row in enumerate(rows) if row is not None]
        there = [row for row in rows if row is not None]
        return zip(pointers, *(map(column.__getitem__, there) for column in standing), strict=True)


Sides = tuple[Members, Members, Members]
"""What the ancestor, ours and theirs have."""


def records(run: Run, at: At, named: str, sides: Sides, result: Members) -> tuple[list[Any], RecordConflicts] | None:
    """Put in, of members that a field names, those that both sides edited, if all sides have the same ones, and all
    members the same few fields, which are scalars. The names of the others, and the conflicts, which are recorded;
    None of any others."""
    base, ours, theirs = sides
    if not len(base) == len(ours) == len(theirs):
        return None
    first = ours if list(theirs) == list(base) else theirs  # in which order the result is, most likely
    columns = _columns(named, sides, first)
    if columns is None:
        return None
    by_ours, by_theirs = (
        _any_differ([(of_field[0], of_field[side]) for of_field in columns.values()]) for side in (1, 2)
    )
    both = list(map(and_, by_ours, by_theirs))
    edits = {field: _Edits.of(*(_where(both, values) for values in of_field)) for field, of_field in columns.items()}
    if any(edit.has_texts() for edit in edits.values()):
        return None  # some strings are put together
    names = _where(both, list(first))
    conflicts = RecordConflicts(at.place)
    above = f"{at.place.stable()}/"
    for field, edit in edits.items():
        those = _where(edit.conflict, names)
        below = f"/{escape(field)}"
        standing = _alike(run.decide, edit.ours, edit.theirs)
        if standing is None:
            standing = _standing(run.decide, _pointers(above, named, those, below), edit.ours, edit.theirs)
        conflicts.of_fields.append((below, those, standing))
    if len(names) < len(first):
        result.update(ours)
    result.update(zip(names, _members(named, names, (ours, theirs), edits, conflicts), strict=True))
    run.note((conflicts, ABSENT, ABSENT, "", ""))
    return list(compress(first, map(not_, both))), conflicts


def _where(chosen: list[bool], values: list[Any]) -> list[Any]:
    """Those that are chosen: most often all."""
    return values if all(chosen) else list(compress(values, chosen))


def _members(
    named: str, names: list[Any], sides: tuple[Members, Members], edits: dict[str, _Edits], conflicts: RecordConflicts
) -> list[JsonValue]:
    """What the members are that both sides edited."""
    ours, theirs = sides
    stands_theirs = all(
        len(those) == len(names) and standing.kept is edits[field].theirs
        for field, (_, those, standing) in zip(edits, conflicts.of_fields, strict=True)
    )
    if names and stands_theirs and _are_written_alike(sides):
        return list(map(theirs.__getitem__, names))
    copies: list[Any] = list(map(dict.copy, map(ours.__getitem__, names)))
    for (field, edit), (_, _, standing) in zip(edits.items(), conflicts.of_fields, strict=True):
        for chosen, values in ((edit.conflict, standing.kept), (edit.adopted, edit.by_theirs)):
            for member, value in zip(compress(copies, chosen), values, strict=True):
                member[field] = value
    return copies


def _are_written_alike(sides: tuple[Members, Members]) -> bool:
    """Whether the members of both sides have their fields in one order, and names that are not only equal."""
    types = [set(map(type, side)) for side in sides]
    if types[0] != types[1] or types[0] not in ({int}, {str}):
        return False
    fields = list(next(iter(sides[0].values())))
    return all(list(chain.from_iterable(side.values())) == fields * len(side) for side in sides)


def _columns(named: str, sides: Sides, first: Members) -> dict[str, list[list[Any]]] | None:
    """Of each field but the one that names them: what the members have, of the ancestor, ours and theirs, in the
    order of `first`, which is one of them. All have as many."""
    fields = [field for field in next(iter(sides[1].values())) if field != named]  # that is the same on all sides
    if not 0 < len(fields) <= wide.MANY or any({*map(len, side.values())} != {len(fields) + 1} for side in sides):
        return None
    by_side = []
    try:
        for side in sides:
            columns = [list(map(itemgetter(field), side.values())) for field in fields]
            if not all(PLAIN.issuperset(map(type, values)) for values in columns):
                return None
            by_side.append(columns if side is first else _in_order(first, side, columns))
    except KeyError:  # other members, or other fields
        return None
    return {field: [columns[at] for columns in by_side] for at, field in enumerate(fields)}


def _in_order(names: Members, side: Members, columns: list[list[Any]]) -> list[list[Any]]:
    """What the members of a side have, in the order of `names`. Each was read as it lies in memory: if they are read
    in another order it takes longer than that."""
    if len(columns) == 1:
        return [list(map(dict(zip(side, columns[0], strict=True)).__getitem__, names))]
    at = list(map(dict(zip(side, range(len(side)), strict=True)).__getitem__, names))
    return [list(map(values.__getitem__, at)) for values in columns]


def _any_differ(pairs: list[tuple[list[Any], list[Any]]]) -> list[bool]:
    """Of each row, whether the two differ in any of the pairs of columns."""
    first, *others = ([*map(ne, one, two)] for one, two in pairs)
    for differ in others:
        first = list(map(or_, first, differ))
    return first


class _Edits(NamedTuple):
    """Of one field, whether both sides edited it, and theirs alone; and what they have there."""

    conflict: list[bool]
    ours: list[JsonValue]
    theirs: list[JsonValue]
    adopted: list[bool]
    by_theirs: list[JsonValue]

    @classmethod
    def of(cls, base: list[JsonValue], ours: list[JsonValue], theirs: list[JsonValue]) -> _Edits:
        edited = list(map(and_, map(ne, theirs, base), map(ne, theirs, ours)))
        conflict = list(map(and_, edited, map(ne, ours, base)))
        if all(conflict):
            return cls(conflict, ours, theirs, [], [])
        adopted = list(map(and_, edited, map(eq, ours, base)))
        mine, other = (list(compress(values, conflict)) for values in (ours, theirs))
        return cls(conflict, mine, other, adopted, list(compress(theirs, adopted)))

    def has_texts(self) -> bool:
        """Whether both sides edited a string."""
        if str not in set(map(type, self.ours)):
            return False
        return (str, str) in set(zip(map(type, self.ours), map(type, self.theirs), strict=True))


def _pointers(above: str, named: str, names: list[Any], below: str) -> list[str]:
    """Stable pointers to what is in these members."""
    if set(map(type, names)) == {int} and min(names) >= -MAX_SAFE_INTEGER and max(names) <= MAX_SAFE_INTEGER:
        above = f"{above}{named}="
        return [f"{above}{name}{below}" for name in names]
    return [f"{above}{escape(segment_of(named, name))}{below}" for name in names]
