"""Removing the last of what a container holds, by clients that write nothing where others write an empty one.

What a device takes out of an array, an object or a text stays out, whether its client leaves the container empty or
leaves it out, and whoever else edits it meanwhile.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import equal
from shared.core.json.values import ABSENT
from shared.core.merge.objects import Value, merge
from shared.core.merge.policies import Policies, parse
from tests.unit.core.resolution.server import Server, doc
from tests.unit.core.resolution.test_doubts import TITLE

AB: dict[str, Any] = {
    "set": ["a", "b"],
    "numbers": [1, 2],
    "named": [{"id": "a", "n": 1}, {"id": "b", "n": 1}],
    "by key": [{"key": "a", "in": ["x"]}, {"key": "b", "in": ["x"]}],
    "array": [["a"], ["b"]],
    "object": {"a": "one owner", "b": "red"},
    "text": "a\nb\n",
}
"""Of each kind a container with two members."""


def first(container: Any) -> Any:
    if isinstance(container, dict):
        return {"a": container["a"]}
    return "a\n" if isinstance(container, str) else container[:1]


def second(container: Any) -> Any:
    if isinstance(container, dict):
        return {"b": container["b"]}
    return "b\n" if isinstance(container, str) else container[1:]


def nested(kind: str, value: Any) -> Any:
    """The container alone in each kind of place."""
    return {"field": {"v": value}, "object": {"w": {"v": value}}, "member": {"w": [{"id": "m", "v": value}]}}[kind]


def policies(container: Any) -> Policies:
    rules = {"/v": "text", "/w/v": "text", "/w/*/v": "text"} if isinstance(container, str) else {}
    return parse(rules)


def without_empty(value: Any) -> Any:
    """As a client writes it that leaves out what is empty, from the inside."""
    if isinstance(value, dict):
        inside = {key: without_empty(member) for key, member in value.items()}
        return {key: member for key, member in inside.items() if member not in ({}, [], "")}
    return [without_empty(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("place", ["field", "object", "member"])
@pytest.mark.parametrize("kind", AB)
def test_the_last_member_that_one_removes_stays_removed_while_another_adds_one(kind: str, place: str) -> None:
    both = AB[kind]
    base, added, emptied = (nested(place, value) for value in (first(both), both, type(both)()))
    for dropped in (emptied, without_empty(emptied)):
        for ours, theirs in ((added, dropped), (dropped, added)):
            found = merge([base], ours, theirs, policies=policies(both))
            assert equal(found.value, nested(place, second(both)))


@pytest.mark.parametrize("kind", AB)
def test_a_client_that_leaves_out_what_is_empty_gets_what_others_added_alone(kind: str) -> None:
    both = AB[kind]
    server = Server(policies=policies(both))
    rev = server.post(doc(title=TITLE, v=first(both)), "0", "A")
    server.post(doc(title=TITLE, v=both), rev, "B")
    server.post(doc(title=TITLE), rev, "A")
    assert server.head == doc(title=TITLE, v=second(both))


def test_an_object_of_several_fields_that_is_removed_comes_back_whole_around_an_edit() -> None:
    base = {"meta": {"owner": "one owner", "color": "red"}}
    edited = {"meta": {"owner": "one owner", "color": "blue"}}
    assert merge([base], edited, {}).value == edited


def test_an_object_of_several_fields_that_is_removed_keeps_what_another_one_added_alone() -> None:
    base = {"meta": {"owner": "one owner", "color": "red"}}
    found = merge([base], {"meta": {**base["meta"], "hours": 1}}, {})
    assert found.value == {"meta": {"hours": 1}}
    assert [conflict.rule for conflict in found.conflicts] == ["edit-beats-removal"]


def test_a_member_of_an_array_that_is_removed_comes_back_whole_around_an_edit() -> None:
    base, edited = {"steps": [{"id": "a"}]}, {"steps": [{"id": "a", "n": 1}]}
    assert merge([base], edited, {"steps": []}).value == edited


def test_an_object_that_was_left_out_because_it_was_empty_was_not_removed() -> None:
    edited = {"meta": {"color": "red"}}
    found = merge([{"meta": {}}], edited, {})
    assert found.value == edited


def test_what_stays_of_an_object_that_may_have_been_removed_is_recorded() -> None:
    found = merge([{"meta": {"owner": "one owner"}}], {"meta": {"owner": "one owner", "color": "red"}}, {})
    assert found.value == {"meta": {"color": "red"}}
    assert [tuple(conflict) for conflict in found.conflicts] == [
        ("/meta", {"color": "red"}, ABSENT, "edit-beats-removal")
    ]
    assert merge([{"tags": ["a"]}], {"tags": ["a", "b"]}, {}).conflicts == ()


def test_an_object_that_one_removed_and_the_other_emptied_is_recorded() -> None:
    found = merge([{"meta": {"color": "red"}}], {"meta": {}}, {})
    assert found.value == {"meta": {}}
    assert [tuple(conflict) for conflict in found.conflicts] == [("/meta", {}, ABSENT, "edit-beats-removal")]


def test_under_delete_wins_absence_is_removal() -> None:
    wins = parse({"/meta": "delete-wins", "/tags": "delete-wins"})
    base = {"meta": {"a": 1}, "tags": ["a"]}
    assert merge([base], {"meta": {"a": 1, "b": 2}, "tags": ["a", "b"]}, {}, policies=wins).value == {}


MEMBERS = ("a", "b", "c")
Containers = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from(MEMBERS), unique=True),
        "steps": st.lists(st.sampled_from(MEMBERS), unique=True).map(
            lambda names: [{"id": n, "n": 1} for n in names]
        ),
        "inner": st.dictionaries(st.sampled_from("xy"), st.lists(st.sampled_from(MEMBERS), unique=True)),
        "object": st.lists(st.sampled_from(MEMBERS), unique=True).map(lambda names: dict.fromkeys(names, 1)),
    },
)


def members(value: Value, path: str = "") -> set[str]:
    """Everything that stands in a container, by place."""
    if isinstance(value, dict):
        return {place for key, member in value.items() for place in members(member, f"{path}/{key}")}
    if isinstance(value, list):
        names = (member["id"] if isinstance(member, dict) else member for member in value)
        return {f"{path}/{name}" for name in names}
    return set() if value is ABSENT else {path}


@given(Containers, Containers, Containers)
def test_law_who_leaves_out_what_is_empty_undoes_and_loses_no_more_than_who_does_not(
    base: Value, ours: Value, theirs: Value
) -> None:
    whole = members(merge([base], ours, theirs).value)
    for a, b, c in (
        (base, ours, without_empty(theirs)),
        (base, without_empty(ours), theirs),
        (without_empty(base), without_empty(ours), without_empty(theirs)),
    ):
        assert members(merge([a], b, c).value) == whole
        assert members(merge([a], c, b).value) == whole


@given(Containers, Containers, Containers)
def test_law_what_one_side_removed_and_none_edited_is_not_in_the_result(
    base: Value, ours: Value, theirs: Value
) -> None:
    base, ours, theirs = map(without_empty, (base, ours, theirs))
    had = members(base)
    result = members(merge([base], ours, theirs).value)
    assert result == (members(ours) & members(theirs)) | (members(ours) - had) | (members(theirs) - had)


def test_nothing_is_recorded_where_both_sides_removed_all_that_there_was() -> None:
    merged = merge([{"o": {"a": 1, "b": 2}}], {}, {"o": {"a": 1}})
    assert merged.value == {}
    assert merged.conflicts == ()
