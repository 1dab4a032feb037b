"""What is done while a transaction is committed: nobody knows yet what will have become of it."""

from __future__ import annotations

import pytest

from shared.core.documents import SequenceNumber, SpaceId
from shared.ports import DocumentStore, Transaction
from tests.contract.test_document_store import write_of


def work(transaction: Transaction) -> SequenceNumber:
    """Stores a document."""
    transaction.first_contexts([write_of("a", 1).item.submission])
    first = transaction.allot(1, 1)
    transaction.write(first, [write_of("a", 1)], {})
    return first.first


async def test_what_may_be_stored_is_told_once_before_it_is(store: DocumentStore, space: SpaceId) -> None:
    expected: list[SequenceNumber] = []

    def first_work(transaction: Transaction) -> SequenceNumber:
        assert not expected
        return work(transaction)

    assert await store.transact(space, first_work, meanwhile=expected.append) == 1
    assert expected == [1]


async def test_of_work_that_fails_nothing_is_told(store: DocumentStore, space: SpaceId) -> None:
    def fails(_: Transaction) -> None:
        raise LookupError

    def meanwhile(_: None) -> None:
        raise AssertionError

    with pytest.raises(LookupError):
        await store.transact(space, fails, meanwhile=meanwhile)


async def test_what_fails_meanwhile_leaves_what_is_stored_stored(
    store: DocumentStore, space: SpaceId, caplog: pytest.LogCaptureFixture
) -> None:
    def meanwhile(_: SequenceNumber) -> None:
        raise LookupError

    assert await store.transact(space, work, meanwhile=meanwhile) == 1
    assert (await store.lineages([space]))[space].sequence == 1
    assert [record.message for record in caplog.records] == ["preparation_failed"]
    caplog.clear()
