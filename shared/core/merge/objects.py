"""Three-way merge of JSON values. Pure: no clock, no randomness; the order of keys does not matter.

Several ancestors are possible, where it is not known which of them a side comes from. A side *edited* a path
if it differs there from every ancestor, absence being a value; else it is unchanged there and the other side
stands.

| both sides edited | what stands |
|---|---|
| two objects | key by key, all the way down |
| absent, and anything | the edit, whole; `delete-wins`: nothing |
| absent, and an array | if an ancestor has an array there: as an empty one; but `delete-wins` and `lww` as above |
| absent, and an object | likewise, if the ancestor's has one field at most, or nothing but arrays, or the other |
| | side edited none of its fields; but not a member of an array |
| two arrays of scalars, none twice | a set: what either added, without what either removed |
| two arrays of objects with an `id`, `_id`, `uuid`, `key` or `name` each | member by member, as an object |
| two other arrays | diff3 on elements, or by where each moved; both inserted at one place: both, once; elements |
| | that both changed: each as a value, if it is clear which is which, else one side's stretch |
| two strings | both edits, if it is plain that they go together (`shared.core.merge.strings`); of two that were |
| | added the one that is not empty |
| two scalars, or values of two types | one of the two, by `decide` |

In a set or an array of named members an addition stands behind its left neighbour, or in the place of what it
replaced. What both inserted at one place stands in an order that the elements decide (`shared.core.merge.orders`).
Who alone reordered decides the order; what is sorted everywhere stays sorted. An empty array is of every kind. A
field of an object, or a member named by `key` or `name`, that one side renamed and the other edited is merged
under its new name, if both are clearly one (`shared.core.merge.similar`). Where a policy says `exact`, neither
renames nor parts of strings are looked for.

A declared strategy (`shared.core.merge.policies`) goes before the table, if the values fit it:

| strategy | both sides edited |
|---|---|
| lww | one of the two, by `decide`, objects and arrays too |
| set | arrays of anything without duplicates: a set |
| list | arrays: diff3 on elements |
| text | strings: diff3 on lines; where both changed the same lines, both |
| counter | numbers: ours + theirs - base; only with one ancestor and `explicit_base`; an absent base is 0 |
| max, min | numbers: the higher, the lower |
| version | version strings: the higher |

Laws (tests/unit/core/merge/test_objects.py), the first without counters:
    merge(a; x, x) = x; merge(a; a, x) = merge(a; x, a) = x
    merge(theirs; result, theirs) = result = merge(ours; ours, result)
    merge(a; result, theirs) = result = merge(a; ours, result), if the same side is decided for again
    merge(a; theirs, ours) = result, if the same values are decided for
    what only one side edited stands, unless it is at or below a recorded conflict
    equal inputs give equal results: 1 and 1.0, -0 and 0, keys in any order
    the result is in the profile, and no deeper than the deepest input
    the steps that are taken are bounded by a multiple of the size of the inputs
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from operator import itemgetter
from typing import Any, Final

from shared.core.json.canonical import CONTAINERS, JsonValue
from shared.core.json.pointers import ROOT, Place
from shared.core.json.values import ABSENT, Absent, Keys, Value
from shared.core.merge import renames, simple, strings, wide
from shared.core.merge.array_merge import merge_arrays
from shared.core.merge.array_run import MAX_COMPARED, At, Members, Noted, TooManyArrays
from shared.core.merge.arrays import segment_of
from shared.core.merge.clock import CLOCK_POINTERS
from shared.core.merge.conflicts import Conflict, Decide, Merged, Side, arriving
from shared.core.merge.emptied import is_emptied
from shared.core.merge.paths import differing_paths, edits
from shared.core.merge.policies import NO_POLICIES, Policies, Scope, Strategy
from shared.core.merge.scalars import counted, preferred_side
from shared.core.merge.sequences import Steps
from shared.core.merge.text import merge_text

__all__ = [
    "ABSENT",
    "Absent",
    "Conflict",
    "Decide",
    "Merged",
    "Side",
    "Steps",
    "Value",
    "arriving",
    "differing_paths",
    "edits",
    "merge",
]

_STRINGS: Final = frozenset({None, Strategy.VERSION})
"""Strategies under which edits of one string may be put together."""
COMPARED: Final = 4
"""Down to this depth what only one side edited is found by comparing whole objects and arrays, at the speed of C.
Not further down: what is nested would be read again at every depth."""


def merge(
    ancestors: Sequence[Value],
    ours: Value,
    theirs: Value,
    *,
    policies: Policies = NO_POLICIES,
    decide: Decide = arriving,
    explicit_base: bool = False,
    steps: Steps | None = None,
) -> Merged:
    """Put what `theirs` edited onto `ours`. No ancestor is the same as one that is absent.

    The result shares parts with the inputs; none of them may be changed afterwards.
    `explicit_base`: the ancestor is the one that the client names, so that sums can rely on it.
    `steps` is filled in for who wants to know them.
    """
    bases = tuple(ancestors) or (ABSENT,)
    sums, steps = explicit_base and len(bases) == 1, steps or Steps()
    run = _Run(bases, ours, theirs, decide=decide, sums=sums, steps=steps)
    # The common cases, at the speed of C.
    if not policies.declared and run.keys.same(ours, theirs):
        return Merged(ours, ())
    if run.keys.among(theirs, bases):
        return Merged(ours, ())
    if len(bases) == 1 and run.keys.among(ours, bases):  # of several, theirs may come from another one
        return Merged(theirs, ())
    try:
        value = run.value(ROOT, policies.scope(), bases, ours, theirs)
    except TooManyArrays:
        run = _Run(bases, ours, theirs, decide=decide, sums=sums, steps=steps, of_arrays=decide("", ours, theirs))
        value = run.value(ROOT, policies.scope(), bases, ours, theirs)
    return Merged(value, run.conflicts())


class _Run:
    """One merge under way."""

    def __init__(
        self,
        bases: tuple[Value, ...],
        ours: Value,
        theirs: Value,
        *,
        decide: Decide,
        sums: bool,
        steps: Steps,
        of_arrays: tuple[Side, str] | None = None,
    ) -> None:
        """`of_arrays`: which side's stands, and the rule; None: their elements are compared."""
        self.keys = Keys()
        self.steps = steps
        self.steps.inputs = (*bases, ours, theirs)
        self.decide = decide
        self._sums = sums
        self._conflicts: list[Noted] = []
        self.note = self._conflicts.append
        self._depth = 0
        self._of_arrays = of_arrays
        self._compared = 0

    def conflicts(self) -> tuple[Conflict, ...]:
        known: dict[Place, str] = {}
        recorded: list[Conflict] = []
        new = partial(tuple.__new__, Conflict)
        for place, kept, dropped, rule, below in self._conflicts:
            if type(place) is str:
                recorded.append(new((place, kept, dropped, rule)))
            elif type(place) is Place:
                recorded.append(new((place.in_result(known) + below, kept, dropped, rule)))
            else:  # very many
                recorded += map(tuple.__new__, repeat(Conflict), place.conflicts(known))
        recorded.sort(key=itemgetter(0))
        return tuple(recorded)

    def record(self, place: Place, kept: Value, dropped: Value, rule: str) -> None:
        self.note((place, kept, dropped, rule, ""))

    def value(self, place: Place, scope: Scope, bases: Sequence[Value], ours: Value, theirs: Value) -> JsonValue:
        strategy = scope.strategy
        if strategy is Strategy.COUNTER and self._sums:
            total = counted(bases[0], ours, theirs)
            if total is not None:
                return total
        if strategy is not Strategy.LWW and isinstance(ours, CONTAINERS) and isinstance(theirs, CONTAINERS):
            if self._depth < COMPARED and len(bases) == 1 and type(ours) is type(theirs) is type(bases[0]):
                if self.keys.same(theirs, bases[0]):
                    return ours
                if self.keys.same(ours, bases[0]):
                    return theirs
            if isinstance(ours, dict) and isinstance(theirs, dict):
                maps = [base if isinstance(base, dict) else {} for base in bases]
                return self.members(At(place, scope), maps, ours, theirs, None)[0]
            if isinstance(ours, list) and isinstance(theirs, list):
                return merge_arrays(self, At(place, scope), bases, ours, theirs)
        if self.keys.same(ours, theirs) or self.unchanged(theirs, bases):
            return ours
        if self.unchanged(ours, bases):
            return theirs
        if ours is ABSENT or theirs is ABSENT:
            at = At(place, scope)
            if is_emptied(at, bases, ours, theirs, self.keys):
                return self.emptied(at, bases, ours, theirs)
            return self.removed(at, ours, theirs)
        return self.atom(At(place, scope), bases, ours, theirs)

    def unchanged(self, side: Value, bases: Sequence[Value]) -> bool:
        return self.keys.among(side, bases) or (len(bases) > 1 and not edits(side, bases))

    def members(
        self, at: At, bases: Sequence[Members], ours: Members, theirs: Members, named: str | None
    ) -> tuple[Members, dict[Any, Any]]:
        result: Members = {}
        names: Iterable[Any]
        places: dict[Any, Any] = {}
        place, scope = at
        one = bases[0] if len(bases) == 1 else None
        in_line = one is not None and wide.in_line(one, ours, theirs)
        renamed = {} if in_line else renames.renamed(self, at, bases, (ours, theirs), named)
        if renamed and named is None:  # an edit of what is secret must not turn up, in a conflict, where nothing is
            renamed = {n: o for n, o in renamed.items() if scope.child(n).secret or not scope.child(o).secret}
        old_names = set(renamed.values())
        of_members = scope.child(None)
        alike = of_members is scope  # the same policies for all members
        plain = not renamed and alike and scope.strategy is not Strategy.COUNTER
        if plain:
            into = simple.Into(at, named, result, places, free=one is not None and scope.strategy is None)
            names = simple.put(self, into, (one or {}, ours, theirs), in_line=in_line)
        else:
            names = wide.names_of(ours, theirs)
        self._depth += 1
        for key in names:
            our, their = ours.get(key, ABSENT), theirs.get(key, ABSENT)
            if named is None:
                below, rules = Place(place, key), scope if alike else scope.child(key)
            else:
                below, rules = Place(place, segment_of(named, key), of_array=True), of_members
            if key in renamed:
                base = bases[0][renamed[key]]
                our, their = ours.get(key, ours.get(renamed[key])), theirs.get(key, theirs.get(renamed[key]))
                value = self.under_new_name(At(below, rules), base, our, their, (key in ours, key in theirs))
            elif key in old_names:
                continue
            else:
                value = self.value(below, rules, [base.get(key, ABSENT) for base in bases], our, their)
            if value is ABSENT:
                result.pop(key, None)
            else:
                result[key] = value
                if named is not None:
                    places[key] = below
        self._depth -= 1
        return result, places

    def emptied(self, at: At, bases: Sequence[Value], ours: Any, theirs: Any) -> Value:
        """Absent against an edited container: as if it were empty. Absent if nothing is left but no side is empty."""
        nothing: Any = type(theirs if ours is ABSENT else ours)()
        mine, other = (nothing if side is ABSENT else side for side in (ours, theirs))
        value = self.value(at.place, at.scope, bases, mine, other) or (ABSENT if mine or other else nothing)
        if value is ABSENT:
            return ABSENT
        if value and nothing != []:  # what is no array may have been removed for good
            self.record(at.place, value, ABSENT, "edit-beats-removal")
        return value

    def removed(self, at: At, ours: Value, theirs: Value) -> JsonValue:
        edit = ours if theirs is ABSENT else theirs
        if at.scope.delete_wins:
            self.record(at.place, ABSENT, edit, "delete-wins")
            return ABSENT
        self.record(at.place, edit, ABSENT, "edit-beats-removal")
        return edit

    def atom(self, at: At, bases: Sequence[Value], ours: Value, theirs: Value) -> JsonValue:
        place, strategy = at.place, at.scope.strategy
        if strategy is Strategy.TEXT and isinstance(ours, str) and isinstance(theirs, str):
            texts = [base for base in bases if isinstance(base, str)]
            merged_text = merge_text(texts, ours, theirs, self.steps)
            if merged_text is None:
                return self.decided(place, ours, theirs)
            text, conflict = merged_text
            if conflict:
                self.record(place, text, ABSENT, "both-kept")
            return text
        side = preferred_side(strategy, ours, theirs)
        if side is None and isinstance(ours, str) and isinstance(theirs, str) and len(bases) == 1:
            merged = self.string(at, bases[0], ours, theirs)
            if merged is not None:
                return merged
        if side is not None and strategy is not None:
            return self.stands(place, side, ours, theirs, str(strategy))
        return self.decided(place, ours, theirs)

    def string(self, at: At, base: Value, ours: str, theirs: str) -> str | None:
        """Two edits of one string that do not exclude each other; recorded."""
        if at.scope.exact or at.scope.strategy not in _STRINGS or at.place.stable() in CLOCK_POINTERS:
            return None
        merged: str | None = None
        if base is ABSENT and not (ours and theirs):
            merged = ours or theirs
        elif isinstance(base, str):
            merged = strings.merged_ranges(base, ours, theirs) or strings.merged_parts(base, ours, theirs)
        if merged is not None:
            dropped = theirs if merged == ours else ours if merged == theirs else ABSENT
            self.record(at.place, merged, dropped, "both-edited")
        return merged

    def decided(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        side, rule = self.decide(place.stable(), ours, theirs)
        return self.stands(place, side, ours, theirs, rule)

    def preferred(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        return ours if self.decide(place.stable(), ours, theirs)[0] is Side.OURS else theirs

    def compares_elements(self) -> bool:
        if self._of_arrays is not None:
            return False
        self._compared += 1
        if self._compared > MAX_COMPARED:
            raise TooManyArrays
        return True

    def of_arrays(self, count: int) -> tuple[Side, str] | None:
        if self._of_arrays is None and self._compared + count > MAX_COMPARED:
            if self._compared:
                raise TooManyArrays
            # None was compared so far: to begin again would come here again.
            self._of_arrays = self.decide("", *self.steps.inputs[-2:])
        return self._of_arrays

    def whole(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        side, rule = self._of_arrays or self.decide(place.stable(), ours, theirs)
        return self.stands(place, side, ours, theirs, rule)

    def stands(self, place: Place | str, side: Side, ours: Value, theirs: Value, rule: str) -> JsonValue:
        kept, dropped = (ours, theirs) if side is Side.OURS else (theirs, ours)
        self.note((place, kept, dropped, rule, ""))
        return kept

    def may_guess(self, at: At) -> bool:
        # Not again below a guess, or reading the leaves of what is nested would cost depth x size.
        return not at.scope.exact and not at.place.guessed and not self.steps.heavy()

    def mark(self) -> int:
        return len(self._conflicts)

    def forget(self, mark: int) -> None:
        del self._conflicts[mark:]

    def under_new_name(
        self, at: At, base: JsonValue, ours: JsonValue, theirs: JsonValue, renamed: tuple[bool, bool]
    ) -> JsonValue:
        """`renamed`: whether ours has it under its new name, and whether theirs has."""
        ours_renamed, theirs_renamed = renamed
        at.place.guessed = True
        value = self.value(at.place, at.scope, (base,), ours, theirs)
        if ours_renamed is not theirs_renamed:
            self.record(at.place, value, theirs if ours_renamed else ours, "renamed")
        return value
