"""How much the spaces hold. The row of a space has the sums, which every transaction changes with what it writes:

    live             live documents
    size             bytes of their bodies
    history_size     bytes of all other bodies
    batches          transactions
    sized            those of them that changed the sums: processes of an earlier release do not
    unsized          how many had not when the space was counted

The sums are right if, and only if, sized + unsized == batches.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClientSession

from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.documents import SpaceId
from shared.core.resolution.usage import Usage

USAGE_FIELDS: Final = dict.fromkeys(("live", "size", "history_size", "batches", "sized", "unsized"), 1)
SIZE: Final = {"$ifNull": ["$size", {"$bsonSize": "$body"}]}
"""What a body counts for; null without one."""


def usage_of(row: Mapping[str, Any] | None) -> Usage:
    """Of a row of a space; None: it is not there."""
    row = row or {}
    if not _is_counted(row):
        return Usage(row.get("live", 0), None, None)
    return Usage(row.get("live", 0), row.get("size", 0), row.get("history_size", 0))


def _is_counted(row: Mapping[str, Any]) -> bool:
    return bool(row.get("sized", 0) + row.get("unsized", 0) == row.get("batches", 0))


async def usage(mongo: Mongo, spaces: Collection[SpaceId]) -> dict[SpaceId, Usage]:
    """As `DocumentStore.usage`."""
    with errors_mapped():
        rows = await mongo.database["spaces"].find({"_id": {"$in": list(spaces)}}, USAGE_FIELDS).to_list(None)
    return {SpaceId(row["_id"]): usage_of(row) for row in rows}


async def count_sizes(mongo: Mongo, space: SpaceId) -> bool:
    """As `DocumentStore.count_sizes`. The sums of one moment are compared with what the row said at that moment: what
    is written meanwhile changes the row by itself, and stays right."""
    with errors_mapped():
        row = await mongo.database["spaces"].find_one({"_id": space}, USAGE_FIELDS)
        if row is None or _is_counted(row):
            return False
        async with await mongo.client.start_session(snapshot=True) as session:
            row = await mongo.database["spaces"].find_one({"_id": space}, USAGE_FIELDS, session=session)
            heads = await _sum(mongo, "documents", {"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}}, session)
            history = await _sum(mongo, "revisions", {"space": space}, session)
        if row is None:
            return False
        more = {"size": heads - row.get("size", 0), "history_size": history - row.get("history_size", 0)}
        unsized = row.get("batches", 0) - row.get("sized", 0)
        # Whoever else counted it at the same time has changed `unsized`.
        known = {"_id": space, "unsized": row.get("unsized")}
        change = {"$inc": more, "$set": {"unsized": unsized}}
        return bool((await mongo.database["spaces"].update_one(known, change)).matched_count)


async def _sum(mongo: Mongo, collection: str, query: Row, session: AsyncIOMotorClientSession) -> int:
    stages = [{"$match": {**query, "body": {"$exists": True}}}, {"$group": {"_id": None, "size": {"$sum": SIZE}}}]
    sizes = mongo.database[collection].aggregate(stages, session=session)
    return sum([int(row["size"]) async for row in sizes])
