"""Inserting many rows at a time, by one command or by the driver's own operation."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from shared.adapters.mongodb.faults import may_be_duplicate
from shared.adapters.mongodb.inserts import insert
from shared.settings import Settings

Row = dict[str, Any]


@pytest.fixture
def revisions(settings: Settings) -> Iterator[Collection[Row]]:
    with MongoClient[Row](settings.mongo_url) as client:
        yield client[settings.mongo_database]["revisions"]


@pytest.fixture
def session(revisions: Collection[Row]) -> Iterator[ClientSession]:
    with revisions.database.client.start_session() as session, session.start_transaction():
        yield session
        session.abort_transaction()


def rows(count: int, **fields: Any) -> list[Row]:
    space = f"s-{uuid.uuid4().hex[:12]}"
    return [{"space": space, "id": f"d{number}", "seq": number, **fields} for number in range(count)]


@pytest.mark.parametrize(
    "new",
    [
        rows(500, body={"a": 1}, size=7),
        rows(1001),
        rows(3, body={"a": [0] * 500_000}, size=1_000_006),
        rows(3, body={"a": 1}, size=7, conflicts=[{"dropped": "x" * 1_000_000}]),
        rows(3, body={"a": "x" * 1_000_000}),
    ],
    ids=["few", "many rows", "many bytes", "bytes of conflicts", "bytes that are not known"],
)
def test_all_are_inserted_and_have_ids(revisions: Collection[Row], session: ClientSession, new: list[Row]) -> None:
    insert(revisions, new, session)
    found = list(revisions.find({"space": new[0]["space"]}, {"seq": 1, "size": 1}, session=session))
    assert sorted(row["seq"] for row in found) == list(range(len(new)))
    assert len({row["_id"] for row in found}) == len(new)


@pytest.mark.parametrize("fields", [{}, {"conflicts": []}], ids=["by a command", "by the driver"])
def test_what_is_there_is_told(revisions: Collection[Row], session: ClientSession, fields: Row) -> None:
    new = [{"_id": row["space"], **row} for row in rows(2, **fields)]
    with pytest.raises(BulkWriteError) as raised:
        insert(revisions, new, session)
    assert may_be_duplicate(raised.value)
