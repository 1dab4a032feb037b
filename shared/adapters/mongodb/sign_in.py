"""Device grants, OpenID identities and sign-ins under way. Indexes remove what has expired (migrations.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongodb.access_rows import present
from shared.adapters.mongodb.atomic import MongoSession, append, atomically
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.access.audit import AuditEntry
from shared.core.access.device_grants import (
    JITTER_SECONDS,
    SLOW_DOWN_SECONDS,
    Approval,
    DeviceGrant,
    GrantDecision,
    UserCode,
)
from shared.core.access.groups import Identity
from shared.core.access.roles import Role
from shared.core.access.sessions import ProviderFlow
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
            result = await self._grants.update_one({"user_code": code, **_waits(now)}, {"$set": change})
        return bool(result.modified_count)

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


class MongoIdentityStore:
    """IdentityStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._identities = mongo.database["identities"]

    async def by_subject(self, issuer: str, subject: str) -> Identity | None:
        with errors_mapped():
            row = await self._identities.find_one({"issuer": issuer, "subject": subject})
        return None if row is None else _identity(row)

    async def of_user(self, user: UserId) -> list[Identity]:
        with errors_mapped():
            rows = await self._identities.find({"user": user}).to_list(None)
        return [_identity(row) for row in rows]

    async def add(self, identity: Identity, entry: AuditEntry | None) -> Identity:
        async def work(session: MongoSession) -> None:
            row = {"issuer": identity.issuer, "subject": identity.subject, "user": identity.user}
            await self._identities.insert_one({**row, "granted": _granted(identity.granted)}, session=session)
            if entry is not None:
                await append(self._mongo, session, entry)

        try:
            await atomically(self._mongo, work)
        except DuplicateKeyError:
            known = await self.by_subject(identity.issuer, identity.subject)
            if known is not None:
                return known
            raise
        return identity

    async def set_granted(self, issuer: str, subject: str, granted: Mapping[SpaceId, Role]) -> None:
        with errors_mapped():
            change = {"$set": {"granted": _granted(granted)}}
            await self._identities.update_one({"issuer": issuer, "subject": subject}, change)


class MongoProviderFlowStore:
    """ProviderFlowStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._flows = mongo.database["provider_flows"]

    async def add(self, flow: ProviderFlow, state_hash: str) -> None:
        forget_at = datetime.fromtimestamp(flow.expires_at, UTC)
        with errors_mapped():
            await self._flows.insert_one({"_id": state_hash, "forget_at": forget_at, **present(asdict(flow))})

    async def take(self, state_hash: str, now: float) -> ProviderFlow | None:
        with errors_mapped():
            row: Row | None = await self._flows.find_one_and_delete({"_id": state_hash, "expires_at": {"$gt": now}})
        if row is None:
            return None
        known: dict[str, Any] = {field.name: row.get(field.name) for field in fields(ProviderFlow)}
        return ProviderFlow(**known)


def _granted(granted: Mapping[SpaceId, Role]) -> Row:
    return {space: role.value for space, role in granted.items()}


def _identity(row: Row) -> Identity:
    granted = {SpaceId(space): Role(role) for space, role in row["granted"].items()}
    return Identity(row["issuer"], row["subject"], UserId(row["user"]), granted)


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
        "salt": grant.salt,
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
        salt=row.get("salt", ""),
        decision=GrantDecision(row["decision"]) if "decision" in row else None,
        approval=approval,
    )
