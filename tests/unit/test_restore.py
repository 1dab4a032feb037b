"""The laws of shared.restore, on a space in memory: its documents are those of a database, under the same rules."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared import codec
from shared.adapters.memory import MemorySpace
from shared.adapters.memory.entries import history
from shared.core.documents import ContentHash, DeviceId, DocumentId
from shared.core.resolution.context import Outcome
from shared.restore import Chain, RestoredState, RestoreOutcome, restore

A = DocumentId("a")


def state(number: int, *, received: bool = False, deleted: bool = False) -> RestoredState:
    """`number` makes the content; a tombstone buries that of this number."""
    body: dict[str, Any] = {"id": "a", "n": number, "text": f"a text of some length, number {number}"}
    outcome = Outcome.DELETED if deleted else Outcome.APPLIED
    return RestoredState(
        codec.content_hash(body),
        None if deleted else body,
        deleted,
        None if received else f"{number}-{'d' if deleted else 'x'}",
        DeviceId(f"device {number}"),
        float(number),
        outcome,
        f"rule {number}",
    )


def put(space: MemorySpace, chain: Chain) -> RestoreOutcome:
    def work(transaction: Any) -> RestoreOutcome:
        counted, _ = restore(transaction, {A: chain}, max_bytes=1_000_000, at=0.0)
        [fate] = counted
        return fate

    return space.transact(work)


def held(space: MemorySpace) -> list[tuple[ContentHash, bool, bool, float, str]]:
    """What is in the history, oldest first."""
    entry = space.entry(A)
    assert entry is not None
    found = [(one.hash, one.deleted, one.received, one.at, one.rule) for one in history(entry)]
    return sorted(found, key=lambda one: one[3])


def said(chain: Chain) -> list[tuple[ContentHash, bool, bool, float, str]]:
    return [(one.hash, one.deleted, one.received, one.at, one.rule) for one in chain]


@st.composite
def chains(draw: st.DrawFn) -> list[RestoredState]:
    """Current states, tombstones after live ones, and received ones after those that they met."""
    kinds = draw(st.lists(st.sampled_from("xrd"), max_size=6))
    found, live = [state(1)], True
    for number, kind in enumerate(kinds, 2):
        if kind == "r":
            found.append(state(number, received=True))
        else:
            found.append(state(number, deleted=kind == "d" and live))
            live = not found[-1].deleted
    return found


@given(chains(), st.data())
def test_a_space_has_the_states_of_the_chain_and_the_second_time_changes_nothing(
    chain: list[RestoredState], data: st.DataObject
) -> None:
    space = MemorySpace()
    assert put(space, chain) is RestoreOutcome.CREATED
    assert held(space) == said(chain)
    assert put(space, chain) is RestoreOutcome.UNCHANGED
    assert held(space) == said(chain)
    # Piece by piece it comes to the same.
    cut = data.draw(st.integers(1, len(chain)))
    while cut < len(chain) and chain[cut].received:
        cut += 1
    other = MemorySpace()
    put(other, chain[:cut])
    put(other, chain)
    assert held(other) == said(chain)


def test_another_way_here_is_decided_or_kept() -> None:
    space = MemorySpace()
    put(space, [state(1)])
    assert put(space, [state(2)]) is RestoreOutcome.MERGED
    assert put(space, [state(3), state(4, deleted=True)]) is RestoreOutcome.KEPT
