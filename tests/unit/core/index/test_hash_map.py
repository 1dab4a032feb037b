from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import ContentHash, DocumentId, Epoch, Position, SequenceNumber
from shared.core.index.hash_map import (
    CROWDED,
    MAX_DIGITS,
    MIN_DIGITS,
    ROOM,
    BucketedMap,
    Gathering,
    key_of,
    members_of,
)

ids = st.text("abcdefghijklmnop0123456789._~-", min_size=1, max_size=3)
hashes = st.text("0123456789abcdef", min_size=32, max_size=32)
OLD, NEW = (Position(Epoch("e"), SequenceNumber(n)) for n in (1, 2))


def many(count: int) -> dict[DocumentId, ContentHash]:
    return {DocumentId(f"d{n}"): ContentHash(f"{n:032x}") for n in range(count)}


@given(st.dictionaries(ids, hashes))
def test_the_text_is_the_map_in_the_order_of_keys(content: Any) -> None:
    found = json.loads(BucketedMap.of(OLD, content).text())
    assert found == content
    assert list(found) == sorted(content, key=key_of)


@given(st.dictionaries(ids, hashes), st.randoms(), st.integers(1, 5))
def test_a_map_is_the_same_however_its_documents_come(content: Any, dice: random.Random, most: int) -> None:
    documents = [(document.encode(), hash_.encode()) for document, hash_ in content.items()]
    dice.shuffle(documents)
    gathering = Gathering()
    for first in range(0, len(documents), most):
        gathering.add(documents[first : first + most])
    assert gathering.map(OLD) == BucketedMap.of(OLD, content)


@given(st.dictionaries(ids, hashes), st.dictionaries(ids, st.none() | hashes))
def test_a_patched_map_is_the_one_that_would_be_built(content: Any, changes: Any) -> None:
    patched, touched = BucketedMap.of(OLD, content).patched(NEW, changes)
    wanted = {k: v for k, v in {**content, **changes}.items() if v is not None}
    assert patched == BucketedMap.of(NEW, wanted)
    old = BucketedMap.of(OLD, content).buckets
    assert {n for n in old.keys() | patched.buckets.keys() if old.get(n) != patched.buckets.get(n)} <= touched


@given(st.dictionaries(ids, hashes), st.dictionaries(ids, st.none() | hashes))
def test_how_a_map_is_divided_does_not_show(content: Any, changes: Any) -> None:
    one = BucketedMap.of(OLD, content)
    other = one.divided()
    assert other.digits == one.digits + 1
    assert other.text() == one.text() and other.position == one.position
    assert other == BucketedMap.made(OLD, other.digits, other.buckets)
    assert all(len(prefix) == other.digits for prefix in other.buckets)
    assert other.patched(NEW, changes)[0].text() == one.patched(NEW, changes)[0].text()


@given(st.dictionaries(ids, hashes))
def test_a_map_is_the_same_with_prefixes_of_any_length(content: Any) -> None:
    longest = BucketedMap.of(OLD, content).divided().divided()
    assert longest.digits == MAX_DIGITS
    assert longest.text() == BucketedMap.of(OLD, content).text()
    for prefix, members in longest.buckets.items():
        assert members and all(key_of(document).startswith(prefix) for document in members_of(members))


def test_a_large_map_is_divided_further_and_a_small_one_is_not() -> None:
    full = ROOM * 16**MIN_DIGITS
    assert BucketedMap.of(OLD, many(full)).digits == MIN_DIGITS
    assert BucketedMap.of(OLD, many(full + 1)).digits == MIN_DIGITS + 1 <= MAX_DIGITS


def test_a_map_that_grows_is_divided_when_a_bucket_is_crowded() -> None:
    crowd = [DocumentId(f"d{n}") for n in range(300_000) if key_of(DocumentId(f"d{n}")).startswith("7f")]
    assert len(crowd) > CROWDED
    hashes = dict.fromkeys(crowd, ContentHash("0" * 32))
    last = crowd[CROWDED]
    before = BucketedMap.of(OLD, {one: hashes[one] for one in crowd[:CROWDED]})
    assert before.digits == MIN_DIGITS
    after, touched = before.patched(NEW, {last: hashes[last]})
    assert after.digits == MIN_DIGITS + 1
    assert touched == before.buckets.keys() | after.buckets.keys()
    assert after.text() == BucketedMap.of(NEW, {one: hashes[one] for one in crowd[: CROWDED + 1]}).text()
