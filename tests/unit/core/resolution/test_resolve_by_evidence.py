"""One example for each row of a submission without a base."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.core.documents import Body, DeviceId
from shared.core.json.canonical import content_hash
from shared.core.resolution.context import (
    MAX_ASKED,
)
from tests.unit.core.resolution.server import Server, doc

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
    first = server.request(doc(a=1), None, "A", delivery="process.1")
    rev = server.send(first)
    assert server.decision.state == doc(a=1, b=0)
    server.post(doc(a=0, b=5), None, "B")
    size = server.state.size
    assert server.send(first) == rev
    assert server.got() == ("unchanged", "answered before", doc(a=1, b=0))
    assert not server.decision.writes and server.state.size == size
    assert server.send(replace(first, delivery="process.2")) != rev
    assert server.decision.state == doc(a=1, b=5)


def test_a_null_that_the_queue_delivers_again_is_answered_as_before() -> None:
    server = Server()
    rev = server.post(doc(a=0), "0", "B")
    null = server.request(None, None, "A", delivery="process.1")
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
    assert server.state.first_read(server.request(doc(title="x"), device="T")).device_memory is not None
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
