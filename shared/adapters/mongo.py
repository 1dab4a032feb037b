"""The stores on MongoDB, through Motor. The only module that imports motor or pymongo.

    spaces     {_id: space, sequence, epoch, live, batches, policies?, fence?: [number, token]}
    documents  {_id: "space/id", space, seq, hash, body | none for a tombstone, by, at, outcome, rule, parents,
                conflicts?, pairs?}
    revisions  {space, id, seq, until, hash, body | none when pruned, deleted?, received?, superseded_at, gone?,
                and the rest as in documents}
    memory     {_id: "space/device/id", and the fields of DeviceMemory}
    devices    {_id: device, token_hash, user, name, space, created_at, last_seen, shared?, deletions?,
                revoked_at?}

A head's body lives in `documents` and moves to `revisions` when it is superseded: no body is stored twice.
"space/id" cannot be ambiguous: a slash occurs in neither.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, replace
from typing import Any, Final, TypeVar

from bson import Int64
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from shared.adapters.bodies import body_text, restored, stored
from shared.core.batch import Write
from shared.core.brake import Deletions
from shared.core.documents import (
    Body,
    ContentHash,
    Device,
    DeviceId,
    DocumentId,
    Epoch,
    Exported,
    HistoryEntry,
    Position,
    SpaceId,
    UserName,
)
from shared.core.documents import Sequence as SequenceNumber
from shared.core.memory import (
    BEGINNING,
    MAX_PAIRS,
    RECENT,
    DeviceMemory,
    Head,
    Memory,
    Missing,
    Pair,
    Revision,
    Stored,
    Submission,
    ValueKey,
    make_rev,
)
from shared.core.policies import NO_POLICIES, Policies
from shared.core.policies import parse as parse_policies
from shared.core.retention import Kept, Pruned, Retention, to_prune
from shared.ports import Changes, Current, Fence, FencedError, Transaction, UnavailableError
from shared.settings import Settings

T = TypeVar("T")
Row = dict[str, Any]

DURABLE: Final = WriteConcern(w="majority", j=True)
_TRANSACTIONS: Final = 64
"""At the same time, each of another space. More wait for their turn."""
_POLICIES_KEPT: Final = 10_000
_RECENT_BYTES: Final = 16 * 1024 * 1024
"""Of bodies that are read to find one that is near."""
_PRUNED_AT_ONCE: Final = 1000
_MAJORITY: Final = ReadConcern("majority")

# Labels of the driver: run the transaction again; ask for the commit's result again.
_TRANSIENT: Final = "TransientTransactionError"
_UNKNOWN_COMMIT: Final = "UnknownTransactionCommitResult"
_NOT_LET_IN: Final = {13, 18}
_SHUTTING_DOWN: Final = {91, 189, 262, 10107, 11600, 11602, 13435, 13436}


class _PlainInt(TypeDecoder):
    """BSON's 64-bit integers come back as int, not as the driver's subclass of it."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


_CODEC: Final[CodecOptions[Row]] = CodecOptions(type_registry=TypeRegistry([_PlainInt()]))


class Mongo:
    """One client and its database."""

    def __init__(self, settings: Settings) -> None:
        """Raises ValueError if the address is none."""
        milliseconds = int(settings.store_timeout_seconds * 1000)
        try:
            self.client: AsyncIOMotorClient[Row] = AsyncIOMotorClient(
                settings.mongo_url,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                socketTimeoutMS=4 * milliseconds,
                appname="hypertask",
            )
        except (InvalidURI, ConfigurationError) as error:
            raise ValueError(f"not an address of a MongoDB: {error}") from None
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
                    IndexModel([("space", ASCENDING), ("id", ASCENDING), ("hash", ASCENDING)], name="space_id_hash"),
                    IndexModel([("space", ASCENDING), ("id", ASCENDING), ("seq", ASCENDING)], name="space_id_seq"),
                    IndexModel(
                        [("space", ASCENDING), ("id", ASCENDING), ("gone", ASCENDING)],
                        name="space_id_gone",
                        partialFilterExpression={"gone": {"$exists": True}},
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
        self._mongo = mongo
        self._client = mongo.client
        self._spaces = mongo.database["spaces"]
        self._documents = mongo.database["documents"]
        self._revisions = mongo.database["revisions"]
        self._give_up_after = give_up_after_seconds
        self._sessions: list[ClientSession] = []
        self._threads = ThreadPoolExecutor(_TRANSACTIONS, thread_name_prefix="transaction")
        self._policies: dict[SpaceId, tuple[str | None, Policies]] = {}

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], fence: Fence | None = None) -> T:
        # In one thread from its beginning to its end, on the client that Motor wraps. Motor hands each call to a
        # thread and waits for it, and a transaction makes half a dozen, one after another.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._transact, space, work, fence)

    def _transact(self, space: SpaceId, work: Callable[[Transaction], T], fence: Fence | None) -> T:
        deadline = time.monotonic() + self._give_up_after
        with _errors_mapped():
            attempt = 0
            while True:
                session = self._session()
                try:
                    result = self._attempt(session, space, work, fence, deadline)
                except _PoliciesChangedError:
                    session.end_session()
                    continue
                except PyMongoError as error:
                    session.end_session()
                    if not error.has_error_label(_TRANSIENT) or time.monotonic() > deadline:
                        raise
                except BaseException:
                    session.end_session()
                    raise
                else:
                    self._sessions.append(session)
                    return result
                attempt += 1
                time.sleep(min(0.001 * 2**attempt, 0.1) * (0.5 + secrets.randbelow(100) / 100))

    def _session(self) -> ClientSession:
        """One is kept for the next transaction, but not one that saw an error."""
        try:
            return self._sessions.pop()
        except IndexError:
            session: ClientSession = self._client.delegate.start_session()
            return session

    def _attempt(
        self,
        session: ClientSession,
        space: SpaceId,
        work: Callable[[Transaction], T],
        fence: Fence | None,
        deadline: float,
    ) -> T:
        session.start_transaction(ReadConcern("snapshot"), DURABLE, ReadPreference.PRIMARY)
        try:
            transaction = _MongoTransaction(self._mongo, session, space, fence, self._policies)
            result = work(transaction)
            transaction.verify_policies()
        except BaseException:
            _abort(session)
            raise
        while True:
            try:
                session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label(_UNKNOWN_COMMIT) or time.monotonic() > deadline:
                    raise
            else:
                return result

    async def positions(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Position]:
        with _errors_mapped():
            cursor = self._spaces.find({"_id": {"$in": list(spaces)}}, {"epoch": 1, "sequence": 1})
            found = {SpaceId(row["_id"]): _position(row) for row in await cursor.to_list(None)}
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

    async def feed(
        self, space: SpaceId, after: SequenceNumber, until: SequenceNumber, most: int
    ) -> list[tuple[SequenceNumber, DocumentId, ContentHash | None]]:
        prefix = len(space) + 1
        with _errors_mapped():
            cursor = self._documents.find(
                {"space": space, "seq": {"$gt": after, "$lte": until}},
                {"seq": 1, "hash": 1, "live": {"$gt": ["$body", None]}},
                batch_size=most,
                limit=most,
            )
            rows = await cursor.sort("seq", ASCENDING).to_list(None)
        return [(row["seq"], row["_id"][prefix:], row["hash"] if row["live"] else None) for row in rows]

    async def head(self, space: SpaceId, document: DocumentId) -> HistoryEntry | None:
        with _errors_mapped():
            row = await self._documents.find_one({"_id": f"{space}/{document}"})
        return None if row is None else _entry(row)

    async def page(
        self, space: SpaceId, after: str, most: int, among: Collection[DocumentId] | None = None
    ) -> list[Current]:
        query: Row = {"_id": {"$gt": f"{space}/{after}", "$lt": f"{space}0"}, "body": {"$exists": True}}
        if among is not None:
            query = {"_id": {"$in": [f"{space}/{document}" for document in among]}}
        prefix = len(space) + 1
        with _errors_mapped():
            cursor = self._documents.find(query, {"seq": 1, "hash": 1, "body": 1}, batch_size=most, limit=most)
            rows = await cursor.sort("_id", ASCENDING).to_list(None)
        return [
            Current(
                DocumentId(row["_id"][prefix:]),
                make_rev(row["seq"], row["hash"], deleted="body" not in row),
                row["hash"],
                body_text(row["body"]) if "body" in row else None,
            )
            for row in rows
        ]

    async def history(self, space: SpaceId, document: DocumentId, most: int) -> list[HistoryEntry]:
        head = await self.head(space, document)
        with _errors_mapped():
            cursor = (
                self._revisions.find({"space": space, "id": document})
                .sort([("seq", DESCENDING), ("_id", DESCENDING)])
                .limit(most)
            )
            entries = [_entry(row) for row in await cursor.to_list(None)]
        # A head that was superseded between the two reads stands among the revisions now.
        if head is not None and all(entry.rev != head.rev for entry in entries):
            entries.insert(0, head)
        return sorted(entries, key=lambda entry: (entry.sequence, entry.received), reverse=True)[:most]

    async def state(self, space: SpaceId, document: DocumentId, hash_: ContentHash) -> HistoryEntry | None:
        head = await self.head(space, document)
        if head is not None and head.hash == hash_ and head.body is not None:
            return head
        with _errors_mapped():
            row = await self._revisions.find_one(
                {"space": space, "id": document, "hash": hash_, "body": {"$exists": True}},
                sort=[("seq", DESCENDING)],
            )
        return None if row is None else _entry(row)

    async def everything(self, space: SpaceId) -> AsyncIterator[Exported]:
        # Heads before revisions: what is superseded between the two comes among the revisions, too. The other way
        # round it would come nowhere.
        prefix = len(space) + 1
        with _errors_mapped():
            heads = self._documents.find({"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}}).sort("_id", ASCENDING)
            async for row in heads:
                yield Exported(DocumentId(row["_id"][prefix:]), is_head=True, entry=_entry(row))
            others = self._revisions.find({"space": space}).sort([("id", ASCENDING), ("seq", ASCENDING)])
            async for row in others.hint("space_id_seq"):
                yield Exported(DocumentId(row["id"]), is_head=False, entry=_entry(row))

    async def policies(self, space: SpaceId) -> Policies:
        with _errors_mapped():
            return _policies(await self._spaces.find_one({"_id": space}, {"policies": 1}))

    async def set_policies(self, space: SpaceId, policies: Policies) -> None:
        await self.positions([space])
        declared = {pattern: list(strategies) for pattern, strategies in policies.declared.items()}
        with _errors_mapped():
            # As text: patterns hold the characters that mean something in a field's name.
            await self._spaces.update_one({"_id": space}, {"$set": {"policies": json.dumps(declared)}})

    async def spaces(self) -> list[SpaceId]:
        with _errors_mapped():
            return [SpaceId(row["_id"]) async for row in self._spaces.find({}, {"_id": 1})]

    async def prune(self, space: SpaceId, retention: Retention, now: float) -> Pruned:
        bodies = size = rows = 0
        with _errors_mapped():
            excess = await self._size_of_bodies(space) - retention.bytes_per_space
            old = (
                self._revisions.find(
                    {"space": space, "superseded_at": {"$lt": retention.horizon(now)}},
                    {"id": 1, "hash": 1, "superseded_at": 1, "size": {"$bsonSize": "$body"}},
                )
                .sort([("superseded_at", ASCENDING), ("_id", ASCENDING)])
                .allow_disk_use(True)
            )
            while portion := await old.to_list(_PRUNED_AT_ONCE):
                found = to_prune(await self._kept(space, portion), excess, retention, now)
                excess = found.excess
                if found.bodies:
                    keys = [kept.key for kept in found.bodies]
                    await self._revisions.update_many({"_id": {"$in": keys}}, {"$unset": {"body": ""}})
                if found.rows:
                    await self._revisions.delete_many({"_id": {"$in": [kept.key for kept in found.rows]}})
                bodies += len(found.bodies) + sum(kept.size > 0 for kept in found.rows)
                size += sum(kept.size for kept in (*found.bodies, *found.rows))
                rows += len(found.rows)
        return Pruned(bodies, size, rows)

    async def _size_of_bodies(self, space: SpaceId) -> int:
        sums = self._revisions.aggregate(
            [
                {"$match": {"space": space, "body": {"$exists": True}}},
                {"$group": {"_id": None, "size": {"$sum": {"$bsonSize": "$body"}}}},
            ]
        )
        return sum([row["size"] async for row in sums])

    async def _kept(self, space: SpaceId, portion: Sequence[Row]) -> list[Kept]:
        keys = list({f"{space}/{row['id']}" for row in portion})
        tombstones = self._documents.find({"_id": {"$in": keys}, "body": {"$exists": False}}, {"hash": 1})
        buried = {(row["_id"], row["hash"]) async for row in tombstones}
        return [
            Kept(
                row["_id"],
                row["superseded_at"],
                row.get("size") or 0,
                (f"{space}/{row['id']}", row["hash"]) in buried,
            )
            for row in portion
        ]


class _PoliciesChangedError(Exception):
    """The transaction decided by policies that are not those of the space any more; it runs again."""


class _MongoTransaction:
    """Transaction on one MongoDB session."""

    def __init__(
        self,
        mongo: Mongo,
        session: ClientSession,
        space: SpaceId,
        fence: Fence | None,
        policies: dict[SpaceId, tuple[str | None, Policies]],
    ) -> None:
        self._fence = fence
        self._policies_of = policies
        self._assumed: str | None = None
        self._unverified = False
        self._session = session
        self._space = space
        database: Database[Row] = mongo.database.delegate
        self._spaces = database["spaces"]
        self._documents = database["documents"]
        self._revisions = database["revisions"]
        self._memory = database["memory"]
        self._devices = database["devices"]
        self._heads: dict[str, Row] = {}
        """The rows of heads as they were read, by key: they move to the revisions when they are superseded."""

    def policies(self) -> Policies:
        # They change rarely, and every write passes the space's row in `allot`: there a change is seen. What
        # writes nothing is verified at the end.
        known = self._policies_of.get(self._space)
        self._assumed, policies = known or self._remember_policies(self._policies_row())
        self._unverified = True
        return policies

    def verify_policies(self) -> None:
        """Raises _PoliciesChangedError if the space has others than those that were given out."""
        if self._unverified:
            self._verify_policies(self._policies_row())

    def _verify_policies(self, row: Row | None) -> None:
        if self._unverified and self._assumed != (row or {}).get("policies"):
            self._remember_policies(row)
            raise _PoliciesChangedError
        self._unverified = False

    def _policies_row(self) -> Row | None:
        found: Row | None = self._spaces.find_one({"_id": self._space}, {"policies": 1}, session=self._session)
        return found

    def _remember_policies(self, row: Row | None) -> tuple[str | None, Policies]:
        if len(self._policies_of) >= _POLICIES_KEPT:
            self._policies_of.clear()
        found = self._policies_of[self._space] = ((row or {}).get("policies"), _policies(row))
        return found

    def live(self) -> int:
        row = self._spaces.find_one({"_id": self._space}, {"live": 1}, session=self._session)
        return int((row or {}).get("live", 0))

    def memories(self, submissions: Sequence[Submission]) -> list[Memory]:
        keys = {self._key(s.document) for s in submissions}
        cursor = self._documents.find({"_id": {"$in": list(keys)}}, session=self._session)
        self._heads = {row["_id"]: row for row in cursor}
        remembering = {self._memory_key(s) for s in submissions if _remembers(s)}
        devices: dict[str, DeviceMemory] = {}
        if remembering:
            rows = self._memory.find({"_id": {"$in": list(remembering)}}, session=self._session)
            devices = {row["_id"]: _device_memory(row) for row in rows}
        return [
            Memory(
                _head(self._heads.get(self._key(s.document))),
                devices.get(self._memory_key(s)) if _remembers(s) else None,
            )
            for s in submissions
        ]

    def load(self, wanted: Sequence[tuple[Memory, Submission, Missing]]) -> list[Memory]:
        states = self._states([(s.document, m.states) for _, s, m in wanted if m.states])
        pairs = self._pairs([(s, m.pairs_since) for _, s, m in wanted if m.pairs_since is not None])
        gone = self._gone([(s.document, m.seen) for _, s, m in wanted if m.seen])
        loaded = []
        for memory, submission, missing in wanted:
            document = submission.document
            found: dict[ContentHash, Stored | None] = {h: states.get((document, h)) for h in missing.states}
            held = gone.get(document, set())
            loaded.append(
                replace(
                    memory,
                    states={**memory.states, **found},
                    pairs=memory.pairs if missing.pairs_since is None else pairs.get(document, ()),
                    seen={**memory.seen, **{key: key in held for key in missing.seen}},
                    recent=self._recent(document) if missing.recent else memory.recent,
                )
            )
        return loaded

    def _states(
        self, wanted: Sequence[tuple[DocumentId, Collection[ContentHash]]]
    ) -> dict[tuple[DocumentId, ContentHash], Stored]:
        if not wanted:
            return {}
        cursor = self._revisions.find(
            {
                "space": self._space,
                "$or": [{"id": document, "hash": {"$in": list(hashes)}} for document, hashes in wanted],
            },
            {"id": 1, "hash": 1, "seq": 1, "until": 1, "body": 1, "deleted": 1},
            session=self._session,
        )
        found: dict[tuple[DocumentId, ContentHash], Stored] = {}
        for row in cursor:
            if row.get("deleted"):
                continue
            key = (DocumentId(row["id"]), ContentHash(row["hash"]))
            this, known = _stored(row), found.get(key)
            if known is not None:
                older, newest = sorted((known, this), key=lambda stored: (stored.until or 0, stored.sequence))
                this = replace(newest, body=newest.body or older.body)
            found[key] = this
        return found

    def _pairs(self, wanted: Sequence[tuple[Submission, SequenceNumber]]) -> dict[DocumentId, tuple[Pair, ...]]:
        if not wanted:
            return {}
        devices = {s.document: s.device for s, _ in wanted}
        cursor = self._revisions.find(
            {
                "space": self._space,
                "$or": [{"id": s.document, "seq": {"$gte": since}} for s, since in wanted],
                "pairs.0": {"$exists": True},
            },
            {"id": 1, "pairs": 1},
            session=self._session,
        ).sort([("seq", ASCENDING), ("_id", ASCENDING)])
        found: dict[DocumentId, tuple[Pair, ...]] = {}
        for row in cursor:
            document = DocumentId(row["id"])
            theirs = (pair for pair in _pairs(row) if pair.device == devices[document])
            found[document] = (*found.get(document, ()), *theirs)
        return found

    def _gone(self, wanted: Sequence[tuple[DocumentId, Collection[ValueKey]]]) -> dict[DocumentId, set[ValueKey]]:
        if not wanted:
            return {}
        cursor = self._revisions.find(
            {
                "space": self._space,
                "$or": [{"id": document, "gone": {"$in": list(keys)}} for document, keys in wanted],
            },
            {"id": 1, "gone": 1},
            session=self._session,
        )
        found: dict[DocumentId, set[ValueKey]] = {}
        for row in cursor:
            found.setdefault(DocumentId(row["id"]), set()).update(map(ValueKey, row["gone"]))
        return found

    def _recent(self, document: DocumentId) -> tuple[Stored, ...]:
        cursor = (
            self._revisions.find(
                {"space": self._space, "id": document, "body": {"$exists": True}},
                {"hash": 1, "seq": 1, "until": 1, "body": 1, "size": {"$bsonSize": "$body"}},
                session=self._session,
                batch_size=8,
            )
            .sort([("seq", DESCENDING), ("_id", DESCENDING)])
            .limit(RECENT)
        )
        found: list[Stored] = []
        room = _RECENT_BYTES
        for row in cursor:
            room -= row["size"]
            if found and room < 0:
                break
            found.append(_stored(row))
        cursor.close()
        return tuple(found)

    def deletions(self, devices: Collection[DeviceId]) -> dict[DeviceId, Deletions]:
        cursor = self._devices.find(
            {"_id": {"$in": list(devices)}, "deletions": {"$exists": True}},
            {"deletions": 1},
            session=self._session,
        )
        return {DeviceId(row["_id"]): Deletions(*row["deletions"]) for row in cursor}

    def allot(self, count: int, live_change: int) -> SequenceNumber:
        change: Row = {
            "$inc": {"sequence": count, "live": live_change, "batches": 1},
            "$setOnInsert": {"epoch": _new_epoch()},
        }
        if self._fence is not None:
            change["$set"] = {"fence": [self._fence.number, self._fence.token]}
        before = self._spaces.find_one_and_update(
            {"_id": self._space},
            change,
            {"sequence": 1, "policies": 1, "fence": 1},
            upsert=True,
            return_document=ReturnDocument.BEFORE,
            session=self._session,
        )
        self._verify_policies(before)
        self._verify_fence(before)
        return SequenceNumber((before or {}).get("sequence", 0) + 1)

    def _verify_fence(self, before: Row | None) -> None:
        number, token = (before or {}).get("fence", (0, ""))
        fence = self._fence
        if fence is not None and (number > fence.number or (number == fence.number and token != fence.token)):
            raise FencedError(number)

    def write(self, first: SequenceNumber, writes: Sequence[Write], deletions: Mapping[DeviceId, Deletions]) -> None:
        heads: list[InsertOne[Row] | ReplaceOne[Row] | UpdateOne] = []
        revisions: list[Row] = []
        memory: list[ReplaceOne[Row]] = []
        devices: list[UpdateOne] = []
        sequence = first
        for write in writes:
            decision, submission = write.decision, write.item.submission
            key = self._key(submission.document)
            old = self._heads.get(key)
            if decision.received is not None:
                revisions.append(self._received_row(write, old))
            if decision.revision is not None:
                row = self._head_row(write, decision.revision, sequence)
                if old is None:
                    heads.append(InsertOne(row))
                else:
                    heads.append(ReplaceOne({"_id": key}, row))
                    gone = list(decision.revision.gone)
                    revisions.append(_superseded_row(old, submission.document, gone, sequence, row["at"]))
                sequence = SequenceNumber(sequence + 1)
            elif decision.pair is not None:
                newest = {"$each": [_pair_row(decision.pair)], "$slice": -MAX_PAIRS}
                heads.append(UpdateOne({"_id": key}, {"$push": {"pairs": newest}}))
            if decision.device is not None:
                remembered = asdict(decision.device)
                memory.append(ReplaceOne({"_id": self._memory_key(submission)}, remembered, upsert=True))
            if decision.token_shared:
                devices.append(UpdateOne({"_id": submission.device}, {"$set": {"shared": True}}))
        for device, counted in deletions.items():
            value = [counted.since, counted.count]
            devices.append(UpdateOne({"_id": device}, {"$set": {"deletions": value}}))
        if heads:
            self._documents.bulk_write(heads, ordered=False, session=self._session)
        if revisions:
            self._revisions.insert_many(revisions, ordered=False, session=self._session)
        if memory:
            self._memory.bulk_write(memory, ordered=False, session=self._session)
        if devices:
            self._devices.bulk_write(devices, ordered=True, session=self._session)

    def _key(self, document: DocumentId) -> str:
        return f"{self._space}/{document}"

    def _memory_key(self, submission: Submission) -> str:
        return f"{self._space}/{submission.device}/{submission.document}"

    def _head_row(self, write: Write, revision: Revision, sequence: SequenceNumber) -> Row:
        row: Row = {
            "_id": self._key(write.item.submission.document),
            "space": self._space,
            "seq": sequence,
            "hash": revision.hash,
            **_story(write),
            "parents": list(revision.parents),
        }
        if revision.pairs:
            row["pairs"] = [_pair_row(pair) for pair in revision.pairs]
        if revision.body is not None:
            row["body"] = stored(revision.body)
        return row

    def _received_row(self, write: Write, old: Row | None) -> Row:
        received = write.decision.received
        assert received is not None
        story = _story(write)
        if write.decision.revision is not None:
            story.pop("conflicts", None)  # they stand with the revision
        row = {
            "space": self._space,
            "id": write.item.submission.document,
            "seq": old["seq"] if old is not None else 0,
            "until": BEGINNING,
            "hash": received.hash,
            "body": stored(received.body),
            **story,
            "received": True,
            "superseded_at": write.item.submission.arrived_at,
        }
        if received.gone:
            row["gone"] = list(received.gone)
        return row


def _story(write: Write) -> Row:
    """What a row says for people."""
    row: Row = {
        "by": write.item.by,
        "at": write.item.submission.arrived_at,
        "outcome": write.decision.outcome,
        "rule": write.decision.rule,
    }
    if write.conflicts:
        row["conflicts"] = [stored(dict(conflict)) for conflict in write.conflicts]
    return row


def _superseded_row(old: Row, document: DocumentId, gone: list[ValueKey], until: SequenceNumber, at: float) -> Row:
    row = {**old, "id": document, "until": until, "superseded_at": at}
    del row["_id"]
    if "body" not in old:
        row["deleted"] = True
    if gone:
        row["gone"] = gone
    return row


def _remembers(submission: Submission) -> bool:
    return submission.base is None and submission.single_device and submission.device is not None


def _device_memory(row: Mapping[str, Any]) -> DeviceMemory:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    del fields["_id"]
    return DeviceMemory(**fields)


def _pair_row(pair: Pair) -> list[Any]:
    return [pair.device, pair.base, pair.hash, pair.since, pair.at]


def _pairs(row: Mapping[str, Any]) -> tuple[Pair, ...]:
    return tuple(Pair(*fields) for fields in row.get("pairs", ()))


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
                    "shared": device.shared,
                }
            )

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        with _errors_mapped():
            cursor = self._devices.find({"token_hash": {"$in": list(token_hashes)}})
            rows = await cursor.to_list(None)
            return {row["token_hash"]: _device(row) for row in rows if "revoked_at" not in row}

    async def list_of(self, user: UserName) -> list[Device]:
        return await self._list({"user": user, "revoked_at": {"$exists": False}})

    async def list_all(self) -> list[Device]:
        return await self._list({"revoked_at": {"$exists": False}})

    async def _list(self, query: Row) -> list[Device]:
        with _errors_mapped():
            cursor = self._devices.find(query).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
            return [_device(row) for row in await cursor.to_list(None)]

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
        if error.code in _NOT_LET_IN:
            raise UnavailableError("the database does not let us in") from error
        if error.code in _SHUTTING_DOWN or error.has_error_label(_TRANSIENT):
            raise UnavailableError("the database cannot do it now") from error
        raise


def _abort(session: ClientSession) -> None:
    """Aborts as well as it goes: an abort that is lost ends when the server times the transaction out."""
    try:
        session.abort_transaction()
    except ConnectionFailure:
        return


def _new_epoch() -> Epoch:
    return Epoch(secrets.token_hex(8))


def _new_space() -> Row:
    return {"sequence": 0, "epoch": _new_epoch()}


def _position(row: Mapping[str, Any]) -> Position:
    return Position(Epoch(row["epoch"]), SequenceNumber(row["sequence"]))


def _body(row: Mapping[str, Any]) -> Body | None:
    body: Body | None = restored(row.get("body"))
    return body


def _stored(row: Mapping[str, Any]) -> Stored:
    return Stored(ContentHash(row["hash"]), _body(row), SequenceNumber(row["seq"]), SequenceNumber(row["until"]))


def _head(row: Mapping[str, Any] | None) -> Head | None:
    if row is None:
        return None
    return Head(SequenceNumber(row["seq"]), ContentHash(row["hash"]), _body(row), row["at"], _pairs(row))


def _entry(row: Mapping[str, Any]) -> HistoryEntry:
    sequence, hash_ = SequenceNumber(row["seq"]), ContentHash(row["hash"])
    is_head = "superseded_at" not in row
    deleted = row.get("deleted", is_head and "body" not in row)
    received = row.get("received", False)
    return HistoryEntry(
        rev=None if received else make_rev(sequence, hash_, deleted=deleted),
        sequence=sequence,
        hash=hash_,
        body=_body(row),
        deleted=deleted,
        received=received,
        by=DeviceId(row["by"]),
        at=row["at"],
        outcome=row["outcome"],
        rule=row["rule"],
        parents=tuple(row.get("parents", ())),
        conflicts=tuple(restored(conflict) for conflict in row.get("conflicts", ())),
    )


def _policies(row: Mapping[str, Any] | None) -> Policies:
    declared = (row or {}).get("policies")
    return parse_policies(json.loads(declared)) if declared else NO_POLICIES


def _device(row: Mapping[str, Any]) -> Device:
    return Device(
        id=DeviceId(row["_id"]),
        user=UserName(row["user"]),
        name=row["name"],
        space=SpaceId(row["space"]),
        created_at=row["created_at"],
        last_seen=row["last_seen"],
        shared=row.get("shared", False),
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Mongo]:
    """A client that is closed at the end."""
    mongo = Mongo(settings)
    try:
        yield mongo
    finally:
        mongo.close()
