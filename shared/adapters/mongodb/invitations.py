"""Invitations."""

from __future__ import annotations

from dataclasses import replace

from pymongo import DESCENDING, ReturnDocument

from shared.adapters.mongodb.access_rows import invitation_of, invitation_row, member_key, member_row
from shared.adapters.mongodb.atomic import MongoSession, NothingChangedError, append, atomically, changed
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.core.access.audit import AuditAct, AuditEntry
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.roles import Membership, Role
from shared.core.documents import SpaceId, UserId
from shared.ports.access import AcceptFailure


class MongoInvitationStore:
    """InvitationStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._invitations = mongo.database["invitations"]

    async def add(self, invitation: Invitation, secret_hash: str, entry: AuditEntry) -> None:
        async def work(session: MongoSession) -> None:
            await self._invitations.insert_one(invitation_row(invitation, secret_hash), session=session)
            await append(self._mongo, session, entry)

        await atomically(self._mongo, work)

    async def by_secret(self, secret_hash: str) -> Invitation | None:
        with errors_mapped():
            row = await self._invitations.find_one({"secret_hash": secret_hash})
        return None if row is None else invitation_of(row)

    async def list_of(self, space: SpaceId | None) -> list[Invitation]:
        query: Row = {
            "space": {"$exists": False} if space is None else space,
            "used_at": {"$exists": False},
            "revoked_at": {"$exists": False},
        }
        with errors_mapped():
            cursor = self._invitations.find(query).sort([("created_at", DESCENDING), ("_id", DESCENDING)])
            rows = await cursor.to_list(None)
        return [invitation_of(row) for row in rows]

    async def accept(
        self, secret_hash: str, user: UserId, now: float, entry: AuditEntry
    ) -> Invitation | AcceptFailure:
        failure = AcceptFailure.GONE

        async def work(session: MongoSession) -> Invitation:
            nonlocal failure
            accepted = await accept_in(self._mongo, session, secret_hash, user=user, now=now, entry=entry)
            if isinstance(accepted, AcceptFailure):
                failure = accepted
                raise NothingChangedError
            return accepted

        try:
            return await atomically(self._mongo, work)
        except NothingChangedError:
            known = await self.by_secret(secret_hash)
            return known if known is not None and known.used_by == user else failure

    async def revoke(self, invitation: InvitationId, space: SpaceId | None, at: float, entry: AuditEntry) -> bool:
        query: Row = {
            "_id": invitation,
            "space": {"$exists": False} if space is None else space,
            "used_at": {"$exists": False},
            "revoked_at": {"$exists": False},
        }
        update = {"$set": {"revoked_at": at}}
        return await changed(self._mongo, "invitations", query, update, entry)


async def accept_in(
    mongo: Mongo, session: MongoSession, secret_hash: str, *, user: UserId, now: float, entry: AuditEntry
) -> Invitation | AcceptFailure:
    """As `InvitationStore.accept`, in a transaction that is to be aborted if this fails."""
    row: Row | None = await mongo.database["invitations"].find_one_and_update(
        {
            "secret_hash": secret_hash,
            "used_at": {"$exists": False},
            "revoked_at": {"$exists": False},
            "expires_at": {"$gt": now},
        },
        {"$set": {"used_at": now, "used_by": user}},
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    if row is None:
        return AcceptFailure.GONE
    invitation = invitation_of(row)
    if invitation.space is not None:
        members, profiles = mongo.database["members"], mongo.database["space_profiles"]
        profile = await profiles.find_one({"_id": invitation.space}, {"delete_at": 1}, session=session)
        if profile is None or "delete_at" in profile:
            return AcceptFailure.GONE
        if await members.find_one({"_id": member_key(invitation.space, user)}, session=session) is not None:
            return AcceptFailure.ALREADY_MEMBER
        member = Membership(invitation.space, user, invitation.role or Role.READER, now)
        await members.insert_one(member_row(member), session=session)
    details = {"invitation": invitation.id, **({"role": invitation.role.value} if invitation.role else {})}
    accepted = replace(entry, act=AuditAct.INVITATION_ACCEPTED, space=invitation.space, user=user, details=details)
    await append(mongo, session, accepted)
    return invitation
