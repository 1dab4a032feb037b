"""The edits of a state on its base, put onto the head: the laws."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Body, DocumentId, SequenceNumber
from shared.core.json.canonical import content_hash, equal
from shared.core.merge.objects import ABSENT
from shared.core.merge.policies import NO_POLICIES
from shared.core.resolution import rebase as rebasing
from shared.core.resolution.base_selection import Basis
from shared.core.resolution.context import DocumentContext, Head, Stored, Submission
from shared.core.resolution.lookup import Lookup, Need
from shared.core.resolution.rebase import LARGE, Rebased, rebase
from shared.testing import strategies


def rebased(base: Body, onto: Body, state: Body) -> Rebased:
    """As a client's that named its base."""
    head = Head(SequenceNumber(2), content_hash(onto), onto, 2.0)
    content = content_hash(base)
    request = Submission(DocumentId("x"), state, content_hash(state), 3.0, base=content)
    states = {content: Stored(content, base, SequenceNumber(1), SequenceNumber(2))}
    look = Lookup(DocumentContext(head, states=states, recent=()), request, head, content_hash)
    return rebase(look, state, Basis("a base", (base,)), onto, NO_POLICIES)


@given(strategies.histories())
def test_law_a_state_without_edits_leaves_the_head(history: Any) -> None:
    base, head, _ = history
    found = rebased(base, head, base)
    assert equal(found.body, head)
    assert found.conflicts == ()


@given(strategies.histories())
def test_law_a_state_that_comes_from_the_head_replaces_it(history: Any) -> None:
    head, state, _ = history
    assert rebased(head, head, state) == Rebased(state, ())
    assert equal(rebased(dict(head), head, state).body, state)


@given(strategies.histories())
def test_law_the_same_edits_on_both_sides_leave_the_head(history: Any) -> None:
    base, state, _ = history
    assert equal(rebased(base, state, state).body, state)


def test_a_large_document_is_merged_after_all_has_been_read_that_it_may_need() -> None:
    """Not a second time when it turns out that older states are asked about places in arrays and objects."""
    base, onto, state = ({"x": {str(n): [side] for n in range(LARGE)}} for side in range(3))
    head = Head(SequenceNumber(2), content_hash(onto), onto, 2.0)
    content = content_hash(base)
    request = Submission(DocumentId("x"), state, content_hash(state), 3.0, base=f"1-{content}")
    states = {content: Stored(content, base, SequenceNumber(1), SequenceNumber(2))}
    look = Lookup(DocumentContext(head, states=states, pairs=()), request, head, content_hash)
    with pytest.raises(Need) as needed, patch.object(rebasing, "merge", side_effect=AssertionError("merged before")):
        rebase(look, state, Basis("a base", (base,)), onto, NO_POLICIES)
    assert needed.value.missing.recent
    small = DocumentContext(head, states=states, pairs=())
    assert rebase(Lookup(small, request, head, content_hash), {"y": 1}, Basis("", (base,)), onto, NO_POLICIES).body


words = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["one", "two", "three", "four"]), max_size=4)


@given(words, words, words)
def test_law_what_of_the_head_is_lost_was_on_the_base_or_is_in_a_conflict(base: Any, head: Any, state: Any) -> None:
    found = rebased(base, head, state)
    dropped = {(conflict.path, conflict.dropped) for conflict in found.conflicts}
    for key, value in head.items():
        if found.body.get(key, ABSENT) != value:
            assert base.get(key) == value or (f"/{key}", value) in dropped
