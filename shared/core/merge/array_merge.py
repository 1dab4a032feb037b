"""Three-way merge of arrays: sets, arrays of named members, and any other. `shared.core.merge.objects` has the rules.

Both sides are arrays here; an ancestor that is none counts as empty.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial
from typing import Any

from shared.core.json.pointers import Place
from shared.core.json.values import Key, Value
from shared.core.merge import arrays, orders
from shared.core.merge.array_run import At, Run
from shared.core.merge.arrays import Array, Keyed, Named
from shared.core.merge.bulk import EVERY, RecordConflicts
from shared.core.merge.ordered_merge import merge_ordered
from shared.core.merge.policies import Strategy


def merge_arrays(run: Run, at: At, bases: Sequence[Value], ours: Array, theirs: Array) -> Array:
    """The merged array."""
    lists = [base for base in bases if isinstance(base, list)]
    every = [*lists, ours, theirs]
    if at.scope.strategy is not Strategy.LIST:
        sets = arrays.as_sets(every, run.keys, of_anything=at.scope.strategy is Strategy.SET)
        if sets is not None:
            *ancestors, mine, other = sets
            if len(lists) < len(bases):
                ancestors.append(Keyed([], []))
            return _set(run, at, ancestors, mine, other)
        named = arrays.named(every)
        if named is not None:
            return _named(run, at, named, bases, (ours, theirs))
    same = run.keys.same_nested
    if same(ours, theirs) or any(same(theirs, base) for base in bases):
        return ours
    if len(bases) == 1 and same(ours, bases[0]):
        return theirs
    if not run.compares_elements():
        return ours if run.whole(at.place, ours, theirs) is ours else theirs
    return merge_ordered(run, at, lists, ours, theirs)


def _set(run: Run, at: At, bases: list[Keyed], ours: Keyed, theirs: Keyed) -> Array:
    known = [base.keys for base in bases]
    if theirs.keys == ours.keys or theirs.keys in known:
        return ours.array
    if ours.keys in known and len(known) == 1:  # of several, theirs may come from another one
        return theirs.array
    ancestors = [base.distinct for base in bases]
    here, there = ours.distinct, theirs.distinct
    # As everywhere: theirs counts where it differs from every ancestor, else ours stands.
    kept = here
    if here != there or any(here != ancestor for ancestor in ancestors):
        in_all = ancestors[0].intersection(*ancestors[1:])
        kept = there.difference(*ancestors) | (here - (in_all - there))
    values: dict[Key, Any] = {}
    for side in (ours,) if kept is here else (*bases, theirs, ours):
        values.update(zip(side.keys, side.array, strict=True))
    by = partial(orders.rank_of, values)
    order = _order(run, at.place, bases, ours, theirs, kept=kept, by=by, all_kept=kept is here)
    return _sorted(list(map(values.__getitem__, order)), [*known, ours.keys, theirs.keys])


def _named(run: Run, at: At, named: Named, bases: Sequence[Value], sides: tuple[Array, Array]) -> Array:
    """`named`: the ancestors that are arrays, ours and theirs."""
    *known, mine, other = named.members_of([*bases, *sides])
    merged, places = run.members(at, known, mine, other, named.field)
    *ancestors, ours, theirs = (Keyed(names, names) for names in named.names)
    conflicts = places.pop(EVERY, None)
    kept, all_kept = merged.keys(), conflicts is not None and len(merged) == len(mine)
    ours, theirs = ours._replace(array=sides[0]), theirs._replace(array=sides[1])
    order = _order(run, at.place, ancestors, ours, theirs, kept=kept, by=orders.rank, all_kept=all_kept)
    order = _sorted(list(order), named.names)
    if isinstance(conflicts, RecordConflicts):
        conflicts.order = order
    if places:
        for index, name in enumerate(order):
            if name in places:
                places[name].index = index
    return list(map(merged.__getitem__, order))


def _order(
    run: Run,
    place: Place,
    bases: list[Keyed],
    ours: Keyed,
    theirs: Keyed,
    *,
    kept: Set[Key],
    by: orders.Rank[Any],
    all_kept: bool,
) -> Sequence[Key]:
    """What is kept, in order, as `orders.order` has it."""
    known = []
    if bases:
        nearest = arrays.nearest(bases, ours, theirs)
        known = [nearest.keys, *(base.keys for base in bases if base is not nearest)]
    order = orders.order(
        known,
        ours.keys,
        theirs.keys,
        kept=kept,
        by=by,
        all_kept=all_kept,
        decide_ours=lambda: run.decided(place, ours.array, theirs.array) is ours.array,
    )
    return order if len(order) == len(kept) else [key for key in order if key in kept]


def _sorted(result: list[Any], inputs: Sequence[Sequence[Any]]) -> list[Any]:
    """Sorted if all the inputs are. The last two are the sides: with one member, that means nothing."""
    if min(map(len, inputs[-2:])) > 1:
        order = arrays.sort_order(inputs)
        if order is not None:
            result.sort(key=order)
    return result
