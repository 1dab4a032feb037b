"""What is done while a transaction is committed: nobody knows yet what will have become of it."""

from __future__ import annotations

import pytest

from shared.core.documents import SequenceNumber, SpaceId
from shared.ports import DocumentStore, Transaction
from tests.contract.test_document_store import write_of


async def test_what_may_be_stored_is_told_once_before_it_is(store: DocumentStore, space: SpaceId) -> None:
    expected: list[SequenceNumber] = []

    def work(transaction: Transaction) -> SequenceNumber:
        assert not expected
        transaction.first_contexts([write_of("a", 1).item.submission])
        first = transaction.allot(1, 1)
        transaction.write(first, [write_of("a", 1)], {})
        return first.first

    assert await store.transact(space, work, meanwhile=expected.append) == 1
    assert expected == [1]


async def test_of_work_that_fails_nothing_is_told(store: DocumentStore, space: SpaceId) -> None:
    def work(_: Transaction) -> None:
        raise LookupError

    def meanwhile(_: None) -> None:
        raise AssertionError

    with pytest.raises(LookupError):
        await store.transact(space, work, meanwhile=meanwhile)
