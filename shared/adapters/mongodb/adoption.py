"""Devices that a process of an earlier release has added: they name a user, but no account, and their space has no
members. Each step here can be repeated and meets others who do the same; the device's owner is written last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.errors import DuplicateKeyError

from shared.adapters.mongodb.access_rows import member_row, profile_row, user_row
from shared.adapters.mongodb.atomic import audit_row, is_about
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.access.audit import SERVER, AuditAct, AuditEntry
from shared.core.access.people import User, legacy_user_id, name_key
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.documents import SpaceId, UserId, UserName


async def adopt(mongo: Mongo, row: Mapping[str, Any]) -> UserId:
    """The account of the device's user, which is made if there is none. Its user becomes the owner of the space if it
    has none, otherwise an editor: that is what the token could do. A revoked device gives nobody a place in a space
    that has an owner."""
    name, space, at = UserName(row["user"]), SpaceId(row["space"]), float(row["created_at"])
    with errors_mapped():
        user = await _account(mongo, name, at)
        await _profile(mongo, space, at)
        await _member(mongo, space, user, at, revoked="revoked_at" in row)
        await mongo.database["devices"].update_one(
            {"_id": row["_id"], "owner": {"$exists": False}}, {"$set": {"owner": user}}
        )
    return user


async def _account(mongo: Mongo, name: UserName, at: float) -> UserId:
    users = mongo.database["users"]
    identity = legacy_user_id(name)
    for query in ({"_id": identity}, {"name": name}):
        known = await users.find_one(query, {"_id": 1})
        if known is not None:
            return UserId(known["_id"])
    row = user_row(User(identity, name, at), None)
    try:
        await users.insert_one(row)
    except DuplicateKeyError as error:
        if is_about(error, "name_key"):
            # Two users whose names differ in case alone. This one is found by name when given another one.
            await users.update_one(
                {"_id": identity}, {"$setOnInsert": {**row, "name_key": f"{name_key(name)}\n{identity}"}}, upsert=True
            )
    await _note(mongo, f"adopted/{identity}", AuditEntry(AuditAct.USER_ADDED, at, SERVER, user=identity))
    return identity


async def _profile(mongo: Mongo, space: SpaceId, at: float) -> None:
    row = profile_row(SpaceProfile(space, space, at))
    await mongo.database["space_profiles"].update_one({"_id": space}, {"$setOnInsert": row}, upsert=True)


async def _member(mongo: Mongo, space: SpaceId, user: UserId, at: float, *, revoked: bool) -> None:
    members = mongo.database["members"]
    for role in (Role.OWNER,) if revoked else (Role.OWNER, Role.EDITOR):
        row = member_row(Membership(space, user, role, at))
        try:
            result = await members.update_one({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True)
        except DuplicateKeyError:
            continue  # the space has an owner
        if result.upserted_id is not None:
            entry = AuditEntry(
                AuditAct.MEMBER_ADDED, at, SERVER, space=space, user=user, details={"role": role.value}
            )
            await _note(mongo, f"adopted/{row['_id']}", entry)
        return


async def _note(mongo: Mongo, key: str, entry: AuditEntry) -> None:
    row: Row = {**audit_row(entry), "_id": key}
    await mongo.database["audit"].update_one({"_id": key}, {"$setOnInsert": row}, upsert=True)
