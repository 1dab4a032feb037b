"""Which edits of a device lost: what is remembered as its own, and what a history says of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sync.engine.own_edits import DELETED, OwnFields, lost, own_fields, with_sides
from client.sync.engine.records import Outline, Pending, Record, UpstreamAnswer
from shared.codec import content_hash
from shared.core.documents import Body

NONE: frozenset[str] = frozenset()
VALUES = st.integers(0, 2)
BODIES = st.dictionaries(st.sampled_from("abc"), VALUES).map(lambda fields: {"id": "t", **fields})


def record(shadow: Body | None, sent: Body | None = None) -> Record:
    pending = None if sent is None else Pending(sent, content_hash(sent), "1.x")
    return Record(Outline("1.x"), shadow, pending)


def answer(state: Body | None) -> UpstreamAnswer:
    return UpstreamAnswer(state, None if state is None else content_hash(state), "2.x")


def row(*conflicts: dict[str, Any], rev: str = "2.x", **more: Any) -> dict[str, Any]:
    return {"rev": rev, "device": "laptop", "received": False, "conflicts": list(conflicts), **more}


def test_what_this_device_sent_is_its_own_until_another_value_arrives() -> None:
    own = own_fields(
        NONE, record({"id": "t", "a": 1, "b": 1}, {"id": "t", "a": 2, "b": 1}), answer({"id": "t", "a": 2})
    )
    assert own == OwnFields(frozenset("a"))
    assert own_fields(own.stand, record({"id": "t", "a": 2}), answer({"id": "t", "a": 2, "c": 1})) == own
    replaced = own_fields(own.stand, record({"id": "t", "a": 2}), answer({"id": "t", "a": 3}))
    assert replaced == OwnFields(NONE, frozenset("a"))


def test_an_edit_that_the_answer_does_not_have_was_told_of_by_the_answer() -> None:
    before = record({"id": "t", "a": 1}, {"id": "t", "a": 2})
    assert own_fields(NONE, before, answer({"id": "t", "a": 3})) == OwnFields(NONE)


def test_an_edit_of_before_may_be_replaced_by_the_answer_to_another() -> None:
    before = record({"id": "t", "a": 2, "b": 1}, {"id": "t", "a": 2, "b": 2})
    assert own_fields(frozenset("a"), before, answer({"id": "t", "a": 3, "b": 2})) == OwnFields(
        frozenset("b"), frozenset("a")
    )


def test_a_deletion_is_replaced_by_the_document_that_lives_on() -> None:
    gone = own_fields(NONE, record({"id": "t"}, {"id": "t", "_deleted": True}), answer(None))
    assert gone == OwnFields(frozenset({DELETED}))
    assert own_fields(gone.stand, record(None), answer({"id": "t"})) == OwnFields(NONE, frozenset({DELETED}))
    assert own_fields(gone.stand, record(None, {"id": "t"}), answer({"id": "t"})) == OwnFields(NONE)


@given(own=st.frozensets(st.sampled_from("abc")), shadow=BODIES, sent=st.none() | BODIES, state=st.none() | BODIES)
def test_a_field_is_own_or_replaced_and_never_both(
    own: frozenset[str], shadow: Body, sent: Body | None, state: Body | None
) -> None:
    now = own_fields(own, record(shadow, sent), answer(state))
    assert not now.stand & now.replaced and now.replaced <= own
    for field in now.stand:
        ours = sent if sent is not None and (sent.get(field) != shadow.get(field) or field not in own) else shadow
        assert state is not None and state.get(field) == ours.get(field)


CLOCK = {"path": "/a", "rule": "clock", "kept": 3, "dropped": 2}


@pytest.mark.parametrize(
    ("conflict", "is_lost"),
    [
        (CLOCK, True),
        ({**CLOCK, "kept": 2, "dropped": 3}, False),  # ours stood then
        ({**CLOCK, "dropped": 4}, False),  # somebody else's
        ({**CLOCK, "path": "/b", "dropped": 1}, False),  # not set here
        ({**CLOCK, "rule": "both-edited"}, False),
        ({"path": "/a", "rule": "clock", "redacted": True}, True),
        ({"path": "/list/-", "rule": "delete-wins", "dropped": "x"}, True),
        ({"path": "/list/-", "rule": "delete-wins", "dropped": "y"}, False),
        ({"path": "/gone", "rule": "edit-beats-removal", "kept": 1}, True),
        ({"path": "", "rule": "perhaps-unseen", "dropped": {"id": "t"}}, True),
        ({"path": "", "rule": "edit-beats-removal", "kept": {"id": "t"}}, False),  # it was not deleted here
    ],
)
def test_a_conflict_is_ours_if_it_drops_what_was_set_here(conflict: dict[str, Any], is_lost: bool) -> None:
    was = {"id": "t", "a": 2, "b": 1, "list": ["x"]}
    found = lost([row(conflict)], "1.x", was, frozenset({"a", "list", "gone"}))
    assert found == ([{**conflict, "mine": "dropped", "by": "laptop"}] if is_lost else [])


def test_only_what_was_decided_since_then_and_was_current_counts() -> None:
    was, fields = {"id": "t", "a": 2}, frozenset("a")
    assert lost([row(rev="3.x"), row(CLOCK, rev="1.x")], "1.x", was, fields) == []
    assert lost([row(CLOCK, received=True)], "1.x", was, fields) == []
    assert len(lost([row(rev="3.x"), row(CLOCK)], "1.x", was, fields)) == 1


def test_a_value_that_is_too_large_for_the_record_is_known_here() -> None:
    elided = {"path": "/a", "rule": "clock", "elided": True}
    assert lost([row(elided)], "1.x", {"id": "t", "a": "long"}, frozenset("a"))[0]["dropped"] == "long"


def test_which_side_is_mine() -> None:
    mine = {"id": "t", "a": 2}
    assert [one.get("mine") for one in with_sides([CLOCK, {**CLOCK, "kept": 2, "dropped": 1}], mine)] == [
        "dropped",
        "kept",
    ]
    lives = {"path": "", "rule": "edit-beats-removal", "kept": mine}
    assert [with_sides([lives], body)[0]["mine"] for body in (None, mine)] == ["dropped", "kept"]
    assert "mine" not in with_sides([{**CLOCK, "kept": 7, "dropped": 8}], mine)[0]
