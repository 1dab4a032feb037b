"""What is not understood is an error with a hint."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from client.tasks.filters import filter_of
from client.tasks.listed import keep_numbers, numbers
from client.tasks.modifications import modification_of
from client.tasks.moments import NoMomentError
from client.tasks.view import View
from client.tasks.words import WordError
from shared.core.documents import Body

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
BODIES: list[Body] = [
    {"id": "aaaa1111", "description": "one", "tags": ["errand", "DIY"], "project": "home", "estimate": 3},
    {"id": "aaab2222", "description": "two", "project": "home.garden", "depends": ["aaaa1111"]},
    {"id": "bbbb3333", "description": "three", "project": "work", "depends": ["aaab2222"]},
]
VIEW = View.of(BODIES, NOW, ("bbbb3333", "aaaa1111"), values={"priority": ("H", "M", "L")})


def found(*words: str) -> list[str]:
    fits = filter_of(words, NOW, VIEW)
    return [body["description"] for body in BODIES if fits(body)]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("proejct:home", "did you mean project"),
        ("projct.has:home", "did you mean project"),
        ("prioritty:H", "did you mean priority"),
        ("estimat:3", "did you mean estimate"),
        ("+OVERDEU", r"did you mean \+OVERDUE"),
        ("-WAITNG", r"did you mean \+WAITING"),
        ("+QQQQ", "ACTIVE"),
        ("--done", "no option --done"),
        ("1-9", "numbers 1 to 2"),
        ("/(/", "is not a pattern"),
    ],
)
def test_a_slip_in_a_filter_is_an_error_with_a_hint(word: str, hint: str) -> None:
    with pytest.raises(WordError, match=hint):
        found(word)


def test_a_date_that_is_none_is_an_error() -> None:
    with pytest.raises(NoMomentError):
        found("due.before:tomorow")


@pytest.mark.parametrize(
    ("words", "descriptions"),
    [
        ("+DIY", "one"), ("estimate:3", "one"), ("colour:red", ""), ("pri:H", ""), ("proj:home", "one two"),
        ("project.not:home", "three"), ("2", "one"), ("1,2", "one three"), ("1-2", "one three"), ("9", ""),
        ("+BLOCKED", "two three"), ("+BLOCKING", "one two"),
    ],
)  # fmt: skip
def test_what_is_understood(words: str, descriptions: str) -> None:
    assert found(words) == descriptions.split()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("priority:X", "one of H, M, L"),
        ("pri:X", "one of H, M, L"),
        ("+OVERDUE", "virtual tag"),
        ("proejct:home", "did you mean project"),
        ("due.before:today", "asks and does not set"),
        ("depends:cc", "no task has an id"),
        ('depends:=["cc"]', "there is no task"),
        ("depends:aaa", "2 ids begin with"),
        ("depends:a", "two characters or more"),
        ("id:x", "cannot be set"),
    ],
)
def test_a_slip_in_a_change_is_an_error_with_a_hint(words: str, hint: str) -> None:
    with pytest.raises(WordError, match=hint):
        modification_of(words.split(), NOW, VIEW)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("note: buy milk", {"description": "note: buy milk"}),
        ("colour:red", {"colour": "red"}),
        ("-- proejct:home --yes", {"description": "proejct:home --yes"}),
        ('proejct:="home"', {"proejct": "home"}),
        ("pri:H", {"priority": "H"}),
        ("depends:2,aaab", {"depends": ["aaaa1111", "aaab2222"]}),
    ],
)
def test_what_a_change_understands(words: str, changed: Body) -> None:
    assert modification_of(words.split(), NOW, VIEW)({"id": "x"}) == {"id": "x", **changed}


def test_a_task_cannot_depend_on_itself_by_any_way() -> None:
    assert VIEW.cycle("aaaa1111", ["bbbb3333"]) == ["aaaa1111", "bbbb3333", "aaab2222", "aaaa1111"]
    assert VIEW.cycle("bbbb3333", ["aaaa1111"]) is None
    assert VIEW.cycle("new", ["new"]) == ["new", "new"]


def test_numbers_are_kept_until_the_next_listing(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("state")
    assert numbers(state) == ()
    keep_numbers(state, ["b", "a"])
    assert numbers(state) == ("b", "a")
    keep_numbers(state, ["c"])
    assert numbers(state) == ("c",)
    keep_numbers(state / "missing", ["d"])
    assert numbers(state / "missing") == ()
