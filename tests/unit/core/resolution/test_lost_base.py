"""One example for each line of what becomes of a base that the store no longer knows, and the laws."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Body
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Refusal
from shared.core.version_vectors import Source
from tests.unit.core.restored_space import ID, Upstream, dead, doc, hash_of

X, Y, Z = doc(a="one", b="one"), doc(a="two", b="one"), doc(a="two", b="three")


def rev(answer: Answer) -> str:
    assert answer.rev is not None
    return answer.rev


class Lost(Upstream):
    """X at 1, known still; Y at 2 and Z at 3, lost."""

    def __init__(self) -> None:
        super().__init__()
        self.x = rev(self.put(X, "0"))
        backup = self.copy()
        self.y = rev(self.put(Y, self.x))
        self.z = rev(self.put(Z, self.y))
        self.put_back(backup)


def test_a_state_that_the_store_lost_is_brought_back() -> None:
    server = Lost()
    assert server.put(Z, server.z).outcome == "fast_forward"
    assert server.body == Z
    assert server.put(Z, server.z).outcome == "unchanged"


def test_an_edit_on_a_base_that_was_lost_asks_for_the_base_and_is_brought_back_with_it() -> None:
    server = Lost()
    asked = server.send(doc(**{**Z, "c": 1}), server.z)
    assert isinstance(asked, Refusal) and asked.code == "base-unknown"
    assert server.put(doc(**{**Z, "c": 1}), server.z, before=Z).outcome == "fast_forward"
    assert server.body == doc(**{**Z, "c": 1})
    # What is merely behind, and what is older, changes nothing.
    assert server.put(Z, server.z).outcome == "unchanged"
    assert server.put(Y, server.y).outcome == "unchanged"
    assert server.put(X, server.x).outcome == "unchanged"


def test_what_was_lost_is_merged_with_what_was_written_since() -> None:
    server = Lost()
    server.put(doc(**{**X, "c": "new"}), server.x, device="e")
    assert server.put(Z, server.z).outcome == "merged"
    assert server.body == doc(**{**Z, "c": "new"})


def write_another(server: Upstream) -> None:
    """A document, so that sequences are given to other changes than before the loss."""
    server.space.transact(lambda transaction: transaction.allot(1, 0), writer=server.writer)


def test_an_edit_is_taken_back_whose_request_came_once_more_after_the_loss() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    y = rev(server.put(Y, x))
    server.put_back(backup)
    write_another(server)
    assert server.put(Y, x).outcome == "fast_forward", "it is new to the store"
    assert server.put(X, y, before=Y).outcome == "fast_forward"
    assert server.body == X
    assert server.put(X, y, before=Y).outcome == "unchanged"
    assert server.body == X


def test_a_deletion_of_what_was_written_once_more_after_the_loss_stays_made() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    y = rev(server.put(Y, x))
    server.put_back(backup)
    write_another(server)
    server.put(Y, x)
    assert server.put(dead(), y, before=Y).outcome == "deleted"
    assert server.body is None


def test_a_store_that_is_written_past_the_lost_positions_first_tells_them_still() -> None:
    server = Lost()
    base = server.x
    for n in range(4):
        base = rev(server.put(doc(**{**X, "c": n}), base, device="e"))
    assert server.put(Z, server.z).outcome == "merged"
    assert server.body == doc(**{**Z, "c": 3})


def test_a_store_that_was_put_back_unnoticed_is_found_out_by_the_base() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    z = rev(server.put(Z, rev(server.put(Y, x))))
    server.put_back(backup, noticed=False)
    assert server.put(Z, z).outcome == "fast_forward"
    assert len(server.space.histories) == 3, "unnamed, the first, and the one that the base began"
    assert server.body == Z


@pytest.mark.parametrize(
    ("state", "after"),
    [pytest.param(dead(), None, id="a deletion"), pytest.param(Y, Y, id="a removal")],
)
def test_who_has_seen_the_head_has_seen_it_after_it_is_found_to_contain_what_was_lost(
    state: Body, after: Body | None
) -> None:
    """Also a folder that does not know any more what the head was: its version says so."""
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    y = rev(server.put(Y, x))
    server.put_back(backup)
    server.put(doc(**{**Y, "c": 1}), x, device="e")
    assert server.head is not None
    seen = server.space.lineage().version_of(server.head.sequence, server.head.history)
    assert server.put(Y, y).outcome == "unchanged"
    assert server.head is not None and server.head.version not in (None, seen), "it contains the lost position"
    server.send(state, version={**seen, Source("folder"): 1}, ancestors=())
    assert server.body == after


@pytest.mark.parametrize("order", list(permutations("xyz")))
def test_whoever_comes_first_the_newest_stands(order: tuple[str, ...]) -> None:
    server = Lost()
    states = {"x": X, "y": Y, "z": Z}
    for name in order:
        server.put(states[name], getattr(server, name), before=states[name], device=name)
    assert server.body == Z


@pytest.mark.parametrize("order", list(permutations("yz")))
def test_a_document_that_the_store_does_not_have_any_more_is_written_again(order: tuple[str, ...]) -> None:
    server = Upstream()
    empty = server.copy()
    y = rev(server.put(Y, rev(server.put(X, "0"))))
    z = rev(server.put(Z, y))
    server.put_back(empty)
    for name in order:
        state, base = (Y, y) if name == "y" else (Z, z)
        server.put(state, base, device=name)
    assert server.body == Z


def test_a_state_that_was_written_over_unseen_can_be_read_when_its_device_brings_it() -> None:
    """The record of what was dropped was lost; what somebody else brings contains it, and does not show it."""
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    mine = doc(a="mine", b="one")
    first = rev(server.put(mine, x, device="d"))
    merged = server.put(doc(a="theirs", b="one"), x, device="e")
    result = server.body
    assert [conflict["dropped"] for conflict in merged.conflicts] == ["mine"]
    server.put_back(backup)
    server.put(result, rev(merged), device="e")
    assert all(item.body != mine for item in server.space.entries[ID].past)
    for _ in range(2):
        assert server.put(mine, first, device="d").outcome == "unchanged"
        assert server.body == result
        assert [item.body for item in server.space.entries[ID].past].count(mine) == 1


def test_a_state_that_comes_again_is_kept_once_though_a_head_like_it_by_another_clock_is_gone() -> None:
    """Seed 1049 of `restored`."""
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    earlier, later = ({**Y, "updated_at": f"2025-06-15T15:0{minute}:00.000Z"} for minute in range(2))
    first = rev(server.put(earlier, x, device="d"))
    last = rev(server.put(later, rev(server.put(Z, first, device="e")), device="e"))
    server.put_back(backup)
    head = rev(server.put(later, last, device="e"))
    assert server.put(earlier, first, device="d").outcome == "unchanged"
    server.put({**later, "c": 1}, head, device="e")
    known = len(server.space.entries[ID].past)
    assert server.put(earlier, first, device="d").outcome == "unchanged"
    assert len(server.space.entries[ID].past) == known


def test_a_state_that_comes_again_after_bodies_were_pruned_is_not_kept_once_more() -> None:
    """Seed 1689 of `restored`. Its content was there before the loss as well."""
    server = Upstream()
    y = rev(server.put(Y, rev(server.put(X, "0"))))
    backup = server.copy()
    back = rev(server.put(X, y, device="d"))
    last = rev(server.put(Z, back, device="e"))
    server.put_back(backup)
    server.put(Z, last, device="e")
    for _ in range(2):
        assert server.put(X, back, device="d").rule == "11 behind"
        entry = server.space.entries[ID]
        assert [item.body for item in entry.past if item.hash == hash_of(X)] in ([X], [None])
        pruned = tuple(replace(item, body=None) for item in entry.past)
        server.space.entries[ID] = replace(entry, past=pruned)


def test_content_that_came_back_before_the_loss_is_newer_than_what_was_between() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    y = rev(server.put(Y, x))
    again = rev(server.put(X, y))
    server.put_back(backup)
    assert server.put(X, again, device="ahead").outcome == "unchanged"
    server.put(Y, y, device="behind")
    assert server.body == X


def test_a_deletion_that_was_lost_stays_made() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    y = rev(server.put(Y, x))
    gone = rev(server.put(dead(**Y), y))
    server.put_back(backup)
    assert server.put(dead(), gone).outcome == "deleted"
    assert server.put(Y, y, device="behind").body is None
    assert server.put(X, x, device="e").body is None
    assert server.body is None


def test_a_deletion_meets_an_edit_that_the_deleter_had_not_seen() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    gone = rev(server.put(dead(**X), x))
    server.put_back(backup)
    server.put(Y, x, device="e")
    assert server.put(dead(), gone).body == Y
    assert server.body == Y


def test_a_deletion_of_what_was_lost_buries_what_is_there_if_the_deleter_had_seen_it() -> None:
    server = Lost()
    assert server.put(dead(), server.z).outcome == "deleted"
    server = Lost()
    server.put(Y, server.y)
    assert server.put(dead(**Z), server.z).outcome == "deleted"


def test_a_document_that_was_deleted_and_made_again_in_what_was_lost_is_there() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    gone = rev(server.put(dead(**X), x))
    backup = server.copy()
    again = rev(server.put(X, gone))
    server.put_back(backup)
    assert server.put(X, again).outcome == "resurrected"
    assert server.body == X


def test_an_unknown_document_is_buried() -> None:
    server = Upstream()
    empty = server.copy()
    x = rev(server.put(X, "0"))
    server.put_back(empty)
    assert server.put(dead(**X), x).outcome == "deleted"
    assert server.put(X, x, device="e").body is None


def test_a_store_that_is_put_back_twice_goes_on_from_what_both_have() -> None:
    server = Upstream()
    x = rev(server.put(X, "0"))
    backup = server.copy()
    server.put(Y, x)
    server.put_back(backup)
    between = rev(server.put(doc(**{**X, "b": "between"}), x))
    server.put_back(backup)
    server.put(doc(**{**X, "c": 1}), x, device="e")
    assert server.put(doc(**{**X, "b": "between"}), between).body == doc(**{**X, "b": "between", "c": 1})


@given(st.integers(0, 2**32))
def test_every_edit_of_a_line_of_edits_is_there_whatever_order_devices_come_in(seed: int) -> None:
    """Each edits a field of its own, so that nothing can be decided away."""
    chance = random.Random(seed)
    server = Upstream()
    known: dict[str, tuple[Any, str]] = {}
    first = server.put(doc(), "0")
    known = {name: (doc(), rev(first)) for name in "abcd"}
    backups = [server.copy()]
    edits: dict[str, int] = {}
    for n in range(chance.randint(3, 14)):
        name = chance.choice("abcd")
        body, base = known[name]
        if chance.random() < 0.7:
            edits[f"f{n}"] = n
            body = {**body, f"f{n}": n}
        shadow = known[name][0]
        answer = server.put(body, base, before=shadow, device=name)
        known[name] = (answer.body if not answer.same else body) or {}, rev(answer)
        if chance.random() < 0.4:
            backups.append(server.copy())
        if chance.random() < 0.3:
            server.put_back(chance.choice(backups))
    for _ in range(2):
        for name in chance.sample("abcd", 4):
            body, base = known[name]
            answer = server.put(body, base, before=body, device=name)
            known[name] = (answer.body if not answer.same else body) or {}, rev(answer)
    assert server.body == doc(**edits)
    assert all(body == server.body for body, _ in known.values())
