"""Hypothesis strategies: JSON of every shape, documents, and histories of a document on two sides.

Small alphabets on purpose: what is rare in JSON at large (equal elements, equal keys, True beside 1, one side
touching what the other touched) is what merging is about.

A strategy is made once: Hypothesis works out what it can draw when it is first drawn from, and that takes longer than
drawing.
"""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from shared.core.json.canonical import JsonValue
from shared.core.merge.arrays import KEY_FIELDS

WORDS = ("", "a", "b", "A", "ab", "é", "\U0001f600", "a string that is strong", "another strong string")
_LETTERS = st.sampled_from("abcdefgh")
KEYS = ("a", "b", "c", "", "a/b", "m~n", "a.b", "$set", "-", "0", "tags", "x y", *KEY_FIELDS, "updated_at")


@cache
def scalars() -> SearchStrategy[JsonValue]:
    """All kinds; those that Python takes for equal and JSON does not, and the other way round, often."""
    return st.one_of(
        st.sampled_from((None, True, False, 0, 1, 1.0, -0.0, 2, 1.5, -1, 2**53 - 1, 1e21, 5e-324)),
        st.sampled_from(WORDS),
        st.integers(-20, 20),
    )


@cache
def keys() -> SearchStrategy[str]:
    """Keys of objects, awkward ones too."""
    return st.sampled_from(KEYS)


@cache
def arrays(elements: SearchStrategy[JsonValue], max_size: int = 6) -> SearchStrategy[list[JsonValue]]:
    """Sets, sorted sets, with duplicates, with named members, and anything."""
    words = st.lists(st.sampled_from("abcdefgh"), max_size=max_size, unique=True)
    numbers = st.lists(st.integers(0, 9), max_size=max_size, unique=True)
    return st.one_of(
        words,
        words.map(sorted),
        numbers,
        numbers.map(sorted),
        st.lists(st.sampled_from((0, 1, True, "a")), max_size=max_size),
        st.lists(elements, max_size=max_size),
        named_members(elements, max_size),
    )


@st.composite
def named_members(draw: DrawFn, elements: SearchStrategy[JsonValue], max_size: int = 6) -> list[JsonValue]:
    """Objects, told apart by one of the fields that can."""
    field = draw(st.sampled_from(KEY_FIELDS))
    names = draw(_names(max_size))
    return [{**draw(_fields(elements)), field: name} for name in names]


@cache
def _names(max_size: int) -> SearchStrategy[list[JsonValue]]:
    return st.lists(st.one_of(st.sampled_from("abcdef"), st.integers(0, 3)), max_size=max_size, unique=True)


@cache
def _fields(elements: SearchStrategy[JsonValue]) -> SearchStrategy[dict[str, JsonValue]]:
    return st.dictionaries(st.sampled_from(("a", "b", "title")), elements, max_size=3)


@cache
def json_values(max_leaves: int = 12) -> SearchStrategy[JsonValue]:
    """Any JSON value."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(st.dictionaries(keys(), inner, max_size=5), arrays(inner)),
        max_leaves=max_leaves,
    )


@cache
def documents(max_leaves: int = 12) -> SearchStrategy[dict[str, JsonValue]]:
    """Bodies of documents: objects with an `id`, the same for all."""
    fields = st.dictionaries(keys(), json_values(max_leaves), max_size=5)
    return fields.map(lambda body: {**body, "id": "the-document"})


@st.composite
def edited(draw: DrawFn, value: JsonValue, times: int = 4) -> JsonValue:
    """The value after up to `times` edits, each somewhere in it. The value itself is not touched."""
    for _ in range(draw(st.integers(0, times))):
        value = _edit(draw, value)
    return value


@st.composite
def histories(draw: DrawFn, max_leaves: int = 12) -> tuple[JsonValue, JsonValue, JsonValue]:
    """A document and what two sides made of it."""
    base = draw(documents(max_leaves))
    return base, draw(edited(base)), draw(edited(base))


@st.composite
def respelled(draw: DrawFn, value: JsonValue) -> JsonValue:
    """An equal value: other order of keys, 1.0 for 1 and back, -0.0 for 0."""
    if isinstance(value, dict):
        order = draw(st.permutations(list(value)))
        return {key: draw(respelled(value[key])) for key in order}
    if isinstance(value, list):
        return [draw(respelled(element)) for element in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if value == 0:
        return draw(st.sampled_from((0, 0.0, -0.0)))
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return float(value) if draw(st.booleans()) else value


def _edit(draw: DrawFn, value: JsonValue) -> JsonValue:
    if isinstance(value, dict) and value:
        return _edit_object(draw, value)
    if isinstance(value, list) and value:
        return _edit_array(draw, value)
    return draw(json_values(3))


def _edit_object(draw: DrawFn, value: dict[str, JsonValue]) -> JsonValue:
    changed = dict(value)
    key = draw(st.sampled_from(sorted(value)))
    match draw(st.sampled_from(("below", "below", "put", "put", "remove", "rename"))):
        case "below":
            changed[key] = _edit(draw, value[key])
        case "put":
            changed[draw(keys())] = draw(json_values(3))
        case "remove":
            del changed[key]
        case _:
            changed[draw(keys())] = changed.pop(key)
    if "id" in value:
        changed["id"] = value["id"]
    return changed


def _edit_array(draw: DrawFn, value: list[JsonValue]) -> JsonValue:
    changed = list(value)
    index = draw(st.integers(0, len(value) - 1))
    match draw(st.sampled_from(("below", "below", "insert", "insert", "remove", "move", "sort"))):
        case "below":
            changed[index] = _edit(draw, value[index])
        case "insert":
            changed.insert(index, _like(draw, value))
        case "remove":
            del changed[index]
        case "move":
            changed.insert(draw(st.integers(0, len(value) - 1)), changed.pop(index))
        case _:
            if all(isinstance(element, str) for element in value):
                changed = sorted([*value, draw(_LETTERS)])
    return changed


def _like(draw: DrawFn, value: list[JsonValue]) -> JsonValue:
    """An element that goes with the others."""
    first = value[0]
    if isinstance(first, dict):
        return {**first, **{field: draw(st.sampled_from("ghij")) for field in KEY_FIELDS if field in first}}
    if isinstance(first, str):
        return draw(_LETTERS)
    return draw(json_values(2))
