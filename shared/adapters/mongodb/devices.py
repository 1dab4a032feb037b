"""Devices and the hashes of their tokens."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongodb.adoption import adopt
from shared.adapters.mongodb.atomic import (
    LimitReachedError,
    MongoSession,
    NothingChangedError,
    append,
    atomically,
    note_addition,
)
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.adapters.mongodb.commands import find_command
from shared.adapters.mongodb.reads import Reads
from shared.adapters.mongodb.rows import device_of, device_row
from shared.core.access.audit import AuditEntry
from shared.core.access.limits import Limit
from shared.core.documents import Device, DeviceId, SpaceId, Synced, UserId
from shared.ports.access import DeviceExistsError


class MongoDeviceStore:
    """DeviceStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._devices = mongo.database["devices"]
        self._reads = Reads(mongo)

    async def add(self, device: Device, token_hash: str, entry: AuditEntry) -> None:
        async def work(session: MongoSession) -> None:
            await self._devices.insert_one(device_row(device, token_hash), session=session)
            await append(self._mongo, session, entry)

        await atomically(self._mongo, work)

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        find = find_command("devices", {"token_hash": {"$in": list(token_hashes)}}, together=len(token_hashes) + 1)
        with errors_mapped():
            rows = await self._reads.rows(find)
        devices: dict[str, Device] = {}
        for row in rows:
            if "revoked_at" in row:
                continue
            device = device_of(row)
            if device.owner is None:
                device = replace(device, owner=await adopt(self._mongo, row))
            devices[row["token_hash"]] = device
        return devices

    async def list_of(self, owner: UserId, space: SpaceId | None = None) -> list[Device]:
        return await self._list({"owner": owner, "revoked_at": {"$exists": False}, **_only(space=space)})

    async def add_bounded(
        self, device: Device, token_hash: str, entry: AuditEntry, *, most: int, since: float, most_of_user: int = 0
    ) -> Limit | None:
        counted = [{"revoked_at": {"$exists": False}}, {"revoked_at": {"$gte": since}}]
        bounds: list[tuple[Limit, str, str, int]] = [(Limit.DEVICES_PER_SPACE, "space", device.space, most)]
        if device.owner is not None:
            bounds.append((Limit.DEVICES_PER_USER, "owner", device.owner, most_of_user))

        async def work(session: MongoSession) -> None:
            for limit, field, whose, bound in bounds:
                if bound:
                    # Whoever adds to them writes this row: of two at the same time one has to begin again, and counts
                    # the other one's device then.
                    await note_addition(self._mongo, whose, session)
                    query = {field: whose, "$or": counted}
                    if await self._devices.count_documents(query, limit=bound, session=session) >= bound:
                        raise LimitReachedError(limit)
            await self._devices.insert_one(device_row(device, token_hash), session=session)
            await append(self._mongo, session, entry)

        try:
            await atomically(self._mongo, work)
        except LimitReachedError as full:
            return full.limit
        except DuplicateKeyError as error:
            raise DeviceExistsError(device.id) from error
        return None

    async def list_all(self) -> list[Device]:
        return await self._list({"revoked_at": {"$exists": False}})

    async def _list(self, query: Row) -> list[Device]:
        with errors_mapped():
            cursor = self._devices.find(query).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
            return [device_of(row) for row in await cursor.to_list(None)]

    async def rotate(
        self, device: DeviceId, token_hash: str, entry: AuditEntry, *, owner: UserId, space: SpaceId | None = None
    ) -> Device | None:
        return await self._change(device, {"token_hash": token_hash}, entry, _only(owner=owner, space=space))

    async def revoke(
        self, device: DeviceId, entry: AuditEntry, *, owner: UserId | None = None, space: SpaceId | None = None
    ) -> Device | None:
        return await self._change(device, {"revoked_at": time.time()}, entry, _only(owner=owner, space=space))

    async def _change(self, device: DeviceId, fields: Row, entry: AuditEntry, only: Row) -> Device | None:
        async def work(session: MongoSession) -> Device:
            row = await self._devices.find_one_and_update(
                {"_id": device, "revoked_at": {"$exists": False}, **only},
                {"$set": fields},
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            if row is None:
                raise NothingChangedError
            changed = device_of(row)
            about = replace(entry, device=changed.id, user=changed.owner, space=changed.space)
            await append(self._mongo, session, about)
            return changed

        try:
            return await atomically(self._mongo, work)
        except NothingChangedError:
            return None

    async def seen(
        self,
        device: DeviceId,
        at: float,
        *,
        client: str | None = None,
        synced: Mapping[SpaceId, Synced] | None = None,
    ) -> None:
        latest: Row = {"last_seen": at}
        for space, known in (synced or {}).items():
            latest |= {f"synced.{space}.at": known.at, f"synced.{space}.sequence": known.sequence}
        change: Row = {"$max": latest} if client is None else {"$max": latest, "$set": {"client": client}}
        with errors_mapped():
            await self._devices.update_one({"_id": device}, change)


def _only(**wanted: str | None) -> Row:
    return {name: value for name, value in wanted.items() if value is not None}
