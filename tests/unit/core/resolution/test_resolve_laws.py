"""The laws of the rules, on histories that nobody chose."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Body
from shared.core.json.canonical import content_hash
from shared.core.merge.objects import ABSENT
from shared.core.resolution.context import (
    Decision,
    DocumentContext,
    Given,
    NeedsData,
    Outcome,
    Submission,
)
from shared.core.resolution.resolve import resolve
from shared.core.resolution.revs import Rev
from shared.core.resolution.states import same_content
from tests.unit.core.resolution.server import ID, Server, doc, tombstone

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
