"""Devices and the hashes of their tokens."""

from __future__ import annotations

import time
from collections.abc import Collection

from pymongo import ASCENDING

from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.adapters.mongodb.rows import (
    device_of,
)
from shared.core.documents import (
    Device,
    DeviceId,
    SpaceId,
    UserName,
)


class MongoDeviceStore:
    """DeviceStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._devices = mongo.database["devices"]

    async def add(self, device: Device, token_hash: str) -> None:
        with errors_mapped():
            await self._devices.insert_one(
                {
                    "_id": device.id,
                    "token_hash": token_hash,
                    "user": device.user,
                    "name": device.name,
                    "space": device.space,
                    "created_at": device.created_at,
                    "last_seen": device.last_seen,
                    "shared": device.shared,
                }
            )

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        with errors_mapped():
            cursor = self._devices.find({"token_hash": {"$in": list(token_hashes)}})
            rows = await cursor.to_list(None)
            return {row["token_hash"]: device_of(row) for row in rows if "revoked_at" not in row}

    async def list_of(self, user: UserName, space: SpaceId | None = None) -> list[Device]:
        return await self._list({"user": user, "revoked_at": {"$exists": False}, **_only(space=space)})

    async def count(self, space: SpaceId, since: float) -> int:
        query = {"space": space, "$or": [{"revoked_at": {"$exists": False}}, {"revoked_at": {"$gte": since}}]}
        with errors_mapped():
            return int(await self._devices.count_documents(query))

    async def list_all(self) -> list[Device]:
        return await self._list({"revoked_at": {"$exists": False}})

    async def _list(self, query: Row) -> list[Device]:
        with errors_mapped():
            cursor = self._devices.find(query).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
            return [device_of(row) for row in await cursor.to_list(None)]

    async def revoke(
        self, device: DeviceId, *, user: UserName | None = None, space: SpaceId | None = None
    ) -> Device | None:
        with errors_mapped():
            row = await self._devices.find_one_and_update(
                {"_id": device, "revoked_at": {"$exists": False}, **_only(user=user, space=space)},
                {"$set": {"revoked_at": time.time()}},
            )
        return None if row is None else device_of(row)

    async def seen(self, device: DeviceId, at: float) -> None:
        with errors_mapped():
            await self._devices.update_one({"_id": device}, {"$max": {"last_seen": at}})


def _only(**wanted: str | None) -> Row:
    return {name: value for name, value in wanted.items() if value is not None}
