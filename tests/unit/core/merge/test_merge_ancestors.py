"""Several ancestors: a side edited only what differs from every one of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import equal
from shared.core.merge.objects import merge

SENT = {"id": "x", "mine": 3, "tags": ["a"]}
RETURNED = {"id": "x", "mine": 3, "theirs": 1, "tags": ["a", "b"]}


@pytest.mark.parametrize("ancestors", [[SENT, RETURNED], [RETURNED, SENT]])
@pytest.mark.parametrize(
    ("theirs", "wanted"),
    [
        ({**SENT, "mine": 4}, {**RETURNED, "mine": 4}),  # edited what it had sent
        ({**RETURNED, "mine": 4}, {**RETURNED, "mine": 4}),  # edited what it was answered
        ({**SENT, "tags": ["a", "c"]}, {**RETURNED, "tags": ["a", "b", "c"]}),
        ({**RETURNED, "tags": ["b"]}, {**RETURNED, "tags": ["b"]}),
        (SENT, RETURNED),
    ],
)
def test_what_others_added_is_no_removal_of_a_device_that_was_on_either(
    ancestors: list[dict[str, Any]], theirs: dict[str, Any], wanted: dict[str, Any]
) -> None:
    merged: Any = merge(ancestors, RETURNED, theirs).value
    assert {**merged, "tags": sorted(merged["tags"])} == wanted


small = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2), max_size=4)


@given(small, small, small, small)
def test_fields_one_by_one(first: Any, second: Any, ours: Any, theirs: Any) -> None:
    merged = merge([first, second], ours, theirs).value
    for key in "abcd":
        a, b, our, their, found = (d.get(key) for d in (first, second, ours, theirs, merged))
        if their in (a, b):
            assert found == our
        elif our in (a, b):
            assert found == their
        else:
            assert found in (our, their)


@given(small, small, small)
def test_a_state_that_was_an_ancestor_changes_nothing(first: Any, second: Any, ours: Any) -> None:
    assert equal(merge([first, second], ours, first).value, ours)
