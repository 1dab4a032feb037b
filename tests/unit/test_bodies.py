from __future__ import annotations

import copy
from typing import Any

import bson
from hypothesis import example, given
from hypothesis import strategies as st

from shared.adapters.mongodb.bodies import may_have_other_names, restored, stored

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
@example({"~~$ref": 1})
def test_rows_with_other_names_show_it(value: Any) -> None:
    body = {"id": "a", "value": value}
    rows = bson.encode({"body": stored(body)})
    assert may_have_other_names(memoryview(rows)) or stored(body) == body == restored(body)


def test_rows_without_other_names_are_not_walked() -> None:
    assert not may_have_other_names(memoryview(bson.encode({"body": {"a": {"$ref": 1}, "b": "$ref"}})))
