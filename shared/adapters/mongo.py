"""The stores on MongoDB, through Motor. The only module that imports motor or pymongo.

    spaces     {_id: space, sequence, epoch, batches}
    documents  {_id: "space/id", space, seq, hash, body | no body for a tombstone, device, at, outcome}
    revisions  {space, id, seq, hash, body, device, at, outcome, received?}
    devices    {_id: device, token_hash, user, name, space, created_at, last_seen, revoked_at?}

A head's body lives in `documents` and moves to `revisions` when it is superseded: no body is stored twice.
"space/id" cannot be ambiguous: a slash occurs in neither.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

from bson import DBRef, Int64
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo import ASCENDING, DeleteOne, IndexModel, InsertOne, ReplaceOne, ReturnDocument
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from shared.core.batch import Known, Write
from shared.core.documents import (
    ContentHash,
    Device,
    DeviceId,
    DocumentId,
    Epoch,
    Head,
    Position,
    SpaceId,
    UserName,
)
from shared.core.documents import Sequence as SequenceNumber
from shared.ports import Changes, Transaction, UnavailableError
from shared.settings import Settings

T = TypeVar("T")
Row = dict[str, Any]

DURABLE: Final = WriteConcern(w="majority", j=True)
_MAJORITY: Final = ReadConcern("majority")

# Labels of the driver: run the transaction again; ask for the commit's result again.
_TRANSIENT: Final = "TransientTransactionError"
_UNKNOWN_COMMIT: Final = "UnknownTransactionCommitResult"
_SHUTTING_DOWN: Final = {91, 189, 262, 10107, 11600, 11602, 13435, 13436}


class _PlainInt(TypeDecoder):
    """BSON's 64-bit integers come back as int, not as the driver's subclass of it."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


class _PlainObject(TypeDecoder):
    """{"$ref": ..., "$id": ...} is an object like any other, not a reference of the driver's."""

    bson_type = DBRef

    def transform_bson(self, value: Any) -> Row:
        return dict(value.as_doc())


_CODEC: Final[CodecOptions[Row]] = CodecOptions(type_registry=TypeRegistry([_PlainInt(), _PlainObject()]))


class Mongo:
    """One client and its database."""

    def __init__(self, settings: Settings) -> None:
        milliseconds = int(settings.store_timeout_seconds * 1000)
        self.client: AsyncIOMotorClient[Row] = AsyncIOMotorClient(
            settings.mongo_url,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            socketTimeoutMS=4 * milliseconds,
            appname="hypertask",
        )
        self.database: AsyncIOMotorDatabase[Row] = self.client.get_database(
            settings.mongo_database,
            codec_options=_CODEC,
            read_preference=ReadPreference.PRIMARY,
            read_concern=_MAJORITY,
            write_concern=DURABLE,
        )

    async def prepare(self) -> None:
        """Makes the collections and indexes that are missing. Idempotent; safe from several processes."""
        with _errors_mapped():
            await self.database["documents"].create_indexes(
                [IndexModel([("space", ASCENDING), ("seq", ASCENDING)], name="space_seq")]
            )
            await self.database["revisions"].create_indexes(
                [
                    IndexModel(
                        [("space", ASCENDING), ("id", ASCENDING), ("hash", ASCENDING)], name="space_id_hash"
                    ),
                    IndexModel(
                        [("space", ASCENDING), ("id", ASCENDING), ("seq", ASCENDING)], name="space_id_seq"
                    ),
                ]
            )
            await self.database["devices"].create_indexes(
                [
                    IndexModel([("token_hash", ASCENDING)], name="token_hash", unique=True),
                    IndexModel([("user", ASCENDING)], name="user"),
                ]
            )

    async def ping(self) -> None:
        """Raises UnavailableError unless a primary answers."""
        with _errors_mapped():
            await self.database.command("ping")

    def close(self) -> None:
        self.client.close()


class MongoDocumentStore:
    """DocumentStore on MongoDB."""

    def __init__(self, mongo: Mongo, *, give_up_after_seconds: float) -> None:
        self._client = mongo.client
        self._spaces = mongo.database["spaces"]
        self._documents = mongo.database["documents"]
        self._revisions = mongo.database["revisions"]
        self._give_up_after = give_up_after_seconds

    async def transact(self, space: SpaceId, work: Callable[[Transaction], Awaitable[T]]) -> T:
        deadline = time.monotonic() + self._give_up_after
        with _errors_mapped():
            async with await self._client.start_session() as session:
                attempt = 0
                while True:
                    try:
                        return await self._attempt(session, space, work, deadline)
                    except PyMongoError as error:
                        if not error.has_error_label(_TRANSIENT) or time.monotonic() > deadline:
                            raise
                    attempt += 1
                    await asyncio.sleep(min(0.001 * 2**attempt, 0.1) * (0.5 + secrets.randbelow(100) / 100))

    async def _attempt(
        self,
        session: AsyncIOMotorClientSession,
        space: SpaceId,
        work: Callable[[Transaction], Awaitable[T]],
        deadline: float,
    ) -> T:
        session.start_transaction(ReadConcern("snapshot"), DURABLE, ReadPreference.PRIMARY)
        try:
            result = await work(_MongoTransaction(self, session, space))
        except BaseException:
            await _abort(session)
            raise
        while True:
            try:
                await session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label(_UNKNOWN_COMMIT) or time.monotonic() > deadline:
                    raise
            else:
                return result

    async def positions(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Position]:
        with _errors_mapped():
            cursor = self._spaces.find({"_id": {"$in": list(spaces)}}, {"epoch": 1, "sequence": 1})
            found = {SpaceId(row["_id"]): _position(row) async for row in cursor}
            for space in spaces:
                if space not in found:
                    row = await self._spaces.find_one_and_update(
                        {"_id": space},
                        {"$setOnInsert": _new_space()},
                        upsert=True,
                        return_document=ReturnDocument.AFTER,
                    )
                    found[space] = _position(row)
        return found

    async def changes(self, space: SpaceId, after: SequenceNumber) -> Changes:
        hashes: dict[DocumentId, ContentHash | None] = {}
        prefix = len(space) + 1
        with _errors_mapped():
            async with await self._client.start_session(snapshot=True) as session:
                row = await self._spaces.find_one({"_id": space}, session=session)
                if row is not None:
                    cursor = self._documents.find(
                        {"space": space, "seq": {"$gt": after}},
                        {"hash": 1, "live": {"$gt": ["$body", None]}},
                        session=session,
                        batch_size=10_000,
                    )
                    async for found in cursor:
                        hashes[DocumentId(found["_id"][prefix:])] = found["hash"] if found["live"] else None
        if row is None:
            return Changes((await self.positions([space]))[space], {})
        return Changes(_position(row), hashes)


class _MongoTransaction:
    """Transaction on one MongoDB session."""

    def __init__(self, store: MongoDocumentStore, session: AsyncIOMotorClientSession, space: SpaceId) -> None:
        self._store = store
        self._session = session
        self._space = space

    async def heads(self, ids: Collection[DocumentId]) -> dict[DocumentId, Head]:
        keys = [self._key(document) for document in ids]
        cursor = self._store._documents.find({"_id": {"$in": keys}}, session=self._session)
        prefix = len(self._space) + 1
        return {DocumentId(row["_id"][prefix:]): _head(row) async for row in cursor}

    async def known(self, hashes: Collection[Known]) -> set[Known]:
        if not hashes:
            return set()
        cursor = self._store._revisions.find(
            {"space": self._space, "$or": [{"id": document, "hash": hash_} for document, hash_ in hashes]},
            {"_id": 0, "id": 1, "hash": 1},
            session=self._session,
        )
        return {(row["id"], row["hash"]) async for row in cursor}

    async def allot(self, count: int) -> SequenceNumber:
        row = await self._store._spaces.find_one_and_update(
            {"_id": self._space},
            {"$inc": {"sequence": count, "batches": 1}, "$setOnInsert": {"epoch": _new_epoch()}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=self._session,
        )
        return SequenceNumber(row["sequence"] - count + 1)

    async def write(self, writes: Sequence[Write]) -> None:
        inserts: dict[DocumentId, Row] = {}
        replacements: dict[DocumentId, Row] = {}
        revisions: list[Row] = []
        for write in writes:
            if write.head is not None:
                row = self._head_row(write.document, write.head)
                if write.supersedes is not None:
                    revisions.append(self._revision_row(write.document, write.supersedes))
                # Of several heads of one document in a batch the last one stays, the others are superseded.
                if write.document in inserts or write.supersedes is None:
                    inserts[write.document] = row
                else:
                    replacements[write.document] = row
            if write.received:
                revisions.append(self._received_row(write))
        operations: list[InsertOne[Row] | ReplaceOne[Row] | DeleteOne] = [
            *(InsertOne(row) for row in inserts.values()),
            *(ReplaceOne({"_id": row["_id"]}, row) for row in replacements.values()),
        ]
        if operations:
            await self._store._documents.bulk_write(operations, ordered=False, session=self._session)
        if revisions:
            await self._store._revisions.insert_many(revisions, ordered=False, session=self._session)

    def _key(self, document: DocumentId) -> str:
        return f"{self._space}/{document}"

    def _head_row(self, document: DocumentId, head: Head) -> Row:
        row: Row = {
            "_id": self._key(document),
            "space": self._space,
            "seq": head.sequence,
            "hash": head.hash,
            "device": head.device,
            "at": head.written_at,
            "outcome": head.outcome,
        }
        if head.body is not None:
            row["body"] = head.body
        return row

    def _revision_row(self, document: DocumentId, head: Head) -> Row:
        row = self._head_row(document, head)
        del row["_id"]
        return {**row, "id": document}

    def _received_row(self, write: Write) -> Row:
        submission = write.submission
        after = write.head or write.supersedes
        return {
            "space": self._space,
            "id": write.document,
            "seq": after.sequence if after is not None else 0,
            "hash": submission.hash,
            "body": submission.state,
            "device": submission.device,
            "at": submission.arrived_at,
            "outcome": "received",
            "received": True,
        }


class MongoDeviceStore:
    """DeviceStore on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._devices = mongo.database["devices"]

    async def add(self, device: Device, token_hash: str) -> None:
        with _errors_mapped():
            await self._devices.insert_one(
                {
                    "_id": device.id,
                    "token_hash": token_hash,
                    "user": device.user,
                    "name": device.name,
                    "space": device.space,
                    "created_at": device.created_at,
                    "last_seen": device.last_seen,
                }
            )

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        with _errors_mapped():
            cursor = self._devices.find({"token_hash": {"$in": list(token_hashes)}})
            return {row["token_hash"]: _device(row) async for row in cursor if "revoked_at" not in row}

    async def list_of(self, user: UserName) -> list[Device]:
        return await self._list({"user": user, "revoked_at": {"$exists": False}})

    async def list_all(self) -> list[Device]:
        return await self._list({"revoked_at": {"$exists": False}})

    async def _list(self, query: Row) -> list[Device]:
        with _errors_mapped():
            cursor = self._devices.find(query).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
            return [_device(row) async for row in cursor]

    async def revoke(self, user: UserName, device: DeviceId) -> bool:
        with _errors_mapped():
            result = await self._devices.update_one(
                {"_id": device, "user": user, "revoked_at": {"$exists": False}},
                {"$set": {"revoked_at": time.time()}},
            )
        return result.modified_count == 1

    async def seen(self, device: DeviceId, at: float) -> None:
        with _errors_mapped():
            await self._devices.update_one({"_id": device}, {"$max": {"last_seen": at}})


@contextmanager
def _errors_mapped() -> Any:
    """Driver errors that mean 'not now' become UnavailableError; others are faults of ours and stay."""
    try:
        yield
    except (ConnectionFailure, NetworkTimeout, ExecutionTimeout, WTimeoutError) as error:
        raise UnavailableError("the database does not answer") from error
    except OperationFailure as error:
        if error.code in _SHUTTING_DOWN or error.has_error_label(_TRANSIENT):
            raise UnavailableError("the database cannot do it now") from error
        raise


async def _abort(session: AsyncIOMotorClientSession) -> None:
    """Aborts as well as it goes: an abort that is lost ends when the server times the transaction out."""
    try:
        await session.abort_transaction()
    except ConnectionFailure:
        return


def _new_epoch() -> Epoch:
    return Epoch(secrets.token_hex(8))


def _new_space() -> Row:
    return {"sequence": 0, "epoch": _new_epoch()}


def _position(row: Mapping[str, Any]) -> Position:
    return Position(Epoch(row["epoch"]), SequenceNumber(row["sequence"]))


def _head(row: Mapping[str, Any]) -> Head:
    return Head(
        sequence=SequenceNumber(row["seq"]),
        hash=ContentHash(row["hash"]),
        body=row.get("body"),
        device=DeviceId(row["device"]),
        written_at=row["at"],
        outcome=row["outcome"],
    )


def _device(row: Mapping[str, Any]) -> Device:
    return Device(
        id=DeviceId(row["_id"]),
        user=UserName(row["user"]),
        name=row["name"],
        space=SpaceId(row["space"]),
        created_at=row["created_at"],
        last_seen=row["last_seen"],
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Mongo]:
    """A client that is closed at the end."""
    mongo = Mongo(settings)
    try:
        yield mongo
    finally:
        mongo.close()
