"""Clients without a base at a store that was put back: their tokens do not become those of several devices by it."""

from __future__ import annotations

import pytest

from shared.core.documents import Body
from tests.unit.core.resolution.test_put_back_requests import rev, write_another
from tests.unit.core.restored_space import Upstream, doc

FIRST = doc(title="the first title of all")
LOST = doc(title="another title altogether", text="some text that was lost", place="a place that was lost")


@pytest.mark.parametrize("state", [LOST, doc(**{**LOST, "n": 1, "m": 2})], ids=["looks", "edits"])
def test_a_token_is_not_taken_for_that_of_several_devices_because_the_store_was_put_back(state: Body) -> None:
    """What is remembered of the device was put back as well, and another one brought what the device has."""
    server = Upstream()
    server.put(FIRST, device="without")
    backup = server.copy()
    lost = rev(server.put(LOST, device="without"))
    server.put_back(backup)
    server.put(doc(**{**LOST, "c": 1}), lost, before=LOST, device="e")
    answer = server.put(state, device="without")
    assert server.space.shared_tokens == set()
    assert answer.body == doc(**{**state, "c": 1})


def test_nor_because_its_device_was_answered_something_of_before_since_the_copy_was_made() -> None:
    server = Upstream()
    first = rev(server.put(FIRST, device="without"))
    head = rev(server.put(LOST, first, device="e"))
    backup = server.copy()
    assert server.put(FIRST, device="without").body == LOST
    server.put_back(backup)
    server.put(doc(**{**LOST, "c": 1}), head, device="e")
    answer = server.put(LOST, device="without")
    assert server.space.shared_tokens == set()
    assert answer.body == doc(**{**LOST, "c": 1})


def test_nor_because_its_device_edits_that() -> None:
    server = Upstream()
    first = rev(server.put(FIRST, device="without"))
    server.put(LOST, first, device="e")
    backup = server.copy()
    assert server.put(FIRST, device="without").body == LOST
    server.put_back(backup)
    write_another(server)
    edited = doc(**{**LOST, "n": 1, "m": 2})
    server.put(edited, device="without")
    assert server.body == edited
    assert server.space.shared_tokens == set()


@pytest.mark.parametrize("state", [LOST, doc(**{**LOST, "n": 1, "m": 2})], ids=["looks", "edits"])
def test_it_is_where_nothing_was_lost(state: Body) -> None:
    server = Upstream()
    first = rev(server.put(FIRST, device="without"))
    lost = rev(server.put(LOST, first, device="e"))
    server.put(doc(**{**LOST, "c": 1}), lost, device="e")
    server.put(state, device="without")
    assert server.space.shared_tokens == {"without"}
