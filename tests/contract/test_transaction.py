"""What `Transaction` in shared/ports promises, and what the decision path makes of it, held against every adapter.
Another adapter needs another class in tests/contract/transactions.py."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, SequenceNumber
from shared.core.merge.policies import parse
from shared.core.protocol import Limits
from shared.core.resolution.batch import Answer, Item, waves
from shared.core.resolution.context import (
    DocumentContext,
    Given,
    NeedsData,
    Outcome,
    Refusal,
    Submission,
    ValueKey,
    value_key,
)
from shared.core.resolution.revs import CREATED
from shared.ports import Reply, Transaction
from shared.transaction import CachedResolver, decide
from tests.contract.transactions import (
    DEVICES,
    DOCUMENTS,
    ByOneWorker,
    InDirectory,
    InMemory,
    InMongo,
    InRepository,
    Transacted,
)

A, B, C = DEVICES
ID = DOCUMENTS[0]
ADAPTERS = ["memory", "directory", "repository", "mongodb", "one worker"]
LIMIT = Limits().max_document_bytes


@pytest.fixture(params=ADAPTERS)
def space(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transacted]:
    if request.param in ("mongodb", "one worker"):
        adapter = InMongo if request.param == "mongodb" else ByOneWorker
        with closing(adapter(request.getfixturevalue("settings"))) as opened:
            yield opened
    elif request.param == "directory":
        yield InDirectory(tmp_path)
    elif request.param == "repository":
        yield InRepository(tmp_path)
    else:
        yield InMemory()


def submission(
    body: Body, base: str = CREATED, device: DeviceId = A, at: float = 1.0, shadow: Any = Given.NOTHING
) -> Submission:
    document = DocumentId(body["id"])
    return Submission(document, body, content_hash(body), at, base, shadow, device, single_device=True)


def sent(space: Transacted, *submissions: Submission, confirmed: bool = False) -> list[Reply]:
    items = [Item(one, one.device or A, confirmed=confirmed) for one in submissions]
    replies, _ = space.transact(lambda transaction: decide(transaction, CachedResolver(LIMIT), items))
    return replies


def put(space: Transacted, body: Body, base: str = CREATED, device: DeviceId = A, at: float = 1.0) -> Answer:
    (reply,) = sent(space, submission(body, base, device, at))
    assert isinstance(reply, Answer), reply
    return reply


def rev(answer: Answer) -> str:
    assert answer.rev is not None
    return answer.rev


def doc(document: DocumentId = ID, **fields: Any) -> Body:
    return {"id": document, **fields}


def tombstone(document: DocumentId = ID) -> Body:
    return {"id": document, "_deleted": True}


def memory_of(transaction: Transaction, missing: NeedsData | None = None, device: DeviceId = A) -> DocumentContext:
    asked = submission(doc(asked=True), "1-x", device)
    (memory,) = transaction.first_contexts([asked])
    if missing is not None:
        (memory,) = transaction.load([(memory, asked, missing)])
    return memory


def test_an_unknown_document_has_no_head_and_an_empty_space_nothing_live(space: Transacted) -> None:
    assert space.transact(lambda t: (memory_of(t).head, t.live(), t.deletions([A]))) == (None, 0, {})


def test_nothing_is_decided_of_nothing(space: Transacted) -> None:
    """A ledger that is only looked at has nothing to decide."""
    assert sent(space) == []


def test_what_was_written_is_the_head(space: Transacted) -> None:
    answer = put(space, doc(n=1.5, text="\u00e4"))
    head = space.transact(lambda t: memory_of(t).head)
    assert head is not None and (head.body, head.rev) == (doc(n=1.5, text="\u00e4"), answer.rev)
    assert [(pair.device, pair.base, pair.hash) for pair in head.pairs] == [(A, CREATED, answer.hash)]


def test_work_that_fails_leaves_nothing(space: Transacted) -> None:
    def work(transaction: Transaction) -> None:
        decide(transaction, CachedResolver(LIMIT), [Item(submission(doc(n=1)), A)])
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        space.transact(work)
    assert space.transact(lambda t: (memory_of(t).head, t.live())) == (None, 0)


def test_reads_see_what_the_transaction_wrote_before(space: Transacted) -> None:
    first = submission(doc(n=1))
    second = submission(doc(n=1, m=2), content_hash(doc(n=1)), B)
    third = submission(tombstone(), content_hash(doc(n=1, m=2)), C)
    replies = sent(space, first, second, third)
    assert [reply.outcome for reply in replies if isinstance(reply, Answer)] == [
        Outcome.APPLIED,
        Outcome.FAST_FORWARD,
        Outcome.DELETED,
    ]
    assert space.transact(lambda t: (t.live(), set(t.deletions([A, B, C])))) == (0, {C})


def test_sequences_have_no_gap(space: Transacted) -> None:
    replies = sent(space, *(submission(doc(document)) for document in DOCUMENTS[:3]))
    replies.append(put(space, doc(DOCUMENTS[3])))
    sequences = [
        int(str(reply.rev).partition("-")[0].partition(".")[0]) for reply in replies if isinstance(reply, Answer)
    ]
    assert sequences == [1, 2, 3, 4]
    assert space.transact(lambda t: (t.allot(0, 0).first, t.live())) == (5, 4)


def test_a_superseded_state_is_found_by_its_hash_with_its_body(space: Transacted) -> None:
    old = put(space, doc(n=1))
    new = put(space, doc(n=2), rev(old), B)
    unknown = ContentHash("0" * 32)
    assert old.hash is not None and new.hash is not None
    wanted = NeedsData(states=frozenset({old.hash, unknown}))
    states = space.transact(lambda t: memory_of(t, wanted).states)
    assert states[unknown] is None
    stored = states[old.hash]
    assert stored is not None
    assert (stored.body, stored.sequence, stored.until) == (doc(n=1), 1, 2)


def test_a_received_state_is_kept_beside_the_revisions(space: Transacted) -> None:
    base = rev(put(space, doc(a=1, b=1)))
    put(space, doc(a=2, b=1), base, B)
    mine = doc(a=1, b=2)
    merged = put(space, mine, base, C)
    assert (merged.outcome, merged.body) == (Outcome.MERGED, doc(a=2, b=2))
    wanted = NeedsData(states=frozenset({content_hash(mine)}))
    stored = space.transact(lambda t: memory_of(t, wanted).states)[content_hash(mine)]
    assert stored is not None
    assert (stored.body, stored.sequence, stored.until) == (mine, 2, 0)


def test_pairs_are_those_of_the_device_from_a_sequence_on(space: Transacted) -> None:
    base = put(space, doc(n=1))
    second = put(space, doc(n=2), rev(base), B)
    third = put(space, doc(n=3), rev(second), A)
    put(space, doc(n=4), rev(third), B)
    for device, since, wanted in ((A, 1, [1, 3]), (A, 2, [3]), (B, 1, [2]), (C, 1, [])):
        missing = NeedsData(pairs_since=since)  # type: ignore[arg-type]
        pairs = space.transact(lambda t, m=missing, d=device: memory_of(t, m, d).pairs)  # type: ignore[misc]
        assert [pair.hash for pair in pairs or ()] == [content_hash(doc(n=n)) for n in wanted]


def test_the_newest_states_with_a_body_come_first(space: Transacted) -> None:
    base = rev(put(space, doc(n=0)))
    for n in range(1, 6):
        base = rev(put(space, doc(n=n), base))
    recent = space.transact(lambda t: memory_of(t, NeedsData(recent=True)).recent)
    assert [stored.body for stored in recent or ()] == [doc(n=n) for n in (4, 3, 2, 1, 0)]


def test_a_repeat_adds_nothing(space: Transacted) -> None:
    base = rev(put(space, doc(n=1)))
    first = put(space, doc(n=2), base, B)
    put(space, doc(n=3), rev(first), A)
    before = space.transact(lambda t: t.allot(0, 0))
    again = put(space, doc(n=2), base, B, at=9.0)
    assert (again.outcome, again.body) == (Outcome.UNCHANGED, doc(n=3))
    assert space.transact(lambda t: t.allot(0, 0)) == before


def test_policies_decide(space: Transacted) -> None:
    space.set_policies(parse({"/n": "max"}))
    assert space.transact(lambda t: t.policies()) == parse({"/n": "max"})
    base = rev(put(space, doc(n=1, a=1)))
    put(space, doc(n=9, a=1), base, B)
    lower = put(space, doc(n=5, a=2), base, C)
    assert lower.body == doc(n=9, a=2)


def test_secrets_are_in_no_conflict_record(space: Transacted) -> None:
    space.set_policies(parse({"/pin": "secret"}))
    base = rev(put(space, doc(pin="0000", note="a")))
    put(space, doc(pin="1234", note="b"), base, B)
    merged = put(space, doc(pin="9876", note="c"), base, C)
    rows = {row["path"]: dict(row) for row in merged.conflicts}
    assert rows.keys() == {"/pin", "/note"}
    assert "kept" not in rows["/pin"] and "dropped" not in rows["/pin"]


def test_what_a_head_that_stays_won_against_stands_with_it_once(space: Transacted) -> None:
    base = rev(put(space, doc(n=1)))
    kept = put(space, doc(n=2), base, B)
    answers = [put(space, tombstone(), base, A) for _ in range(2)]
    assert [(one.outcome, one.rev) for one in answers] == [(Outcome.UNCHANGED, kept.rev)] * 2
    row = {"path": "", "rule": "edit-beats-removal", "kept": doc(n=2)}
    assert [dict(one) for one in space.conflicts(ID)] == [row]
    # It stays in the history of a head that is superseded, and a received state has rows of its own.
    put(space, doc(n=3), rev(kept), B)
    put(space, doc(n=4), rev(kept), A)
    assert [dict(one) for one in space.conflicts(ID)] == [
        row,
        {"path": "/n", "rule": "arriving", "kept": 4, "dropped": 3},
    ]


def test_many_deletions_by_one_device_must_be_confirmed(space: Transacted) -> None:
    made = sent(space, *(submission(doc(document)) for document in DOCUMENTS[:40]))
    bases = {d: rev(one) for d, one in zip(DOCUMENTS, made, strict=False) if isinstance(one, Answer)}
    first = [submission(tombstone(document), bases[document], B, 10.0) for document in DOCUMENTS[:20]]
    assert all(isinstance(reply, Answer) for reply in sent(space, *first))
    one_more = submission(tombstone(DOCUMENTS[20]), bases[DOCUMENTS[20]], B, 20.0)
    (held,) = sent(space, one_more)
    assert isinstance(held, Refusal) and held.code == "deletions-held"
    assert space.transact(lambda t: t.live()) == 20
    # Another device, another hour, or somebody who means it.
    assert isinstance(sent(space, submission(tombstone(DOCUMENTS[21]), bases[DOCUMENTS[21]], C, 20.0))[0], Answer)
    assert isinstance(sent(space, one_more, confirmed=True)[0], Answer)
    later = submission(tombstone(DOCUMENTS[22]), bases[DOCUMENTS[22]], B, 4000.0)
    assert isinstance(sent(space, later)[0], Answer)
    assert space.transact(lambda t: t.live()) == 17


def test_two_that_are_too_large_together_are_refused_until_one_is_smaller(space: Transacted) -> None:
    base = rev(put(space, doc(a="", b="")))
    ours = put(space, doc(a="x" * 700_000, b=""), base, A)
    mine = submission(doc(a="", b="y" * 700_000), base, B)
    (refused,) = sent(space, mine)
    assert isinstance(refused, Refusal) and refused.code == "too-large"
    head = space.transact(lambda t: memory_of(t).head)
    assert head is not None and head.rev == ours.rev
    put(space, doc(a="x", b=""), rev(ours), A)
    (merged,) = sent(space, mine)
    assert isinstance(merged, Answer) and merged.body == doc(a="x", b="y" * 700_000)


def test_bringing_back_what_was_deleted_keeps_to_the_limit(space: Transacted) -> None:
    base = rev(put(space, doc(a="", b="")))
    grown = put(space, doc(a="x" * 700_000, b=""), base, A)
    put(space, tombstone(), rev(grown), A)
    mine = submission(doc(a="", b="y" * 700_000), base, B)
    (refused,) = sent(space, mine)
    assert isinstance(refused, Refusal) and refused.code == "too-large"
    (smaller,) = sent(space, submission(doc(a="", b="y" * 300_000), base, B))
    assert isinstance(smaller, Answer) and smaller.body == doc(a="x" * 700_000, b="y" * 300_000)


@pytest.mark.parametrize("seed", range(2))
def test_every_adapter_decides_as_memory_does(space: Transacted, seed: int) -> None:
    """A history that nobody chose: the same answers, revs and conflicts, and in the end the same heads."""
    reference = InMemory()
    assert _without_histories(_history(space, seed)) == _without_histories(_history(reference, seed))
    every = [submission(doc(document, asked=True), "1-x") for document in DOCUMENTS[:3]]
    heads = [one.transact(lambda t: t.first_contexts(every)) for one in (space, reference)]
    assert _without_histories(heads[0]) == _without_histories(heads[1])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("space", ["memory", "mongodb", "one worker"], indirect=True)
def test_many_of_one_document_in_one_transaction_are_decided_as_one_by_one(space: Transacted, seed: int) -> None:
    """Of every kind: with a base that is the head, with an older one, without one, deletions and repeats."""
    reference = InMemory()
    together, apart = _crowd(space, seed, together=True), _crowd(reference, seed, together=False)
    assert _without_histories(together) == _without_histories(apart)
    hashes = {reply.hash for replies in together for reply in replies if isinstance(reply, Answer) and reply.hash}
    wanted = NeedsData(
        frozenset(hashes),
        pairs_since=SequenceNumber(0),
        seen=frozenset(_value_keys()),
        recent=True,
        ancestors=SequenceNumber(9),
    )
    for document in DOCUMENTS[:2]:
        for device in DEVICES:
            kept = _without_histories([space.transact(lambda t, d=document, v=device: _all_of(t, wanted, d, v))])  # type: ignore[misc]
            assert kept == _without_histories(
                [reference.transact(lambda t, d=document, v=device: _all_of(t, wanted, d, v))]  # type: ignore[misc]
            )
        assert _without_histories(space.conflicts(document)) == _without_histories(reference.conflicts(document))


def _all_of(transaction: Transaction, wanted: NeedsData, document: DocumentId, device: DeviceId) -> DocumentContext:
    asked = submission(doc(document, asked=True), "1-x", device)
    (context,) = transaction.first_contexts([asked])
    (context,) = transaction.load([(context, asked, wanted)])
    states, seen = dict(sorted(context.states.items())), dict(sorted(context.seen.items()))
    return replace(context, states=states, seen=seen)


def _value_keys() -> set[ValueKey]:
    """Of the values that somebody may set."""
    return {value_key(f"/{field}", value) for field in ("a", "b") for value in (f"{field}-{n}" for n in range(6))}


def _crowd(space: Transacted, seed: int, *, together: bool) -> list[Sequence[Reply]]:
    """Three devices at two documents, most of the time each on a base of its own."""
    chosen = random.Random(seed)
    known: dict[tuple[DeviceId, DocumentId], tuple[str | None, Body]] = {}
    told: list[Sequence[Reply]] = []
    for step in range(4):
        batch: list[Submission] = []
        for turn in range(8):
            device, document = chosen.choice(DEVICES), chosen.choice(DOCUMENTS[:2])
            base, body = known.get((device, document), (CREATED, doc(document)))
            at = 1_750_000_000.0 + 100 * step + turn
            field = chosen.choice(["a", "b"])
            state = {**body, field: f"{field}-{chosen.randint(0, 5)}"}
            if chosen.random() < 0.15:
                state = {**body, "_deleted": True}
            batch.append(submission(state, None if device == C else base, device, at))  # type: ignore[arg-type]
            if chosen.random() < 0.2:
                batch.append(batch[-1])
        if together:
            replies = sent(space, *batch)
        else:
            order = [index for group in waves([Item(one, A) for one in batch]) for index in group]
            single = {index: sent(space, batch[index])[0] for index in order}
            replies = [single[index] for index in range(len(batch))]
        told.append(replies)
        for one, reply in zip(batch, replies, strict=True):
            if isinstance(reply, Answer) and chosen.random() < 0.7:  # else the answer is lost
                content = one.client_state if reply.same else reply.body
                if isinstance(content, dict) and one.device is not None and "_deleted" not in content:
                    known[one.device, one.document] = (rev(reply), content)
    return told


def _without_histories(found: Sequence[Any]) -> str:
    """Each space has histories of its own, and names them in its revs."""
    return re.sub(r"'(\d+)\.[0-9a-z]+-|history='[0-9a-z]+'", r"'\1-", repr(found)).replace("history=None", "'-")


def _history(space: Transacted, seed: int) -> list[Sequence[Reply]]:
    chosen = random.Random(seed)
    space.set_policies(parse({"/most": "max", "/log": "set"}))
    known: dict[tuple[DeviceId, DocumentId], tuple[str, Any]] = {}
    told: list[Sequence[Reply]] = []
    for step in range(12):
        device, at = chosen.choice(DEVICES), 1_750_000_000.0 + step
        batch: dict[DocumentId, Submission] = {}
        for document in chosen.sample(DOCUMENTS[:3], chosen.randint(1, 3)):
            base, body = known.get((device, document), (CREATED, doc(document)))
            if chosen.random() < 0.15 and base != CREATED:
                batch[document] = submission({**body, "_deleted": True}, base, device, at, body)
                continue
            field = chosen.choice(["a", "b", "most", "log"])
            value: Any = ["x", chosen.choice("yz")] if field == "log" else chosen.randint(0, 5)
            batch[document] = submission({**body, field: value}, base, device, at, body if base != CREATED else None)
        replies = sent(space, *batch.values())
        told.append(replies)
        for one, reply in zip(batch.values(), replies, strict=True):
            if isinstance(reply, Answer) and chosen.random() < 0.8:  # else the answer is lost
                state = one.client_state if reply.same else reply.body
                known[device, one.document] = (rev(reply), state if state is not None else doc(one.document))
    return told
