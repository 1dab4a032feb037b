"""What people know of spaces, and who is in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongodb.access_rows import (
    access_of,
    member_key,
    member_of,
    member_row,
    overrides_of,
    profile_of,
    profile_row,
)
from shared.adapters.mongodb.atomic import (
    LimitReachedError,
    MongoSession,
    NothingChangedError,
    append,
    atomically,
    changed,
    is_stored,
    note_addition,
    set_or_unset,
)
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.adapters.mongodb.commands import aggregate_command
from shared.adapters.mongodb.reads import Reads
from shared.core.access.audit import AuditEntry
from shared.core.access.limits import Limit
from shared.core.access.roles import Access, Membership, Role, SpaceProfile
from shared.core.documents import SpaceId, UserId
from shared.ports.access import SpaceOverrides, TransferFailure

_OLDEST_FIRST: Final = [("joined_at", ASCENDING), ("_id", ASCENDING)]
_NOT_OWNER: Final = {"$ne": Role.OWNER.value}


class MongoSpaceStore:
    """SpaceStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._profiles = mongo.database["space_profiles"]
        self._members = mongo.database["members"]

    async def add(self, space: SpaceProfile, owner: UserId, entry: AuditEntry) -> bool:
        member = Membership(space.id, owner, Role.OWNER, space.created_at)

        async def work(session: MongoSession) -> None:
            await self._profiles.insert_one(profile_row(space), session=session)
            await self._members.insert_one(member_row(member), session=session)
            await append(self._mongo, session, entry)

        return await is_stored(self._mongo, work, DuplicateKeyError)

    async def add_bounded(self, space: SpaceProfile, owner: UserId, entry: AuditEntry, *, most: int) -> bool:
        member = Membership(space.id, owner, Role.OWNER, space.created_at)

        async def work(session: MongoSession) -> None:
            await note_addition(self._mongo, owner, session)
            query = {"user": owner, "role": Role.OWNER.value}
            if await self._members.count_documents(query, limit=most, session=session) >= most:
                raise LimitReachedError(Limit.SPACES_PER_USER)
            await self._profiles.insert_one(profile_row(space), session=session)
            await self._members.insert_one(member_row(member), session=session)
            await append(self._mongo, session, entry)

        return await is_stored(self._mongo, work, LimitReachedError)

    async def by_ids(self, spaces: Collection[SpaceId]) -> dict[SpaceId, SpaceProfile]:
        with errors_mapped():
            rows = await self._profiles.find({"_id": {"$in": list(spaces)}}).to_list(None)
        return {SpaceId(row["_id"]): profile_of(row) for row in rows}

    async def rename(self, space: SpaceId, name: str, entry: AuditEntry) -> bool:
        return await self._change({"_id": space, "name": {"$ne": name}}, {"$set": {"name": name}}, entry)

    async def set_archived(self, space: SpaceId, at: float | None, entry: AuditEntry) -> bool:
        return await self._set_time(space, "archived_at", at, entry)

    async def set_delete_at(self, space: SpaceId, at: float | None, entry: AuditEntry) -> bool:
        return await self._set_time(space, "delete_at", at, entry)

    async def set_overrides(self, space: SpaceId, overrides: Mapping[str, float], entry: AuditEntry) -> bool:
        return await self._change({"_id": space}, {"$set": {"overrides": dict(overrides)}}, entry)

    async def overrides(self, spaces: Collection[SpaceId]) -> dict[SpaceId, SpaceOverrides]:
        stages: list[dict[str, Any]] = [
            {"$match": {"space": {"$in": list(spaces)}, "role": Role.OWNER.value}},
            {"$lookup": {"from": "users", "localField": "user", "foreignField": "_id", "as": "account"}},
            {"$lookup": {"from": "space_profiles", "localField": "space", "foreignField": "_id", "as": "profile"}},
            {"$project": {"space": 1, "account.overrides": 1, "profile.overrides": 1}},
        ]
        with errors_mapped():
            rows = await self._members.aggregate(stages).to_list(None)
        return {SpaceId(row["space"]): overrides_of(row) for row in rows}

    async def search(self, text: str, after: str, most: int) -> list[SpaceProfile]:
        pattern = {"$regex": re.escape(text), "$options": "i"}
        query: Row = {"_id": {"$gt": after}}
        if text:
            query["$or"] = [{"_id": pattern}, {"name": pattern}]
        with errors_mapped():
            rows = await self._profiles.find(query).sort("_id", ASCENDING).limit(most).to_list(None)
        return [profile_of(row) for row in rows]

    async def due(self, now: float, most: int) -> list[SpaceId]:
        with errors_mapped():
            rows = await self._profiles.find({"delete_at": {"$lte": now}}, {"_id": 1}).limit(most).to_list(None)
        return [SpaceId(row["_id"]) for row in rows]

    async def remove(self, space: SpaceId, now: float, entry: AuditEntry) -> bool:
        async def work(session: MongoSession) -> None:
            result = await self._profiles.delete_one({"_id": space, "delete_at": {"$lte": now}}, session=session)
            if not result.deleted_count:
                raise NothingChangedError
            for collection in ("members", "invitations"):
                await self._mongo.database[collection].delete_many({"space": space}, session=session)
            await append(self._mongo, session, entry)

        return await is_stored(self._mongo, work, NothingChangedError)

    async def _set_time(self, space: SpaceId, field: str, at: float | None, entry: AuditEntry) -> bool:
        query = {"_id": space, field: {"$exists": at is None}}
        return await self._change(query, set_or_unset(field, at), entry)

    async def _change(self, query: Row, update: Row, entry: AuditEntry) -> bool:
        return await changed(self._mongo, "space_profiles", query, update, entry)


class MongoMembershipStore:
    """MembershipStore on MongoDB. That a space has one owner is an index (client.py)."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._members = mongo.database["members"]
        self._reads = Reads(mongo)

    async def access(self, pairs: Collection[tuple[SpaceId, UserId]]) -> dict[tuple[SpaceId, UserId], Access]:
        stages: list[dict[str, Any]] = [
            {"$match": {"_id": {"$in": [member_key(*pair) for pair in pairs]}}},
            {"$lookup": {"from": "users", "localField": "user", "foreignField": "_id", "as": "account"}},
            {"$lookup": {"from": "space_profiles", "localField": "space", "foreignField": "_id", "as": "profile"}},
            {
                "$project": {
                    "space": 1,
                    "user": 1,
                    "role": 1,
                    **dict.fromkeys(("account._id", "account.disabled_at", "account.delete_at"), 1),
                    **dict.fromkeys(("profile.archived_at", "profile.delete_at"), 1),
                }
            },
        ]
        with errors_mapped():
            rows = await self._reads.rows(aggregate_command("members", stages, together=len(pairs) + 1))
        roles = {(SpaceId(row["space"]), UserId(row["user"])): access_of(row) for row in rows}
        return {pair: access for pair, access in roles.items() if access is not None}

    async def of_user(self, user: UserId) -> list[Membership]:
        return await self._list({"user": user})

    async def of_space(self, space: SpaceId) -> list[Membership]:
        return await self._list({"space": space})

    async def add(self, membership: Membership, entry: AuditEntry) -> bool:
        async def work(session: MongoSession) -> None:
            await self._members.insert_one(member_row(membership), session=session)
            await append(self._mongo, session, entry)

        return await is_stored(self._mongo, work, DuplicateKeyError)

    async def set_role(self, space: SpaceId, user: UserId, role: Role, entry: AuditEntry) -> bool:
        query: Row = {"_id": member_key(space, user), "role": {"$nin": [Role.OWNER.value, role.value]}}
        update = {"$set": {"role": role.value}}
        return await changed(self._mongo, "members", query, update, entry)

    async def remove(self, space: SpaceId, user: UserId, entry: AuditEntry) -> bool:
        async def work(session: MongoSession) -> bool:
            query: Row = {"_id": member_key(space, user), "role": _NOT_OWNER}
            if not (await self._members.delete_one(query, session=session)).deleted_count:
                return False
            await append(self._mongo, session, entry)
            return True

        return await atomically(self._mongo, work)

    async def transfer(
        self, space: SpaceId, owner: UserId, to: UserId, entry: AuditEntry, *, most: int = 0
    ) -> TransferFailure | None:
        async def work(session: MongoSession) -> None:
            if most:
                await note_addition(self._mongo, to, session)
                owned = {"user": to, "role": Role.OWNER.value}
                if await self._members.count_documents(owned, limit=most, session=session) >= most:
                    raise LimitReachedError(Limit.SPACES_PER_USER)
            for user, before, role in ((owner, Role.OWNER.value, Role.EDITOR), (to, _NOT_OWNER, Role.OWNER)):
                query: Row = {"_id": member_key(space, user), "role": before}
                result = await self._members.update_one(query, {"$set": {"role": role.value}}, session=session)
                if not result.matched_count:
                    raise NothingChangedError
            await append(self._mongo, session, entry)

        try:
            return None if await is_stored(self._mongo, work, NothingChangedError) else TransferFailure.NO_MEMBER
        except LimitReachedError:
            return TransferFailure.FULL

    async def _list(self, query: Row) -> list[Membership]:
        with errors_mapped():
            rows = await self._members.find(query).sort(_OLDEST_FIRST).to_list(None)
        return [member_of(row) for row in rows]
