"""What the merge of arrays needs of the merge that it is a part of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from shared.core.json.canonical import JsonValue
from shared.core.json.pointers import Place
from shared.core.json.values import ABSENT, Key, Keys, Value
from shared.core.merge.conflicts import Decide, Side
from shared.core.merge.policies import Scope
from shared.core.merge.sequences import Steps

Members = dict[Any, JsonValue]
"""By name; the fields of an object, or the members of an array by the field that names them."""


class At(NamedTuple):
    """A place and the policies there."""

    place: Place
    scope: Scope


MAX_COMPARED: Final = 1_000
"""Arrays in one document, changed by both sides, whose elements are compared. Of more of them each is one value, and
the same side's stands for all: so merging the result again with either side leaves it as it is."""


class TooManyArrays(Exception):
    """There are more than MAX_COMPARED."""


Noted = tuple[Any, Value, Value, str, str]
"""A conflict: its place or pointer, what is kept and dropped, the rule, and what of the pointer follows upon the
place. Or very many, as `shared.core.merge.bulk` has them: they stand for the place, and tell the rest."""


class Run(Protocol):
    """One merge under way."""

    keys: Keys
    steps: Steps
    decide: Decide
    note: Callable[[Noted], None]

    def atom(self, at: At, bases: Sequence[Value], ours: Value, theirs: Value) -> JsonValue:
        """The merged value of two that are no containers, and that both sides edited."""

    def value(self, place: Place, scope: Scope, bases: Sequence[Value], ours: Value, theirs: Value) -> JsonValue:
        """The merged value at one place, or ABSENT."""

    def members(
        self, at: At, bases: Sequence[Members], ours: Members, theirs: Members, named: str | None
    ) -> tuple[Members, dict[Any, Any]]:
        """The merged members and, if they are `named` by a field, their places."""

    def decided(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        """Which stands of two that exclude each other; recorded."""

    def preferred(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        """As `decided`; not recorded."""

    def removed(self, at: At, ours: Value, theirs: Value) -> JsonValue:
        """What stands of a removal and an edit; recorded."""

    def compares_elements(self) -> bool:
        """Whether the elements of one array more are compared. Raises TooManyArrays if those of none may be."""

    def of_arrays(self, count: int) -> tuple[Side, str] | None:
        """Which side's stands of so many more arrays, if their elements are not compared, and the rule. Raises
        TooManyArrays if those of none may be, and some were."""

    def whole(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        """What stands of two arrays whose elements are not compared; recorded."""

    def record(self, place: Place, kept: Value, dropped: Value, rule: str) -> None:
        """Record a conflict."""

    def may_guess(self, at: At) -> bool:
        """Whether likeness may be asked at this place."""

    def mark(self) -> int:
        """How many conflicts are recorded so far."""

    def forget(self, mark: int) -> None:
        """Take back the conflicts that were recorded since."""


Merges = set[tuple[Key, Key, Key]]
"""Keys of an ancestor, a side and what came of it."""


class Again:
    """A second merge, of one side and the result of the first. It records nothing.

    Elements that the first merged are not merged again, or that would be done again at every depth; that
    merging them again changes none is the law of the merge itself.
    """

    def __init__(self, run: Run, known: Merges, *, theirs: bool) -> None:
        """`theirs`: whether the result takes the place of theirs, else of ours. `known`: what the first merged."""
        self.keys = run.keys
        self.steps = run.steps
        self._run = run
        self._known = known
        self._theirs = theirs

    def value(self, place: Place, scope: Scope, bases: Sequence[Value], ours: Value, theirs: Value) -> JsonValue:
        """The merged value; where the first merge had no such elements, what is not the result."""
        if self.keys.same(ours, theirs) or self.keys.among(theirs, bases):
            return ours
        if self.keys.among(ours, bases):
            return theirs
        if ours is ABSENT or theirs is ABSENT:
            return self.removed(At(place, scope), ours, theirs)
        result, side = (theirs, ours) if self._theirs else (ours, theirs)
        if (self.keys.key(bases[0]), self.keys.key(side), self.keys.key(result)) in self._known:
            return result
        return side

    def decided(self, place: Place, ours: Value, theirs: Value) -> JsonValue:
        """Which stands of two."""
        return self._run.preferred(place, ours, theirs)

    def removed(self, at: At, ours: Value, theirs: Value) -> JsonValue:
        """What stands of a removal and an edit."""
        return ABSENT if at.scope.delete_wins else ours if theirs is ABSENT else theirs

    def record(self, place: Place, kept: Value, dropped: Value, rule: str) -> None:
        """Nothing: it was recorded the first time."""

    def may_guess(self, at: At) -> bool:
        """As the first time."""
        return self._run.may_guess(at)
