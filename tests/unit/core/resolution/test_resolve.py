"""One example for each row of a submission with a base, and for those that need none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.core.documents import SequenceNumber
from shared.core.json.canonical import content_hash
from shared.core.merge.objects import ABSENT
from shared.core.merge.policies import parse
from shared.core.resolution.context import (
    Refusal,
)
from shared.core.resolution.revs import make_rev
from tests.unit.core.resolution.server import Server, doc, tombstone

# Rows 1 to 9: nothing, or a base


def test_row_1_null_is_answered_and_writes_nothing() -> None:
    server = Server()
    assert server.post(None) == "0"
    assert server.got() == ("unchanged", "1 null", None)
    rev = server.post(doc(title="a"), "0")
    assert server.post(None) == rev
    assert server.got() == ("unchanged", "1 null", doc(title="a"))
    assert not server.decision.writes


def test_a_new_document_takes_one_read_and_one_write() -> None:
    server = Server()
    rev = server.post(doc(title="a"), "0", "A")
    assert server.got() == ("applied", "new", doc(title="a"))
    assert (server.state.further_reads, server.state.revisions) == (0, [])
    assert rev == make_rev(SequenceNumber(1), content_hash(doc(title="a")), deleted=False)


def test_row_2_what_is_the_head_writes_nothing() -> None:
    server = Server()
    server.post(doc(title="a"), "0", "A")
    size = server.state.size
    server.post(doc(title="a"))
    assert server.got() == ("unchanged", "2 equal", doc(title="a"))
    assert (server.state.further_reads, server.state.size) == (0, size)


def test_row_2_remembers_the_pair_so_that_a_repeat_does_not_undo_what_follows() -> None:
    server = Server()
    first = server.post(doc(done=False), "0", "A")
    second = server.post(doc(done=True), first, "A")
    server.post(doc(done=True), first, "B")
    assert server.decision.rule == "2 equal"
    server.post(doc(done=False), second, "A")
    server.post(doc(done=True), first, "B")
    assert server.got() == ("unchanged", "3 repeat", doc(done=False))


def test_row_3_a_repeat_has_no_edits() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    second = server.post(doc(title="b"), first, "A")
    server.post(doc(title="c"), second, "B")
    size = server.state.size
    server.post(doc(title="b"), first, "A")
    assert server.got() == ("unchanged", "3 repeat", doc(title="c"))
    assert server.state.size == size


def test_row_3_comes_before_equality_where_equal_states_are_two_edits() -> None:
    server = Server(policies=parse({"/stock": "counter"}))
    first = server.post(doc(stock=1), "0", "A")
    server.post(doc(stock=0), first, "A")
    server.post(doc(stock=0), first, "B")
    assert server.head == doc(stock=-1)
    server.post(doc(stock=0), first, "B")
    assert (server.head, server.decision.rule) == (doc(stock=-1), "3 repeat")


def test_row_4_two_who_made_the_same_document() -> None:
    server = Server()
    server.post(doc(title="of A", a=1), "0", "A")
    server.post(doc(title="of B", b=2), "0", "B")
    assert server.got() == ("merged", "4 created", doc(title="of B", a=1, b=2))
    assert [(c.path, c.kept, c.dropped) for c in server.decision.conflicts] == [("/title", "of B", "of A")]
    assert doc(title="of B", b=2) in [record.body for record in server.state.revisions]


def test_row_5_what_the_device_sent_before_is_no_edit() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    second = server.post(doc(title="b", note="x"), first, "A")
    server.post(doc(title="c", note="x"), second, "B")
    server.post(doc(title="b", note="y"), first, "A")
    assert server.got() == ("merged", "5 sent since", doc(title="c", note="y"))


def test_row_5_a_client_that_was_put_back_does_not_undo_what_it_forgot() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    server.post(doc(title="b", note="x"), first, "A")
    server.post(doc(title="a", note="y"), first, "A")
    assert server.got() == ("merged", "5 sent since", doc(title="b", note="y"))


def test_row_5_what_it_forgot_and_overwrites_is_a_conflict() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    server.post(doc(title="c"), first, "A")
    assert server.head == doc(title="c")
    assert [(c.path, c.kept, c.dropped) for c in server.decision.conflicts] == [("/title", "c", "b")]


def test_row_5_what_it_forgot_and_removes_around_is_a_conflict() -> None:
    server = Server()
    first = server.post(doc(meta={"color": "red"}), "0", "A")
    server.post(doc(meta={"color": "blue"}), first, "A")
    server.post(doc(), first, "A")
    assert server.head == doc()
    assert [(c.path, c.kept, c.dropped) for c in server.decision.conflicts] == [("/meta", ABSENT, {"color": "blue"})]


def test_row_5_what_it_may_mean_anew_is_a_conflict() -> None:
    server = Server()
    first = server.post(doc(done=False, note="x"), "0", "A")
    second = server.post(doc(done=True, note="x"), first, "A")
    server.post(doc(done=False, note="x", more=1), second, "B")
    server.post(doc(done=True, note="y"), first, "A")
    assert server.head == doc(done=False, note="y", more=1)
    found = [(c.path, c.kept, c.dropped) for c in server.decision.conflicts]
    assert found == [("/done", False, True), ("/note", "y", "x")]


def test_row_6_a_document_that_outlived_its_deletion_is_put_onto_what_was_buried() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    second = server.post(doc(title="b", note="x"), first, "B")
    deleted = server.post(tombstone(), second, "B")
    server.post(doc(title="a", note="y"), deleted, "A", base_state=doc(title="a", note="x"))
    assert server.got() == ("resurrected", "6 base is a tombstone", doc(title="b", note="y"))


def test_row_6_who_saw_the_deletion_brings_back_what_he_sends() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    deleted = server.post(tombstone(), first, "A")
    server.post(doc(title="a"), deleted, "A")
    assert server.got() == ("resurrected", "6 the deletion was seen", doc(title="a"))
    assert server.state.further_reads == 0


def test_row_6_what_the_server_changed_is_counted_from_what_was_buried() -> None:
    server = Server()
    first = server.post(doc(title="a", done=False, note="x"), "0", "A")
    second = server.post(doc(title="b", done=False, note="x"), first, "B")
    deleted = server.post(tombstone(), second, "B")
    server.post(doc(title="b", done=True, note="x"), second, "C")
    server.post(doc(title="c", done=False, note="y"), deleted, "A", base_state=doc(title="a", done=False, note="x"))
    assert server.head == doc(title="c", done=True, note="y")


def test_row_6_taking_back_what_was_buried_is_an_edit_too() -> None:
    server = Server()
    first = server.post(doc(done=False), "0", "A")
    deleted = server.post(tombstone(), first, "A")
    server.post(doc(done=True), first, "B")
    server.post(doc(done=False), deleted, "A")
    assert server.head == doc(done=False)
    assert [(c.path, c.kept, c.dropped) for c in server.decision.conflicts] == [("/done", False, True)]


def test_row_6_what_came_back_around_an_edit_is_no_edit() -> None:
    server = Server()
    first = server.post(doc(meta={"owner": "old", "hours": 1}), "0", "A")
    second = server.post(doc(), first, "A")
    deleted = server.post(tombstone(), second, "A")
    server.post(doc(meta={"owner": "old", "hours": 8}), first, "B")
    server.post(doc(meta={"owner": "new", "hours": 8}), deleted, "A")
    assert server.head == doc(meta={"owner": "new", "hours": 8})


def test_row_7_a_fast_forward_takes_one_read() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    assert server.got() == ("fast_forward", "7 base is the head", doc(title="b"))
    assert server.state.further_reads == 0
    assert [record.body for record in server.state.revisions] == [doc(title="a")]


def test_row_7_a_merge_with_the_base() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x", done=False), "0", "A")
    server.post(doc(title="b", note="x"), first, "A")
    server.post(doc(title="a", note="y", done=False), first, "B")
    assert server.got() == ("merged", "7 base", doc(title="b", note="y"))
    assert server.decision.conflicts == ()


def test_row_7_a_content_hash_means_the_newest_revision_with_it() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    server.post(doc(title="a", note="y"), content_hash(doc(title="a")), "B")
    assert server.got() == ("merged", "7 base", doc(title="b", note="y"))


def test_row_7_the_clock_decides_ties_and_a_far_future_one_does_not_win() -> None:
    server = Server(at=1_750_000_000.0)  # 2025-06-15T15:06:40Z
    first = server.post(doc(title="a", updated_at="2025-06-15T15:00:00Z"), "0", "A")
    server.post(doc(title="b", updated_at="2031-01-01T00:00:00Z"), first, "A")
    server.post(doc(title="c", updated_at="2025-06-15T15:06:00Z"), first, "B")
    assert server.decision.state is not None
    assert server.decision.state["title"] == "b"
    server.at += 3600.0
    server.post(doc(title="d", updated_at="2025-06-15T16:06:40Z"), first, "C")
    assert server.decision.state["title"] == "d"


def test_row_7_only_the_clock_is_no_edit() -> None:
    server = Server()
    first = server.post(doc(title="a", updated_at="2025-06-15T15:00:00Z"), "0", "A")
    server.post(doc(title="a", updated_at="2025-06-15T15:06:00Z"), first, "A")
    assert server.got()[0] == "unchanged"


def test_row_7_what_came_back_around_an_edit_is_no_edit() -> None:
    """The edit of a part won over the removal of the whole; the rest of the whole is as old as it was."""
    server = Server()
    first = server.post(doc(meta={"owner": "old", "hours": 1}), "0", "A")
    second = server.post(doc(), first, "A")
    server.post(doc(meta={"owner": "new", "hours": 1}), first, "B")
    server.post(doc(meta={"owner": "old", "hours": 8}), second, "C")
    assert server.head == doc(meta={"owner": "new", "hours": 8})


def test_row_7_what_came_back_as_it_was_before_the_base_is_no_edit() -> None:
    """The whole was removed after the base, and came back as it was before the base. A clock changes nothing."""
    server = Server()
    first = server.post(doc(meta={"owner": "old", "hours": 1}), "0", "A")
    second = server.post(doc(meta={"owner": "mid", "hours": 1}), first, "A")
    server.post(doc(), second, "C")
    server.post(doc(meta={"owner": "old", "hours": 8}, updated_at="2025-06-15T15:00:00Z"), first, "B")
    server.post(doc(meta={"owner": "new", "hours": 1}, updated_at="2025-06-15T14:00:00Z"), second, "A")
    assert server.decision.state is not None
    assert server.decision.state["meta"] == {"owner": "new", "hours": 8}
    assert [(c.path, c.kept, c.dropped, c.rule) for c in server.decision.conflicts] == [
        ("/meta/owner", "new", "old", "came-back")
    ]


def test_row_8_the_client_brings_its_base() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    server.post(doc(title="b", note="x"), first, "A")
    server.state.forget_body(0)
    server.post(doc(title="a", note="y"), first, "B", base_state=doc(title="a", note="x"))
    assert server.got() == ("merged", "8 base_state", doc(title="b", note="y"))


@pytest.mark.parametrize("more", [{}, {"base_state": doc(title="not it")}])
def test_row_9_without_a_base_nothing_is_written(more: dict[str, Any]) -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    server.post(doc(title="b", note="x"), first, "A")
    server.state.forget_body(0)
    before = replace(server.state)
    server.post(doc(title="a", note="y"), first, "B", **more)
    assert server.last == Refusal("base-unknown", "9 base unknown")
    assert server.state.head == before.head


@pytest.mark.parametrize("base", ["nonsense", "9-", "-", "7-0123", "1-0123-mark", "", content_hash({})])
def test_row_9_a_base_that_means_nothing_is_unknown(base: str) -> None:
    server = Server()
    server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), base, "B")
    assert isinstance(server.last, Refusal) == bool(base)


def test_row_9_a_client_that_lost_its_base_goes_on_by_content() -> None:
    server = Server()
    first = server.post(doc(title="something long"), "0", "A")
    second = server.post(doc(title="something long", done=True), first, "A")
    server.state.forget_body(0)
    server.post(doc(title="something long", note="y"), first, "B", base_state=None)
    assert server.decision.rule == "12 near"
    server.post(tombstone(), first, "C", base_state=None)
    assert server.decision.rule == "the edit wins over the deletion"
    assert second != first
