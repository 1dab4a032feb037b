"""What is recorded of a head that is replaced by who may not have seen it: the smallest inputs."""

from __future__ import annotations

import pytest

from shared.core.documents import DeviceId, SequenceNumber
from shared.core.merge.conflicts import Conflict
from shared.core.merge.objects import ABSENT
from shared.core.merge.paths import in_stable_form
from shared.core.resolution import doubts
from shared.core.resolution.context import AcknowledgedMap
from tests.unit.core.resolution.server import Server, doc, tombstone
from tests.unit.core.resolution.test_doubts import AT_10, AT_20, AT_30, TITLE, records

AT_40 = "2025-06-15T12:00:40Z"


def head_rev(server: Server) -> str:
    assert server.state.head is not None
    return server.state.head.rev


# A base, and several states on it


def test_a_removal_that_is_undone_because_what_was_sent_before_is_pruned_is_recorded() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, tags=["home", "work"]), "0", "A")
    server.post(doc(title=TITLE, tags=["work"]), first, "B")
    server.state.prune(server.at + 1.0)
    server.post(doc(title=TITLE, tags=["home", "work"], n=1), "0", "A")
    assert server.head == doc(title=TITLE, tags=["home", "work"], n=1)
    assert ("/tags/-", "home", ABSENT, "perhaps-unseen") in records(server)


def test_what_was_pruned_may_also_have_been_sent_on_a_later_base() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, done=False), "0", "B")
    second = server.post(doc(title=TITLE, done=False, n=1), first, "B")
    third = server.post(doc(title=TITLE, done=True, n=1), second, "A")
    server.post(doc(title=TITLE, done=False, n=1), third, "B")
    server.state.prune(server.at + 1.0)
    restored = doc(title=TITLE, done=True, m=1)  # put back to before it knew of n, and edited
    server.post(restored, first, "A", base_state=doc(title=TITLE, done=False))
    assert server.head == doc(title=TITLE, done=True, n=1, m=1)
    assert ("/done", True, False, "perhaps-unseen") in records(server)


def test_a_late_copy_of_a_base_adds_nothing_though_what_its_device_sent_later_is_pruned() -> None:
    server = Server()
    base = doc(title=TITLE, n=0)
    first = server.post(base, "0", "B")
    second = server.post(doc(title=TITLE, n=1), first, "B")
    server.post(base, first, "A", base_state=base)
    third = server.post(doc(title=TITLE, n=2), second, "A")
    server.post(doc(title=TITLE, n=3), third, "B")
    server.state.prune(server.at + 1.0)
    size = server.state.size
    server.post(base, first, "A", base_state=base)
    assert server.head == doc(title=TITLE, n=3)
    assert (server.state.size, records(server)) == (size, [])


@pytest.mark.parametrize(("before", "after"), [({}, {}), ({"updated_at": AT_20}, {"updated_at": AT_10})])
def test_what_a_device_removed_before_its_older_request_came_is_recorded(
    before: dict[str, str], after: dict[str, str]
) -> None:
    server = Server()
    server.post(doc(title=TITLE, **before), "0", "A")  # made after the notes were written and removed again
    server.post(doc(title=TITLE, notes="milk", **after), "0", "A")
    assert server.head == doc(title=TITLE, notes="milk", **after)
    assert records(server) == [("/notes", "milk", ABSENT, "perhaps-unseen")]


def test_what_a_device_adds_to_what_it_sent_before_by_a_clock_that_goes_on_leaves_no_record() -> None:
    server = Server()
    server.post(doc(title=TITLE, updated_at=AT_10), "0", "A")
    server.post(doc(title=TITLE, notes="milk", updated_at=AT_20), "0", "A")
    assert (server.head, records(server)) == (doc(title=TITLE, notes="milk", updated_at=AT_20), [])


@pytest.mark.parametrize("clocks", [({}, {}), ({"updated_at": AT_20}, {"updated_at": AT_10})])
def test_what_a_device_set_back_is_recorded_when_its_older_request_shows_that_it_had_edited_it(
    clocks: tuple[dict[str, str], dict[str, str]],
) -> None:
    server = Server()
    newer, older = clocks
    first = server.post(doc(title=TITLE, priority="low"), "0", "B")
    server.post(doc(title=TITLE, priority="mid"), first, "B")
    server.post(doc(title=TITLE, priority="low", n=2, **newer), first, "A")  # it was mid in between
    server.post(doc(title=TITLE, priority="mid", n=1, **older), first, "A")
    assert server.head is not None and server.head["priority"] == "mid"
    assert ("/priority", "mid", "low", "perhaps-unseen") in records(server)


def test_what_a_device_set_back_is_recorded_though_its_older_request_is_as_the_head() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, priority="low"), "0", "B")
    server.post(doc(title=TITLE, priority="mid"), first, "B")
    server.post(doc(title=TITLE, priority="low", n=1), first, "A")
    head = doc(title=TITLE, priority="mid", n=1)
    assert server.head == head
    server.post(head, first, "A")
    assert (server.decision.outcome, server.head) == ("unchanged", head)
    assert records(server) == [("/priority", "mid", "low", "perhaps-unseen")]


def test_what_a_device_edits_after_it_left_it_alone_leaves_no_record_of_that() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, priority="low"), "0", "B")
    server.post(doc(title=TITLE, priority="low", n=1, updated_at=AT_10), first, "A")
    server.post(doc(title=TITLE, priority="mid", n=1, updated_at=AT_20), first, "A")
    assert (server.head, records(server)) == (doc(title=TITLE, priority="mid", n=1, updated_at=AT_20), [])


def test_a_deletion_on_a_base_that_the_head_came_back_to_is_recorded() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, done=False), "0", "B")
    second = server.post(doc(title=TITLE, done=True), first, "A")
    server.post(doc(title=TITLE, done=False), second, "B")
    server.post(tombstone(), first, "A")
    assert server.head is None
    assert records(server) == [("", ABSENT, doc(title=TITLE, done=False), "perhaps-unseen")]


def test_what_was_set_to_something_and_back_since_the_base_is_recorded_if_it_is_replaced() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, color="red"), "0", "A")
    second = server.post(doc(title=TITLE, color="blue"), first, "B")
    server.post(doc(title=TITLE, color="red", n=1), second, "B")
    server.post(doc(title=TITLE), first, "A")
    assert server.head == doc(title=TITLE, n=1)
    assert records(server) == [("/color", ABSENT, "red", "perhaps-unseen")]


def test_what_is_as_it_was_all_the_time_since_the_base_leaves_no_record() -> None:
    server = Server()
    first = server.post(doc(title=TITLE, color="red"), "0", "A")
    second = server.post(doc(title=TITLE, color="red", n=1), first, "B")
    server.post(doc(title=TITLE, color="red", n=2), second, "B")
    server.post(doc(title=TITLE), first, "A")
    assert (server.head, records(server)) == (doc(title=TITLE, n=2), [])


def test_what_a_state_had_whose_body_is_pruned_can_be_read_again_if_it_is_dropped_later() -> None:
    server = Server()
    state = doc(title=TITLE, owner="one owner")
    first = server.post(state, "0", "A")
    second = server.post(doc(title=TITLE, owner="two owners"), first, "A")
    server.post(doc(title=TITLE, owner="two owners", n=1), second, "B")
    server.post(doc(title="another title", owner="one owner"), first, "A")
    server.state.prune(server.at + 1.0)
    server.post(state, first, "A", base_state=state)
    assert ("/owner", "two owners", "one owner", "perhaps-set-back") in records(server)
    assert state in [revision.body for revision in server.state.revisions]


# No base: a device, and what it may be on


@pytest.mark.parametrize("color", ["red", "blue"])
def test_what_a_device_replaces_that_may_be_on_what_it_sent_is_recorded(color: str) -> None:
    server = Server()
    first = server.post(doc(title=TITLE, color="red", tags=["a"]), device="A")
    server.post(doc(title=TITLE, tags=["a", "b"]), first, "B")
    server.post(doc(title=TITLE, color="red", tags=["a"], n=1), device="A")
    assert server.head == doc(title=TITLE, tags=["a", "b"], n=1)
    server.post(doc(title=TITLE, color=color, tags=["a", "b"], n=1), device="A")  # the answer came, or b was added
    assert server.head == doc(title=TITLE, color=color, tags=["a", "b"], n=1)
    assert records(server) == [("/color", color, ABSENT, "perhaps-unseen")]


def test_what_a_device_sets_back_to_how_it_was_before_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, color="red", updated_at=AT_10), device="A")
    server.post(doc(title=TITLE, color="blue", updated_at=AT_20), device="A")
    server.post(doc(title=TITLE, color="red", n=1, updated_at=AT_30), device="A")  # a backup that was put back?
    assert server.head == doc(title=TITLE, color="red", n=1, updated_at=AT_30)
    assert ("/color", "red", "blue", "perhaps-unseen") in records(server)


def test_a_member_that_a_device_adds_again_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, tags=["urgent"], updated_at=AT_10), device="A")
    server.post(doc(title=TITLE, tags=[], updated_at=AT_20), device="A")
    server.post(doc(title=TITLE, tags=["urgent"], updated_at=AT_30), device="A")
    assert server.head == doc(title=TITLE, tags=["urgent"], updated_at=AT_30)
    assert records(server) == [("/tags/-", "urgent", ABSENT, "perhaps-unseen")]


def test_the_ordinary_edits_of_a_device_leave_no_record_and_text_reads_no_old_state() -> None:
    server = Server()
    server.post(doc(title=TITLE, done=False, updated_at=AT_10), device="A")
    server.post(doc(title="another title", done=False, updated_at=AT_20), device="A")
    assert (records(server), server.state.further_reads) == ([], 1)
    server.post(doc(title="another title", done=True, updated_at=AT_30), device="A")
    server.post(doc(title="another title", done=True, n=1, updated_at=AT_40), device="A")
    assert records(server) == []


def test_what_a_state_replaces_whose_clock_went_back_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, count=2, updated_at=AT_20), device="A")
    server.post(doc(title=TITLE, updated_at=AT_10), device="A")
    assert server.head == doc(title=TITLE, updated_at=AT_10)
    assert records(server) == [("/count", ABSENT, 2, "perhaps-unseen")]


def test_a_field_that_an_older_state_of_an_unknown_client_adds_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, updated_at=AT_20))  # priority was removed
    server.post(doc(title=TITLE, priority="high", updated_at=AT_10))
    assert server.head is not None and server.head["priority"] == "high"
    assert records(server) == [("/priority", "high", ABSENT, "perhaps-unseen")]


def test_every_difference_of_a_late_state_is_recorded_by_its_own_member() -> None:
    server = Server()
    steps = [{"id": "a", "done": False}, {"id": "b", "done": False}]
    server.post(doc(title=TITLE, steps=steps, updated_at=AT_10), device="A")
    server.post(doc(title="another title", steps=steps, updated_at=AT_30), device="A")
    late = [{"id": "a", "done": True}, {"id": "b", "done": True}]
    server.post(doc(title=TITLE, steps=late, updated_at=AT_20), device="A")
    assert server.got()[1] == "10 late"
    assert [row for row in records(server) if row[0].startswith("/steps")] == [
        ("/steps/id=a/done", False, True, "late"),
        ("/steps/id=b/done", False, True, "late"),
    ]


def test_a_path_in_stable_form_stays_as_it_is() -> None:
    result = {"steps": [{"id": "a", "in": [{"id": 1}]}, {"id": "b"}]}
    assert in_stable_form("/steps/id=b/done", result) == "/steps/id=b/done"
    assert in_stable_form("/steps/id=a/in/0/x", result) == "/steps/id=a/in/id=1/x"
    assert in_stable_form("/steps/0/in/id=1", result) == "/steps/id=a/in/id=1"
    assert in_stable_form("/steps/2/done", result) == "/steps/-/done"
    assert in_stable_form("/steps/-/done", result) == "/steps/-/done"


def test_two_members_that_were_dropped_are_two_records() -> None:
    decided = [Conflict("/steps/-/n", ABSENT, n, "late") for n in (1, 2)]
    assert doubts.recorded_conflicts({"steps": []}, decided, ()) == tuple(decided)


# Deletions without a base


def test_a_deletion_after_two_clean_rounds_is_recorded_if_the_device_may_be_on_another_state() -> None:
    """The rounds may be older requests of the device that arrived late, after it gave up on them."""
    server = Server()
    first = server.post(doc(title=TITLE), device="A")
    server.post(doc(title=TITLE, notes="milk"), first, "B")
    server.post(doc(title=TITLE, n=1), device="A")
    merged = doc(title=TITLE, notes="milk", n=1)
    assert server.head == merged
    acknowledged = AcknowledgedMap(server.at + 0.5, SequenceNumber(server.state.sequence))
    server.post(tombstone(), device="A", acknowledged=acknowledged)
    assert server.got()[1:] == ("delete: two clean rounds", None)
    assert records(server) == [("", ABSENT, merged, "perhaps-unseen")]


def test_a_deletion_with_a_last_body_that_is_not_the_head_is_recorded() -> None:
    server = Server()
    server.post(doc(title=TITLE, n=1), device="A")
    server.post(tombstone(title=TITLE), device="A")
    assert server.got()[1] == "delete: the last body comes from the head"
    assert records(server) == [("", ABSENT, doc(title=TITLE, n=1), "perhaps-unseen")]


def test_a_deletion_that_is_older_by_its_clock_than_what_the_device_sent_is_recorded() -> None:
    server = Server()
    sent = doc(title=TITLE, n=1, updated_at=AT_20)
    server.post(sent, device="A")
    server.post(tombstone(updated_at=AT_10), device="A")
    assert server.got()[1] == "delete: the device had the head"
    assert records(server) == [("", ABSENT, sent, "perhaps-unseen")]


def test_a_deletion_by_who_had_the_head_leaves_no_record() -> None:
    server = Server()
    server.post(doc(title=TITLE, n=1), device="A")
    server.post(tombstone(title=TITLE, n=1), device="A")
    assert (server.head, records(server)) == (None, [])
    assert server.state.shared_tokens.isdisjoint({DeviceId("A")})
    assert head_rev(server).endswith("-deleted")
