"""Arrays: what kind an array is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from operator import itemgetter, le
from typing import Any, Final, NamedTuple

from shared.core.json.canonical import JsonValue, canonical, number
from shared.core.json.values import Key, Keys, Value

Array = list[JsonValue]

ID_FIELDS: Final = ("id", "_id", "uuid")
"""Fields that name a member for good."""
_CONTAINERS: Final = frozenset({dict, list})
KEY_FIELDS: Final = (*ID_FIELDS, "key", "name")
"""Fields that name a member, the strongest first; the last two are words, and words are changed."""


MANY: Final = 1_000
FIRST: Final = 64
"""Of more than MANY elements so many are looked at before all are."""


class Keyed(NamedTuple):
    """An array, or a stretch of one, and the keys of its elements: the array itself where they are their own."""

    keys: list[Key]
    array: Array
    distinct: frozenset[Key] = frozenset()
    """The keys, if it is known that there is none twice."""

    def part(self, where: slice) -> Keyed:
        """A stretch of it."""
        keys = self.keys[where]
        return Keyed(keys, keys if self.keys is self.array else self.array[where])


class Named(NamedTuple):
    """Arrays whose members are objects that a field names."""

    field: str
    names: list[list[Any]]
    """Of the members of each array, in order."""
    members: list[dict[Any, JsonValue]]
    """Of each array, by name."""

    def members_of(self, values: Iterable[Value]) -> list[dict[Any, JsonValue]]:
        """The same of each value, of which these are the arrays, in this order; none of what is no array."""
        members = iter(self.members)
        return [next(members) if isinstance(value, list) else {} for value in values]


def named(arrays: Sequence[Array]) -> Named | None:
    """By the first of KEY_FIELDS that tells the members of each array apart; names are strings or numbers."""
    if any(array and not isinstance(array[0], dict) for array in arrays):
        return None
    for field in KEY_FIELDS:
        if all(not array or field in array[0] for array in arrays):
            try:
                names = [list(map(itemgetter(field), array)) for array in arrays]
            except (KeyError, TypeError):  # one has no such field, or is no object
                continue
            if all(_are(those, str, int, float) for those in names):
                members = [dict(zip(those, array, strict=True)) for those, array in zip(names, arrays, strict=True)]
                if all(len(those) == len(array) for those, array in zip(members, arrays, strict=True)):
                    return Named(field, names, members)
    return None


def named_by(arrays: Sequence[Array]) -> str | None:
    """The field that names the members of each array, if one does."""
    by_field = named(arrays)
    return by_field and by_field.field


def _are(values: Iterable[Any], *types: type) -> bool:
    """Whether all are of these types; of numbers, booleans are none."""
    return all(issubclass(kind, types) and kind is not bool for kind in set(map(type, values)))


def segment_of(field: str, name: Any) -> str:
    """A named member in a stable pointer."""
    return f"{field}={name if isinstance(name, str) else number(name)}"


def as_sets(arrays: Sequence[Array], keys: Keys, *, of_anything: bool = False) -> list[Keyed] | None:
    """The arrays, if none has an element twice and all elements are scalars (or `of_anything`)."""
    keyed = []
    if any(_repeats_early(array, keys, of_anything=of_anything) for array in arrays):
        return None
    for array in arrays:
        types = set(map(type, array))
        if not of_anything and not _CONTAINERS.isdisjoint(types):
            return None
        names = keys.keys(array, types)
        distinct = frozenset(names)
        if len(distinct) != len(names):
            return None
        keyed.append(Keyed(names, array, distinct))
    return keyed


def _repeats_early(array: Array, keys: Keys, *, of_anything: bool) -> bool:
    """Whether the first few of very many elements show that the array is no set. It is seen before all are read."""
    if len(array) <= MANY:
        return False
    first = array[:FIRST]
    if not _CONTAINERS.isdisjoint(map(type, first)):
        return not of_anything
    return len(set(keys.keys(first))) < len(first)


def sort_order(arrays: Sequence[Sequence[Any]]) -> Callable[[Any], Any] | None:
    """The order that all the arrays keep, or None: numbers, code points, letters without regard to case."""
    if max(map(len, arrays)) > MANY and sort_order([array[:FIRST] for array in arrays]) is None:
        return None
    orders: tuple[Callable[[Any], Any], ...]
    if _are(chain(*arrays), str):
        orders = (str, str.casefold)
    elif _are(chain(*arrays), int, float):
        orders = (float,)
    else:
        return None
    for order in orders:
        if all(_ascends(list(map(order, array))) for array in arrays):
            return order
    return None


def _ascends(values: list[Any]) -> bool:
    return all(map(le, values, islice(values, 1, None)))


def nearest(bases: Sequence[Keyed], ours: Keyed, theirs: Keyed) -> Keyed:
    """Of several ancestors the one with the most elements in common with both sides.

    If there are several such, the shortest; then the first in canonical form, so that their order is nothing.
    """
    if len(bases) == 1:
        return bases[0]
    mine, other = Counter(ours.keys), Counter(theirs.keys)

    def distance(base: Keyed) -> tuple[int, int, bytes]:
        elements = Counter(base.keys)
        return -(elements & mine).total() - (elements & other).total(), len(base.keys), canonical(base.array)

    return min(bases, key=distance)
