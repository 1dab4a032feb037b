"""Members of an object, or of an array that a field names, that need no ceremony: scalars, additions, and objects of
a few scalars."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import not_
from typing import Any, NamedTuple

from shared.core.json.pointers import Place, escape
from shared.core.json.values import ABSENT, PLAIN
from shared.core.merge import bulk, wide
from shared.core.merge.array_run import At, Members, Run
from shared.core.merge.arrays import segment_of
from shared.core.merge.conflicts import Side


class Into(NamedTuple):
    """What comes of an object, or of the members of an array that a field names."""

    at: At
    named: str | None
    result: Members
    places: dict[Any, Any]
    free: bool
    """Whether there is one ancestor, and no policy says anything of the fields."""


def put(run: Run, into: Into, sides: tuple[Members, Members, Members], *, in_line: bool) -> Iterable[Any]:
    """Put in, of the ancestor, ours and theirs, what needs no ceremony: most fields. The names of the rest, which are
    put in only to have their order. `in_line`: as `wide.in_line`."""
    at, named, result, places, free = into
    base, ours, theirs = sides
    names: Collection[Any]
    if free and named is None and len(ours) > wide.MANY:
        edited, others = wide.settled(result, base, ours, theirs, same_names=in_line)
        both_edited(run, at, many_edited(run, at, edited, result), result)
        names = bulk.lists(run, at, others, result)
    elif (
        free
        and named is not None
        and len(ours) > wide.MANY
        and (records := bulk.records(run, at, named, sides, result)) is not None
    ):
        names, places[bulk.EVERY] = records
    else:
        names = every = wide.names_of(ours, theirs)
        result.update(every)
    left = []
    for key in names:
        our, their, before = ours.get(key, ABSENT), theirs.get(key, ABSENT), base.get(key, ABSENT)
        if type(our) in PLAIN and type(their) in PLAIN:
            if our == their or (type(before) in PLAIN and before == their):
                continue
            if type(before) in PLAIN and before == our:
                result[key] = their
                continue
            if free and named is None:
                both_edited(run, at, [(key, before, our, their)], result)
                continue
        elif free and before is ABSENT and (our is ABSENT or their is ABSENT):
            result[key] = their if our is ABSENT else our
            continue
        elif free and type(our) is type(their) is type(before) is dict:
            few = wide.few(before, our, their)
            if few is not None:
                result[key], by_both = few
                if by_both:
                    below = Place(
                        at.place, key if named is None else segment_of(named, key), of_array=named is not None
                    )
                    places[key] = below
                    both_edited(run, At(below, at.scope), by_both, result[key])
                continue
        left.append(key)
    return left


def many_edited(run: Run, at: At, edited: wide.Rows, result: Members) -> Iterable[wide.Edited]:
    """As `both_edited`, if they are very many. Those that are left: what is a string on both sides."""
    rows = zip(*edited, strict=True)
    if len(edited.names) <= wide.MANY:
        return rows
    if str not in set(map(type, edited.ours)) & set(map(type, edited.theirs)):
        bulk.fields(run, at, edited, result)
        return ()
    are_texts = [type(ours) is type(theirs) is str for _, _, ours, theirs in rows]
    bulk.fields(run, at, edited.where(list(map(not_, are_texts))), result)
    return zip(*edited.where(are_texts), strict=True)


def both_edited(run: Run, at: At, edited: Iterable[wide.Edited], result: Members) -> None:
    """Of an object, scalars that both sides edited, and of which no policy says anything: put into the result."""
    place = at.place
    above = place.stable()
    decide, record, to_ours = run.decide, run.note, Side.OURS
    for key, base, ours, theirs in edited:
        if type(ours) is str and type(theirs) is str:
            result[key] = run.atom(At(Place(place, key), at.scope), (base,), ours, theirs)
            continue
        below = f"/{escape(key)}"
        pointer = above + below
        side, rule = decide(pointer, ours, theirs)
        where, rest = (place, below) if place.in_array else (pointer, "")  # what a place is takes longer to tell
        if side is to_ours:
            result[key] = ours
            record((where, ours, theirs, rule, rest))
        else:
            result[key] = theirs
            record((where, theirs, ours, rule, rest))
