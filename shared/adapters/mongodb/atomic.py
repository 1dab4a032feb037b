"""Changes of people, spaces and devices: each in one transaction with its row of the audit log."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from motor.motor_asyncio import AsyncIOMotorClientSession
from pymongo.errors import DuplicateKeyError, PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from shared.adapters.mongodb.client import DURABLE, Mongo, Row, errors_mapped
from shared.adapters.mongodb.faults import UNKNOWN_COMMIT, is_ended
from shared.core.access.audit import AuditEntry
from shared.core.access.limits import Limit
from shared.retry import Backoff

T = TypeVar("T")
MongoSession = AsyncIOMotorClientSession

_GIVE_UP_SECONDS: Final = 5.0
BACKOFF: Final = Backoff(attempts=sys.maxsize, base=0.003, cap=0.15)
"""Of transactions that met another one."""


class NothingChangedError(Exception):
    """Ends a transaction that has nothing to store."""


class LimitReachedError(Exception):
    """Ends a transaction that would add more than there may be."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit.value)
        self.limit = limit


async def note_addition(mongo: Mongo, whose: str, session: MongoSession) -> None:
    """Before one counts what somebody has, to add another one: two who do that at the same time collide here."""
    await mongo.database["device_additions"].update_one(
        {"_id": whose}, {"$inc": {"n": 1}}, upsert=True, session=session
    )


async def atomically(mongo: Mongo, work: Callable[[MongoSession], Awaitable[T]]) -> T:
    """What `work` returns when it is committed. `work` is run again if it met another transaction, so it must have no
    effect but through its session. Raises DuplicateKeyError, and what `work` raises; nothing is stored then."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    failures = 0
    with errors_mapped():
        async with await mongo.client.start_session() as session:
            while True:
                try:
                    async with session.start_transaction(ReadConcern("snapshot"), DURABLE, ReadPreference.PRIMARY):
                        result = await work(session)
                        await _commit(session, deadline)
                        return result
                except DuplicateKeyError:
                    raise
                except PyMongoError as error:
                    # A primary was waited for already, for as long as the settings say.
                    waited = isinstance(error, ServerSelectionTimeoutError)
                    if waited or not is_ended(error) or time.monotonic() > deadline:
                        raise
                failures += 1
                await asyncio.sleep(BACKOFF.delay(failures) or 0.0)


async def _commit(session: MongoSession, deadline: float) -> None:
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label(UNKNOWN_COMMIT) or time.monotonic() > deadline:
                raise
        else:
            return


async def is_stored(mongo: Mongo, work: Callable[[MongoSession], Awaitable[None]], refusal: type[Exception]) -> bool:
    """Whether `work` was committed; False if it ended with `refusal`."""
    try:
        await atomically(mongo, work)
    except refusal:
        return False
    return True


def set_or_unset(name: str, value: object) -> Row:
    """The update after which a row has the value there; None: has nothing there."""
    return {"$unset": {name: ""}} if value is None else {"$set": {name: value}}


async def changed(mongo: Mongo, collection: str, query: Row, update: Row, entry: AuditEntry) -> bool:
    """Updates the row that the query finds, and stores the entry. False if there is none."""

    async def work(session: MongoSession) -> bool:
        result = await mongo.database[collection].update_one(query, update, session=session)
        if not result.matched_count:
            return False
        await append(mongo, session, entry)
        return True

    return await atomically(mongo, work)


async def append(mongo: Mongo, session: MongoSession | None, entry: AuditEntry) -> None:
    """Stores the entry, in the transaction if there is one."""
    await mongo.database["audit"].insert_one(audit_row(entry), session=session)


def audit_row(entry: AuditEntry) -> Row:
    """Only what it says something about."""
    return {name: value for name, value in entry.fields().items() if value is not None and value != {}}


def is_about(error: DuplicateKeyError, field: str) -> bool:
    """Whether it is this field of which another row has the value."""
    return field in (error.details or {}).get("keyPattern", {})
