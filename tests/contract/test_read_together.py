"""What is read of many documents together, against every adapter that does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.codec import content_hash
from shared.core.documents import Body, DeviceId, DocumentId, SequenceNumber
from shared.core.protocol import Limits
from shared.core.resolution.batch import Item
from shared.core.resolution.context import RECENT, NeedsData, Pair, Submission
from shared.core.resolution.revs import CREATED
from shared.ports import Transaction
from shared.transaction import CachedResolver, decide
from tests.contract.transactions import DEVICES, DOCUMENTS, InMemory, InMongo, Transacted

LENGTHS = dict(zip(DOCUMENTS, [0, 1, 70, 3, 8, 9, 7, 64, 0, 65, 2], strict=False))
"""Of histories."""


def edit(document: DocumentId, n: int, device: DeviceId = DEVICES[0]) -> Item:
    before = content_hash({"id": document, "n": n - 1}) if n else CREATED
    body: Body = {"id": document, "n": n}
    return Item(Submission(document, body, content_hash(body), 1.0, before, device=device), device)


@pytest.fixture(params=["memory", "mongodb"])
def space(request: pytest.FixtureRequest) -> Iterator[Transacted]:
    if request.param == "memory":
        yield InMemory()
    else:
        with closing(InMongo(request.getfixturevalue("settings"))) as opened:
            yield opened


@pytest.mark.parametrize("max_bytes", [None, 30_000])
def test_the_newest_states_of_many_documents_are_those_of_each_of_them(
    space: Transacted, max_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they have a few or many, and however many bytes may be read for several at once."""
    if max_bytes is not None:
        monkeypatch.setattr("shared.adapters.mongodb.revisions._RECENT_BYTES", max_bytes)
    edits = [edit(document, n) for document, length in LENGTHS.items() for n in range(length + 1)]
    space.transact(lambda transaction: decide(transaction, CachedResolver(Limits().max_document_bytes), edits))
    for documents in (DOCUMENTS[:12], DOCUMENTS[2:4], DOCUMENTS[:2], DOCUMENTS[11:13], [DOCUMENTS[9]]):
        asking = [edit(document, 100).submission for document in documents]

        def recent(transaction: Transaction, asking: list[Submission] = asking) -> list[list[Body | None]]:
            contexts = zip(transaction.first_contexts(asking), asking, strict=True)
            loaded = transaction.load([(context, one, NeedsData(recent=True)) for context, one in contexts])
            return [[stored.body for stored in context.recent or ()] for context in loaded]

        assert space.transact(recent) == [
            [{"id": document, "n": n} for n in range(LENGTHS.get(document, 0))][::-1][:RECENT]
            for document in documents
        ]


def test_pairs_of_many_documents_and_devices_are_those_of_each_since_its_own_sequence(space: Transacted) -> None:
    # Edits of ten documents by three devices in turn, so document d has sequences d + 1, d + 11, d + 21 and so on.
    edits = [edit(document, n, DEVICES[n % 3]) for n in range(9) for document in DOCUMENTS[:10]]
    resolver = CachedResolver(Limits().max_document_bytes)
    for first in range(0, 90, 10):
        space.transact(lambda transaction, some=edits[first : first + 10]: decide(transaction, resolver, some))  # type: ignore[misc]
    asking = [
        (edit(document, 100, device).submission, SequenceNumber(since))
        for place, document in enumerate(DOCUMENTS[:10])
        for device, since in zip(DEVICES, (1 + 9 * place, 70 + place, 80 - place), strict=True)
    ]

    def pairs(transaction: Transaction) -> list[tuple[Pair, ...] | None]:
        contexts = transaction.first_contexts([one for one, _ in asking])
        wanted = [
            (context, one, NeedsData(pairs_since=since))
            for context, (one, since) in zip(contexts, asking, strict=True)
        ]
        return [context.pairs for context in transaction.load(wanted)]

    expected = [
        [
            edit(one.document, n).submission.hash
            for n in range(8)
            if DEVICES[n % 3] == one.device and 10 * n + place >= since
        ]
        for place, (one, since) in ((DOCUMENTS.index(one.document) + 1, (one, since)) for one, since in asking)
    ]
    assert [[pair.hash for pair in some or ()] for some in space.transact(pairs)] == expected
    assert any(expected) and not all(expected)
