"""Device grants on MongoDB. An index removes what has expired (migrations.py)."""

from __future__ import annotations

from datetime import UTC, datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongodb.access_rows import present
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.access.device_grants import (
    JITTER_SECONDS,
    SLOW_DOWN_SECONDS,
    Approval,
    DeviceGrant,
    GrantDecision,
    UserCode,
)
from shared.core.documents import SpaceId, UserId
from shared.ports.sign_in import GrantFailure


class MongoDeviceGrantStore:
    """DeviceGrantStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._grants = mongo.database["device_grants"]

    async def add(self, grant: DeviceGrant, secret_hash: str, *, most: int) -> GrantFailure | None:
        now = grant.created_at
        waiting = {"address": grant.address, **_waits(now)}
        # A code is unique among the rows that are there. One that has expired may be there for a minute more.
        forgotten = {"user_code": grant.user_code, "expires_at": {"$lte": now}}
        with errors_mapped():
            if await self._grants.count_documents(waiting, limit=most) >= most:
                return GrantFailure.TOO_MANY
            await self._grants.delete_many(forgotten)
            try:
                await self._grants.insert_one(_row(grant, secret_hash))
            except DuplicateKeyError:
                return GrantFailure.CODE_TAKEN
        return None

    async def poll(self, secret_hash: str, now: float) -> DeviceGrant | None:
        due = {"$subtract": [{"$add": ["$polled_at", "$interval"]}, JITTER_SECONDS]}  # null before the first one
        early = {"$and": [{"$gt": ["$polled_at", None]}, {"$lt": [now, due]}]}
        longer = {"$cond": [early, {"$add": ["$interval", SLOW_DOWN_SECONDS]}, "$interval"]}
        with errors_mapped():
            row = await self._grants.find_one_and_update(
                {"_id": secret_hash}, [{"$set": {"interval": longer}}, {"$set": {"polled_at": now}}]
            )
        return None if row is None else _grant(row)

    async def waiting(self, code: UserCode, now: float) -> DeviceGrant | None:
        with errors_mapped():
            row = await self._grants.find_one({"user_code": code, **_waits(now)})
        return None if row is None else _grant(row)

    async def decide(self, code: UserCode, now: float, approval: Approval | None) -> bool:
        change: Row = {"decision": GrantDecision.DENIED.value}
        if approval is not None:
            approved = {"user": approval.user, "name": approval.name, "space": approval.space, "by": approval.by}
            change = {"decision": GrantDecision.APPROVED.value, "approval": approved}
        with errors_mapped():
            found = await self._grants.update_one({"user_code": code, **_waits(now)}, {"$set": change})
        return bool(found.modified_count)

    async def use(self, secret_hash: str, now: float) -> DeviceGrant | None:
        query = {
            "_id": secret_hash,
            "decision": GrantDecision.APPROVED.value,
            "expires_at": {"$gt": now},
            "used_at": {"$exists": False},
        }
        with errors_mapped():
            row = await self._grants.find_one_and_update(
                query, {"$set": {"used_at": now}}, return_document=ReturnDocument.AFTER
            )
        return None if row is None else _grant(row)


def _waits(now: float) -> Row:
    return {"decision": {"$exists": False}, "expires_at": {"$gt": now}}


def _row(grant: DeviceGrant, secret_hash: str) -> Row:
    row = {
        "_id": secret_hash,
        "user_code": grant.user_code,
        "name": grant.name,
        "address": grant.address,
        "forget_at": datetime.fromtimestamp(grant.expires_at, UTC),
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "interval": grant.interval,
    }
    return present(row)


def _grant(row: Row) -> DeviceGrant:
    known = row.get("approval")
    approval = None
    if known is not None:
        approval = Approval(UserId(known["user"]), known["name"], SpaceId(known["space"]), known["by"])
    return DeviceGrant(
        UserCode(row["user_code"]),
        row["name"],
        row["created_at"],
        row["expires_at"],
        address=row["address"],
        interval=row["interval"],
        polled_at=row.get("polled_at"),
        used_at=row.get("used_at"),
        decision=GrantDecision(row["decision"]) if "decision" in row else None,
        approval=approval,
    )
