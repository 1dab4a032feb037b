"""One example for each line of live and dead."""

from __future__ import annotations

from typing import Any

from shared.core.documents import DeviceId, SequenceNumber
from shared.core.merge.objects import ABSENT
from shared.core.merge.policies import parse
from shared.core.resolution.context import (
    AcknowledgedMap,
)
from shared.core.resolution.revs import Rev
from tests.unit.core.resolution.server import Server, doc, tombstone

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
    assert server.state.further_reads == 0


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
        again.post(tombstone(), device="A", acknowledged=AcknowledgedMap(at, SequenceNumber(sequence)))
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
