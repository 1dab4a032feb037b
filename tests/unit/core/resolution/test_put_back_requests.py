"""Clients with a base at a store that was put back: requests that are late or come twice, bases that are lost."""

from __future__ import annotations

import pytest

from shared.core.documents import Body
from shared.core.resolution.batch import Answer
from shared.core.resolution.revs import parse_rev
from tests.unit.core.restored_space import Upstream, dead, doc

X, Y, Z = doc(a="one", b="one"), doc(a="two", b="one"), doc(a="two", b="three")


def rev(answer: Answer) -> str:
    assert answer.rev is not None
    return answer.rev


def told(answer: Answer) -> list[tuple[object, ...]]:
    return [(c["path"], c.get("kept"), c.get("dropped"), c["rule"]) for c in answer.conflicts]


def write_another(server: Upstream) -> None:
    """A document, so that sequences are given to other changes than before the loss."""
    server.space.transact(lambda transaction: transaction.allot(1, 0), writer=server.writer)


# What a state contains goes with its rev


def test_what_was_brought_back_is_no_edit_however_often_the_store_is_put_back() -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0", device="a"))
    y = rev(server.put(Y, x, device="a"))
    server.put_back(empty)
    again = rev(server.put(X, x, device="behind"))
    server.put_back(empty)
    server.put(Y, y, device="a")
    answer = server.put(X, again, device="behind")
    assert answer.body == Y
    assert (answer.rule, told(answer)) == ("11 behind", [])


def test_an_edit_on_what_was_brought_back_is_told_by_its_rev_when_the_store_is_put_back_again() -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0"))
    server.put_back(empty)
    edited = rev(server.put(doc(**{**X, "c": 1}), x, before=X, device="a"))
    server.put_back(empty)
    server.put(doc(**{**X, "c": 1}), edited, device="a")
    answer = server.put(X, x, device="behind")
    assert answer.body == doc(**{**X, "c": 1})
    assert (answer.rule, told(answer)) == ("11 behind", [])


def test_a_rev_that_was_told_before_the_head_was_found_to_contain_more_still_names_it() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    back = rev(server.put(X, rev(server.put(Y, x))))
    server.put_back(backup)
    server.put(X, back, device="ahead")
    assert server.head is not None and server.head.rev != x and server.head.is_named_by(x)
    server.put(doc(**{**X, "c": 1}), x, device="behind")
    assert server.body == doc(**{**X, "c": 1})


def test_the_same_sequence_and_content_in_another_history_is_another_position() -> None:
    """Position 2 of the lost history had Y, and so has that of the new one: both on X, but not from each other."""
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    lost = rev(server.put(Y, x, device="a"))
    server.put_back(backup)
    found = rev(server.put(Y, x, device="b"))
    before, now = parse_rev(lost), parse_rev(found)
    assert before is not None and now is not None
    assert (before.sequence, before.hash) == (now.sequence, now.hash) and before.history != now.history
    z = rev(server.put(Z, found, device="b"))
    answer = server.put(Y, lost, device="a")
    assert answer.body == Z
    assert rev(answer) != z, "that it contains the lost position is told from now on"


# The edits of a base that was lost come first, then those of the state on it


def test_an_edit_that_takes_back_what_its_lost_base_had_is_an_edit() -> None:
    server = Upstream()
    x = rev(server.put(doc(tags=["home", "work"]), "0", device="a"))
    backup = server.copy()
    y = rev(server.put(doc(tags=["home"], c=1), x, device="a"))
    server.put_back(backup)
    server.put(doc(tags=["home"]), x, device="b")
    server.put(doc(tags=["home", "work"], c=1), y, before=doc(tags=["home"], c=1), device="a")
    assert server.body == doc(tags=["home", "work"], c=1)


def test_an_edit_back_to_what_the_store_was_put_back_to_counts_against_what_was_lost() -> None:
    server = Upstream()
    x = rev(server.put(X, "0", device="a"))
    backup = server.copy()
    y = rev(server.put(Y, x, device="a"))
    c = rev(server.put(doc(**{**Y, "c": 1}), y, device="b"))
    server.put_back(backup)
    server.put(X, y, before=Y, device="a")
    assert server.body == X
    assert server.put(doc(**{**Y, "c": 1}), c, device="b").body == doc(**{**X, "c": 1})


def test_what_came_late_from_a_device_that_went_on_is_older_than_what_it_brings_back() -> None:
    server = Upstream()
    x = rev(server.put(X, "0", device="a"))
    backup = server.copy()
    y = rev(server.put(Y, x, device="a"))
    gone = rev(server.put(doc(b="one"), y, device="a"))
    server.put_back(backup)
    write_another(server)
    assert server.put(Y, x, device="a").outcome == "fast_forward", "a copy of the request that made it"
    server.put(doc(b="one"), gone, device="a")
    assert server.body == doc(b="one")


def test_an_edit_back_to_what_the_device_had_sent_before_its_lost_base_is_an_edit() -> None:
    server = Upstream()
    x = rev(server.put(doc(a=1), "0", device="b"))
    backup = server.copy()
    y = rev(server.put(doc(a=2), x, device="a"))
    z = rev(server.put(doc(a=3), y, device="a"))
    server.put_back(backup)
    write_another(server)
    server.put(doc(a=2), x, device="a")
    server.put(doc(a=3), y, device="a")
    server.put(doc(a=3, c=1), z, before=doc(a=3), device="b")
    server.put(doc(a=2), z, before=doc(a=3), device="a")
    assert server.body == doc(a=2, c=1)


# Requests that the store has lost come once more


def test_a_request_that_came_before_is_known_by_the_base_of_what_was_brought_back() -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0", device="a"))
    server.put_back(empty)
    server.put(doc(b="one"), x, before=X, device="a")
    again = server.put(X, "0", device="a")
    assert again.rule == "3 repeat" and again.body == doc(b="one")


@pytest.mark.parametrize("known", [True, False])
def test_where_a_request_may_have_come_before_the_value_that_may_have_replaced_it_stands(known: bool) -> None:
    """These two cannot be told apart: a sets `a` to two, b to three having seen it, the store is put back, b brings
    its state back, and a repeats its request, the answer of which never came; or a's request never came before."""
    server = Upstream()
    x = rev(server.put(X, "0", device="b"))
    backup = server.copy()
    y = rev(server.put(Y, x, device="a")) if known else x
    state = doc(**{**X, "a": "three", "c": 1})
    c = rev(server.put(state, y, device="b"))
    server.put_back(backup)
    server.put(state, c, device="b")
    answer = server.put(Y, x, device="a")
    assert answer.body == state
    assert told(answer) == [("/a", "three", "two", "put-back")]
    assert server.put(Y, x, device="a").body == state, "and a repeat of that adds nothing"


@pytest.mark.parametrize("known", [True, False])
def test_where_a_request_may_have_come_before_what_it_adds_stands_and_is_recorded(known: bool) -> None:
    """Nor can these two: somebody removed what a added, or nobody ever saw it."""
    server = Upstream()
    x = rev(server.put(X, "0", device="b"))
    backup = server.copy()
    added = doc(**{**X, "c": 1})
    y = rev(server.put(added, x, device="a")) if known else x
    state = doc(**{**X, "d": 1})
    c = rev(server.put(state, y, device="b"))
    server.put_back(backup)
    server.put(state, c, device="b")
    answer = server.put(added, x, device="a")
    assert answer.body == doc(**{**X, "c": 1, "d": 1})
    assert told(answer) == [("/c", 1, None, "put-back")]


@pytest.mark.parametrize("known", [True, False])
def test_where_a_creation_may_have_come_before_nothing_of_it_wins_unrecorded(known: bool) -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0", device="a")) if known else "0"
    state = doc(a="two")
    y = rev(server.put(state, x, device="b"))
    server.put_back(empty)
    server.put(state, y, device="b")
    answer = server.put(X, "0", device="a")
    assert server.body == doc(a="two", b="one")
    assert told(answer) == [("/a", "two", "one", "put-back"), ("/b", "one", None, "put-back")]


def test_an_older_request_of_a_device_that_went_on_since_changes_nothing_and_is_recorded() -> None:
    server = Upstream()
    x = rev(server.put(X, "0", device="a"))
    backup = server.copy()
    y = rev(server.put(doc(**{**X, "c": 1}), rev(server.put(Y, x, device="b")), device="a"))
    server.put_back(backup)
    back = rev(server.put(doc(**{**X, "c": 1}), y, device="a"))
    later = doc(**{**X, "c": 2})
    server.put(later, back, device="a")
    late = server.put(doc(**{**X, "a": "late"}), x, device="a")
    assert late.body == later
    assert told(late) == [("/a", "one", "late", "put-back")]


def test_what_was_written_since_the_loss_may_be_what_is_brought_back_and_is_recorded() -> None:
    """Where only what was lost changed, nothing is in doubt."""
    server = Upstream()
    x = rev(server.put(X, "0", device="a"))
    backup = server.copy()
    lost = doc(**{**X, "a": "two", "c": 1})
    y = rev(server.put(lost, x, device="a"))
    server.put_back(backup)
    server.put(doc(**{**X, "e": 1}), x, device="e")
    answer = server.put(lost, y, device="a")
    assert answer.body == doc(**{**lost, "e": 1})
    assert told(answer) == [("/e", 1, None, "put-back")]


def test_two_states_of_which_nothing_is_known_that_both_had_are_joined_and_that_is_recorded() -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0", device="a"))
    y = rev(server.put(Y, x, device="a"))
    server.put_back(empty)
    n = rev(server.put(doc(**{**X, "n": 1}), x, before=X, device="b"))
    server.put_back(empty)
    server.put(Y, y, device="a")
    answer = server.put(doc(**{**X, "n": 1}), n, device="b")
    assert server.body == doc(**{**Y, "n": 1})
    assert told(answer) == [("/a", "two", "one", "put-back"), ("/n", 1, None, "put-back")]


def started_again(server: Upstream, times: int) -> None:
    """The database, in another process each time, and something is written."""
    for _ in range(times):
        server.put_back(server.space)
        write_another(server)


@pytest.mark.parametrize("times", range(1, 5))
def test_what_was_lost_is_known_though_the_database_was_started_several_times_since(times: int) -> None:
    server = Upstream()
    started_again(server, 1)
    x = rev(server.put(X, "0", device="a"))
    w = rev(server.put(X, server.put(dead(), x).rev, device="a"))
    backup = server.copy()
    started_again(server, times)
    y = rev(server.put(Y, w, device="a"))
    started_again(server, 1)
    z = rev(server.put(Z, y, device="b"))
    server.put_back(backup)
    answer = server.put(Z, z, device="b")
    assert server.body == Z and told(answer) == []
    assert (server.put(Y, y, device="a").rule, server.body) == ("11 behind", Z)
    gone = rev(server.put(dead(), z, device="b"))
    started_again(server, 1)
    server.put_back(backup)
    assert server.put(None, gone, device="b").body is None
    assert server.body is None


# Deletions


def deleted_and_put_back(body: Body = X) -> tuple[Upstream, str, str]:
    """A store that has lost the deletion of the document; the revs of the document and of its tombstone."""
    server = Upstream()
    x = rev(server.put(body, "0", device="a"))
    backup = server.copy()
    gone = rev(server.put(dead(), x, device="a"))
    server.put_back(backup)
    return server, x, gone


def test_all_of_a_document_that_is_made_again_on_a_tombstone_that_was_lost_is_an_edit() -> None:
    """Also what is as in the document that was deleted, and was removed by somebody who had not seen that."""
    server = Upstream()
    empty = server.copy()
    made = doc(a=1, m=1)
    gone = rev(server.put(dead(), rev(server.put(made, "0", device="a")), device="a"))
    twice = rev(server.put(made, "0", device="b"))
    server.put_back(empty)
    server.put(doc(a=1), twice, before=made, device="b")
    server.put(doc(a=2, m=1), gone, device="a")
    assert server.body == doc(a=2, m=1)


def test_what_was_deleted_and_made_again_does_not_lose_to_what_its_deleter_had_seen() -> None:
    """The document was lost, so nothing is under the tombstone until somebody else brings it. Seed 961 of
    `restored`."""
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0"))
    server.put_back(empty)
    deleted = rev(server.put(dead(), x, device="a"))
    edited = {**X, "c": 1, "updated_at": "2025-06-15T15:06:00.000Z"}
    server.put(edited, x, before=X, device="b")
    again = doc(a="again", b="again", updated_at="2025-06-15T15:05:00.000Z")
    answer = server.put(again, deleted, device="a")
    assert answer.body == {**edited, "a": "again", "b": "again"}


def test_null_on_a_tombstone_that_was_lost_makes_the_deletion_again() -> None:
    server, x, gone = deleted_and_put_back()
    assert server.put(None, gone, device="a").outcome == "deleted"
    assert server.body is None
    assert server.put(X, x, device="behind").body is None
    assert server.put(None, gone, device="a").body is None


def test_null_on_a_tombstone_that_was_lost_gets_what_the_deleter_had_not_seen() -> None:
    server, x, gone = deleted_and_put_back()
    server.put(Y, x, device="e")
    assert server.put(None, gone, device="a").body == Y
    assert server.body == Y


def test_null_on_a_tombstone_deletes_a_document_that_a_device_behind_brought_back() -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0", device="a"))
    gone = rev(server.put(dead(), x, device="a"))
    server.put_back(empty)
    assert server.put(X, x, device="behind").outcome == "applied"
    assert server.put(None, gone, device="a").body is None
    assert server.body is None


def test_null_deletes_nothing_on_a_base_that_is_known_or_that_was_no_tombstone() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    gone = rev(server.put(dead(), x))
    server.put(X, gone)
    assert server.put(None, gone).body == X
    backup = server.copy()
    z = rev(server.put(Z, rev(server.put(X, gone))))
    server.put_back(backup)
    assert server.put(None, z).body == X


def test_a_deletion_that_may_have_come_before_is_made_and_recorded() -> None:
    server = Upstream()
    x = rev(server.put(X, "0", device="a"))
    backup = server.copy()
    y = rev(server.put(X, rev(server.put(Y, x, device="b")), device="b"))
    server.put_back(backup)
    server.put(X, y, device="b")
    answer = server.put(dead(), x, device="a")
    assert answer.body is None
    assert told(answer) == [("", None, X, "put-back")]
