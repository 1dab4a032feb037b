"""Copies of requests that came before the store was put back, and that nothing but a clock shows to have come."""

from __future__ import annotations

import pytest

from tests.unit.core.resolution.test_put_back_requests import rev, told
from tests.unit.core.restored_space import Upstream, dead, doc


def went_on(**clocks: str) -> tuple[Upstream, str]:
    """A store that has lost that `a` sent X on 0 and was answered what `b` had made: `a` set the title of that since.
    `clocks`: what `a` has in that state."""
    server = Upstream()
    x = rev(server.put(doc(title="b"), "0", device="b"))
    server.put_back(server.copy())
    edited = rev(server.put(doc(title="a", **clocks), x, device="a"))
    return server, edited


def test_a_copy_of_a_request_that_was_lost_does_not_take_back_what_its_device_did_since() -> None:
    """Nothing tells that it came before, but the clock that says that it is older."""
    server, edited = went_on(updated_at="2026-01-02T00:00:00Z")
    stays = server.body
    answer = server.put(doc(title="made twice", updated_at="2026-01-01T00:00:00Z"), "0", device="a")
    assert (answer.body, answer.rev) == (stays, edited)
    assert told(answer) == [("/title", "a", "made twice", "put-back")]


@pytest.mark.parametrize("clock", [{}, {"updated_at": "2026-01-03T00:00:00Z"}])
def test_an_edit_of_a_device_that_was_put_back_itself_stands_and_what_it_replaces_is_recorded(
    clock: dict[str, str],
) -> None:
    """It looks the same but for the clock, where there is one."""
    server, _ = went_on(**({"updated_at": "2026-01-02T00:00:00Z"} if clock else {}))
    answer = server.put(doc(title="again", **clock), "0", device="a")
    assert server.body == doc(title="again", **clock)
    assert told(answer) == [("/title", "again", "a", "put-back")]


def test_an_older_request_is_no_late_copy_where_the_database_has_not_begun_a_history() -> None:
    server = Upstream()
    x = rev(server.put(doc(title="b"), "0", device="b"))
    server.put(doc(title="a", updated_at="2026-01-02T00:00:00Z"), x, device="a")
    older = doc(title="made twice", updated_at="2026-01-01T00:00:00Z")
    answer = server.put(older, "0", device="a")
    assert server.body == older
    assert told(answer) == [("/title", "made twice", "a", "perhaps-unseen")]


@pytest.mark.parametrize("older", [True, False])
def test_a_copy_of_a_deletion_that_was_lost_does_not_delete_what_its_device_wrote_since(older: bool) -> None:
    """The deletion had lost against an edit of `b`, which `a` was answered and went on from."""
    server = Upstream()
    x = rev(server.put(doc(a=1), "0", device="a"))
    y = rev(server.put(doc(a=1, b=1), x, device="b"))
    server.put_back(server.copy())
    stays = doc(a=2, b=1, updated_at="2026-01-02T00:00:00Z")
    server.put(stays, y, device="a")
    clock = {"updated_at": "2026-01-01T00:00:00Z"} if older else {}
    answer = server.put(dead(**clock), x, device="a")
    assert server.body == (stays if older else None)
    assert told(answer) == [("", stays if older else None, None if older else stays, "put-back")]


def test_a_document_that_its_device_deleted_since_comes_back_and_that_is_recorded() -> None:
    """It may be what a device that was put back itself has edited."""
    server = Upstream()
    x = rev(server.put(doc(title="b"), "0", device="b"))
    server.put_back(server.copy())
    server.put(dead(), x, device="a")
    answer = server.put(doc(title="made twice"), "0", device="a")
    assert server.body == doc(title="made twice")
    assert told(answer)[0] == ("", doc(title="made twice"), None, "put-back")
