"""Three-way merge of arrays: sets, arrays of named members, and any other. `shared.core.merge` has the rules.

Both sides are arrays here; an ancestor that is none counts as empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from shared.core import arrays, sequences, similar
from shared.core.arrays import Array, Keyed
from shared.core.canonical import JsonValue
from shared.core.pointers import Place
from shared.core.policies import Scope, Strategy
from shared.core.sequences import Steps
from shared.core.values import ABSENT, Key, Keys, Value

Members = dict[Any, JsonValue]
"""By name; the fields of an object, or the members of an array by the field that names them."""


MAX_ELEMENTS: Final = 5_000
"""More neighbours than that, each changed by both sides, are one value: their places prove nothing."""


_OURS: Final = "ours"
_THEIRS: Final = "theirs"
_BOTH: Final = "both"


class Run(Protocol):
    """One merge under way: what the merge of arrays needs of the rest."""

    keys: Keys
    steps: Steps

    def value(self, place: Place, scope: Scope, bases: Sequence[Value], ours: Value, theirs: Value) -> JsonValue:
        """The merged value at one place, or ABSENT."""

    def members(
        self, at: At, bases: Sequence[Members], ours: Members, theirs: Members, named: str | None
    ) -> tuple[Members, dict[Any, Place]]:
        """The merged members and, if they are `named` by a field, their places."""

    def decided(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        """Which stands of two that exclude each other; recorded."""

    def removed(self, at: At, ours: Value, theirs: Value) -> JsonValue:
        """What stands of a removal and an edit; recorded."""

    def record(self, place: Place, kept: Value, dropped: Value, rule: str) -> None:
        """Record a conflict."""

    def may_guess(self, place: Place) -> bool:
        """Whether likeness may be asked at this place."""


class At(NamedTuple):
    """A place and the policies there."""

    place: Place
    scope: Scope


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
        field = arrays.named_by(every)
        if field is not None:
            by_name = [_by_name(array, field) for array in (*bases, ours, theirs)]
            return _named(run, at, field, by_name, (lists, ours, theirs))
    if run.keys.same(ours, theirs) or run.keys.among(theirs, bases):
        return ours
    if len(bases) == 1 and run.keys.among(ours, bases):
        return theirs
    return _Ordered(run, at).merged(lists, _keyed(run, ours), _keyed(run, theirs))


def _keyed(run: Run, array: Array) -> Keyed:
    return Keyed(run.keys.keys(array), array)


def _set(run: Run, at: At, bases: list[Keyed], ours: Keyed, theirs: Keyed) -> Array:
    known = [base.keys for base in bases]
    if theirs.keys == ours.keys or theirs.keys in known:
        return ours.array
    if ours.keys in known and len(known) == 1:  # of several, theirs may come from another one
        return theirs.array
    ancestors = list(map(set, known))
    here, there = set(ours.keys), set(theirs.keys)
    # As everywhere: theirs counts where it differs from every ancestor, else ours stands.
    kept = (there - set.union(*ancestors)) | (here - (set.intersection(*ancestors) - there))
    values = dict(zip(theirs.keys, theirs.array, strict=True))
    values.update(zip(ours.keys, ours.array, strict=True))
    order = _order(run, at.place, bases, ours, theirs)
    result = [values[key] for key in order if key in kept]
    return _sorted(result, [*known, ours.keys, theirs.keys])


def _named(run: Run, at: At, field: str, by_name: list[Members], arrays_: tuple[list[Array], Array, Array]) -> Array:
    """`by_name`: the ancestors, ours and theirs."""
    lists, ours, theirs = arrays_
    *bases, mine, other = by_name
    merged, places = run.members(at, bases, mine, other, field)
    names = [[member[field] for member in array] for array in lists]
    known = [Keyed(those, those) for those in names]
    order = _order(run, at.place, known, Keyed(list(mine), ours), Keyed(list(other), theirs))
    order = _sorted([name for name in order if name in merged], [*names, list(mine), list(other)])
    for index, name in enumerate(order):
        if name in places:
            places[name].index = index
    return [merged[name] for name in order]


def _by_name(array: Value, field: str) -> Members:
    return {member[field]: member for member in array} if isinstance(array, list) else {}


def _order(run: Run, place: Place, bases: list[Keyed], ours: Keyed, theirs: Keyed) -> list[Key]:
    """All keys in order. Who alone reordered what was there decides; if both did, the `Decide` does."""
    base = arrays.nearest(bases, ours, theirs).keys if bases else []
    if not bases or not all(sequences.reordered(known.keys, theirs.keys) for known in bases):
        ours_first = True
    elif not all(sequences.reordered(known.keys, ours.keys) for known in bases):
        ours_first = False
    else:
        ours_first = (
            not sequences.reordered(ours.keys, theirs.keys)
            or run.decided(place, ours.array, theirs.array) is ours.array
        )
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    return sequences.interleave(base, first.keys, second.keys)


def _sorted(result: list[Any], inputs: Sequence[Sequence[Any]]) -> list[Any]:
    """Sorted if all the inputs are. The last two are the sides: with one member, that means nothing."""
    if min(map(len, inputs[-2:])) > 1:
        order = arrays.sort_order(inputs)
        if order is not None:
            result.sort(key=order)
    return result


class _Ordered:
    """diff3 on elements; where both sides changed the same ones, ever coarser ways to tell them apart."""

    def __init__(self, run: Run, at: At) -> None:
        self.run = run
        self.at = at
        self.result: Array = []

    def merged(self, lists: list[Array], ours: Keyed, theirs: Keyed) -> Array:
        if lists:
            bases = [_keyed(self.run, array) for array in lists]
            self.stretch(arrays.nearest(bases, ours, theirs), ours, theirs)
        else:
            self.without_base(ours, theirs)
        return self.result

    def stretch(self, base: Keyed, ours: Keyed, theirs: Keyed, *, guess: bool = True) -> None:
        for region in sequences.three_ways(base.keys, ours.keys, theirs.keys, self.run.steps):
            if not region.by_theirs:
                self.result += ours.array[region.ours]
                continue
            if not region.by_ours:
                self.result += theirs.array[region.theirs]
                continue
            b, o, t = base.part(region.base), ours.part(region.ours), theirs.part(region.theirs)
            if o.keys == t.keys:
                self.result += o.array
            elif not b.keys:
                self.both_inserted(o, t, self.hunks(o, t))
            elif not o.keys or not t.keys:
                self.one_removed(o.array, t.array)
            elif not (guess and self.by_likeness(b, o, t)):
                self.both_changed(b, o, t)

    def hunks(self, a: Keyed, b: Keyed) -> list[sequences.Hunk]:
        return sequences.difference(a.keys, b.keys, self.run.steps)

    def without_base(self, ours: Keyed, theirs: Keyed) -> None:
        """Both inserted an array: their union if they have something in common, else one of them."""
        hunks = self.hunks(ours, theirs)
        if len(ours.keys) > sum(hunk.a_hi - hunk.a_lo for hunk in hunks):
            self.both_inserted(ours, theirs, hunks)
        else:
            self.result += self.run.decided(self.at.place, ours.array, theirs.array)

    def both_inserted(self, ours: Keyed, theirs: Keyed, hunks: list[sequences.Hunk]) -> None:
        """What they have in common once; between that theirs, then ours."""
        found = sequences.both(ours.array, theirs.array, hunks)
        self.result += found
        if sequences.compete(hunks):
            self.run.record(self.at.place, found, ABSENT, "both-inserted")

    def one_removed(self, ours: Array, theirs: Array) -> None:
        """One side removed the stretch, the other changed it."""
        value = self.run.removed(self.at, ours or ABSENT, theirs or ABSENT)
        if value is not ABSENT:
            self.result += value

    def both_changed(self, base: Keyed, ours: Keyed, theirs: Keyed) -> None:
        """As many elements on all sides, and not very many: one by one. Else one side's stretch."""
        if len(base.keys) == len(ours.keys) == len(theirs.keys):
            known = zip(base.keys, ours.keys, theirs.keys, strict=True)
            whose = [_OURS if t in (b, o) else _THEIRS if o == b else _BOTH for b, o, t in known]
            if whose.count(_BOTH) <= MAX_ELEMENTS:
                pairs = zip(whose, ours.array, theirs.array, strict=True)
                start = len(self.result)
                self.result += [theirs if who is _THEIRS else ours for who, ours, theirs in pairs]
                at = -1
                for _ in range(whose.count(_BOTH)):
                    at = whose.index(_BOTH, at + 1)
                    elements = base.array[at], ours.array[at], theirs.array[at]
                    self.result[start + at] = self.element_at(start + at, *elements)
                return
        self.result += self.run.decided(self.at.place, ours.array, theirs.array)

    def element(self, base: JsonValue, ours: JsonValue, theirs: JsonValue) -> None:
        self.result.append(self.element_at(len(self.result), base, ours, theirs, guessed=True))

    def element_at(
        self, index: int, base: JsonValue, ours: JsonValue, theirs: JsonValue, *, guessed: bool = False
    ) -> JsonValue:
        place = Place(self.at.place, "-", of_array=True)
        place.guessed = place.guessed or guessed
        place.index = index
        return self.run.value(place, self.at.scope.child(None), (base,), ours, theirs)

    def by_likeness(self, base: Keyed, ours: Keyed, theirs: Keyed) -> bool:
        """Merge elements that are edited forms of the base's as those; False if there are none."""
        if not self.run.may_guess(self.at.place):
            return False
        mine, found_in_ours = self.names(base, ours, "ours")
        other, found_in_theirs = self.names(base, theirs, "theirs")
        if not found_in_ours and not found_in_theirs:
            return False
        for region in sequences.three_ways(range(len(base.keys)), mine, other, self.run.steps):
            b, o, t = base.part(region.base), ours.part(region.ours), theirs.part(region.theirs)
            if region.by_ours or region.by_theirs:
                self.stretch(b, o, t, guess=False)
            else:
                for elements in zip(b.array, o.array, t.array, strict=True):
                    self.element(*elements)
        return True

    def names(self, base: Keyed, side: Keyed, name: str) -> tuple[list[Key], bool]:
        """Each element of the side, called by the index of the one in the base that it is or comes from."""
        names: list[Key] = [(name, index) for index in range(len(side.keys))]
        old: dict[int, JsonValue] = {}
        new: dict[int, JsonValue] = {}
        at_base = at_side = 0
        end = sequences.Hunk(len(base.keys), len(base.keys), len(side.keys), len(side.keys))
        for hunk in [*self.hunks(base, side), end]:
            names[at_side : hunk.b_lo] = range(at_base, hunk.a_lo)
            old.update((index, base.array[index]) for index in range(hunk.a_lo, hunk.a_hi))
            new.update((index, side.array[index]) for index in range(hunk.b_lo, hunk.b_hi))
            at_base, at_side = hunk.a_hi, hunk.b_hi
        pairs = similar.edited(old, new, self.run.keys)
        for before, after in pairs.items():
            names[after] = before
        return names, bool(pairs)
