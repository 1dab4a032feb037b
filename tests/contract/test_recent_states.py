"""The newest states of many documents, read together, against every adapter that reads them together."""

from __future__ import annotations

import pytest

from shared.codec import content_hash
from shared.core.documents import Body, DocumentId
from shared.core.protocol import Limits
from shared.core.resolution.batch import Item
from shared.core.resolution.context import RECENT, NeedsData, Submission
from shared.core.resolution.revs import CREATED
from shared.ports import Transaction
from shared.settings import Settings
from shared.transaction import CachedResolver, decide
from tests.contract.transactions import DEVICES, DOCUMENTS, InMemory, InMongo, Transacted

LENGTHS = dict(zip(DOCUMENTS, [0, 1, 70, 3, 8, 9, 7, 64, 0, 65, 2], strict=False))
"""Of histories."""


def edit(document: DocumentId, n: int) -> Item:
    before = content_hash({"id": document, "n": n - 1}) if n else CREATED
    body: Body = {"id": document, "n": n}
    return Item(Submission(document, body, content_hash(body), 1.0, before, device=DEVICES[0]), DEVICES[0])


@pytest.mark.parametrize("max_bytes", [None, 30_000])
@pytest.mark.parametrize("adapter", ["memory", "mongodb"])
def test_the_newest_states_of_many_documents_are_those_of_each_of_them(
    adapter: str, max_bytes: int | None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they have a few or many, and however many bytes may be read for several at once."""
    if max_bytes is not None:
        monkeypatch.setattr("shared.adapters.mongodb.revisions._RECENT_BYTES", max_bytes)
    space: Transacted = InMongo(settings) if adapter == "mongodb" else InMemory()
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
