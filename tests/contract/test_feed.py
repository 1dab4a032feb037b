"""What changed since a sequence: hashes, and the documents themselves."""

from __future__ import annotations

from shared.codec import content_hash
from shared.core.documents import SequenceNumber, SpaceId
from shared.ports import DocumentStore
from tests.contract.test_document_store import deletion_of, page, put, stored


async def test_the_feed_goes_by_the_newest_change(store: DocumentStore, space: SpaceId) -> None:
    for name in ("a", "b", "a", "c"):
        await put(store, space, name, name)
    numbers = [SequenceNumber(n) for n in range(5)]
    found = await store.feed(space, numbers[0], numbers[4], 10)
    assert [(sequence, document) for sequence, document, _ in found] == [(2, "b"), (3, "a"), (4, "c")]
    assert found[0][2] == content_hash({"id": "b", "value": "b"})
    assert await store.feed(space, numbers[0], numbers[3], 1) == found[:1]
    assert await store.feed(space, numbers[2], numbers[3], 10) == found[1:2]


async def test_what_a_feed_tells_comes_whole_unless_it_is_much(store: DocumentStore, space: SpaceId) -> None:
    for name in ("a", "b", "a", "c", "gone"):
        await put(store, space, name, name)
    await stored(store, space, deletion_of("gone"))
    numbers = [SequenceNumber(n) for n in range(7)]
    for after, until in ((0, 6), (0, 4), (2, 4), (5, 6), (6, 6)):
        expected = await store.feed(space, numbers[after], numbers[until], 10)
        parts = await store.changed(space, numbers[after], numbers[until], max_bytes=10_000, made=list)
        assert parts is not None
        found = [current for part in parts for current in part]
        assert [(one.document, one.hash if one.body else None) for one in found] == [row[1:] for row in expected]
        same, _ = await page(store, space, "", 10, [one.document for one in found])
        assert sorted(found, key=lambda one: one.document) == same
    assert await store.changed(space, numbers[0], numbers[6], max_bytes=50, made=list) is None
    await put(store, space, "a", "x" * 5000)
    assert await store.changed(space, numbers[6], SequenceNumber(7), max_bytes=1000, made=list) is None
