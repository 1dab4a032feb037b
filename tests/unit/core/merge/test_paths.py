"""Edits, differing paths and strong values: by example, and the laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from shared.core.json.canonical import equal
from shared.core.merge.objects import ABSENT, differing_paths, edits, merge
from shared.core.merge.paths import strong_values
from shared.testing import strategies

LONG = "long enough to be strong"


@pytest.mark.parametrize(
    ("state", "ancestors", "found"),
    [
        ({"a": 1}, [{"a": 1.0}], []),
        ({"a": True}, [{"a": 1}], [("/a", True)]),
        ({"a": 1}, [{"a": 2}, {"a": 1}], []),
        ({"a": 1}, [{"a": 2}, {"a": 3}], [("/a", 1)]),
        ({}, [{"a": 2}, {}], []),
        ({}, [{"a": {"b": 2}}], [("/a", ABSENT)]),
        ({"a": {"b": 1, "c": {}}}, [{}], [("/a/b", 1), ("/a/c", {})]),
        ({"a": {"b": 1}}, [{"a": 5}], [("/a/b", 1)]),
        ({"a": 5}, [{"a": {"b": 1}}], [("/a", 5)]),
        ({"a": {}}, [{"a": []}], [("/a", {})]),
        ({"a/b": {"~": 1}}, [{}], [("/a~1b/~0", 1)]),
        ({"t": ["x", "y"]}, [{"t": ["y", "z"]}], [("/t/-", "x"), ("/t/-", ABSENT)]),
        ({"t": ["x", "y"]}, [{"t": ["y"]}, {"t": ["x", "z"]}], []),
        ({"t": ["x", "y"]}, [{"t": ["y", "x"]}], [("/t", ["x", "y"])]),
        ({"t": ["x"]}, [{}], [("/t/-", "x")]),
        ({"t": []}, [{}], [("/t", [])]),
        ({"t": [1, 1]}, [{"t": [1]}], [("/t", [1, 1])]),
        ({"l": [{"id": 1, "x": 2}]}, [{"l": [{"id": 1, "x": 1}]}], [("/l/id=1/x", 2)]),
        ({"l": [{"id": 2}]}, [{"l": [{"id": 1.0}]}], [("/l/id=2/id", 2), ("/l/id=1", ABSENT)]),
    ],
)
def test_edits(state: Any, ancestors: list[Any], found: list[tuple[str, Any]]) -> None:
    assert edits(state, ancestors) == found


@given(strategies.histories())
def test_law_no_edits_means_equal(history: Any) -> None:
    base, changed, other = history
    assert (edits(changed, [base]) == []) == equal(changed, base)
    assert edits(changed, [other, changed, base]) == []


@given(strategies.histories())
def test_law_without_edits_a_merge_keeps_what_is_stored(history: Any) -> None:
    base, ours, theirs = history
    if not edits(theirs, [base]):
        assert equal(merge([base], ours, theirs).value, ours)
    if not edits(ours, [base]):
        assert equal(merge([base], ours, theirs).value, theirs)


def test_differing_paths() -> None:
    a = {"id": "x", "o": {"a": 1, "b": 2}, "t": ["p", "q"], "l": [1, 1]}
    assert sorted(differing_paths(a, {})) == ["/id", "/l", "/o/a", "/o/b", "/t/-", "/t/-"]
    b = {"id": "x", "o": {"a": 1, "c": 2}, "t": ["q", "r"], "l": [1, 2]}
    assert sorted(differing_paths(a, b)) == ["/l", "/o/b", "/o/c", "/t/-", "/t/-"]


@given(strategies.histories())
def test_law_differing_paths_are_the_same_from_both_sides(history: Any) -> None:
    _, a, b = history
    assert sorted(differing_paths(a, b)) == sorted(differing_paths(b, a))
    assert (differing_paths(a, b) == []) == equal(a, b)


def test_strong_values() -> None:
    state = {
        "id": "document",
        "short": "no",
        "n": 12345678,
        "flag": True,
        "o": {"a/b": LONG},
        "tags": ["x", 7, None, True],
        "people": [{"name": "Ada", "mail": LONG}],
        "log": [{"x": LONG}, {"x": LONG}, LONG, "no"],
    }
    assert sorted(strong_values(state), key=repr) == sorted(
        [
            ("/id", "document"),
            ("/o/a~1b", LONG),
            ("/tags/-", "x"),
            ("/tags/-", 7),
            ("/people/name=Ada/mail", LONG),
            ("/log/-/x", LONG),
            ("/log/-/x", LONG),
            ("/log/-", LONG),
        ],
        key=repr,
    )


def test_a_decide_is_asked_at_the_place_of_the_strong_value() -> None:
    asked: list[str] = []

    def decide(pointer: str, ours: Any, theirs: Any) -> Any:
        asked.append(pointer)
        return merge.__kwdefaults__["decide"](pointer, ours, theirs)

    def state(text: str) -> Any:
        return {
            "o": {"x": text},
            "l": [{"id": 1.0, "x": text}],
            "m": [{"x": text}, {"x": 1}, {"x": 1}],
            "n": [1, 1, text],
        }

    merge([state(LONG)], state(LONG + "1"), state(LONG + "2"), decide=decide)
    assert sorted(asked) == sorted(path for path, _ in strong_values(state(LONG)))
