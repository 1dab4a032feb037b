"""Patterns: what they match, which of them counts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.json.pointers import escape, split
from shared.core.merge.policies import MAX_PATTERNS, NO_POLICIES, InvalidPolicies, Policies, Scope, Strategy, parse


def at(policies: Policies, *path: str | None) -> Scope:
    scope = policies.scope()
    for key in path:
        scope = scope.child(key)
    return scope


@pytest.mark.parametrize(
    ("path", "strategy"),
    [
        ((), None),
        (("a",), "max"),
        (("b",), "min"),
        (("a", "b"), "lww"),
        (("a", "c"), "set"),
        (("x", "b"), "list"),
        (("x", "c"), None),
        (("x", "y", "z"), None),
        (("a", "y", "z"), "text"),
        (("a/b",), "counter"),
        (("x", None), None),
        (("a", None), "set"),
    ],
)
def test_the_most_specific_pattern_wins(path: tuple[str | None, ...], strategy: str | None) -> None:
    policies = parse(
        {
            "/*": "min",
            "/a": "max",
            "/a/b": "lww",
            "/a/*": "set",
            "/a/**": "text",
            "/*/b": "list",
            "/a~1b": "counter",
            "/x/c": "secret",
        }
    )
    assert at(policies, *path).strategy == strategy


def test_two_stars_are_the_path_and_all_below() -> None:
    policies = parse({"/**": "version", "/a/**": "max"})
    assert [at(policies, *path).strategy for path in ((), ("b",), ("b", None, "c"))] == ["version"] * 3
    assert [at(policies, *path).strategy for path in (("a",), ("a", "b"), ("a", "b", None))] == ["max"] * 3


@pytest.mark.parametrize("pattern", ["", "/**", "/*"])
def test_delete_wins_is_inherited(pattern: str) -> None:
    policies = parse({pattern: "delete-wins", "/a": "max"})
    assert all(at(policies, *path).delete_wins for path in (("a",), ("b", "c"), ("b", None, None, "x")))
    assert at(policies, "a").strategy is Strategy.MAX
    assert at(policies).delete_wins == (pattern != "/*")


def test_secrets_stay_secret_below() -> None:
    policies = parse({"/password": "secret", "/keys/*/value": ["secret", "lww"], "/all/**": "secret"})
    assert policies.at("/password").secret
    assert policies.at("/password/old/0").secret
    assert policies.at("/keys/3/value").secret
    assert policies.at("/all/x/y").secret
    assert not policies.at("/keys/3").secret
    assert not policies.at("").secret
    assert at(policies, "keys", None, "value").strategy is Strategy.LWW
    assert parse({"": "secret"}).at("/anything").secret
    assert not NO_POLICIES.at("/password").secret


def test_paths_without_a_rule_share_a_scope() -> None:
    scope = at(NO_POLICIES)
    assert scope.child("a") is scope
    below = at(parse({"/**": "version"}), "a")
    assert below.child("b") is below
    assert below.child(None) is below


@pytest.mark.parametrize(
    ("declaration", "pointer"),
    [
        ([], ""),
        ({"a": "lww"}, "/a"),
        ({"/a~2": "lww"}, "/~1a~02"),
        ({"/**/a": "lww"}, "/~1**~1a"),
        ({"/a": "newest"}, "/~1a"),
        ({"/a": 1}, "/~1a"),
        ({"/a": []}, "/~1a"),
        ({"/a": ["lww", "nonsense"]}, "/~1a/1"),
        ({"/a": ["lww", "max"]}, "/~1a/1"),
        ({"/a": ["secret", "secret"]}, "/~1a/1"),
        ({"/a": [["lww"]]}, "/~1a/0"),
        ({"/a" * 65: "lww"}, "/" + "~1a" * 65),
        ({f"/{i}": "lww" for i in range(MAX_PATTERNS + 1)}, ""),
    ],
)
def test_a_bad_declaration_says_where(declaration: Any, pointer: str) -> None:
    with pytest.raises(InvalidPolicies) as fault:
        parse(declaration)
    assert fault.value.pointer == pointer
    assert fault.value.detail


def test_all_words_are_known() -> None:
    words = ["lww", "set", "list", "text", "counter", "max", "min", "version", "delete-wins", "exact", "secret"]
    assert {str(s) for s in Strategy} == set(words)
    for word in words:
        assert parse({"/a": word}).declared == {"/a": (Strategy(word),)}


def test_policies_are_values() -> None:
    assert parse({"/a": "lww"}) == parse({"/a": ["lww"]})
    assert len({parse({"/a": "lww"}), parse({"/a": "lww"}), parse({"/a": "max"})}) == 2
    assert repr(parse({"/a": "lww"})) == "Policies({'/a': ['lww']})"
    assert parse({}) == NO_POLICIES


@pytest.mark.parametrize("key", ["", "a", "a/b", "~", "~1", "/", "é", "m~0n"])
def test_pointers_escape_and_split(key: str) -> None:
    assert split("/x/" + escape(key)) == ["x", key]


def test_pointers_that_are_none() -> None:
    assert split("") == []
    for text in ("a", "/~", "/~2", "/a~"):
        with pytest.raises(ValueError, match="pointer"):
            split(text)
