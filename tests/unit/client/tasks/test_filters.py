"""The laws of client.tasks.filters and client.tasks.words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.filters import filter_of
from client.tasks.moments import NoMomentError
from client.tasks.view import is_pending
from client.tasks.words import Field, Tag, Text, WordError, read_words
from shared.testing.strategies import json_values

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
TASK: dict[str, Any] = {
    "id": "q7abcdefghkmnpqr",
    "description": "Buy Milk for Ann",
    "tags": ["errand", "shop"],
    "project": "home.garden",
    "due": "2026-11-24T12:00:00Z",
    "estimate": 3,
    "done": False,
    "a.b": "dotted",
    "nested": {"deep": {"x": "y"}},
    "nothing": None,
}
bodies = st.dictionaries(st.sampled_from(("description", "tags", "project", "due", "n", "a")), json_values(6))
some_words = st.sampled_from(
    ("+a", "-a", "+ab", "milk", "a", "project:a", "project.not:a", "n:1", "n:", "n.any:", "due.before:tomorrow",
     "due:today", "a.b:x", "n.has:a", "n.after:0", "project.none:", "n:=[1]")
)  # fmt: skip


def fits(*words: str) -> bool:
    return filter_of(words, NOW)(TASK)


@pytest.mark.parametrize(
    "words",
    [
        "+errand", "-home", "milk", "ann buy", "errand", "q7ab", "project:home", "project:home.garden",
        "project.is:home.garden", "project.isnt:home", "project.has:gard", "due:tomorrow", "due:2026-11-24",
        "due.before:wednesday", "due.after:today", "estimate:3", "estimate.after:2.5", "estimate.before:10",
        "estimate:=3.0", "done:false", "a.b:dotted", "nested.deep.x:y", "nothing:null", "missing:", "missing.none:",
        "project.any:", "tags:shop", "tags.has:err", "tags.not:home", "description.hasnt:cheese", "project.not:",
    ],
)  # fmt: skip
def test_what_fits(words: str) -> None:
    assert fits(*words.split())


@pytest.mark.parametrize(
    "words",
    [
        "-errand", "+home", "cheese", "milk cheese", "q7", "project:hom", "project.is:home", "project:garden",
        "due:today", "due.before:today", "due.after:wednesday", "estimate:30", "estimate.after:3", "estimate:=4",
        "missing.before:today", "missing.after:a", "a.c:x", "nested.deep.z:y", "project:", "missing.any:", "tags:sho",
        "description.has:cheese", "missing:x", "project.not:home",
    ],
)  # fmt: skip
def test_what_does_not_fit(words: str) -> None:
    assert not fits(*words.split())


@given(bodies, st.lists(some_words, max_size=4), some_words)
def test_more_words_never_find_more(body: dict[str, Any], words: list[str], word: str) -> None:
    if filter_of([*words, word], NOW)(body):
        assert filter_of(words, NOW)(body)
        assert filter_of([word, *reversed(words)], NOW)(body)


@given(bodies)
def test_a_positive_form_is_the_opposite_of_its_negative(body: dict[str, Any]) -> None:
    for one, other in [
        ("+a", "-a"),
        ("project.is:a", "project.isnt:a"),
        ("project:a", "project.not:a"),
        ("n.has:1", "n.hasnt:1"),
        ("due.any:", "due.none:"),
        ("due:", "due.not:"),
    ]:
        assert filter_of([one], NOW)(body) is not filter_of([other], NOW)(body)


@given(st.lists(st.one_of(st.text(max_size=12), some_words), max_size=5), bodies)
def test_any_words_are_understood_or_refused(words: list[str], body: dict[str, Any]) -> None:
    try:
        fit = filter_of(words, NOW)
    except (WordError, NoMomentError):
        return
    assert fit(body) in (True, False)


def test_words() -> None:
    assert read_words(["+a", "-b", "c.d:e", "due.before:x", "n:=3", "x:"]) == [
        Tag("a", True),
        Tag("b", False),
        Field("c.d", "", "e", False),
        Field("due", "before", "x", False),
        Field("n", "", "3", True),
        Field("x", "", "", False),
    ]
    text = ["https://a.b/c", "12:30", "Note: buy milk", "-", "+", "-5", "plain", "a b:c"]
    assert read_words(text) == [Text(word) for word in text]
    assert read_words(["--", "+a", "b:c", "--x"]) == [Text("+a"), Text("b:c"), Text("--x")]
    with pytest.raises(WordError, match="write -- before it"):
        read_words(["--jsn"])


def test_what_a_list_shows_by_itself() -> None:
    assert is_pending({}, NOW)
    assert is_pending({"status": "pending", "wait": "2026-11-22T00:00:00Z"}, NOW)
    assert not is_pending({"wait": "2026-11-24T00:00:00Z"}, NOW)
    for status in ("completed", "deleted", "recurring"):
        assert not is_pending({"status": status}, NOW)
