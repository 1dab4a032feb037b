"""Values of a merge: JSON or absence, and a key for each: equal values, and only they, have equal keys."""

from __future__ import annotations

import marshal
import math
from collections import Counter
from collections.abc import Hashable, Iterable
from enum import Enum
from itertools import chain
from typing import Any, Final

from shared.core.json.canonical import CONTAINERS, JsonValue


class Absent(Enum):
    """Type of the one value that stands for "there is nothing here". It is not null."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT

Value = JsonValue | Absent
"""A JSON value, or ABSENT."""

Key = Hashable

STRONG_LENGTH: Final = 8
"""Characters."""

_TRUE: Final = ("true",)
_FALSE: Final = ("false",)
PLAIN: Final = frozenset({str, int, float, type(None)})
"""Scalars that are their own key: Python's == is JSON's among them (1 == 1.0, -0.0 == 0). Not bool."""

_SCALARS: Final = PLAIN | {bool}
_LISTS: Final = frozenset({list})
_LIST: Final = "list"
_FEW: Final = 2
_LONG: Final = 1_000
"""Elements whose types are looked at once."""
_PART: Final = 8_192
"""So many of them at a time: longer lists would take memory that is new to the process."""
_SMALL: Final = 8
"""A list of so few plain scalars is its own key: that is read sooner than looked up."""


class Keys:
    """Gives values their keys; each container is read once, however often it is asked for, at any depth.

    That is what keeps a merge linear: comparing a subtree again at each level would cost depth x size.
    Keys of two instances must not be mixed. Values must not change while an instance lives.
    """

    __slots__ = ("_compared", "_known", "_numbers", "_plain", "leaves")

    def __init__(self) -> None:
        # By id(); the value is held so that its id stays its own.
        self._known: dict[int, tuple[Key, Value]] = {}
        self._numbers: dict[Key, tuple[int]] = {}
        self._compared: dict[tuple[int, int], tuple[bool, Value, Value]] = {}
        self._plain: dict[int, list[JsonValue]] = {}
        """Long lists of plain scalars alone, by id()."""
        self.leaves: dict[int, tuple[Counter[tuple[str, Key]] | None, Value]] = {}
        """Path and key of each leaf, as `shared.core.merge.similar` reads them; by id(), with the value."""

    def key(self, value: Value) -> Key:
        """The key of `value`."""
        if type(value) in PLAIN:
            return value
        if value is True:
            return _TRUE
        if value is False:
            return _FALSE
        shape: Key
        if isinstance(value, list):
            if len(value) <= _SMALL and PLAIN.issuperset(map(type, value)):
                return (_LIST, *value)
            known = self._known.get(id(value))
            if known is not None:
                return known[0]
            shape = tuple(self.keys(value))
        elif not isinstance(value, dict):
            return value  # ABSENT; a str, int or float of a derived type
        else:
            known = self._known.get(id(value))
            if known is not None:
                return known[0]
            if PLAIN.issuperset(map(type, value.values())):
                shape = frozenset(value.items())
            else:
                shape = frozenset(zip(value, map(self.key, value.values()), strict=True))
        key = self._numbers.setdefault(shape, (len(self._numbers),))
        self._known[id(value)] = key, value
        return key

    def keys(self, values: list[JsonValue], types: set[type] | None = None) -> list[Key]:
        """The keys of the elements; the list itself where they are their own. `types`: theirs, if they are known."""
        if types is None:
            if id(values) in self._plain:
                return values
            types = types_of(values)
        if types <= PLAIN:
            if len(values) > _LONG:
                self._plain[id(values)] = values
            return values
        if types <= _SCALARS:
            return [_TRUE if value is True else _FALSE if value is False else value for value in values]
        if types == _LISTS:
            if max(map(len, values)) <= _SMALL and PLAIN.issuperset(map(type, chain.from_iterable(values))):
                return [(_LIST, *value) for value in values]
            return [
                (_LIST, *value) if len(value) <= _SMALL and PLAIN.issuperset(map(type, value)) else self.key(value)
                for value in values
            ]
        return list(map(self.key, values))

    def same(self, a: Value, b: Value) -> bool:
        """Whether `a` and `b` are equal as `canonical.equal` has it, absence being equal to itself alone."""
        if a is b:
            return True
        if type(a) in PLAIN and type(b) in PLAIN:
            return bool(a == b)
        if isinstance(a, CONTAINERS) is not isinstance(b, CONTAINERS):
            return False
        if isinstance(a, CONTAINERS):
            if id(a) in self._known and id(b) in self._known:
                return self._known[id(a)][0] == self._known[id(b)][0]
            if a != b:
                return False
            # Python's == takes true for 1: equal bytes prove what it says, or that neither has booleans, or the keys.
            if (isinstance(a, list) or list(a) == list(b)) and marshal.dumps(a, 2) == marshal.dumps(b, 2):
                return True
            return not (_has_booleans(a) or _has_booleans(b)) or self.key(a) == self.key(b)
        return self.key(a) == self.key(b)

    def same_nested(self, a: Any, b: Any) -> bool:
        """As `same`; of what has one or two members, and is asked for at every depth, each is compared once."""
        if type(a) is not type(b) or not isinstance(a, CONTAINERS) or len(a) > _FEW or len(a) != len(b):
            return self.same(a, b)
        known = self._compared.get((id(a), id(b)))
        if known is None:
            if isinstance(a, dict):
                same = a.keys() == b.keys() and all(self.same_nested(member, b[key]) for key, member in a.items())
            else:
                same = all(map(self.same_nested, a, b))
            known = self._compared[id(a), id(b)] = same, a, b
        return known[0]

    def among(self, value: Value, others: Iterable[Value]) -> bool:
        """Whether `value` is the same as one of `others`."""
        for other in others:  # noqa: SIM110 - a generator would take as long again
            if self.same(value, other):
                return True
        return False


def types_of(values: list[Any]) -> set[type]:
    """What types they have. In a long list nearly always one: that is seen in half the time."""
    if len(values) > _LONG:
        one = type(values[0])
        for start in range(0, len(values), _PART):
            types = list(map(type, values[start : start + _PART]))
            if types.count(one) < len(types):
                break
        else:
            return {one}
    return set(map(type, values))


def _has_booleans(value: JsonValue) -> bool:
    level = [value]
    while level:  # as `weigh`
        types = set(map(type, level))
        if bool in types:
            return True
        level = _below(level, types)
    return False


def weigh(values: Iterable[Value], limit: float = math.inf) -> int:
    """The number of values inside, and of lines in them; some number above `limit` if it is more."""
    weight = 0
    level = list(values)
    while level and weight <= limit:  # all of one depth at once, at the speed of C
        weight += len(level)
        if weight > limit or (
            limit < math.inf and weight + sum([len(v) for v in level if isinstance(v, CONTAINERS)]) > limit
        ):
            return int(limit) + 1
        types = set(map(type, level))
        if str in types:
            weight += "".join([value for value in level if isinstance(value, str)]).count("\n")
        level = _below(level, types)
    return weight


def _below(level: list[Value], types: set[type]) -> list[Value]:
    """What is in the lists and objects of one depth, which are values of these types."""
    below: list[Value] = []
    if list in types:
        below += chain.from_iterable([value for value in level if isinstance(value, list)])
    if dict in types:
        below += chain.from_iterable([value.values() for value in level if isinstance(value, dict)])
    return below


def is_number(value: Any) -> bool:
    """An int or a float, not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_strong(value: Any) -> bool:
    """Whether two of these can hardly be equal by chance: a string, not too short."""
    return isinstance(value, str) and len(value) >= STRONG_LENGTH
