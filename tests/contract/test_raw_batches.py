"""Batches without an object for each row: what comes is what the driver's own cursor brings."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.cursor import RawBatchCursor
from pymongo.errors import OperationFailure

from shared.adapters.mongodb import opened
from shared.adapters.mongodb.raw_batches import at_once
from shared.core.documents import SpaceId
from shared.settings import Settings


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_batches_are_those_of_the_driver(settings: Settings, space: SpaceId, size: int) -> None:
    async with opened(settings) as mongo:
        rows = mongo.database["documents"]
        await rows.insert_many([{"_id": f"{space}/{n:02}", "values": [{"a": n}, [], "x" * n]} for n in range(20)])

        def found(query: Any, **options: Any) -> Any:
            return rows.find_raw_batches({"_id": {"$gt": f"{space}/", **query}}, batch_size=size, **options)

        for query in ({"$lt": f"{space}0"}, {"$lt": f"{space}/0"}):
            for options in ({}, {"limit": 9}):
                expected = [batch async for batch in found(query, **options).sort("_id", 1)]
                assert [batch async for batch in at_once(found(query, **options)).sort("_id", 1)] == expected
        with pytest.raises(OperationFailure):
            [batch async for batch in at_once(rows.find_raw_batches({"_id": {"$nothing": 1}}))]


def test_the_driver_is_one_that_is_known() -> None:
    assert hasattr(RawBatchCursor, "_unpack_response")
