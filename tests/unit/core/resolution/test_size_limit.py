from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.core.documents import Body, DocumentId, SequenceNumber
from shared.core.json.canonical import canonical, content_hash
from shared.core.protocol import TOO_LARGE
from shared.core.resolution.context import Decision, DocumentContext, Head, Refusal, Submission
from shared.core.resolution.resolve import resolve
from shared.core.resolution.revs import CREATED
from shared.core.resolution.size_limit import within_limit

BASE = {"id": "d", "a": "", "b": ""}


def size_of(body: Body) -> int:
    return len(canonical(body))


def head_of(body: Body, request: Submission | None = None) -> DocumentContext:
    """A document that has one state; `request` was not received before."""
    states = {} if request is None or request.hash is None else {request.hash: None}
    return DocumentContext(Head(SequenceNumber(1), content_hash(body), body, 1.0), states=states, pairs=(), recent=())


def post(body: Body, base: str | None = CREATED) -> Submission:
    return Submission(DocumentId("d"), body, content_hash(body), 2.0, base)


def decided(head: Body, state: Body, most: int) -> Decision | Refusal:
    request = post(state)
    context = head_of(head, request)
    found = resolve(context, request)
    assert isinstance(found, Decision)
    return within_limit(found, context, request, most, size_of)


@pytest.mark.parametrize(("spare", "refused"), [(0, False), (-1, True)])
def test_two_that_are_too_large_together_are_refused(spare: int, refused: bool) -> None:
    ours, theirs = {"id": "d", "a": "x" * 40}, {"id": "d", "b": "y" * 40}
    together = size_of({**ours, **theirs})
    found = decided(ours, theirs, together + spare)
    if refused:
        assert found == Refusal(
            TOO_LARGE, f"{together} bytes together, {together - 1} are allowed; the current state has {size_of(ours)}"
        )
    else:
        assert isinstance(found, Decision) and found.state == {**ours, **theirs}


def test_a_state_of_the_clients_own_was_measured_when_it_arrived() -> None:
    state = {"id": "d", "a": "x" * 100}
    found = decided({"id": "d"}, state, 10)
    assert isinstance(found, Decision) and found.state == state


def test_what_gets_smaller_is_stored_though_it_is_too_large_still() -> None:
    base: dict[str, Any] = {"id": "d", "a": "x" * 100, "b": "y" * 100}
    head = {**base, "c": 1}
    state = {"id": "d", "b": base["b"]}
    request = Submission(DocumentId("d"), state, content_hash(state), 2.0, content_hash(base), base)
    context = head_of(head, request)
    context = replace(context, states={**context.states, content_hash(base): None})
    found = resolve(context, request)
    assert isinstance(found, Decision), found
    assert found.state == {"id": "d", "b": base["b"], "c": 1}
    assert within_limit(found, context, request, 50, size_of) is found
    larger = head_of({"id": "d", "c": 1})
    assert isinstance(within_limit(found, larger, request, 50, size_of), Refusal)
