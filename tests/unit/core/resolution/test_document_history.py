"""What is answered from a history in memory is what a store would load."""

from __future__ import annotations

import random
from dataclasses import fields, replace

from hypothesis import example, given
from hypothesis import strategies as st

from shared.adapters.memory.entries import Entry, HistoryItem, Provenance, loaded
from shared.core.documents import ContentHash, DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.index.lineage import Begun, Lineage
from shared.core.resolution.context import (
    BEGINNING,
    RECENT,
    DeviceMemory,
    DocumentContext,
    Head,
    NeedsData,
    Pair,
    Stored,
    Submission,
    ValueKey,
)
from shared.core.resolution.document_history import DocumentHistory, Past
from shared.core.version_vectors import Source

DEVICES = [DeviceId("a"), DeviceId("b"), None]
HASHES = [ContentHash(f"{number}" * 8) for number in range(5)]
KEYS = [ValueKey(number) for number in range(5)]
SUBMISSION = Submission(DocumentId("d"), {"id": "d"}, HASHES[0], 1.0, "1-x", device=DEVICES[0])
EVERYTHING = NeedsData(frozenset(HASHES), BEGINNING, frozenset(KEYS), recent=True, ancestors=SequenceNumber(10**6))


def chosen(seed: int, most: int) -> list[Past]:
    """In the order in which a store has them: those of one sequence together, a superseded head the last of them."""
    some = random.Random(seed)
    items: list[Past] = []
    for sequence in map(SequenceNumber, range(1, some.randint(0, most) + 1)):
        # No state is received twice while the same head stands: which of the two is found would be anybody's choice.
        received_states = some.sample(HASHES, some.choice([0, 0, 1, 2]))
        for content, received in [*((one, True) for one in received_states), (some.choice(HASHES), False)]:
            deleted = not received and some.random() < 0.2
            stored = Stored(
                content,
                None if deleted or some.random() < 0.2 else {"id": "d", "of": content},
                sequence,
                BEGINNING if received else SequenceNumber(sequence + 1),
                some.choice([None, Epoch("e")]),
                some.choice([None, None, {Source("s"): sequence}]),
                deleted,
            )
            pair = Pair(some.choice(DEVICES), "1-x", content, SequenceNumber(1), float(len(items)))
            gone = some.sample(KEYS, some.choice([0, 0, 0, 1, 2]))
            items.append(Past(stored, (pair,) * some.choice([0, 1]), tuple(gone), 10, 2))
    return items


def pasts(most: int = 12) -> st.SearchStrategy[list[Past]]:
    return st.builds(chosen, st.integers(0, 2**32), st.just(most))


needs = st.builds(
    NeedsData,
    st.frozensets(st.sampled_from(HASHES)),
    st.none() | st.integers(0, 12).map(SequenceNumber),
    st.frozensets(st.sampled_from(KEYS)),
    st.booleans(),
    ancestors=st.none() | st.integers(0, 12).map(SequenceNumber),
)


def entry_of(items: list[Past]) -> Entry:
    """The same in the adapter in memory."""
    nobody = Provenance("", 0.0, "", "")
    past = []
    for item in items:
        stored = item.stored
        assert stored.until is not None
        fields = stored.sequence, stored.hash, stored.body, stored.until, nobody
        one = HistoryItem(*fields, deleted=stored.deleted, pairs=item.pairs, gone=frozenset(item.gone))
        past.append(replace(one, history=stored.history, version=stored.version))
    return Entry(Head(SequenceNumber(10**6), ContentHash("head"), None, 0.0), nobody, tuple(past))


@example(chosen(474624, 12), NeedsData(frozenset(HASHES)), DEVICES[0])  # the same was received twice at one moment
@given(pasts(), needs, st.sampled_from(DEVICES))
def test_what_is_at_hand_is_what_a_store_loads(
    items: list[Past], missing: NeedsData, device: DeviceId | None
) -> None:
    submission, context = replace(SUBMISSION, device=device), DocumentContext(None)
    found, rest = DocumentHistory().extended(items).loaded(context, submission, missing)
    assert rest is None
    assert found == loaded(entry_of(items), context, submission, missing)


@given(pasts(most=100), st.data())
def test_what_was_added_in_portions_is_as_if_it_had_been_added_at_once(
    items: list[Past], data: st.DataObject
) -> None:
    at_once = DocumentHistory().extended(items)
    history, left = DocumentHistory(), items
    while left:
        count = data.draw(st.integers(1, len(left)))
        history, left = history.extended(left[:count]), left[count:]
    assert (history.count, history.size, history.weight) == (at_once.count, at_once.size, at_once.weight)
    context = DocumentContext(None)
    assert history.loaded(context, SUBMISSION, EVERYTHING) == at_once.loaded(context, SUBMISSION, EVERYTHING)


@given(pasts(most=150))
def test_what_is_not_at_hand_is_asked_for(items: list[Past]) -> None:
    """And what is answered all the same is right."""
    history, expected = (
        DocumentHistory().extended(items),
        loaded(entry_of(items), DocumentContext(None), SUBMISSION, EVERYTHING),
    )
    found, rest = history.loaded(DocumentContext(None), SUBMISSION, EVERYTHING)
    unknown = frozenset[ContentHash]() if rest is None else rest.states
    assert found.states == {content: expected.states[content] for content in EVERYTHING.states - unknown}
    assert (found.pairs, found.seen, found.recent) == (expected.pairs, expected.seen, expected.recent)
    assert found.ancestors == (expected.ancestors if rest is None or rest.ancestors is None else None)


def test_what_is_known_besides_stays_known() -> None:
    head, memory = Head(SequenceNumber(9), HASHES[0], None, 1.0), DeviceMemory(HASHES[1], at=2.0)
    lineage = Lineage((Begun(Epoch("e"), SequenceNumber(1)),), SequenceNumber(9))
    history = DocumentHistory().extended(numbered(2))
    bare = DocumentContext(head, memory, lineage=lineage, history=history)
    context, _ = history.loaded(bare, SUBMISSION, EVERYTHING)
    for missing in (NeedsData(), NeedsData(frozenset({ContentHash("f" * 32)})), NeedsData(seen=frozenset({KEYS[0]}))):
        known, rest = history.loaded(context, SUBMISSION, missing)
        states = {**context.states, **dict.fromkeys(missing.states)}
        assert (known, rest) == (replace(context, states=states), None)
        assert known.history is history
    assert all(getattr(context, field.name) for field in fields(context) if field.name != "pairs")


def numbered(count: int) -> list[Past]:
    """One revision after another, each with a body and a hash of its own."""
    return [
        Past(
            Stored(ContentHash(f"{n:032x}"), {"id": "d", "n": n}, SequenceNumber(n), SequenceNumber(n + 1)),
            size=100,
            weight=2,
        )
        for n in range(1, count + 1)
    ]


def test_bodies_are_kept_of_the_newest_states() -> None:
    history = DocumentHistory().extended(numbered(RECENT + 2))
    wanted = frozenset(ContentHash(f"{n:032x}") for n in (1, 2, 3, 1000))
    found, rest = history.loaded(DocumentContext(None), SUBMISSION, NeedsData(wanted, recent=True))
    assert rest == NeedsData(frozenset(ContentHash(f"{n:032x}") for n in (1, 2)))
    third, never = (found.states[ContentHash(f"{n:032x}")] for n in (3, 1000))
    assert third is not None and third.body == {"id": "d", "n": 3} and never is None
    assert [stored.sequence for stored in found.recent or ()] == list(range(RECENT + 2, 2, -1))
    assert (history.count, history.weight) == (RECENT + 2, 2 * RECENT)


def test_what_is_kept_of_all_states_counts_when_their_bodies_are_left_out() -> None:
    """Of one that changed many values, or that many requests made, it takes more than all else."""
    items = numbered(RECENT + 1)
    pair = Pair(DEVICES[0], "1-x", HASHES[0], SequenceNumber(1), 1.0)
    sizes = [
        DocumentHistory().extended([replace(items[0], pairs=pairs, gone=gone), *items[1:]]).size
        for pairs, gone in (((pair,), ()), ((pair,) * 64, ()), ((pair,), tuple(map(ValueKey, range(200)))))
    ]
    assert sizes[1] - sizes[0] >= 63 * 100 and sizes[2] - sizes[0] >= 200 * len(str(2**63))


def test_what_was_left_out_and_came_again_is_at_hand_if_it_was_the_head_and_has_a_body() -> None:
    items = numbered(RECENT + 2)
    late, after = SequenceNumber(RECENT + 3), SequenceNumber(RECENT + 4)
    again = replace(items[0].stored, sequence=late, until=after)
    for stored, known in (
        (again, True),
        (replace(again, body=None), False),
        (replace(again, until=BEGINNING), False),
    ):
        history = DocumentHistory().extended([*items, Past(stored)])
        wanted = NeedsData(frozenset({stored.hash}))
        found, rest = history.loaded(DocumentContext(None), SUBMISSION, wanted)
        assert (found.states, rest) == (({stored.hash: stored}, None) if known else ({}, wanted))


def test_the_lineage_is_asked_for() -> None:
    _, rest = DocumentHistory().loaded(DocumentContext(None), SUBMISSION, NeedsData(recent=True, lineage=True))
    assert rest == NeedsData(lineage=True)
