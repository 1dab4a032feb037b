"""Dumps of other sync servers as documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.core.documents import DocumentId, is_document_id
from shared.dumps import Dump, documents_in, spelt_id


def found(value: Any) -> Dump:
    dump = documents_in(value)
    assert dump is not None
    return dump


def test_kinto() -> None:
    rows = [
        {"id": "a", "last_modified": 1_798_761_600_123, "schema": 1, "title": "x"},
        {"id": "b", "last_modified": 1_798_761_600_124, "deleted": True},
    ]
    assert found({"data": rows}) == found(rows)
    assert found(rows) == Dump(
        ({"id": "a", "title": "x", "updated_at": "2027-01-01T00:00:00.123Z"},), (DocumentId("b"),)
    )


COUCH = [
    {"_id": "a/1", "_rev": "1-f", "title": "x", "id": 7, "_attachments": {"p": {}}},
    {"_id": "b", "_rev": "2-f", "_deleted": True},
    {"_id": "_design/views", "_rev": "1-e", "views": {}},
]


@pytest.mark.parametrize(
    "value",
    [
        {"docs": COUCH},
        {"total_rows": 3, "offset": 0, "rows": [{"id": doc["_id"], "value": {}, "doc": doc} for doc in COUCH]},
        {"results": [{"seq": 1, "id": doc["_id"], "changes": [], "doc": doc} for doc in COUCH], "last_seq": 3},
        [
            {"version": "1.0.0", "db_type": "leveldb"},
            {"docs": COUCH[:1]},
            {"seq": 1},
            {"docs": COUCH[1:]},
            {"seq": 3},
        ],
        COUCH,
    ],
)
def test_couchdb_and_pouchdb(value: Any) -> None:
    assert found(value) == Dump(
        ({"id": "a~2f1", "title": "x", "original_field_id": 7, "original_id": "a/1"},),
        (DocumentId("b"),),
        ("the attachments of a/1", "_design/views"),
    )


def test_a_dump_without_its_documents_is_refused() -> None:
    with pytest.raises(ValueError, match="include_docs=true"):
        documents_in({"rows": [{"id": "a", "key": "a", "value": {"rev": "1-f"}}]})


def test_mongodb() -> None:
    rows = [
        {
            "_id": {"$oid": "5f0c1e9a3f5e4c399f9e0a6b"},
            "due": {"$date": "2030-01-02T00:00:00Z"},
            "at": {"$date": {"$numberLong": "1893542400123"}},
            "n": {"$numberInt": "3"},
            "long": {"$numberLong": "9007199254740993"},
            "half": {"$numberDouble": "0.5"},
            "none": {"$numberDouble": "NaN"},
            "price": {"$numberDecimal": "1.10"},
            "in": [{"x": {"$oid": "6"}}],
        },
        {"_id": 7, "id": "own"},
    ]
    assert found(rows).documents == (
        {
            "id": "5f0c1e9a3f5e4c399f9e0a6b",
            "due": "2030-01-02T00:00:00Z",
            "at": "2030-01-02T00:00:00.123Z",
            "n": 3,
            "long": "9007199254740993",
            "half": 0.5,
            "none": "NaN",
            "price": "1.10",
            "in": [{"x": "6"}],
        },
        {"id": "7", "original_field_id": "own", "original_id": 7},
    )


@pytest.mark.parametrize("value", [None, [], {}, 3, [1], {"data": []}, [{"id": "a"}], {"rows": [{"x": 1}]}])
def test_what_is_no_dump_is_not_taken_for_one(value: Any) -> None:
    assert documents_in(value) is None


@example([".", "..", "~2e", "~", "~7e"])
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=10), unique=True))
def test_two_ids_never_become_one(names: list[str]) -> None:
    spelt = [spelt_id(name) for name in names]
    assert len(set(spelt)) == len(names) and all(map(is_document_id, spelt))


def test_an_id_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        spelt_id("ü" * 50)
