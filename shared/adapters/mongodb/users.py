"""People."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongodb.access_rows import member_row, profile_row, user_of, user_row
from shared.adapters.mongodb.atomic import (
    MongoSession,
    NothingChangedError,
    append,
    atomically,
    changed,
    is_about,
    is_stored,
    set_or_unset,
)
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.adapters.mongodb.invitations import accept_in
from shared.core.access.audit import AuditEntry
from shared.core.access.people import User, email_key, name_key
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.documents import UserId, UserName
from shared.ports.access import AcceptFailure, Taken


class MongoUserStore:
    """UserStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._users = mongo.database["users"]

    async def add(
        self,
        user: User,
        password_hash: str | None,
        entry: AuditEntry,
        *,
        space: SpaceProfile | None = None,
        invitation: str | None = None,
    ) -> Taken | AcceptFailure | None:
        failure: AcceptFailure | None = None

        async def work(session: MongoSession) -> None:
            nonlocal failure
            failure = None
            await self._users.insert_one(user_row(user, password_hash), session=session)
            await append(self._mongo, session, entry)
            if space is not None:
                owner = Membership(space.id, user.id, Role.OWNER, space.created_at)
                await self._mongo.database["space_profiles"].insert_one(profile_row(space), session=session)
                await self._mongo.database["members"].insert_one(member_row(owner), session=session)
            if invitation is not None:
                accepted = await accept_in(
                    self._mongo, session, invitation, user=user.id, now=user.created_at, entry=entry
                )
                if isinstance(accepted, AcceptFailure):
                    failure = accepted
                    raise NothingChangedError

        try:
            await atomically(self._mongo, work)
        except DuplicateKeyError as error:
            return _taken(error)
        except NothingChangedError:
            return failure
        return None

    async def by_ids(self, users: Collection[UserId]) -> dict[UserId, User]:
        with errors_mapped():
            rows = await self._users.find({"_id": {"$in": list(users)}}).to_list(None)
        return {UserId(row["_id"]): user_of(row) for row in rows}

    async def by_login(self, login: str) -> tuple[User, str | None] | None:
        email = email_key(login)
        with errors_mapped():
            row = await self._users.find_one({"name_key": name_key(login)})
            if row is None and email is not None:
                row = await self._users.find_one({"email_key": email})
        return None if row is None else (user_of(row), row.get("password"))

    async def password_hash(self, user: UserId) -> str | None:
        with errors_mapped():
            row = await self._users.find_one({"_id": user}, {"password": 1})
        return None if row is None else row.get("password")

    async def set_password(self, user: UserId, password_hash: str | None, entry: AuditEntry | None) -> bool:
        update = set_or_unset("password", password_hash)
        if entry is not None:
            return await self._change({"_id": user}, update, entry)
        with errors_mapped():
            return bool((await self._users.update_one({"_id": user}, update)).matched_count)

    async def rename(self, user: UserId, name: UserName, entry: AuditEntry) -> Taken | None:
        return await self._unless_taken(user, {"$set": {"name": name, "name_key": name_key(name)}}, entry)

    async def set_email(self, user: UserId, email: str | None, entry: AuditEntry) -> Taken | None:
        update: Row = {"$unset": {"email": "", "email_key": ""}}
        if email is not None:
            update = {"$set": {"email": email, "email_key": email_key(email)}}
        return await self._unless_taken(user, update, entry)

    async def set_disabled(self, user: UserId, at: float | None, entry: AuditEntry) -> bool:
        query = {"_id": user, "disabled_at": {"$exists": at is None}}
        return await self._change(query, set_or_unset("disabled_at", at), entry)

    async def set_administrator(self, user: UserId, administrator: bool, entry: AuditEntry) -> bool:
        query = {"_id": user, "administrator": {"$exists": not administrator}}
        return await self._change(query, set_or_unset("administrator", administrator or None), entry)

    async def set_overrides(self, user: UserId, overrides: Mapping[str, float], entry: AuditEntry) -> bool:
        return await self._change({"_id": user}, set_or_unset("overrides", dict(overrides) or None), entry)

    async def set_delete_at(self, user: UserId, at: float | None, entry: AuditEntry) -> bool:
        query = {"_id": user, "delete_at": {"$exists": at is None}}
        return await self._change(query, set_or_unset("delete_at", at), entry)

    async def exported(self, user: UserId, at: float) -> None:
        with errors_mapped():
            await self._users.update_one({"_id": user}, {"$max": {"exported_at": at}})

    async def search(self, text: str, after: str, most: int) -> list[User]:
        pattern = {"$regex": re.escape(name_key(text))}
        query: Row = {"_id": {"$gt": after}}
        if text:
            query["$or"] = [{"name_key": pattern}, {"email_key": pattern}]
        with errors_mapped():
            rows = await self._users.find(query).sort("_id", ASCENDING).limit(most).to_list(None)
        return [user_of(row) for row in rows]

    async def administrators(self) -> list[User]:
        with errors_mapped():
            return [user_of(row) for row in await self._users.find({"administrator": True}).to_list(None)]

    async def due(self, now: float, most: int) -> list[UserId]:
        with errors_mapped():
            rows = await self._users.find({"delete_at": {"$lte": now}}, {"_id": 1}).limit(most).to_list(None)
        return [UserId(row["_id"]) for row in rows]

    async def remove(self, user: UserId, now: float, entry: AuditEntry) -> bool:
        async def work(session: MongoSession) -> None:
            members = self._mongo.database["members"]
            owns = await members.find_one({"user": user, "role": Role.OWNER.value}, session=session)
            result = await self._users.delete_one({"_id": user, "delete_at": {"$lte": now}}, session=session)
            if owns is not None or not result.deleted_count:
                raise NothingChangedError
            await members.delete_many({"user": user}, session=session)
            await self._mongo.database["sessions"].delete_many({"user": user}, session=session)
            await self._mongo.database["devices"].delete_many({"owner": user}, session=session)
            await self._mongo.database["identities"].delete_many({"user": user}, session=session)
            await append(self._mongo, session, entry)

        return await is_stored(self._mongo, work, NothingChangedError)

    async def _change(self, query: Row, update: Row, entry: AuditEntry) -> bool:
        return await changed(self._mongo, "users", query, update, entry)

    async def _unless_taken(self, user: UserId, update: Row, entry: AuditEntry) -> Taken | None:
        try:
            await self._change({"_id": user}, update, entry)
        except DuplicateKeyError as error:
            return _taken(error)
        return None


def _taken(error: DuplicateKeyError) -> Taken:
    if is_about(error, "email_key"):
        return Taken.EMAIL
    if is_about(error, "name_key"):
        return Taken.NAME
    raise error
