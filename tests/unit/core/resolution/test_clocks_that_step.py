"""Clocks that stand wrong, step back by days, or cannot be read: they decide ties between two edits and nothing else.

One device edits and syncs; whatever its clock says, what it made last is what the server has. A state that holds the
newest strong values is never answered `unchanged` with something else. Only where one lacks strong values of the
other nothing but the clock says which was first (test_row_10_the_clock_breaks_the_tie_where_the_states_tell_nothing).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT
from shared.core.resolution.states import same_content
from tests.unit.core.resolution.server import Server, doc

DAY = 86_400.0
FORMATS = (
    lambda at: datetime.fromtimestamp(at, UTC).isoformat(),
    lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ"),
    lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    lambda at: datetime.fromtimestamp(at, UTC).strftime("%d.%m.%Y"),
    lambda at: at,
    lambda at: "yesterday",
    lambda at: None,
    lambda at: ABSENT,
)
"""How a client writes the time; the server reads the first three."""
STEPS = (-30 * DAY, -DAY, -601.0, -599.0, -3.0, -0.001, 0.0, 1.0, 700.0, DAY)

Edits = st.lists(
    st.tuples(
        st.sampled_from(["done", "count", "meta"]),
        st.sampled_from([True, False, 0, 1, ABSENT, [], [None], {}, {"hours": 1}]),
        st.sampled_from(STEPS),
        st.sampled_from(range(len(FORMATS))),
    ),
    min_size=1,
    max_size=7,
)
"""A field and a weak value for it, a step of the clock and how it is written; each edit also adds a text."""


def states(edits: list[Any], *, one_format: bool) -> list[Body]:
    """What the device has after each edit, with the time that its clock shows then."""
    at, body, made = 1_750_000_000.0, doc(title="the first title"), []
    for number, (field, value, step, form) in enumerate(edits):
        at += step
        body = {**body, f"text{number}": f"the text of edit {number}"}
        clock = FORMATS[edits[0][3] if one_format else form](at)  # type: ignore[no-untyped-call]
        for key, new in ((field, value), ("updated_at", clock)):
            body = {k: v for k, v in body.items() if k != key} | ({} if new is ABSENT else {key: new})
        made.append(body)
    return made


@pytest.mark.parametrize("kind", ["device", "base"])
@pytest.mark.parametrize("one_format", [True, False])
@given(edits=Edits)
def test_law_what_was_made_last_by_the_only_writer_is_what_the_server_has(
    kind: str, one_format: bool, edits: list[Any]
) -> None:
    server, rev = Server(), "0"
    for state in states(edits, one_format=one_format):
        rev = server.post(state, rev if kind == "base" else None, "A")
        assert server.head is not None and same_content(server.head, state), server.decision.rule


@pytest.mark.parametrize("kind", ["device", "unknown"])
@given(edits=Edits, answered=st.lists(st.booleans(), min_size=7, max_size=7))
def test_law_it_holds_though_answers_are_lost_and_somebody_else_writes(
    kind: str, edits: list[Any], answered: list[bool]
) -> None:
    """Another one edits a field of its own between. The texts of the last state are there, and what weak value of it
    is not there is recorded."""
    server = Server()
    other = 0
    for state, comes in zip(states(edits, one_format=True), answered, strict=False):
        sent = {**state, "other": other} if other else state
        server.post(sent, None, None if kind == "unknown" else "A")
        assert server.head is not None
        texts = {key: value for key, value in sent.items() if key.startswith("text")}
        assert server.head.items() >= texts.items(), server.decision.rule
        recorded = {conflict.path.split("/")[1] for conflict in server.decision.conflicts}
        for key in ("done", "count", "meta"):
            assert sent.get(key, ABSENT) == server.head.get(key, ABSENT) or key in recorded
        if comes:
            other += 1
            assert server.state.head is not None
            server.post({**server.head, "other": other}, server.state.head.rev, "B")
