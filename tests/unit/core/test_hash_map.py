from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Epoch, Position, Sequence
from shared.core.hash_map import BucketedMap

ids = st.text("abcdefghijklmnop0123456789._~-", min_size=1, max_size=3)
hashes = st.text("0123456789abcdef", min_size=32, max_size=32)
OLD, NEW = (Position(Epoch("e"), Sequence(n)) for n in (1, 2))


@given(st.dictionaries(ids, hashes))
def test_the_text_is_the_map(content: Any) -> None:
    assert json.loads(BucketedMap.of(OLD, content).text()) == content


@given(st.dictionaries(ids, hashes), st.dictionaries(ids, st.none() | hashes))
def test_a_patched_map_is_the_one_that_would_be_built(content: Any, changes: Any) -> None:
    patched, touched = BucketedMap.of(OLD, content).patched(NEW, changes)
    wanted = {k: v for k, v in {**content, **changes}.items() if v is not None}
    assert patched == BucketedMap.of(NEW, wanted)
    old = BucketedMap.of(OLD, content).buckets
    assert {n for n in old.keys() | patched.buckets.keys() if old.get(n) != patched.buckets.get(n)} <= touched
