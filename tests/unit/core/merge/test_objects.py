"""The rules of the table by example, and the laws of the merge on everything else."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.core.json.canonical import canonical, equal
from shared.core.merge.arrays import named_by
from shared.core.merge.objects import ABSENT, Conflict, Merged, Side, Steps, Value, merge
from shared.core.merge.policies import NO_POLICIES, Policies, parse
from shared.core.merge.sequences import BUDGET
from shared.testing import strategies

DELETE_WINS = parse({"/**": "delete-wins"})
LONG = "long enough to be strong"


def conflicts(merged: Merged) -> list[tuple[str, Any, Any, str]]:
    return [(c.path, c.kept, c.dropped, c.rule) for c in merged.conflicts]


def keep_ours(_pointer: str, _ours: Value, _theirs: Value) -> tuple[Side, str]:
    return Side.OURS, "ours"


# Fields


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}),
        ({"a": 1}, {"a": 1, "b": 1}, {"a": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}),
        ({"a": 1, "b": 1}, {"a": 1}, {"b": 1}, {}),
        ({"a": {"x": 1, "y": 1}}, {"a": {"x": 2, "y": 1}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 2, "y": 2}}),
        ({"a": 1}, {"a": None}, {"a": 1}, {"a": None}),
        ({"a": None}, {}, {"a": None}, {}),
        ({"a": 1}, {"a": True}, {"a": 1.0}, {"a": True}),
        ({"a": 0}, {"a": -0.0}, {"a": False}, {"a": False}),
        ({}, {"a": {"x": 1}}, {"a": {"y": 1}}, {"a": {"x": 1, "y": 1}}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"y": 1}}, {"a": {"x": 1, "y": 1}}),
        ({"a": [1]}, {"a": {"0": 1}}, {"a": [1]}, {"a": {"0": 1}}),
    ],
)
def test_fields_that_only_one_side_changed(base: Any, ours: Any, theirs: Any, result: Any) -> None:
    merged = merge([base], ours, theirs)
    assert canonical(merged.value) == canonical(result)
    assert merged.conflicts == ()


def test_two_values_for_one_field_are_decided_and_recorded() -> None:
    assert merge([{"a": 1}], {"a": 2}, {"a": 3}) == Merged({"a": 3}, (Conflict("/a", 3, 2, "arriving"),))
    assert merge([{"a": 1}], {"a": 2}, {"a": 3}, decide=keep_ours) == Merged(
        {"a": 2}, (Conflict("/a", 2, 3, "ours"),)
    )


def test_types_do_not_mix() -> None:
    assert conflicts(merge([{"a": 1}], {"a": [1]}, {"a": {"b": 1}})) == [("/a", {"b": 1}, [1], "arriving")]


def test_an_edit_beats_a_removal_with_the_whole_object() -> None:
    base, edited = {"o": {"x": 1, "y": 1}}, {"o": {"x": 2, "y": 1}}
    for ours, theirs in (({}, edited), (edited, {})):
        merged = merge([base], ours, theirs)
        assert merged.value == edited
        assert conflicts(merged) == [("/o", edited["o"], ABSENT, "edit-beats-removal")]


def test_with_delete_wins_a_removal_beats_an_edit() -> None:
    base, edited = {"o": {"x": 1, "y": 1}}, {"o": {"x": 2, "y": 1}}
    for ours, theirs in (({}, edited), (edited, {})):
        merged = merge([base], ours, theirs, policies=DELETE_WINS)
        assert merged.value == {}
        assert conflicts(merged) == [("/o", ABSENT, edited["o"], "delete-wins")]


HOME, WORK = {"id": "h", "text": "home"}, {"id": "w", "text": "work"}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("by_ours", [False, True])
@pytest.mark.parametrize(
    ("base", "edited", "result"),
    [
        (["home"], ["home", "work"], ["work"]),
        (["home", "car"], ["home"], ABSENT),
        (["home", "car"], ["car", "home"], ABSENT),
        (["home"], ["home", None, 1, True], [None, 1, True]),
        ([], ["work"], ["work"]),
        (["home"], [], []),
        ([HOME], [HOME, WORK], [WORK]),
        ([HOME, WORK], [WORK], ABSENT),
        ([1, 1], [1, 1, 2], [2]),
        ([{"a": 1}], [{"a": 1}, {"a": 2}], [{"a": 2}]),
    ],
)
def test_a_left_out_array_is_an_empty_one(nested: bool, by_ours: bool, base: Any, edited: Any, result: Any) -> None:
    def around(value: Any) -> Any:
        inside = {} if value is ABSENT else {"tags": value}
        return {"meta": {"n": 1, **inside}, "steps": [{"id": 1, **inside}]} if nested else inside

    for policies in (NO_POLICIES, parse({"/**": "version"}), parse({"/tags": "set", "/*/tags": "set"})):
        if policies.declared and base == [1, 1]:
            continue  # no set
        sides = (around(ABSENT), around(edited)) if by_ours else (around(edited), around(ABSENT))
        assert merge([around(base)], *sides, policies=policies) == Merged(around(result), ())


def test_what_was_edited_in_an_array_that_was_left_out_stands_and_is_recorded() -> None:
    edited = [{**HOME, "text": "at home"}, WORK]
    assert merge([{"steps": [HOME]}], {}, {"steps": edited}) == Merged(
        {"steps": edited}, (Conflict("/steps/0", edited[0], ABSENT, "edit-beats-removal"),)
    )
    points = [[0, 0], [1, 5], [2, 2]]
    assert merge([{"line": [[0, 0], [1, 1], [2, 2]]}], {"line": points}, {}) == Merged(
        {"line": points}, (Conflict("/line", points, ABSENT, "edit-beats-removal"),)
    )


@pytest.mark.parametrize(("strategy", "result"), [("delete-wins", {}), ("lww", {"tags": ["home", "work"]})])
def test_an_array_that_a_policy_makes_one_value_is_not_left_out_member_by_member(strategy: str, result: Any) -> None:
    merged = merge([{"tags": ["home"]}], {}, {"tags": ["home", "work"]}, policies=parse({"/tags": strategy}))
    assert merged.value == result
    assert [c.path for c in merged.conflicts] == ["/tags"]


def test_what_was_no_array_before_is_not_taken_for_an_empty_one() -> None:
    merged = merge([{"tags": "home"}], {}, {"tags": ["home"]})
    assert merged == Merged({"tags": ["home"]}, (Conflict("/tags", ["home"], ABSENT, "edit-beats-removal"),))


def test_delete_wins_holds_below_its_pattern_and_not_beside_it() -> None:
    policies = parse({"/o": "delete-wins"})
    base = {"o": {"x": 1}, "p": {"x": 1}}
    merged = merge([base], {"o": {}, "p": {}}, {"o": {"x": 2}, "p": {"x": 2}}, policies=policies)
    assert merged.value == {"o": {}, "p": {"x": 2}}


def test_the_default_never_turns_the_clock_back() -> None:
    early, late = {"updated_at": "2026-01-01T10:00:00Z"}, {"updated_at": "2026-01-01T12:00:00+01:00"}
    for ours, theirs in ((early, late), (late, early)):
        merged = merge([{"updated_at": "2025-01-01T00:00:00Z"}], ours, theirs)
        assert merged.value == late
        assert merged.conflicts[0].rule == "newer"


# Sets


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        (["a", "b"], ["a", "b", "c"], ["b"], ["b", "c"]),
        (["x", "b"], ["x", "b", "O"], ["x", "b", "T"], ["x", "b", "O", "T"]),
        (["x", "b"], ["x", "O", "b"], ["x", "b", "T"], ["x", "O", "b", "T"]),
        (["x", "b"], ["O", "x", "b"], ["x", "b"], ["O", "x", "b"]),
        (["x", "p", "q"], ["x", "O", "p", "q"], ["x", "T", "q"], ["x", "O", "T", "q"]),
        (["x", "b", "c"], ["c", "x", "b"], ["x", "b", "T", "c"], ["c", "x", "b", "T"]),
        (["x", "b", "c"], ["x", "O", "b", "c"], ["c", "b", "x"], ["c", "b", "x", "O"]),
        (["b", "d"], ["b", "d", "e"], ["a", "b", "d"], ["a", "b", "d", "e"]),
        (["b", "d"], ["b", "d", "f"], ["b", "d", "e"], ["b", "d", "e", "f"]),
        (["b", "D"], ["b", "C", "D"], ["b", "c", "D"], ["b", "C", "c", "D"]),
        ([3, 9], [3, 9, 10], [3, 4, 9], [3, 4, 9, 10]),
        ([1, True], [1, True, 2], [True], [True, 2]),
        ([], ["b"], ["a"], ["a", "b"]),
        (ABSENT, ["a", "b"], ["b", "c"], ["a", "b", "c"]),
        ("a", ["b", "a"], ["b", "a", "c"], ["b", "a", "c"]),
        ([5, 1], [5, 1.0, 2], [5, 1, 3], [5, 1, 2, 3]),
    ],
)
def test_sets(base: Any, ours: Any, theirs: Any, result: Any) -> None:
    merged = merge([{} if base is ABSENT else {"s": base}], {"s": ours}, {"s": theirs})
    assert canonical(merged.value["s"]) == canonical(result)
    assert merged.conflicts == ()


def test_an_order_that_both_changed_is_a_conflict() -> None:
    merged = merge([["x", "b", "c"]], ["c", "x", "b"], ["b", "x", "c"])
    assert conflicts(merged) == [("", ["b", "x", "c"], ["c", "x", "b"], "arriving")]
    assert merged.value == ["b", "x", "c"]


# Named members


@pytest.mark.parametrize("field", ["id", "_id", "uuid", "key", "name"])
def test_named_members_merge_like_fields(field: str) -> None:
    def member(name: Any, **fields: Any) -> dict[str, Any]:
        return {field: name, **fields}

    base = [member("a", x=1, y=1), member("b"), member("c")]
    ours = [member("a", x=2, y=1), member("b"), member("d")]
    theirs = [member("e"), member("a", x=1, y=2), member("b"), member("c")]
    merged = merge([base], ours, theirs)
    assert merged == Merged([member("e"), member("a", x=2, y=2), member("b"), member("d")], ())


def test_a_conflict_in_a_named_member_points_into_the_result_and_is_asked_by_name() -> None:
    asked = []

    def decide(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
        asked.append(pointer)
        return keep_ours(pointer, ours, theirs)

    base = {"l": [{"id": 7, "x": 1}]}
    ours, theirs = {"l": [{"id": 7, "x": 2}]}, {"l": [{"id": "new"}, {"id": 7, "x": 3}]}
    merged = merge([base], ours, theirs, decide=decide)
    assert asked == ["/l/id=7/x"]
    assert conflicts(merged) == [("/l/1/x", 2, 3, "ours")]


def test_removal_of_an_edited_member() -> None:
    base, edited = [{"id": 1, "x": 1}, {"id": 2}], [{"id": 1, "x": 2}, {"id": 2}]
    kept = merge([base], [{"id": 2}], edited)
    assert kept.value == edited
    assert conflicts(kept) == [("/0", {"id": 1, "x": 2}, ABSENT, "edit-beats-removal")]
    gone = merge([base], [{"id": 2}], edited, policies=DELETE_WINS)
    assert gone.value == [{"id": 2}]
    assert conflicts(gone) == [("/-", ABSENT, {"id": 1, "x": 2}, "delete-wins")]


def test_members_without_a_name_of_their_own_are_elements() -> None:
    merged = merge([[{"id": 1}, {"id": 1}]], [{"id": 1}, {"id": 1}, {"id": 2}], [{"id": 1}, {"id": 1}])
    assert merged.value == [{"id": 1}, {"id": 1}, {"id": 2}]
    assert merge([[{"id": True, "x": 1}]], [{"id": True, "x": 2}], [{"id": True, "x": 1}]).value == [
        {"id": True, "x": 2}
    ]


# Any other array


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result", "rules"),
    [
        ([1, 1, 2], [1, 1, 2, 3], [0, 1, 1, 2], [0, 1, 1, 2, 3], []),
        ([1, 1], [1, 1, "o"], [1, 1, "t"], [1, 1, "o", "t"], ["both-inserted"]),
        ([1, 1], [1, 1, "o", "x"], [1, 1, "t", "x"], [1, 1, "o", "t", "x"], ["both-inserted"]),
        ([1, 1], [1, 1, "o"], [1, 1, "o", "t"], [1, 1, "o", "t"], []),
        ([1, 1, 2], [1, 1, 3], [1, 1, 4], [1, 1, 4], ["arriving"]),
        ([1, 1, 2, 3], [1, 1, 5, 3], [1, 1, 2, 6], [1, 1, 5, 6], []),
        ([1, 1, 2], [1, 1], [1, 1, 4], [1, 1, 4], ["edit-beats-removal"]),
        ([1, 1, 2, 3], [1, 1, 7], [1, 1, 8, 9, 9], [1, 1, 8, 9, 9], ["arriving"]),
        ([1, 1], [0, 0], [0, 0], [0, 0], []),
        ([{"a": 1, "b": 1}], [{"a": 2, "b": 1}], [{"a": 1, "b": 2}], [{"a": 2, "b": 2}], []),
        ([[1, 2], [3]], [[1, 2, 4], [3]], [[1], [3]], [[1, 4], [3]], []),
        (ABSENT, [1, 1, 2], [1, 1, 3], [1, 1, 2, 3], ["both-inserted"]),
        (ABSENT, [1, 1], [2, 2], [2, 2], ["arriving"]),
    ],
)
def test_ordered_arrays(base: Any, ours: Any, theirs: Any, result: Any, rules: list[str]) -> None:
    merged = merge([base], ours, theirs)
    assert merged.value == result
    assert [c.rule for c in merged.conflicts] == rules


def test_with_delete_wins_a_removed_stretch_stays_removed() -> None:
    merged = merge([[1, 1, 2]], [1, 1], [1, 1, 4], policies=DELETE_WINS)
    assert merged == Merged([1, 1], (Conflict("", ABSENT, [4], "delete-wins"),))


def test_an_edited_element_is_found_behind_what_was_inserted() -> None:
    def entry(since: str, **more: Any) -> dict[str, Any]:
        return {"since": since, "flag": "x", "by": "y", **more}

    merged = merge(
        [[entry("1"), entry("1")]],
        [entry("9"), entry("1", note="ours"), entry("1")],
        [entry("1", until="theirs"), entry("1")],
    )
    assert merged.value == [entry("9"), entry("1", note="ours", until="theirs"), entry("1")]


def test_a_conflict_in_an_element_points_into_the_result() -> None:
    base = {"l": [0, 0, {"x": 1, "y": 1}]}
    ours, theirs = {"l": [0, 0, {"x": 2, "y": 1}]}, {"l": [5, 0, 0, {"x": 3, "y": 1}]}
    assert conflicts(merge([base], ours, theirs)) == [("/l/3/x", 3, 2, "arriving")]


# Renamed


def test_an_edit_follows_a_renamed_field() -> None:
    base = {"old": {"text": LONG, "n": 1, "m": 1, "o": 1}}
    renamed = {"new": {"text": LONG, "n": 1, "m": 1, "o": 1}}
    edited = {"old": {"text": LONG, "n": 2, "m": 1, "o": 1}}
    for ours, theirs in ((renamed, edited), (edited, renamed)):
        merged = merge([base], ours, theirs)
        assert merged.value == {"new": edited["old"]}
        assert conflicts(merged) == [("/new", edited["old"], edited["old"], "renamed")]


def test_an_edit_does_not_follow_a_secret_to_where_it_is_none() -> None:
    keys = {"a": 1, "b": "long enough to be strong", "c": 3, "d": 4}
    base, ours = {"secret": keys}, {"open": keys}
    theirs = {"secret": {**keys, "a": 2}}
    assert conflicts(merge([base], ours, theirs))[0][0] == "/open"
    merged = merge([base], ours, theirs, policies=parse({"/secret": "secret"}))
    assert [path for path, *_ in conflicts(merged)] == ["/secret"]
    assert merged.value == {"open": keys, "secret": theirs["secret"]}
    both = merge([base], ours, theirs, policies=parse({"/secret": "secret", "/open": "secret"}))
    assert both.value == {"open": theirs["secret"]}


def test_an_edit_follows_a_member_that_got_another_name_but_not_another_id() -> None:
    def lists(field: str) -> tuple[Any, Any, Any]:
        fields = {"mail": LONG, "x": 1, "y": 1, "z": 1}
        return [{field: "a", **fields}], [{field: "b", **fields}], [{field: "a", **fields, "x": 2}]

    base, ours, theirs = lists("name")
    assert merge([base], ours, theirs).value == [{"name": "b", "mail": LONG, "x": 2, "y": 1, "z": 1}]
    base, ours, theirs = lists("id")
    assert [member["id"] for member in merge([base], ours, theirs).value] == ["a", "b"]


def test_what_is_alike_by_template_is_not_taken_for_renamed() -> None:
    template = {"text": LONG, "a": 1, "b": 1, "c": 1}
    base = {"one": template, "two": template}
    merged = merge([base], {"two": template, "three": template}, {"one": {**template, "a": 2}, "two": template})
    assert merged.value == {"one": {**template, "a": 2}, "two": template, "three": template}


def test_what_has_little_in_common_is_not_taken_for_renamed() -> None:
    merged = merge([{"one": {"done": False}}], {"two": {"done": False}}, {"one": {"done": True}})
    assert merged.value == {"one": {"done": True}, "two": {"done": False}}


@pytest.mark.parametrize("theirs", ["1.0-dev", "2.0-dev"])
def test_an_edit_follows_a_renamed_leaf(theirs: str) -> None:
    base, ours = {"x": {"old": "1.0-dev"}}, {"x": {"old": "2.0-dev"}}
    renamed = {"x": {"new": theirs}}
    result = {"x": {"new": "2.0-dev"}}
    for left, right in ((ours, renamed), (renamed, ours)):
        for policies in (NO_POLICIES, DELETE_WINS):
            assert merge([base], left, right, policies=policies).value == result
            assert merge([base], left, result, policies=policies).value == result
            assert merge([base], result, right, policies=policies).value == result
    assert [c.rule for c in merge([base], ours, renamed).conflicts] == ["renamed"]


@pytest.mark.parametrize(
    ("base", "edited", "renamed"),
    [
        ({"a": "1.0-dev", "b": "1.0-dev"}, {"a": "2.0", "b": "1.0-dev"}, {"b": "1.0-dev", "c": "1.0-dev"}),
        ({"a": "unread", "b": "unread"}, {"a": "edited", "b": "unread"}, {"b": "unread", "c": "unread"}),
        ({"a": 1024, "b": 1024}, {"a": 2048, "b": 1024}, {"b": 1024, "c": 1024}),
        ({"a": "1.0-dev"}, {"a": "2.0"}, {"b": "1.0-dev", "c": "1.0-dev"}),
        ({"a": "^1.0", "b": "^3.0"}, {"a": "^2.0", "b": "^3.0"}, {"b": "^3.0", "c": "^1.0"}),
        ({"a": True}, {"a": False}, {"b": True}),
        ({"a": 1}, {"a": 2}, {"b": 1}),
        ({"a": "no"}, {"a": "yes"}, {"b": "no"}),
        (
            {"updated_at": "2026-01-01T10:00:00Z"},
            {"updated_at": "2026-01-01T11:00:00Z"},
            {"b": "2026-01-01T10:00:00Z"},
        ),
    ],
)
def test_a_leaf_is_not_taken_for_renamed_where_its_value_does_not_prove_it(
    base: Any, edited: Any, renamed: Any
) -> None:
    rules = [c.rule for c in merge([base], edited, renamed).conflicts]
    assert rules == ["edit-beats-removal"]


def test_renames_are_not_followed_where_a_policy_says_exact() -> None:
    base, ours, theirs = {"x": {"old": "1.0-dev"}}, {"x": {"old": "2.0-dev"}}, {"x": {"new": "1.0-dev"}}
    policies = parse({"/x": "exact"})
    assert merge([base], ours, theirs, policies=policies).value == {"x": {"old": "2.0-dev", "new": "1.0-dev"}}


def test_an_edit_of_a_secret_leaf_does_not_follow_it_to_where_it_is_none() -> None:
    merged = merge([{"a": "secret-1"}], {"a": "secret-2"}, {"b": "secret-1"}, policies=parse({"/a": "secret"}))
    assert merged.value == {"a": "secret-2", "b": "secret-1"}


def test_what_both_renamed_and_one_edited_is_edited_under_the_new_name() -> None:
    fields = {"text": LONG, "n": 1, "m": 1, "o": 1}
    base, ours, theirs = {"old": fields}, {"new": {**fields, "n": 2}}, {"new": fields}
    assert merge([base], ours, theirs) == Merged(ours, ())
    assert merge([base], theirs, ours) == Merged(ours, ())


def test_below_a_guess_nothing_is_guessed() -> None:
    inner = {"text": LONG, "a": 1, "b": 1, "c": 1}
    outer = {"title": LONG, **{f"f{i}": i for i in range(12)}}
    base = {"old": {**outer, "p": inner}}
    ours = {"new": {**outer, "q": inner}}
    theirs = {"old": {**outer, "p": {**inner, "a": 2}}}
    merged = merge([base], ours, theirs)
    assert merged.value == {"new": {**outer, "q": inner, "p": {**inner, "a": 2}}}
    assert [(c.path, c.rule) for c in merged.conflicts] == [
        ("/new", "renamed"),
        ("/new/p", "edit-beats-removal"),
    ]


# Strategies


@pytest.mark.parametrize(
    ("strategy", "sides", "result", "rule"),
    [
        ("lww", ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}), {"a": 1, "b": 2}, "arriving"),
        ("lww", (["a"], ["a", "b"], ["a", "c"]), ["a", "c"], "arriving"),
        ("list", (["a", "b"], ["a", "O", "b"], ["a", "T", "b"]), ["a", "O", "T", "b"], "both-inserted"),
        ("set", ([[1], [2]], [[1], [2], [3]], [[2]]), [[2], [3]], None),
        ("set", ([1, 1], [1, 1, 2], [1, 1, 3]), [1, 1, 2, 3], "both-inserted"),
        ("max", (1, 5, 3), 5, "max"),
        ("max", (9, 5, 3), 5, "max"),
        ("min", (1, 5, 3), 3, "min"),
        ("max", (9, 9, 3), 3, None),
        ("max", (1, "5", 3), 3, "arriving"),
        ("max", (1, True, 3), 3, "arriving"),
        ("version", ("1.0", "1.10", "1.9"), "1.10", "version"),
        ("version", ("1.0", "2.0.0-beta", "v2"), "v2", "version"),
        ("version", ("1.0", "abc", "2.0"), "2.0", "arriving"),
        ("text", ("a\nb\nc", "A\nb\nc", "a\nb\nC"), "A\nb\nC", None),
        ("text", ("a\nb", "a\nb\no", "a\nb\nt"), "a\nb\no\nt", "both-kept"),
        ("text", (ABSENT, "a\nb", "a\nc"), "a\nb\nc", "both-kept"),
        ("text", ("a", 1, "b"), "b", "arriving"),
        ("counter", (1, 2, 2), 3, None),
        ("counter", (1, 0, 0), -1, None),
        ("counter", (0.5, 1.5, 0.5), 1.5, None),
        ("counter", (ABSENT, 2, 3), 5, None),
        ("counter", (1, True, 2), 2, "arriving"),
        ("counter", (0, 2**53 - 1, 1), 1, "arriving"),
        ("counter", (0, 2**53 - 1, 2.0), 2, "arriving"),
    ],
)
def test_strategies(strategy: str, sides: tuple[Any, Any, Any], result: Any, rule: str | None) -> None:
    base, ours, theirs = sides
    before = {} if base is ABSENT else {"f": base}
    policies = parse({"/f": strategy})
    merged = merge([before], {"f": ours}, {"f": theirs}, policies=policies, explicit_base=True)
    assert canonical(merged.value) == canonical({"f": result})
    assert [c.rule for c in merged.conflicts] == ([] if rule is None else [rule])


def test_a_counter_needs_an_explicit_base_and_only_one() -> None:
    policies = parse({"/n": "counter"})
    assert merge([{"n": 1}], {"n": 2}, {"n": 2}, policies=policies).value == {"n": 2}
    two = [{"n": 1}, {"n": 0}]
    assert merge(two, {"n": 2}, {"n": 2}, policies=policies, explicit_base=True).value == {"n": 2}


def test_counters_of_equal_objects_and_named_members_add_up() -> None:
    policies = parse({"/l/*/n": "counter"})
    base, both = {"l": [{"id": 1, "n": 1}]}, {"l": [{"id": 1, "n": 2}]}
    assert merge([base], both, both, policies=policies, explicit_base=True).value == {"l": [{"id": 1, "n": 3}]}


def test_strategies_hold_in_members_of_arrays() -> None:
    policies = parse({"/l/*/n": "max"})
    base, ours, theirs = ({"l": [{"id": 1, "n": n}]} for n in (1, 7, 5))
    assert merge([base], ours, theirs, policies=policies).value == ours


# Several ancestors


def test_an_edit_differs_from_every_ancestor() -> None:
    ancestors = [{"a": 1, "b": 1, "s": ["x", "y"]}, {"a": 2, "b": 1, "s": ["y", "z"]}]
    ours = {"a": 9, "b": 1, "s": ["y", "o"]}
    theirs = {"a": 2, "b": 5, "s": ["z", "t"]}
    # a: theirs is what an ancestor has. s: x and z are in one ancestor only, so nobody edited them.
    assert merge(ancestors, ours, theirs) == Merged({"a": 9, "b": 5, "s": ["t", "o"]}, ())


def test_unchanged_on_both_sides_stays_as_it_is_stored() -> None:
    assert merge([{"a": 1}, {"a": 2}], {"a": 1}, {"a": 2}) == Merged({"a": 1}, ())
    assert merge([{"o": {"a": 1}}, {"o": {"b": 1}}], {}, {"o": {"a": 1, "b": 1}}).value == {}


def test_a_list_is_compared_with_the_nearest_ancestor() -> None:
    far, near = [7, 7, 7], [1, 1, 2, 3]
    for ancestors in ([far, near], [near, far]):
        assert merge(ancestors, [1, 1, 2, 3, 4], [0, 1, 1, 2, 3]).value == [0, 1, 1, 2, 3, 4]


def test_a_set_of_all_kinds_has_a_nearest_ancestor_too() -> None:
    ancestors = [[True, None, "a", 1], ["a", True, None, 1]]
    for order in (ancestors, ancestors[::-1]):
        assert equal(merge(order, ["a", True, 1, 2], [True, None, "a", 0]).value, ["a", 0, True, 2])


def test_no_ancestor_is_an_absent_one() -> None:
    assert merge([], {"a": 1}, {"b": 1}) == merge([ABSENT], {"a": 1}, {"b": 1}) == Merged({"a": 1, "b": 1}, ())


# Laws

histories = strategies.histories()
many_policies = st.sampled_from(
    [
        NO_POLICIES,
        NO_POLICIES,
        DELETE_WINS,
        parse({"/**": "version", "/tags": "list", "/a/*": "lww"}),
        parse({"/**": "text", "/*": "set", "/b": "max"}),
    ]
)


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def same(a: Merged, b: Merged) -> bool:
    def said(merged: Merged) -> list[Any]:
        return [
            (c.path, *(v if v is ABSENT else canonical(v) for v in (c.kept, c.dropped)), c.rule)
            for c in merged.conflicts
        ]

    return canonical(a.value) == canonical(b.value) and said(a) == said(b)


@given(strategies.documents(), strategies.documents(), many_policies)
def test_law_two_equal_sides_are_the_result(base: Any, both: Any, policies: Policies) -> None:
    # The marker keeps the merge from taking the short way for equal documents.
    ours, theirs = {**both, "only ours": 1}, {**both, "only theirs": 1}
    merged = merge([base], ours, theirs, policies=policies)
    assert equal(merged.value, {**both, "only ours": 1, "only theirs": 1})
    assert merged.conflicts == ()
    assert merge([base], both, both, policies=policies) == Merged(both, ())


@given(histories, many_policies)
def test_law_a_change_of_one_side_stands(history: Any, policies: Policies) -> None:
    base, changed, _ = history
    marked = {**base, "other side": 1}
    wanted = {**changed, "other side": 1}
    for merged in (
        merge([base], changed, marked, policies=policies),
        merge([base], marked, changed, policies=policies),
    ):
        assert equal(merged.value, wanted)
        assert merged.conflicts == ()


@given(st.data(), st.booleans())
def test_law_an_array_that_is_left_out_is_an_empty_one(data: st.DataObject, by_ours: bool) -> None:
    base = data.draw(strategies.arrays(strategies.json_values(3)))
    edited = data.draw(strategies.edited(base))
    assume(isinstance(edited, list) and not equal(base, edited))

    def merged(left: Any) -> Merged:
        sides = ({**left}, {"a": edited}) if by_ours else ({"a": edited}, {**left})
        return merge([{"a": base}], *sides)

    absent, empty = merged({}), merged({"a": []})
    assert absent.value.get("a", []) == empty.value["a"]
    assert conflicts(absent) == conflicts(empty)


@given(histories, many_policies)
def test_law_merging_the_result_again_changes_nothing(history: Any, policies: Policies) -> None:
    base, ours, theirs = history
    result = merge([base], ours, theirs, policies=policies).value
    assert equal(merge([theirs], result, theirs, policies=policies).value, result)
    assert equal(merge([ours], ours, result, policies=policies).value, result)
    assert equal(merge([base], result, result, policies=policies).value, result)
    assert equal(merge([ours, theirs], result, theirs, policies=policies).value, result)


@given(histories, many_policies)
def test_law_no_path_that_one_side_touched_is_lost(history: Any, policies: Policies) -> None:
    base, ours, theirs = history
    merged = merge([base], ours, theirs, policies=policies)
    decided = {c.path for c in merged.conflicts}

    def check(path: str, b: Value, o: Value, t: Value, r: Value) -> None:
        if path in decided:
            return
        if isinstance(o, dict) and isinstance(t, dict):
            assert isinstance(r, dict)
            b = b if isinstance(b, dict) else {}
            for key in {**b, **o, **t, **r}:
                below = path + "/" + key.replace("~", "~0").replace("/", "~1")
                check(below, *(side.get(key, ABSENT) for side in (b, o, t, r)))
        elif same_value(o, b):
            assert same_value(r, t)
        elif same_value(t, b):
            assert same_value(r, o)

    check("", base, ours, theirs, merged.value)


def same_value(a: Value, b: Value) -> bool:
    return a is b if ABSENT in (a, b) else equal(a, b)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from strings(child)


@given(histories, st.randoms(use_true_random=False), many_policies)
def test_law_what_is_new_is_in_the_result_or_in_a_conflict(history: Any, dice: Any, policies: Policies) -> None:
    base, *sides = history
    known = {canonical(text) for text in strings(base)}

    def signed(value: Any, by: str) -> Any:
        """Each new string made the side's own, so that it can be followed."""
        if isinstance(value, str) and canonical(value) not in known and dice.random() < 0.7:
            return f"{value} by {by}"
        if isinstance(value, dict):
            return {key: v if key in ("id", "name", "key") else signed(v, by) for key, v in value.items()}
        return [signed(v, by) for v in value] if isinstance(value, list) else value

    ours, theirs = (signed(side, by) for side, by in zip(sides, ("ours", "theirs"), strict=True))
    merged = merge([base], ours, theirs, policies=policies)
    left = "\n".join(strings([merged.value, *(c.dropped for c in merged.conflicts if c.dropped is not ABSENT)]))
    for text in strings([ours, theirs]):
        if " by " in text:
            assert all(line in left for line in text.split("\n"))


@given(histories, many_policies, st.data())
def test_law_equal_inputs_give_equal_results(history: Any, policies: Policies, data: st.DataObject) -> None:
    base, ours, theirs = history
    other = [data.draw(strategies.respelled(value)) for value in history]
    assert same(merge([base], ours, theirs, policies=policies), merge([other[0]], *other[1:], policies=policies))


@given(histories, strategies.documents(), st.randoms(use_true_random=False))
def test_law_the_order_of_ancestors_does_not_matter(history: Any, other: Any, dice: Any) -> None:
    base, ours, theirs = history
    ancestors = [base, other, ours]
    shuffled = dice.sample(ancestors, len(ancestors))
    assert same(merge(ancestors, ours, theirs), merge(shuffled, ours, theirs))
    assert equal(merge(ancestors, theirs, ours).value, theirs)


@given(histories, strategies.documents(), many_policies)
def test_law_the_result_is_in_the_profile_and_no_deeper(history: Any, other: Any, policies: Policies) -> None:
    base, ours, theirs = history
    before = copy.deepcopy((base, ours, theirs))
    for ancestors in ([base], [], [base, other]):
        result = merge(ancestors, ours, theirs, policies=policies).value
        canonical(result)  # raises for what JSON cannot say
        assert depth(result) <= max(depth(ours), depth(theirs))
        assert result["id"] == "the-document"
    assert before == (base, ours, theirs), "a merge must not touch its inputs"


@given(st.data())
def test_law_members_keep_their_names_apart(data: st.DataObject) -> None:
    base = data.draw(strategies.named_members(strategies.scalars()))
    ours, theirs = (data.draw(strategies.edited(base)) for _ in range(2))
    assume(isinstance(ours, list) and isinstance(theirs, list))
    field = named_by([base, ours, theirs])
    assume(field is not None)
    merged: Any = merge([base], ours, theirs).value
    assert named_by([merged]) is not None
    names = [canonical(member[field]) for member in merged]
    assert len(set(names)) == len(names)


@given(st.lists(st.integers(0, 9), unique=True), st.data())
def test_law_sets_add_and_remove(base: list[int], data: st.DataObject) -> None:
    ours, theirs = (data.draw(st.lists(st.integers(0, 9), unique=True)) for _ in range(2))
    result: Any = merge([base], ours, theirs).value
    b, o, t = set(base), set(ours), set(theirs)
    assert set(result) == (o & t) | ((o | t) - b)
    assert len(result) == len(set(result))


@pytest.mark.parametrize("size", [50, 500, 5_000])
def test_law_the_steps_are_bounded(size: int) -> None:
    dice = random.Random(size)

    def sides(make: Callable[[], Any]) -> list[Any]:
        return [make() for _ in range(3)]

    for base, ours, theirs in (
        sides(lambda: [dice.randrange(2) for _ in range(size)]),
        sides(lambda: dice.sample([*range(size)] * 2, 2 * size)),
        sides(lambda: {str(i): [dice.randrange(3) for _ in range(10)] for i in range(size // 10)}),
        sides(lambda: [[dice.randrange(2)] for _ in range(size)]),
        sides(lambda: [{"a": dice.randrange(2), "b": [dice.randrange(2), 1, 1]} for _ in range(size)]),
        sides(lambda: "\n".join(dice.choice("ab") for _ in range(size))),
    ):
        steps = Steps()
        result = merge([base], ours, theirs, policies=parse({"/**": "text"}), steps=steps).value
        canonical(result)
        assert steps.taken <= 4 * BUDGET + 30 * size
