"""The laws of client.tasks.modifications."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.modifications import modification_of
from client.tasks.moments import NoMomentError
from client.tasks.words import WordError
from shared.core.json.canonical import equal
from shared.core.json.strict import check
from shared.core.merge.objects import merge
from shared.testing.strategies import json_values

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)

inside: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from((None, 1, "x", [], {})),
    lambda values: st.dictionaries(st.sampled_from(("b", "c", "b.c")), values, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(
    st.sampled_from(("description", "tags", "project", "due", "n", "a", "a.b", "a.b.c")), json_values(6) | inside
).map(lambda body: {**body, "id": "q7"})
some_words = st.one_of(
    st.text(max_size=10),
    st.sampled_from(("+a", "-a", "+b", "milk", "n:1", "n:", "n:=1.0", "n:=[true]", "a.b:x", "a.b:", "due:friday"))
    | st.sampled_from(("project:a", "tags:a,b,a", "tags:", "tags:=null", "tags.b:x", "description:x", "a.b.c:=null"))
    | st.sampled_from(("a:0", "a:", 'a:={"b":{"c":1}}', "a:={}", "a.c:x", "a.b.c:", 'a.b:={"c":[]}', "a.b:={}")),
)


def modified(body: dict[str, Any], *words: str) -> dict[str, Any]:
    return modification_of(words, NOW)(body)


@given(bodies, st.lists(some_words, max_size=4))
def test_the_laws(body: dict[str, Any], words: list[str]) -> None:
    before = deepcopy(body)
    try:
        after = modified(body, *words)
    except (WordError, NoMomentError):
        return
    finally:
        assert repr(body) == repr(before)
    check(after, max_depth=64)
    assert equal(modified(after, *words), after)
    assert after["id"] == "q7"


@given(bodies)
def test_what_no_word_names_is_as_it_was(body: dict[str, Any]) -> None:
    rest = {name: value for name, value in body.items() if name not in ("n", "description")}
    after = modified(body, "n:=7", "text")
    assert {name: value for name, value in after.items() if name not in ("n", "description")} == rest


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        ({}, ["buy", "milk"], {"description": "buy milk"}),
        ({"description": "old"}, ["+a"], {"description": "old", "tags": ["a"]}),
        ({"tags": ["a", "b"]}, ["-a", "+c", "+b"], {"tags": ["b", "c"]}),
        ({"tags": ["a"]}, ["-a"], {}),
        ({"x": 1}, ["x:"], {}),
        ({"x": 1}, ["x:2"], {"x": 2}),
        ({"x": 1}, ["x:two"], {"x": "two"}),
        ({"x": True}, ["x:false"], {"x": False}),
        ({"x": True}, ["x:1"], {"x": "1"}),
        ({}, ["x:2"], {"x": "2"}),
        ({}, ["x:=2", 'y:={"a": [1]}'], {"x": 2, "y": {"a": [1]}}),
        ({}, ["due:friday"], {"due": "2026-11-27"}),
        ({}, ["a.b:x"], {"a": {"b": "x"}}),
        ({"a.b": 0}, ["a.b:x"], {"a.b": "x"}),
        ({"a": {"b": 1, "c": 2}}, ["a.b:"], {"a": {"c": 2}}),
        ({"a": {"b": 1}}, ["a.b:"], {}),
        ({"a.b": 0, "a": {"b": 1, "b.c": 2}}, ["a.b:"], {"a": {"b.c": 2}}),
        ({}, ["a.b:x", 'a:={"c": 1}'], {"a": {"b": "x", "c": 1}}),
        ({"a": 1}, ["a.b:x", "a:"], {"a": {"b": "x"}}),
        ({"tags": "x"}, ["-a"], {"tags": "x"}),
        ({}, ["+a", "tags:b"], {"tags": ["b", "a"]}),
        ({"tags": ["c"]}, ["+a", "-a", "x:1", "x:2"], {"tags": ["c"], "x": "2"}),
        ({"a.b": 0, "a": {}}, ["a.b:x", "a.b:"], {"a": {}}),
        ({}, ["a.b:0", "a.b:"], {}),
        ({}, ["tags:a,b,a"], {"tags": ["a", "b"]}),
        ({}, ["see", "https://a.b"], {"description": "see https://a.b"}),
    ],
)
def test_what_is_meant(before: dict[str, Any], words: list[str], after: dict[str, Any]) -> None:
    assert modified(before, *words) == after


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["due:sometime"], "is not a date"),
        (["due:sometime", "due:friday"], "is not a date"),
        (["x:={"], "is not JSON"),
        (["id:other"], "cannot be set"),
        (["_deleted:=true"], "cannot be set"),
        (["due.before:friday"], "asks and does not set"),
        (["--all"], "no option --all"),
        (["x:\udcff"], "not UTF-8"),
        (["a.b:x"], '"a" of q7 has no fields inside. To replace it: a:='),
        (["a:={}", "a.b:x", "a.b.c:x"], '"a.b" of q7 has no fields inside. To replace it: a.b:='),
        (["a.b:x", "a:0"], "has no fields inside"),
        (["+b"], "are not a list"),
    ],
)
def test_what_is_refused(words: list[str], says: str) -> None:
    with pytest.raises((WordError, NoMomentError), match=says):
        modified({"id": "q7", "a": 1, "tags": "x"}, *words)


@pytest.mark.parametrize("words", [["-home"], ["tags:"], ["tags:=[]"]])
@pytest.mark.parametrize("mine_is_stored", [False, True])
def test_without_its_last_tag_a_task_gets_the_tags_that_others_add(words: list[str], mine_is_stored: bool) -> None:
    base = {"id": "q7", "tags": ["home"]}
    sides = (modified(base, *words), modified(base, "+work"))
    merged = merge([base], *(sides if mine_is_stored else reversed(sides)))
    assert merged.value == {"id": "q7", "tags": ["work"]}
    assert merged.conflicts == ()
