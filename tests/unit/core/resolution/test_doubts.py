"""What is recorded though nothing decided it: the smallest inputs, with the record that each must leave."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.memory import MemorySpace
from shared.core.documents import Body, DeviceId, DocumentId
from shared.core.json.canonical import content_hash, equal
from shared.core.merge.conflicts import Conflict
from shared.core.merge.objects import ABSENT
from shared.core.merge.paths import differences, value_at
from shared.core.resolution import doubts
from shared.core.resolution.base_selection import Basis
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Given, Submission
from shared.core.resolution.revs import CREATED
from shared.testing import strategies
from shared.transaction import CachedResolver, decide
from tests.unit.core.resolution.server import Server, doc, tombstone

TITLE = "a title that is strong"
AN_HOUR_BEFORE = "2025-06-15T11:00:00Z"
AT_10, AT_20, AT_30 = (f"2025-06-15T12:00:{second}Z" for second in (10, 20, 30))


def records(server: Server) -> list[tuple[str, Any, Any, str]]:
    return [tuple(conflict) for conflict in server.decision.conflicts]  # type: ignore[misc]


def stored(server: Server) -> list[dict[str, Any]]:
    """All rows that stand in the history of the document."""
    entry = server.state.entry
    assert entry is not None
    provenances = [item.provenance for item in entry.past] + [entry.provenance]
    return [dict(row) for provenance in provenances for row in provenance.conflicts]


def test_a_boolean_that_an_unknown_client_sets_back_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, done=False))
    server.post(doc(title=TITLE, done=True))
    server.post(doc(title=TITLE, done=False))
    assert server.got() == ("unchanged", "11 behind", doc(title=TITLE, done=True))
    row = {"path": "/done", "kept": True, "dropped": False, "rule": "perhaps-set-back"}
    assert stored(server) == [row]
    size = server.state.size
    server.post(doc(title=TITLE, done=False))
    assert (stored(server), server.state.size) == ([row], size)


def test_with_a_clock_a_state_that_was_received_before_is_behind_and_leaves_no_record() -> None:
    server = Server()
    server.post(doc(title=TITLE, done=False, updated_at=AT_10))
    server.post(doc(title=TITLE, done=True, updated_at=AT_20))
    server.post(doc(title=TITLE, done=False, updated_at=AT_10))
    assert (server.got()[1], records(server)) == ("11 behind", [])
    server.post(doc(title=TITLE, done=False, updated_at=AT_30))
    assert server.head == doc(title=TITLE, done=True, updated_at=AT_20)
    assert ("/done", True, False, "perhaps-set-back") in records(server)


def test_a_device_that_is_on_one_state_for_certain_leaves_no_record() -> None:
    server = Server()
    server.post(doc(title=TITLE, done=False), device="A")
    server.post(doc(title=TITLE, done=True), server.state.head.rev if server.state.head else None, "B")
    server.post(doc(title=TITLE, done=False), device="A")
    assert (server.got()[1], records(server)) == ("10 as remembered", [])


def test_each_member_of_a_set_that_is_not_taken_is_a_record() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, tags=["a", "b"]))
    server.post(doc(title=TITLE, tags=["c", "d"]), first, "B")
    server.post(doc(title=TITLE, tags=["a", "b"]))
    assert sorted(records(server), key=repr) == [
        ("/tags/-", "c", ABSENT, "perhaps-set-back"),
        ("/tags/-", "d", ABSENT, "perhaps-set-back"),
        ("/tags/-", ABSENT, "a", "perhaps-set-back"),
        ("/tags/-", ABSENT, "b", "perhaps-set-back"),
    ]


def test_what_an_unknown_client_deletes_perhaps_unseen_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE))
    server.post(tombstone())
    assert (server.got()[1], records(server)) == ("delete: an unknown device", [])
    server = Server()
    server.post(doc(title=TITLE))
    server.post(doc(title=TITLE, n=1))
    server.post(tombstone())
    assert records(server) == [("", ABSENT, doc(title=TITLE, n=1), "perhaps-unseen")]


def test_a_deletion_that_loses_to_an_edit_is_recorded() -> None:
    server = Server()
    first = server.post(doc(n=1), "0", "A")
    server.post(doc(n=2), first, "B")
    server.post(tombstone(), first, "A")
    assert server.head == doc(n=2)
    assert stored(server) == [{"path": "", "kept": doc(n=2), "rule": "edit-beats-removal"}]


def test_a_deletion_that_an_unseen_edit_undoes_is_recorded() -> None:
    server = Server()
    first = server.post(doc(n=1), "0", "A")
    deleted = server.post(tombstone(), first, "A")
    server.post(doc(n=2), first, "B")
    assert records(server) == [("", doc(n=2), ABSENT, "edit-beats-removal")]
    server = Server()
    first = server.post(doc(n=1), "0", "A")
    deleted = server.post(tombstone(), first, "A")
    server.post(doc(n=2), deleted, "B")
    assert (server.head, records(server)) == (doc(n=2), [])


def test_a_late_state_of_what_was_deleted_is_recorded() -> None:
    server = Server()
    server.post(doc(n=1, updated_at=AT_10), device="A")
    server.post(doc(n=3, updated_at=AT_30), device="A")
    server.post(tombstone(), server.state.head.rev if server.state.head else None, "B")
    late = doc(n=2, updated_at=AT_20)
    server.post(late, device="A")
    assert (server.got()[1], records(server)) == ("10 late", [("", ABSENT, late, "late")])


def test_what_was_replaced_while_a_token_was_taken_for_that_of_one_device_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, updated_at=AT_10), device="T")
    server.post(doc(title=TITLE, status="open", updated_at=AT_20), device="T")
    server.post(doc(title=TITLE, n=1, updated_at=AT_30), device="T")  # another one with this token; status is gone
    row = ("/status", ABSENT, "open", "perhaps-unseen")
    assert records(server) == [row]
    server.post(doc(title=TITLE, status="open", updated_at=AT_20), device="T")
    assert server.got()[0] == "unchanged"
    assert any(found[:3] == row[:3] for found in records(server))


def test_a_state_that_a_device_sent_before_and_after_something_else_is_recorded_if_it_is_not_taken() -> None:
    server = Server()
    first = server.post(doc(done=False), "0", "A")
    server.post(doc(done=True), first, "A")
    server.post(doc(done=True, n=1), first, "A")
    server.post(doc(done=True), first, "A")
    assert server.got()[1] == "3 repeat"
    assert records(server) == [("/n", 1, ABSENT, "perhaps-set-back")]


def test_what_came_late_on_an_older_base_and_may_have_been_taken_back_is_recorded() -> None:
    server = Server()
    first = server.post(doc(title=TITLE), "0", "A")
    second = server.post(doc(title=TITLE, n=1), first, "B")
    server.post(doc(title=TITLE, notes="milk"), first, "A")
    server.post(doc(title=TITLE, n=1), second, "A")
    assert server.head == doc(title=TITLE, n=1, notes="milk")
    assert records(server) == [("/notes", "milk", ABSENT, "perhaps-set-back")]


def test_what_came_before_the_base_on_an_older_one_was_seen_and_leaves_no_record() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, v=0), "0", "A")
    server.post(doc(title=TITLE, v=1), first, "B")
    third = server.post(doc(title=TITLE, v=0, notes="milk"), first, "A")
    server.post(doc(title=TITLE, v=2, notes="milk"), third, "B")
    server.post(doc(title=TITLE, v=1, notes="milk"), third, "A")
    assert (server.head, records(server)) == (doc(title=TITLE, v=2, notes="milk"), [])


def test_what_a_device_removes_again_of_a_document_that_it_made_over_a_tombstone_is_recorded() -> None:
    server = Server()
    deleted = server.post(tombstone(), "0", "A")
    server.post(doc(title=TITLE, color="red"), deleted, "A")
    server.post(doc(title=TITLE), deleted, "A")
    assert server.head == doc(title=TITLE, color="red")
    assert records(server) == [("/color", "red", ABSENT, "perhaps-set-back")]


def test_what_a_device_set_back_before_its_older_request_came_is_recorded_with_it() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, done=False, n=0), "0", "B")
    server.post(doc(title=TITLE, n=0), first, "A")
    server.post(doc(title=TITLE, done=False, n=1), first, "B")
    assert records(server) == []
    server.post(doc(title=TITLE, done=True, n=0), first, "B")  # sent before
    assert server.head == doc(title=TITLE, done=True, n=1)
    assert [row for row in records(server) if row[0] == "/done"] == [
        ("/done", True, ABSENT, "edit-beats-removal"),
        ("/done", True, False, "perhaps-unseen"),
    ]


def test_what_a_device_may_have_set_back_is_recorded_though_what_it_sent_is_pruned() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, done=False), "0", "A")
    server.post(doc(title=TITLE, done=False, n=1), first, "B")
    server.post(doc(title=TITLE, done=True), first, "A")
    server.state.prune(server.at + 1.0)
    server.post(doc(title="another title", done=False), first, "A", base_state=doc(title=TITLE, done=False))
    assert server.head == doc(title="another title", done=True, n=1)
    assert ("/done", True, False, "perhaps-set-back") in records(server)


def test_a_late_copy_of_what_was_sent_on_a_base_of_before_leaves_no_record() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, done=False), "0", "A")
    second = server.post(doc(title=TITLE, done=True), first, "A")
    server.post(doc(title=TITLE, done=True, n=1), second, "A")
    server.post(doc(title=TITLE, done=True), first, "A")
    assert (server.got()[1], records(server)) == ("3 repeat", [])


def test_a_deletion_that_is_sent_again_after_something_else_is_recorded_if_it_is_not_taken() -> None:
    server = Server()
    first = server.post(doc(n=1), "0", "A")
    server.post(tombstone(), first, "A")
    server.post(tombstone(), first, "A")
    assert (server.got()[1], records(server)) == ("deleted already", [])
    server.post(doc(n=2), first, "A")
    server.post(tombstone(), first, "A")
    assert (server.got()[1], records(server)) == ("3 repeat", [("", doc(n=2), ABSENT, "sent-before")])


def shared_unnoticed(edited: Body) -> Server:
    """A token that claims to be one device's: one has the document edited, another one deletes it, and a third one
    comes with the first state."""
    server = Server()
    server.post(doc(title=TITLE, updated_at=AN_HOUR_BEFORE), device="T")
    server.post(doc(title=TITLE, n=1, updated_at=AN_HOUR_BEFORE), device="T")
    server.post(edited, device="T")
    server.post(tombstone(**{key: value for key, value in edited.items() if key != "id"}), device="T")
    assert server.head is None
    server.post(doc(title=TITLE, updated_at=AN_HOUR_BEFORE), device="T")
    return server


def test_what_a_token_deleted_is_recorded_when_it_turns_out_to_be_shared() -> None:
    edited = doc(title=TITLE, n=1, notes="milk", updated_at=AT_20)
    server = shared_unnoticed(edited)
    server.post(doc(title=TITLE, n=1, updated_at=AN_HOUR_BEFORE), device="T")
    assert server.state.shared_tokens == {"T"}
    assert ("", ABSENT, edited, "perhaps-unseen") in records(server)


def test_who_had_what_a_shared_token_deleted_before_it_was_known_as_one_leaves_a_record() -> None:
    edited = doc(title=TITLE, n=1, notes="milk", updated_at=AT_20)
    server = shared_unnoticed(edited)
    server.state.space.shared_tokens.add(DeviceId("T"))
    server.post(edited, device="T")
    assert (server.got()[1], records(server)) == ("11 behind", [("", ABSENT, edited, "perhaps-unseen")])


def test_a_late_state_that_was_here_before_records_what_the_device_did_since() -> None:
    server = Server()
    first = doc(title=TITLE, n=1, updated_at=AT_10)
    server.post(first, device="T")
    server.post(doc(title=TITLE, n=1, notes="milk", updated_at=AT_20), device="T")
    server.post(doc(title=TITLE, n=2, updated_at=AT_30), device="T")
    server.post(first, device="T")
    assert server.got()[:2] == ("unchanged", "10 late")
    assert records(server) == [("/n", 2, 1, "late"), ("/notes", ABSENT, "milk", "perhaps-unseen")]


def test_what_is_set_back_to_a_state_whose_clock_went_back_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, owner="one owner", updated_at=AT_10), device="A")
    server.post(doc(title=TITLE, tags=["x"], updated_at=AT_30), device="A")
    older = doc(title=TITLE, owner="one owner", tags=["x"], updated_at=AT_20)
    rev = server.post(older, device="A")  # sent before the owner was removed, or after the clock was put right
    server.post(doc(title=TITLE, owner="two owners", tags=["x"], updated_at=AT_20), rev, "B")
    server.post({**older, "updated_at": "2025-06-15T12:00:40Z"}, device="A")
    assert server.head is not None and server.head["owner"] == "two owners"
    assert records(server) == [("/owner", "two owners", "one owner", "perhaps-set-back")]


def test_a_late_state_records_what_its_own_token_deleted() -> None:
    server = Server()
    server.post(doc(n=1, updated_at=AT_10), device="A")
    edited, late = doc(n=3, updated_at=AT_30), doc(n=2, updated_at=AT_20)
    server.post(edited, device="A")
    server.post(tombstone(n=3, updated_at=AT_30), device="A")
    server.post(late, device="A")
    assert (server.got()[1], records(server)) == (
        "10 late",
        [("", ABSENT, late, "late"), ("", ABSENT, edited, "perhaps-unseen")],
    )


@pytest.mark.parametrize("rules", ["edit", "merge"])
def test_a_client_that_names_its_base_leaves_no_doubt(rules: str) -> None:
    server = Server()
    first = server.post(doc(title=TITLE, done=False), "0", "A")
    if rules == "merge":
        server.post(doc(title=TITLE, done=False, n=1), first, "B")
    server.post(doc(title=TITLE, done=True), first, "A")
    assert records(server) == []


@given(strategies.histories())
def test_law_what_is_recorded_stood_there_and_is_not_in_the_result(history: Any) -> None:
    base, state, result = history
    for conflict in doubts.not_taken(Basis("a guess", (base,), guessed=True), state, result):
        if not conflict.path.endswith("/-"):
            assert _same(value_at(state, conflict.path), conflict.dropped)
            assert not _same(value_at(result, conflict.path), conflict.dropped)
    assert doubts.not_taken(Basis("a base", (base,)), state, result) == []


@given(strategies.histories())
def test_law_differences_are_none_between_equals_and_the_same_both_ways(history: Any) -> None:
    base, state, _ = history
    found = differences(base, state)
    assert (found == []) == equal(base, state)
    back = differences(state, base)
    assert sorted(map(repr, found)) == sorted(repr(type(one)(one.path, one.there, one.here)) for one in back)


@given(st.lists(st.sampled_from("abc"), unique=True), st.lists(st.sampled_from("abc"), unique=True))
def test_law_every_difference_is_recorded_if_nothing_is_known(mine: list[str], kept: list[str]) -> None:
    state: Body = {"tags": mine}
    found = doubts.not_taken(Basis("a guess", (state,), guessed=True), state, {"tags": kept})
    members = {c.dropped if c.kept is ABSENT else c.kept for c in found if c.path == "/tags/-"}
    assert members == set(mine) ^ set(kept)


def test_what_was_decided_is_not_in_doubt_as_well() -> None:
    decided = [Conflict("/steps/0/n", 1, 2, "clock")]
    doubted = [Conflict("/steps/id=a/n", 1, 2, "perhaps-set-back"), Conflict("/m", 1, 2, "perhaps-unseen")]
    assert doubts.recorded_conflicts({"steps": [{"id": "a", "n": 1}]}, decided, doubted) == (doubted[1], decided[0])


def test_members_of_a_set_are_told_one_by_one() -> None:
    doubted = [Conflict("/tags/-", member, ABSENT, "perhaps-set-back") for member in ("c", "d")]
    assert doubts.recorded_conflicts({"tags": ["c", "d"]}, (), doubted) == tuple(doubted)


def _same(a: Any, b: Any) -> bool:
    return a is b if ABSENT in (a, b) else equal(a, b)


def test_the_work_grows_with_the_document_and_not_with_its_square() -> None:
    """Two edits of every member, on one base by one device: each place is compared with each state once."""

    def calls(members: int) -> int:
        dice = random.Random(1)
        base, mine, theirs = (
            {"id": "d", "x": {str(n): dice.choices(range(3), k=4) for n in range(members)}} for _ in range(3)
        )
        space = MemorySpace()
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        def decided(body: Body, on: str) -> Answer:
            submission = Submission(
                DocumentId("d"), body, content_hash(body), 1.0, on, Given.NOTHING, DeviceId("a"), single_device=True
            )
            item = Item(submission, DeviceId("a"))
            [reply], _ = space.transact(lambda found: decide(found, CachedResolver(10**6), [item]))
            assert isinstance(reply, Answer)
            return reply

        made = decided(base, CREATED)
        decided(mine, str(made.rev))
        sys.setprofile(count)
        try:
            decided(theirs, str(made.rev))
        finally:
            sys.setprofile(None)
        return counted

    assert calls(400) < 3 * calls(200)
