"""Paths: where a document differs from others, and what in it proves where it comes from.

Places are JSON pointers in which an array member is called `field=name` if it has a name, else `-`: an index
would change with every insertion before it.

Laws (tests/unit/core/merge/test_paths.py):
    edits(a, [b]) is empty  <=>  a and b are equal
    edits(a, [.., a, ..]) is empty
    differences(a, b) is empty  <=>  a and b are equal; differences(b, a) are the same with both sides exchanged
    differing_paths(a, b) and differing_paths(b, a) are the same but for their order
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shared.core.json.canonical import CONTAINERS, JsonValue
from shared.core.json.pointers import ROOT, Place, escape, split
from shared.core.json.values import ABSENT, Keys, Value, is_number, is_strong
from shared.core.merge import arrays, orders


def edits(state: Value, ancestors: Sequence[Value]) -> list[tuple[str, Value]]:
    """The finest paths at which `state` differs from every ancestor, with what it has there, or ABSENT.

    Objects and named members of arrays are entered, also where no ancestor has one. What is removed is one
    path. Members that a set gained or lost are each an edit of the place `-` in it; a new order alone is an
    edit of the array, as any edit is of an array that is neither.
    """
    return [(place.stable(), value) for place, value, _ in _edits(ROOT, state, list(ancestors), Keys())]


def differing_paths(a: Value, b: Value) -> list[str]:
    """The finest paths at which `a` and `b` differ; against {} all paths of `a`. A set's place may repeat."""
    keys = Keys()
    forth = [(place.stable(), member) for place, value, member in _edits(ROOT, a, [b], keys) if value is not ABSENT]
    seen = {path for path, member in forth if not member}
    back = [
        place.stable()
        for place, value, member in _edits(ROOT, b, [a], keys)
        if value is not ABSENT and (member or place.stable() not in seen)
    ]
    return [path for path, _ in forth] + back


class Difference(NamedTuple):
    """A place, stable, at which two states differ; of a set each member by itself, at `-`."""

    path: str
    here: Value
    there: Value


def differences(state: Value, other: Value) -> list[Difference]:
    """The finest places at which two states differ, with what both have there; what only one has is one place."""
    if state is other:
        return []
    keys = Keys()
    at: dict[str, Difference] = {}
    if isinstance(state, dict) and isinstance(other, dict):
        state, other = _where_nested(state, other, keys, at)
        if not state and not other:
            return [at[path] for path in sorted(at)]
    differing: list[Difference] = []
    paths: set[str] = set()
    for one, another in ((state, other), (other, state)):
        for place, value, member in _edits(ROOT, one, [another], keys):
            if not member:
                paths.add(place.stable())
            elif value is not ABSENT:
                here, there = (value, ABSENT) if one is state else (ABSENT, value)
                differing.append(Difference(place.stable(), here, there))
    inner = (path for path in paths if paths.isdisjoint(around(path)))
    at.update((path, Difference(path, value_at(state, path), value_at(other, path))) for path in inner)
    return [*differing, *(at[path] for path in sorted(at))]


def _where_nested(
    state: dict[str, JsonValue], other: dict[str, JsonValue], keys: Keys, at: dict[str, Difference]
) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """What both have where they are not the same and one has something to look into. Most members of most documents
    are the same, or plain: those are looked at once here, and the latter are put into `at` by their paths."""
    here: dict[str, JsonValue] = {}
    there: dict[str, JsonValue] = {}
    for name, value in state.items():
        its = other.get(name, ABSENT)
        if value == its if type(value) is str else keys.same(value, its):
            continue
        if not isinstance(value, CONTAINERS) and not isinstance(its, CONTAINERS):
            path = f"/{escape(name)}"
            at[path] = Difference(path, value, its)
            continue
        here[name] = value
        if its is not ABSENT:
            there[name] = its
    if len(other) > len(state) or not other.keys() <= state.keys():
        for name, value in other.items():
            if name in state:
                continue
            if isinstance(value, CONTAINERS):
                there[name] = value
            else:
                path = f"/{escape(name)}"
                at[path] = Difference(path, ABSENT, value)
    return here, there


def is_member(path: str) -> bool:
    """Whether the place is that of the members of a set."""
    return path.endswith("/-")


def value_at(state: Value, path: str) -> Value:
    """What stands at a stable path; ABSENT if nothing does."""
    if isinstance(state, dict) and path.rfind("/") == 0 and "~" not in path:  # most differ in members of the document
        return state.get(path[1:], ABSENT)
    for segment in split(path):
        if isinstance(state, dict):
            state = state.get(segment, ABSENT)
        elif isinstance(state, list):
            field = arrays.named_by([state]) if state else None
            named = (member for member in state if field and arrays.segment_of(field, member[field]) == segment)
            state = next(named, ABSENT)
        else:
            return ABSENT
    return state


def around(path: str) -> Iterator[str]:
    """The pointers of what the place lies in, the innermost first, but for the document itself."""
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def in_stable_form(path: str, result: Value) -> str:
    """A pointer into the result with the members of arrays called by their names. What is so called stays."""
    segments: list[str] = []
    for segment in split(path):
        below: Value = ABSENT
        name = segment
        if isinstance(result, list):
            field = arrays.named_by([result]) if result else None
            if segment.isdigit():
                below = result[int(segment)] if int(segment) < len(result) else ABSENT
                name = (
                    arrays.segment_of(field, below[field]) if field is not None and isinstance(below, dict) else "-"
                )
            else:
                below = value_at(result, f"/{escape(segment)}")
        elif isinstance(result, dict):
            below = result.get(segment, ABSENT)
        segments.append(escape(name))
        result = below
    return "".join(f"/{segment}" for segment in segments)


def strong_values(state: Value) -> Iterator[tuple[str, JsonValue]]:
    """What can hardly be the same by chance, with its place: strings of 8 characters, members of sets.

    Booleans and null are weak in sets too.
    """
    keys = Keys()
    rest = [(ROOT, state)]
    while rest:
        place, value = rest.pop()
        if is_strong(value):
            yield place.stable(), value
        elif isinstance(value, dict):
            if place is ROOT:  # where most of them are
                yield from [(f"/{escape(key)}", child) for key, child in value.items() if is_strong(child)]
                value = {key: child for key, child in value.items() if isinstance(child, CONTAINERS)}
            rest += [(Place(place, key), child) for key, child in value.items() if may_be_strong(child)]
        elif isinstance(value, list) and value:
            if arrays.as_sets([value], keys) is not None:
                member = Place(place, "-").stable()
                yield from ((member, child) for child in value if isinstance(child, str) or is_number(child))
            elif any(map(may_be_strong, value)):
                rest.extend(_members(place, value))


def may_be_strong(value: JsonValue) -> bool:
    """Or have something inside that is."""
    return isinstance(value, CONTAINERS) or is_strong(value)


def _members(place: Place, array: list[JsonValue]) -> Iterator[tuple[Place, JsonValue]]:
    field = arrays.named_by([array])
    if field is None:
        unnamed = Place(place, "-")
        yield from ((unnamed, member) for member in array)
    else:
        yield from ((Place(place, arrays.segment_of(field, member[field])), member) for member in array)


Edit = tuple[Place, Value, bool]
"""Place, value, and whether it is a member of a set."""


def _edits(place: Place, value: Value, ancestors: list[Value], keys: Keys) -> Iterator[Edit]:
    maps = [a for a in ancestors if isinstance(a, dict)]
    if isinstance(value, dict) and (value or maps):
        yield from _edits_of_members(place, value, ancestors, None, keys)
    elif isinstance(value, list):
        yield from _edits_of_array(place, value, ancestors, keys)
    elif not keys.among(value, ancestors):
        yield place, value, False


def _edits_of_members(
    place: Place, members: dict[Any, JsonValue], ancestors: Sequence[Value], named: str | None, keys: Keys
) -> Iterator[Edit]:
    """`ancestors` that are no objects count as empty."""
    maps = [a if isinstance(a, dict) else {} for a in ancestors]
    names = dict.fromkeys(members)
    for known in maps:
        names.update(dict.fromkeys(known))
    one = maps[0] if len(maps) == 1 else {}
    for name in names:
        value = members.get(name, ABSENT)
        if type(value) is str and value == one.get(name):  # most members, without ceremony
            continue
        before = [m.get(name, ABSENT) for m in maps]
        plain = not isinstance(value, CONTAINERS)
        if (plain or place is ROOT) and keys.among(value, before):
            # Most members are as before: those of the document need not be looked into. Deeper down that would read
            # what is nested at every depth.
            continue
        below = Place(place, name if named is None else arrays.segment_of(named, name))
        if plain:
            yield below, value, False
        else:
            yield from _edits(below, value, before, keys)


def _edits_of_array(place: Place, array: list[JsonValue], ancestors: list[Value], keys: Keys) -> Iterator[Edit]:
    lists = [a for a in ancestors if isinstance(a, list)]
    names: list[list[Any]]  # of the members, of the array first
    if array or lists:
        if (sets := arrays.as_sets([array, *lists], keys)) is not None:
            names = [known.keys for known in sets]
            edits = _edits_of_set(place, array, ancestors, keys)
        elif (named := arrays.named([array, *lists])) is not None:
            names = named.names
            members, *before = named.members_of([array, *ancestors])
            edits = list(_edits_of_members(place, members, before, named.field, keys))
        else:
            names, edits = [], []
        if edits:
            yield from edits
            return
        if names and lists:
            if all(orders.reordered(known, names[0]) for known in names[1:]):
                yield place, array, False
            return
    if not keys.among(array, ancestors):
        yield place, array, False


def _edits_of_set(place: Place, array: list[JsonValue], ancestors: list[Value], keys: Keys) -> list[Edit]:
    """What is in no ancestor, and what is in all of them but not here."""
    known = [set(keys.keys(a)) if isinstance(a, list) else set() for a in ancestors] or [set()]
    member = Place(place, "-")
    here = set(keys.keys(array))
    in_any = set.union(*known)
    edits: list[Edit] = [(member, child, True) for child in array if keys.key(child) not in in_any]
    edits += [(member, ABSENT, True) for _ in set.intersection(*known) - here]
    return edits
