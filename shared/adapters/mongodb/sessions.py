"""Web sessions, wrong passwords, and the audit log."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING

from shared.adapters.mongodb.access_rows import audit_of, session_of, session_row
from shared.adapters.mongodb.atomic import MongoSession, append, atomically
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.access.audit import AuditEntry
from shared.core.access.sessions import FORGET_SECONDS, Failures, WebSession, WebSessionId
from shared.core.documents import SpaceId, UserId

_NEWEST_FIRST: Final = [("at", DESCENDING), ("_id", DESCENDING)]


class MongoSessionStore:
    """SessionStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._sessions = mongo.database["sessions"]

    async def add(self, session: WebSession, token_hash: str, entry: AuditEntry) -> None:
        async def work(transaction: MongoSession) -> None:
            await self._sessions.insert_one(session_row(session, token_hash), session=transaction)
            await append(self._mongo, transaction, entry)

        await atomically(self._mongo, work)

    async def by_token_hash(self, token_hash: str) -> WebSession | None:
        with errors_mapped():
            row = await self._sessions.find_one({"token_hash": token_hash})
        return None if row is None else session_of(row)

    async def list_of(self, user: UserId) -> list[WebSession]:
        with errors_mapped():
            cursor = self._sessions.find({"user": user}).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
            return [session_of(row) for row in await cursor.to_list(None)]

    async def seen(self, session: WebSessionId, at: float) -> None:
        with errors_mapped():
            await self._sessions.update_one({"_id": session}, {"$max": {"last_seen": at}})

    async def end(self, session: WebSessionId, user: UserId, entry: AuditEntry) -> bool:
        return bool(await self._delete({"_id": session, "user": user}, entry))

    async def end_all(self, user: UserId, entry: AuditEntry, *, keep: WebSessionId | None = None) -> int:
        return await self._delete({"user": user, "_id": {"$ne": keep}}, entry)

    async def forget(self, now: float) -> int:
        with errors_mapped():
            return int((await self._sessions.delete_many({"expires_at": {"$lte": now}})).deleted_count)

    async def _delete(self, query: Row, entry: AuditEntry) -> int:
        async def work(transaction: MongoSession) -> int:
            count = int((await self._sessions.delete_many(query, session=transaction)).deleted_count)
            if count:
                await append(self._mongo, transaction, entry)
            return count

        return await atomically(self._mongo, work)


class MongoSignInFailureStore:
    """SignInFailureStore on MongoDB. An index removes what is old (client.py)."""

    def __init__(self, mongo: Mongo) -> None:
        self._failures = mongo.database["sign_in_failures"]

    async def read(self, keys: Collection[str]) -> dict[str, Failures]:
        with errors_mapped():
            rows = await self._failures.find({"_id": {"$in": list(keys)}}).to_list(None)
        return {row["_id"]: Failures(row["count"], row["at"]) for row in rows}

    async def add(self, keys: Collection[str], at: float) -> None:
        forget_at = datetime.fromtimestamp(at + FORGET_SECONDS, UTC)
        change = {"$inc": {"count": 1}, "$max": {"at": at, "forget_at": forget_at}}
        with errors_mapped():
            for key in keys:
                await self._failures.update_one({"_id": key}, change, upsert=True)

    async def forget(self, keys: Collection[str]) -> None:
        with errors_mapped():
            await self._failures.delete_many({"_id": {"$in": list(keys)}})


class MongoAuditLog:
    """AuditLog on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._audit = mongo.database["audit"]

    async def append(self, entry: AuditEntry) -> None:
        with errors_mapped():
            await append(self._mongo, None, entry)

    async def read(
        self,
        *,
        space: SpaceId | None = None,
        user: UserId | None = None,
        before: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        query: Row = {}
        if space is not None:
            query["space"] = space
        if user is not None:
            query["$or"] = [{"actor": user}, {"user": user}]
        if before is not None:
            query["at"] = {"$lt": before}
        with errors_mapped():
            rows = await self._audit.find(query).sort(_NEWEST_FIRST).limit(most).to_list(None)
        return [audit_of(row) for row in rows]
