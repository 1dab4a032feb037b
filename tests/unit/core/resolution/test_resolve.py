"""One example for each row and each line of live and dead, and the laws on histories that nobody chose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Epoch, Sequence
from shared.core.json.canonical import content_hash
from shared.core.merge.objects import ABSENT
from shared.core.merge.policies import NO_POLICIES, Policies, parse
from shared.core.resolution.context import (
    MAX_ASKED,
    AcknowledgedMap,
    Decision,
    DocumentContext,
    Given,
    NeedsData,
    Outcome,
    Refusal,
    Submission,
)
from shared.core.resolution.resolve import resolve
from shared.core.resolution.revs import Rev, RevParts, make_rev, parse_rev
from shared.core.resolution.states import same_content
from shared.core.version_vectors import MAX_COUNTER, Source
from shared.testing.document_state import DocumentState

ID = "pb67wndxge8293xd"


def doc(**fields: Any) -> Body:
    return {"id": ID, **fields}


def tombstone(**fields: Any) -> Body:
    return {"id": ID, "_deleted": True, **fields}


@dataclass
class Server:
    """Submits with little to write; the decision and the rev of the last answer are kept."""

    state: DocumentState = field(default_factory=DocumentState)
    policies: Policies = NO_POLICIES
    at: float = 1_000_000.0
    last: Decision | Refusal | None = None

    def request(
        self, state: Body | None, base: str | None = None, device: str | None = None, **more: Any
    ) -> Submission:
        self.at += 1.0
        return Submission(
            DocumentId(ID),
            state,
            content_hash(state) if state is not None else None,
            self.at,
            base=base,
            device=DeviceId(device) if device else None,
            single_device=device is not None,
            **more,
        )

    def send(self, request: Submission) -> Rev:
        self.last, rev = self.state.submit(request, self.policies)
        return rev if rev is not None else Rev("")

    def post(self, state: Body | None, base: str | None = None, device: str | None = None, **more: Any) -> Rev:
        return self.send(self.request(state, base, device, **more))

    @property
    def decision(self) -> Decision:
        assert isinstance(self.last, Decision)
        return self.last

    @property
    def head(self) -> Body | None:
        return self.state.head.body if self.state.head else None

    def got(self) -> tuple[str, str, Body | None]:
        return self.decision.outcome, self.decision.rule, self.decision.state


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
    assert (server.state.rounds, server.state.revisions) == (0, [])
    assert rev == make_rev(Sequence(1), content_hash(doc(title="a")), deleted=False)


def test_row_2_what_is_the_head_writes_nothing() -> None:
    server = Server()
    server.post(doc(title="a"), "0", "A")
    size = server.state.size
    server.post(doc(title="a"))
    assert server.got() == ("unchanged", "2 equal", doc(title="a"))
    assert (server.state.rounds, server.state.size) == (0, size)


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
    assert server.state.rounds == 0


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
    assert server.state.rounds == 0
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


# Rows 10 to 13: no base


def test_row_10_the_device_is_on_what_it_was_returned() -> None:
    server = Server()
    server.post(None, device="A")
    server.post(doc(title="a", done=False, note="x"), "0", "B")
    server.post(None, device="A")
    first = server.state.head
    assert first is not None
    server.post(doc(title="b", done=False, note="x"), first.rev, "B")
    server.post(doc(title="a", done=True, note="x"), device="A")
    assert server.got() == ("merged", "10 pick", doc(title="b", done=True, note="x"))


def test_row_10_pick_leaves_out_the_state_that_it_does_not_come_from() -> None:
    server = Server()
    server.post(doc(title="the first title", done=False), None, "A")
    base = server.state.head.rev if server.state.head else None
    server.post(doc(title="the second title", done=True), base, "B")
    server.post(doc(title="the first title", done=False, n=1), None, "A")
    assert server.head == doc(title="the second title", done=True, n=1)
    server.post(doc(title="the second title", done=False, n=1), None, "A")
    assert server.got() == ("fast_forward", "10 pick", doc(title="the second title", done=False, n=1))


def test_row_10_both_states_that_it_may_be_on_count() -> None:
    """Its last answer may have been lost: what is as in either is no edit."""
    server = Server()
    server.post(doc(done=False, n=1), device="A")
    server.post(doc(done=True, n=1), server.state.head.rev if server.state.head else None, "B")
    server.post(doc(done=False, n=2), device="A")
    assert server.got()[2] == doc(done=True, n=2)
    server.post(doc(done=False, n=3), device="A")  # from the first, the answer was lost
    assert server.got()[2] == doc(done=True, n=3)
    assert [tuple(c) for c in server.decision.conflicts] == [("/done", True, False, "perhaps-set-back")]


def test_row_10_what_may_have_been_replaced_unseen_is_a_conflict() -> None:
    server = Server()
    server.post(doc(title="a", n=1), device="A")
    server.post(doc(title="b", n=1), server.state.head.rev if server.state.head else None, "B")
    server.post(doc(title="a", n=2), device="A")
    server.post(doc(title="c", n=2), device="A")
    assert server.head == doc(title="c", n=2)
    assert [(c.path, c.kept, c.dropped) for c in server.decision.conflicts] == [("/title", "c", "b")]


def test_row_10_a_null_does_not_make_the_device_forget() -> None:
    server = Server()
    server.post(doc(a=1, b=1), device="A")
    for n in range(MAX_ASKED + 2):
        server.post(doc(a=1, b=2 + n), server.state.head.rev if server.state.head else None, "B")
        server.post(None, device="A")
    context = server.state.devices[DeviceId("A")]
    assert context.returned == content_hash(doc(a=1, b=1))
    assert len(context.states) == 1 + MAX_ASKED
    server.post(doc(a=2, b=1), device="A")
    assert server.head == doc(a=2, b=MAX_ASKED + 3)


def test_row_10_a_state_that_is_delivered_twice_does_not_make_the_device_newer() -> None:
    server = Server()
    server.post(doc(a=0, b=0), None, "B")
    server.post(doc(a=1), None, "A")
    assert server.head == doc(a=1, b=0)  # and this is what A has from now on
    server.post(doc(a=0, b=5), None, "B")
    assert server.head == doc(a=1, b=5)
    server.post(doc(a=1), None, "A")  # the same request once more; nobody gets its answer
    server.post(doc(a=1, b=0, c=7), None, "A")
    assert server.head == doc(a=1, b=5, c=7)


def test_a_request_that_the_queue_delivers_again_is_answered_as_before() -> None:
    server = Server()
    server.post(doc(a=0, b=0), None, "B")
    first = server.request(doc(a=1), None, "A", request="process.1")
    rev = server.send(first)
    assert server.decision.state == doc(a=1, b=0)
    server.post(doc(a=0, b=5), None, "B")
    size = server.state.size
    assert server.send(first) == rev
    assert server.got() == ("unchanged", "answered before", doc(a=1, b=0))
    assert not server.decision.writes and server.state.size == size
    assert server.send(replace(first, request="process.2")) != rev
    assert server.decision.state == doc(a=1, b=5)


def test_a_null_that_the_queue_delivers_again_is_answered_as_before() -> None:
    server = Server()
    rev = server.post(doc(a=0), "0", "B")
    null = server.request(None, None, "A", request="process.1")
    server.send(null)
    server.post(doc(a=1), rev, "B")
    server.send(null)
    assert server.decision.state == doc(a=0)
    server.state.forget_body(0)
    server.send(null)
    assert server.decision.state == doc(a=1), "its body was pruned"


def test_row_10_a_state_as_remembered_has_no_edits() -> None:
    server = Server()
    server.post(doc(done=False), device="A")
    server.post(doc(done=True), server.state.head.rev if server.state.head else None, "B")
    server.post(doc(done=False), device="A")
    assert server.got() == ("unchanged", "10 as remembered", doc(done=True))


def test_row_10_a_request_that_comes_late_changes_nothing() -> None:
    server = Server()
    server.post(doc(n=1, updated_at="2025-06-15T15:00:00Z"), device="A")
    server.post(doc(n=3, updated_at="2025-06-15T15:01:00Z"), device="A")
    known = server.state.devices[DeviceId("A")]
    server.post(doc(n=2, updated_at="2025-06-15T15:00:30Z"), device="A")
    assert server.got()[:2] == ("unchanged", "10 late")
    assert [(c.kept, c.dropped) for c in server.decision.conflicts] == [(3, 2)]
    assert doc(n=2, updated_at="2025-06-15T15:00:30Z") in [r.body for r in server.state.revisions]
    assert server.state.devices[DeviceId("A")] == known


def test_row_10_a_clock_that_was_put_right_is_not_late() -> None:
    server = Server()
    server.post(doc(n=1, updated_at="2031-01-01T00:00:00Z"), device="A")
    server.post(doc(n=2, updated_at="2025-06-15T15:00:00Z"), device="A")
    assert server.got()[:2] == ("fast_forward", "10 pick")


AT_17, AT_20 = "2025-06-15T12:00:17Z", "2025-06-15T12:00:20Z"


@pytest.mark.parametrize("before", [doc(title="a title of old"), None], ids=["edited", "created"])
@pytest.mark.parametrize(
    ("edit", "next_edit"),
    [
        ({"title": "a newer title"}, {"notes": "more to say"}),
        ({"title": "a newer title"}, {"title": "a newer title", "done": True}),
        ({"done": True}, {"notes": "more to say"}),
        ({"done": True}, {"n": 3}),
        ({"tags": ["home"]}, {"tags": ["home", "work"]}),
        ({"title": "a newer title", "done": True}, {"done": False}),
    ],
)
def test_row_10_a_clock_that_is_put_back_does_not_undo_the_next_edit(
    before: Body | None, edit: Body, next_edit: Body
) -> None:
    server = Server()
    if before is not None:
        server.post({**before, "updated_at": "2025-06-15T11:00:00Z"}, device="A")
    first = {**(before or doc()), **edit, "updated_at": AT_20}
    server.post(first, device="A")
    second = {**first, **next_edit, "updated_at": AT_17}
    server.post(second, device="A")
    assert server.got() == ("fast_forward", "10 pick", second)


def test_row_10_a_weak_edit_over_one_that_was_there_before_shows_what_came_later() -> None:
    server = Server()
    for done, at in ((True, "2025-06-15T10:00:00Z"), (False, "2025-06-15T11:00:00Z"), (True, AT_20)):
        server.post(doc(title="the same title", done=done, updated_at=at), device="A")
    server.post(doc(title="the same title", done=True, n=1, updated_at=AT_17), device="A")
    assert server.got()[:2] == ("fast_forward", "10 pick")


def test_row_10_what_the_device_was_answered_shows_that_a_state_is_not_late() -> None:
    server = Server()
    server.post(doc(title="a title of old", updated_at="2025-06-15T11:00:00Z"), device="A")
    server.post(doc(title="a title of old", notes="of another device", updated_at=AT_17), device="B")
    server.post(doc(title="a newer title", updated_at=AT_20), device="A")
    answered = server.decision.state
    assert answered is not None and answered["notes"] == "of another device"
    server.post({**answered, "done": True, "updated_at": AT_17}, device="A")
    assert server.got()[:2] == ("fast_forward", "10 pick")


@pytest.mark.parametrize("state", [doc(title="a newer title"), doc(title="a title of old", done=True)])
def test_row_10_the_clock_breaks_the_tie_where_the_states_tell_nothing(state: Body) -> None:
    server = Server()
    server.post(doc(title="a title of old", updated_at="2025-06-15T11:00:00Z"), device="A")
    server.post(doc(title="the newest title", updated_at=AT_20), device="A")
    server.post({**state, "updated_at": AT_17}, device="A")
    assert server.got()[:2] == ("unchanged", "10 late")
    assert ("/title", "the newest title", state["title"]) in [c[:3] for c in server.decision.conflicts]


def test_guard_a_token_used_by_two_devices_counts_as_shared_for_good() -> None:
    server = Server()
    server.post(doc(title="title one", note="note one", tags=["t"]), device="T")
    server.post(doc(title="title two", note="note two", tags=["t", "u"]), device="T")
    server.post(doc(title="title one", note="note one", tags=["t"], n=1), device="T")
    assert server.decision.rule == "12 near"
    assert server.head == doc(title="title two", note="note two", tags=["t", "u"], n=1)
    assert server.state.shared_tokens == {"T"}
    assert server.state.first_read(server.request(doc(title="x"), device="T")).device is not None
    server.post(doc(title="title two", note="note two", tags=["t", "u"], n=2), device="T")
    assert server.decision.rule == "12 near"


def test_guard_a_state_of_long_ago_is_behind() -> None:
    server = Server()
    for n in (1, 2, 3):
        server.post(doc(n=n), device="T")
    server.post(doc(n=1), device="T")
    assert server.got() == ("unchanged", "11 behind", doc(n=3))
    assert server.state.shared_tokens == {"T"}


def test_guard_one_edit_that_is_taken_back_is_an_edit() -> None:
    server = Server()
    server.post(doc(title="title one", updated_at="2025-06-15T15:00:00Z"), device="A")
    server.post(doc(title="title two", updated_at="2025-06-15T15:01:00Z"), device="A")
    server.post(doc(title="title one", updated_at="2025-06-15T15:02:00Z"), device="A")
    assert server.got()[:2] == ("fast_forward", "10 pick")
    assert server.state.shared_tokens == set()


def test_guard_taking_one_edit_back_beside_another_is_no_contradiction() -> None:
    server = Server()
    server.post(doc(title="title one", n=1), device="A")
    server.post(doc(title="title two", n=1), device="A")
    server.post(doc(title="title one", n=2), device="A")
    assert server.got() == ("fast_forward", "10 pick", doc(title="title one", n=2))


def test_row_11_an_earlier_request_that_is_delivered_again_tells_nothing_of_the_device() -> None:
    """Two requests of a device, of which the first has no other name to be known by any more."""
    server = Server()
    server.post(doc(n=1), device="T")
    earlier, later = server.request(doc(n=2), device="T"), server.request(doc(n=3), device="T")
    server.send(earlier)
    server.send(later)
    server.post(doc(n=3, m=1), device="U")
    size = server.state.size
    server.send(earlier)
    assert server.got() == ("unchanged", "11 behind", doc(n=3, m=1))
    assert not server.decision.writes and server.state.size == size
    assert server.state.shared_tokens == set(), "it is still one device's token"
    server.post(doc(n=4), device="T")
    assert server.got() == ("merged", "10 pick", doc(n=4, m=1))


def test_row_11_what_was_received_before_is_merely_behind() -> None:
    server = Server()
    first = server.post(doc(done=False), "0", "A")
    server.post(doc(done=True), first, "A")
    server.post(doc(done=False))
    assert server.got() == ("unchanged", "11 behind", doc(done=True))


def test_row_11_a_pruned_body_is_still_known() -> None:
    server = Server()
    first = server.post(doc(done=False), "0", "A")
    server.post(doc(done=True), first, "A")
    server.state.forget_body(0)
    server.post(doc(done=False))
    assert server.decision.rule == "11 behind"


def test_row_12_the_nearest_state_is_the_base() -> None:
    server = Server()
    first = server.post(doc(title="title one", a=1, b=1), "0", "A")
    server.post(doc(title="title one", a=2, b=1), first, "A")
    server.post(doc(title="title one", a=1, b=2))
    assert server.got() == ("merged", "12 near", doc(title="title one", a=2, b=2))


def test_row_12_novelty_a_value_that_nobody_saw_wins_and_one_that_was_seen_does_not() -> None:
    server = Server()
    first = server.post(doc(title="title one", note="note one", n=0), "0", "A")
    second = server.post(doc(title="title two", note="note one", n=0), first, "A")
    server.post(doc(title="title three", note="note one", n=0), second, "A")
    server.post(doc(title="title four", note="note one", n=1))
    assert server.head == doc(title="title four", note="note one", n=1)
    fifth = server.post(
        doc(title="title five", note="note one", n=1),
        server.state.head.rev if server.state.head else None,
        "A",
    )
    server.post(doc(title="title three", note="note six", n=2))
    assert server.head is not None
    assert server.head["title"] == "title five"
    assert fifth


def test_row_12_novelty_comes_before_the_clock() -> None:
    server = Server()
    first = server.post(doc(title="title one", note="note one", n=1, updated_at="1970-01-12T13:40:00Z"), "0", "A")
    server.post(doc(title="title two", note="note one", n=2, updated_at="1970-01-12T13:45:00Z"), first, "A")
    server.post(doc(title="title new", note="note one", n=1, updated_at="1970-01-12T13:41:00Z"))
    assert server.head is not None and (server.head["title"], server.head["n"]) == ("title new", 2)


def test_row_13_a_union_of_what_nothing_connects() -> None:
    server = Server()
    server.post(doc(title="title one", a=1), "0", "A")
    server.post(doc(note="something else", b=2))
    assert server.got() == (
        "merged",
        "13 nothing near",
        doc(title="title one", a=1, note="something else", b=2),
    )


# Live and dead


def dead(**fields: Any) -> tuple[Server, Rev, Rev]:
    """A server with a deleted document; its first rev and that of the tombstone."""
    server = Server()
    first = server.post(doc(**fields), "0", "A")
    return server, first, server.post(tombstone(), first, "A")


def test_live_on_a_tombstone_without_edits_stays_deleted() -> None:
    server, first, deleted = dead(title="title one")
    assert server.post(doc(title="title one"), first, "B") == deleted
    assert server.got() == ("unchanged", "7 base", None)
    server.post(doc(title="title one"))
    assert server.got() == ("unchanged", "11 behind", None)


def test_live_on_a_tombstone_with_an_edit_is_put_onto_what_was_buried() -> None:
    server = Server()
    first = server.post(doc(title="a", note="x"), "0", "A")
    second = server.post(doc(title="b", note="x"), first, "A")
    server.post(tombstone(), second, "A")
    server.post(doc(title="a", note="y"), first, "B")
    assert server.got() == ("resurrected", "7 base", doc(title="b", note="y"))


def test_live_on_a_tombstone_with_only_stale_values_stays_deleted() -> None:
    server = Server()
    first = server.post(doc(title="title one", note="note one"), "0", "A")
    second = server.post(doc(title="title two", note="note one"), first, "A")
    third = server.post(doc(title="title two", note="note two"), second, "A")
    server.post(tombstone(), third, "A")
    server.post(doc(title="title one", note="note two"))
    assert server.got() == ("unchanged", "12 near", None)


def test_live_on_a_tombstone_with_nothing_near_is_a_new_document() -> None:
    server, _, _ = dead(title="title one", a=1)
    server.post(doc(note="something else"))
    assert server.got() == ("resurrected", "13 nothing near", doc(note="something else"))


def test_live_on_a_tombstone_whose_body_is_pruned_comes_alone_and_only_with_an_edit() -> None:
    server, first, _ = dead(title="a", note="x")
    server.state.forget_body(0)
    base = doc(title="a", note="x")
    server.post(base, first, "B", base_state=base)
    assert server.got()[0] == "unchanged"
    server.post(doc(title="a", note="y"), first, "B", base_state=base)
    assert server.got() == ("resurrected", "8 base_state", doc(title="a", note="y"))


def test_tombstone_on_a_tombstone_is_nothing() -> None:
    server, first, deleted = dead(title="a")
    assert server.post(tombstone(), first, "B") == deleted
    assert server.got() == ("unchanged", "deleted already", None)


def test_tombstone_with_a_base_deletes_what_it_saw() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(tombstone(), first, "B")
    assert server.got() == ("deleted", "delete: the base is the head", None)
    assert server.state.rounds == 0


def test_tombstone_with_a_base_loses_to_an_edit() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    server.post(tombstone(), first, "B")
    assert server.got() == ("unchanged", "the edit wins over the deletion", doc(title="b"))
    size = server.state.size
    server.post(tombstone(), first, "B")
    assert (server.decision.rule, server.state.size) == ("3 repeat", size)


def test_tombstone_with_a_base_deletes_what_is_again_as_the_base() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    second = server.post(doc(title="b"), first, "A")
    server.post(doc(title="a"), second, "A")
    server.post(tombstone(), first, "B")
    assert server.got()[:2] == ("deleted", "delete: the head is as the base")


def test_tombstone_with_a_base_deletes_what_the_device_sent_itself() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    server.post(tombstone(), first, "A")
    assert server.got()[:2] == ("deleted", "delete: the head is as the device left it")
    assert [(c.path, c.dropped, c.rule) for c in server.decision.conflicts] == [
        ("", doc(title="b"), "perhaps-unseen")
    ]


def test_tombstone_that_repeats_a_deletion_does_not_delete_what_came_back() -> None:
    server, first, deleted = dead(title="a")
    server.post(doc(title="b"), deleted, "A")
    server.post(tombstone(), first, "A")
    assert server.got() == ("unchanged", "3 repeat", doc(title="b"))


def test_tombstone_with_the_last_body_deletes_what_that_is() -> None:
    server = Server()
    server.post(doc(title="a"), "0", "A")
    server.post(tombstone(title="a"))
    assert server.got()[:2] == ("deleted", "delete: the last body is the head")


def test_tombstone_with_the_last_body_deletes_what_that_comes_from() -> None:
    server = Server()
    server.post(doc(title="title one", n=1), "0", "A")
    server.post(tombstone(title="title one", n=2))
    assert server.got()[:2] == ("deleted", "delete: the last body comes from the head")


def test_tombstone_with_an_old_last_body_loses_to_an_edit() -> None:
    server = Server()
    first = server.post(doc(title="title one", n=1), "0", "A")
    server.post(doc(title="title one", n=2), first, "A")
    server.post(tombstone(title="title one", n=1))
    assert server.got()[:2] == ("unchanged", "the edit wins over the deletion")


def test_bare_tombstone_of_a_device_deletes_what_it_has() -> None:
    server = Server()
    server.post(doc(title="a"), device="A")
    server.post(tombstone(), device="A")
    assert server.got()[:2] == ("deleted", "delete: the device had the head")


def test_bare_tombstone_of_a_device_loses_to_an_edit() -> None:
    server = Server()
    server.post(doc(title="a"), device="A")
    server.post(doc(title="b"), server.state.head.rev if server.state.head else None, "B")
    server.post(tombstone(), device="A")
    assert server.got() == ("unchanged", "the edit wins over the deletion", doc(title="b"))


def test_bare_tombstone_of_a_device_that_was_never_here_loses() -> None:
    server = Server()
    server.post(doc(title="a"), "0", "A")
    server.post(tombstone(), device="B")
    assert server.got()[1] == "the edit wins over the deletion"


def test_bare_tombstone_after_two_clean_rounds_deletes() -> None:
    server = Server()
    first = server.post(doc(a=1, b=1), device="A")
    server.post(doc(a=1, b=2), first, "B")
    server.post(doc(a=2, b=1), device="A")
    head = server.state.head
    assert head is not None
    known = server.state.devices[DeviceId("A")]
    assert known.sent != known.returned
    for at, sequence, outcome in (
        (known.at - 1, head.sequence, "unchanged"),  # the maps came before the answer
        (known.at + 1, head.sequence - 1, "unchanged"),  # they did not list the head
        (known.at + 1, head.sequence, "deleted"),
    ):
        again = Server(server.state.copy(), at=server.at)
        again.post(tombstone(), device="A", agreed=AcknowledgedMap(at, Sequence(sequence)))
        assert again.got()[0] == outcome


def test_bare_tombstone_of_an_unknown_device_deletes_and_the_body_stays_in_the_revisions() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    server.post(tombstone())
    assert server.got()[:2] == ("deleted", "delete: an unknown device")
    assert doc(title="b") in [record.body for record in server.state.revisions]


def test_bare_tombstone_that_comes_again_soon_does_not_delete_what_came_back() -> None:
    server = Server()
    server.post(doc(title="a"), "0", "A")
    server.post(tombstone())
    assert server.state.head is not None
    server.post(doc(title="b"), server.state.head.rev, "A")
    server.post(tombstone())
    assert server.got()[:2] == ("unchanged", "3 repeat")
    server.at += 3600.0
    server.post(tombstone())
    assert server.got()[0] == "deleted"


def test_a_tombstone_before_the_document_keeps_its_body() -> None:
    server = Server()
    server.post(tombstone(title="a"), device="A")
    assert server.got() == ("deleted", "delete: never seen", None)
    server.post(doc(title="a"), device="A")
    assert server.got() == ("unchanged", "11 behind", None)
    bare = Server()
    bare.post(tombstone())
    bare.post(doc(title="a"))
    assert bare.head == doc(title="a")
    assert [tuple(c) for c in bare.decision.conflicts] == [("", doc(title="a"), ABSENT, "edit-beats-removal")]


def test_delete_wins_where_the_space_says_so() -> None:
    server = Server(policies=parse({"": "delete-wins"}))
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    server.post(tombstone(), first, "B")
    assert server.got()[0] == "deleted"
    assert [(c.kept, c.dropped) for c in server.decision.conflicts] == [(ABSENT, doc(title="b"))]
    server.post(doc(title="c"), first, "C")
    assert server.got()[0] == "unchanged"


# Revs


@pytest.mark.parametrize("history", [None, Epoch("k3x9d2"), Epoch("5f2c8a1b9d3e4f60")])
def test_a_rev_tells_its_parts(history: Epoch | None) -> None:
    for deleted in (False, True):
        for content in (content_hash(doc()), content_hash({})):
            parts = parse_rev(make_rev(Sequence(7), content, deleted=deleted, history=history))
            assert parts == RevParts(Sequence(7), content, deleted, history)


@pytest.mark.parametrize("history", [None, Epoch("k3x9d2")])
def test_a_rev_tells_the_version_that_is_stored_with_its_revision(history: Epoch | None) -> None:
    own = {Source(history or "k3x9d2"): 7}
    for version in ({Source("0f7ck3b"): 36}, {**own, Source("ab12cd34"): MAX_COUNTER}, {Source("ab12cd34"): 1}):
        rev = make_rev(Sequence(7), content_hash(doc()), deleted=False, history=history, version=version)
        parts = parse_rev(rev)
        assert parts is not None and (parts.sequence, parts.history) == (7, history)
        assert {source: number for source, number in parts.version.items() if number} == version
    several = {Source(f"source{n}"): n + 1 for n in range(20)}
    parts = parse_rev(make_rev(Sequence(7), content_hash(doc()), deleted=True, history=history, version=several))
    assert parts is not None
    assert set(parts.version.items()) <= {*several.items(), *((source, 0) for source in own)}, "less is never wrong"


def test_revs_of_before_there_were_histories_are_understood() -> None:
    assert parse_rev("7-abc") == RevParts(Sequence(7), ContentHash("abc"), False, None)
    assert parse_rev("7-abc-deleted") == RevParts(Sequence(7), ContentHash("abc"), True, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "x",
        "1-",
        "1--",
        "x-1",
        "1-a-b",
        "-1-a",
        "1" * 30 + "-a",
        "²-a",
        "1.-a",
        ".h-a",
        "1.H-a",
        "1.h.h-a",
        "1.h.s~-a",
        "1.h.s~1.-a",
    ],
)
def test_any_other_text_is_no_rev(text: str) -> None:
    assert parse_rev(text) is None


# The laws

VALUES = st.sampled_from(["value one", "value two", "value three", "a", "b", True, False, 0, 1, None])
BODIES = st.fixed_dictionaries(
    {"id": st.just(ID)},
    optional={
        "p": VALUES,
        "q": VALUES,
        "tags": st.lists(st.sampled_from("xyz"), unique=True),
        "o": st.fixed_dictionaries({}, optional={"r": VALUES, "s": VALUES}),
        "list": st.lists(
            st.fixed_dictionaries({"id": st.sampled_from("mn")}, optional={"t": VALUES}),
            unique_by=lambda m: m["id"],
        ),
        "updated_at": st.sampled_from([f"1970-01-12T13:4{minute}:00Z" for minute in range(10)]),
    },
)
STATES = st.one_of(
    BODIES, BODIES, BODIES, st.none(), st.just(tombstone()), BODIES.map(lambda b: {**b, "_deleted": True})
)
DEVICES = st.sampled_from([None, "A", "B"])
BASES = st.one_of(st.none(), st.just("0"), st.integers(0, 9))
STEPS = st.lists(st.tuples(STATES, DEVICES, BASES), max_size=10)
"""What is sent, by whom, on which of the revs that were answered before."""

Step = tuple[Body | None, str | None, str | int | None]


def requested(server: Server, step: Step, revs: list[Rev]) -> Submission:
    state, device, base = step
    known = revs[base % len(revs)] if isinstance(base, int) and revs else None
    base_state = Given.NOTHING if known is None else None
    return server.request(state, known or (base if base == "0" else None), device, base_state=base_state)


def acted(steps: list[Step]) -> tuple[Server, list[Rev]]:
    server, revs = Server(), list[Rev]()
    for step in steps:
        revs.append(server.send(requested(server, step, revs)))
    return server, revs


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(member) for member in value] if isinstance(value, list) else value


@given(STEPS, st.tuples(STATES, DEVICES, BASES))
def test_the_same_gives_the_same(steps: list[Step], step: Step) -> None:
    server, revs = acted(steps)
    request = requested(server, step, revs)
    other = Server(), list[Rev]()
    for earlier in steps:
        other[1].append(other[0].send(requested(other[0], (reversed_keys(earlier[0]), *earlier[1:]), other[1])))
    again = replace(request, client_state=reversed_keys(request.client_state))
    first, second = server.state.submit(request), other[0].state.submit(again)
    assert first == second


@given(STEPS, st.tuples(STATES, DEVICES, BASES), STEPS)
@settings(max_examples=200)
def test_a_repeat_makes_nothing_new(before: list[Step], step: Step, between: list[Step]) -> None:
    server, revs = acted(before)
    request = requested(server, step, revs)
    revs.append(server.send(request))
    if server.state.head is None:
        return  # a tombstone of nothing is kept by nobody
    for later in between:
        revs.append(server.send(requested(server, later, revs)))
    size, head = server.state.size, server.state.head
    server.send(replace(request, arrived_at=server.at + 1))
    assert (server.state.size, server.state.head) == (size, head)


@given(STEPS, DEVICES, st.booleans())
def test_an_answer_posted_back_changes_nothing(steps: list[Step], device: str | None, with_base: bool) -> None:
    server, _ = acted(steps)
    rev = server.post(None, None, device)
    answer = server.decision.state
    size, head = server.state.size, server.state.head
    server.post(answer, rev if with_base else None, device)
    assert server.decision.state == answer
    assert (server.state.size, server.state.head) == (size, head)


@given(STEPS, DEVICES)
def test_null_never_deletes(steps: list[Step], device: str | None) -> None:
    server, _ = acted(steps)
    head = server.state.head
    server.post(None, None, device)
    assert server.state.head == head


@given(STEPS, DEVICES, st.integers(0, 20))
def test_what_was_received_before_never_brings_back_what_was_deleted(
    steps: list[Step], device: str | None, which: int
) -> None:
    server, _ = acted(steps)
    head = server.state.head
    if head is None:
        return
    server.post(tombstone(), head.rev, "C")
    received = [r.body for r in server.state.revisions if r.body is not None]
    if received:
        server.post(received[which % len(received)], None, device)
        assert server.head is None
        assert server.decision.state is None


@given(STEPS)
@settings(max_examples=200)
def test_what_a_conflict_drops_is_in_the_revisions(steps: list[Step]) -> None:
    server, revs = Server(), list[Rev]()
    for step in steps:
        revs.append(server.send(requested(server, step, revs)))
        conflicts = server.last.conflicts if isinstance(server.last, Decision) else ()
        stored = [*(r.body for r in server.state.revisions), server.head]
        for conflict in conflicts:
            assert conflict.dropped is ABSENT or any(within(conflict.dropped, body) for body in stored)


def within(value: Any, body: Any) -> bool:
    if value == body and type(value) is type(body):
        return True
    children = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return any(within(value, child) for child in children)


@given(STEPS)
def test_a_client_that_syncs_alone_agrees_after_one_post(steps: list[Step]) -> None:
    server, _ = acted(steps)
    for state in (doc(p="value one", n=5), doc(q=3), tombstone(), None):
        for device in (None, "A", "C"):
            server.post(state, None, device)
            answer = server.decision.state
            server.post(answer, None, device)
            assert server.decision.outcome is Outcome.UNCHANGED
            assert server.decision.state == answer == server.head


@given(STEPS)
def test_a_new_revision_differs_from_the_one_before(steps: list[Step]) -> None:
    server, _ = acted(steps)
    heads = [r for r in server.state.revisions if r.until]
    bodies = [*(r.body for r in heads), server.head]
    for before, now in pairwise(bodies):
        assert before is None or now is None or not same_content(before, now)


def test_what_is_missing_is_named_before_anything_is_decided() -> None:
    server = Server()
    first = server.post(doc(title="a"), "0", "A")
    server.post(doc(title="b"), first, "A")
    missing = resolve(DocumentContext(server.state.head), server.request(doc(title="c"), first, "B"))
    assert isinstance(missing, NeedsData)
    assert missing.states == {content_hash(doc(title="a")), content_hash(doc(title="c"))}
    assert missing.pairs_since == 1
