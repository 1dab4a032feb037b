"""The laws of client/sync/engine/answer.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sync.engine.answer import is_forgotten, may_be_lost, on_answer, on_fetched
from client.sync.engine.records import Outline, Pending, Record, UpstreamAnswer
from shared.codec import content_hash
from shared.core.documents import Body
from shared.core.json.canonical import equal
from shared.core.merge.policies import parse
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import DELETED_KEY
from shared.testing.strategies import documents


def doc(**fields: Any) -> Body:
    return {"id": "a", **fields}


def answer(state: Body | None, rev: str = "9") -> UpstreamAnswer:
    return UpstreamAnswer(state, content_hash(state) if state is not None else None, rev)


def sent(body: Body, shadow: Body | None = None) -> Pending:
    return Pending(body, content_hash(body), "1", shadow)


def deletion(of: Body) -> Pending:
    return sent({**of, DELETED_KEY: True}, of)


S, T = doc(x=1), doc(x=1, theirs=True)


@pytest.mark.parametrize(
    ("pending", "now", "said", "then", "shadow"),
    [
        (sent(S), S, S, S, S),
        (sent(S), S, T, T, T),
        (sent(S), S, None, None, None),
        (sent(S), doc(x=2), T, doc(x=2, theirs=True), T),
        (sent(S), doc(x=2), doc(x=3), doc(x=2), doc(x=3)),
        (sent(S), doc(x=2), None, doc(x=2), S),
        (sent(S), None, S, None, S),
        (sent(S), None, T, T, T),
        (sent(S), None, None, None, None),
        (deletion(S), None, None, None, None),
        (deletion(S), None, T, T, T),
        (deletion(S), doc(y=1), None, doc(y=1), None),
        (deletion(S), doc(x=2), T, doc(x=2, theirs=True), T),
    ],
)
def test_the_table(
    pending: Pending, now: Body | None, said: Body | None, then: Body | None, shadow: Body | None
) -> None:
    found = on_answer(pending, now, answer(said))
    assert equal(found.doc, then)
    assert equal(found.record.shadow, shadow)
    assert found.record.pending is None
    assert found.record.outline == Outline(
        "9",
        gone=said is None,
        shadow_hash=content_hash(shadow) if shadow is not None else None,
        remote_hash=content_hash(said) if said is not None else None,
    )


@given(documents(), documents(), documents())
def test_an_edit_since_then_stands(body: Body, now: Body, state: Body) -> None:
    """What only we edited is in the file; what we did not edit is as it was answered. (Unless it is
    taken for renamed: an edit of the one follows the other's new name then.)"""
    found = on_answer(sent(body), now, answer(state), parse({"": "exact"})).doc
    assert found is not None
    for key in {*body, *now, *state}:
        mine, theirs = not _same(body, now, key), not _same(body, state, key)
        if mine and not theirs:
            assert _same(found, now, key)
        if theirs and not mine:
            assert _same(found, state, key)


def test_an_edit_of_what_was_renamed_since_then_has_the_new_name() -> None:
    body, now, state = doc(title="milk and eggs"), doc(name="milk and eggs"), doc(title="milk and ten eggs")
    assert on_answer(sent(body), now, answer(state)).doc == doc(name="milk and ten eggs")
    exact = on_answer(sent(body), now, answer(state), parse({"": "exact"})).doc
    assert exact == doc(name="milk and eggs", title="milk and ten eggs")


def _same(a: Body, b: Body, key: str) -> bool:
    return (key in a) == (key in b) and equal(a.get(key), b.get(key))


@given(documents(), documents(), st.booleans())
def test_without_an_edit_the_file_becomes_what_was_answered(body: Body, state: Body, gone: bool) -> None:
    said = None if gone else state
    assert equal(on_answer(sent(body), body, answer(said)).doc, said)


def test_counters_are_summed_where_the_space_says_so() -> None:
    policies = parse({"/n": "counter"})
    found = on_answer(sent(doc(n=3)), doc(n=4), answer(doc(n=5)), policies)
    assert found.doc == doc(n=6)


class TestFetched:
    def record(self, shadow: Body | None) -> Record:
        return Record(Outline("1", shadow_hash=content_hash(shadow) if shadow else None), shadow)

    def test_it_is_taken_where_nothing_was_edited(self) -> None:
        found = on_fetched(self.record(S), S, answer(T))
        assert found is not None and found.doc == T

    def test_an_edit_goes_first(self) -> None:
        assert on_fetched(self.record(S), doc(x=2), answer(T)) is None

    def test_the_rev_of_a_tombstone_is_taken(self) -> None:
        found = on_fetched(self.record(S), None, answer(None))
        assert found is not None and found.doc is None and found.record.outline.gone


@pytest.mark.parametrize(
    ("base", "rev", "forgotten"),
    [
        ("7-aa", "6-bb", True),
        ("7-aa", CREATED, True),
        ("aa", CREATED, True),
        ("7-aa-deleted", "6-bb", True),
        ("7-aa", "7-aa", False),
        ("7-aa", "8-bb-deleted", False),
        ("aa", "6-bb", False),
        (None, "6-bb", False),
        (CREATED, CREATED, False),
    ],
)
def test_an_upstream_that_says_something_older_has_forgotten(base: str | None, rev: str, forgotten: bool) -> None:
    assert is_forgotten(base, answer(None, rev)) is forgotten


@pytest.mark.parametrize(
    ("base", "listened", "now", "lost"),
    [
        pytest.param("6.a-hash", "a-5", "b-7", True, id="answered after the cursor, in a history that is over"),
        pytest.param("6.a-hash-deleted", "a-5", "b-7", True, id="a deletion"),
        pytest.param("6-hash", "a-5", "b-7", True, id="a rev of before histories"),
        pytest.param("5.a-hash", "a-5", "b-7", False, id="the cursor is taken, so is what it stands for"),
        pytest.param("7.b-hash", "a-5", "b-7", False, id="of the history that goes on"),
        pytest.param("6.a-hash", "a-5", "a-7", False, id="the history goes on"),
        pytest.param("6.a-hash", None, "b-7", False, id="all of it is listed"),
        pytest.param("6.a-hash", "5.mark", "7.mark", False, id="positions of a directory"),
        pytest.param("hash", "a-5", "b-7", False, id="no rev"),
    ],
)
def test_what_may_be_lost_though_the_cursor_is_taken(
    base: str, listened: str | None, now: str | None, *, lost: bool
) -> None:
    assert may_be_lost([base], listened, now) is lost


def test_what_was_verified_to_be_gone_is_removed_by_the_next_plan() -> None:
    """So that the deletion guard sees all of it together."""
    found = on_answer(sent(S), S, answer(None), unedited=True)
    assert found.doc == S
    assert found.record == Record(Outline("9", gone=True, shadow_hash=content_hash(S)), S)
