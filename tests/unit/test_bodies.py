from __future__ import annotations

import copy
from typing import Any

import bson
import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from shared.adapters.mongodb.bodies import body_text, restored, stored

keys = st.sampled_from(["$ref", "$id", "$db", "~$ref", "~~$ref", "~", "a", "~$id", ""])
values = st.recursive(
    st.none() | st.integers(0, 9) | st.text("ab$~", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=15,
)


@given(values)
def test_what_is_stored_is_restored(value: Any) -> None:
    before = copy.deepcopy(value)
    assert restored(stored(value)) == value == before


@given(st.dictionaries(keys, values, max_size=5))
def test_the_driver_gives_back_what_was_stored(body: dict[str, Any]) -> None:
    found = bson.decode(bson.encode({"body": stored(body)}))["body"]
    assert restored(found) == body and list(restored(found)) == list(body)


def test_what_needs_no_other_name_is_not_copied() -> None:
    body = {"a": [{"$ref": "x"}, 1], "b": {"$id": 1}}
    assert stored(body) is body and restored(body) is body


@given(values)
@example({"$ref": 1, "$id": 2})
@example({"text": '~$ref": "$ref":'})
def test_the_text_of_a_stored_body_says_the_body(value: Any) -> None:
    body = {"id": "a", "value": value}
    assert orjson.loads(body_text(stored(body))) == body
