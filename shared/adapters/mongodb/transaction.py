"""One transaction on MongoDB: what it reads and writes."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final, cast

from bson import decode_all
from pymongo import ASCENDING, DESCENDING, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database

from shared.adapters.mongodb.bodies import stored
from shared.adapters.mongodb.client import Mongo, Row
from shared.adapters.mongodb.rows import (
    device_memory_of,
    head_of,
    history_rows,
    lineage_of,
    new_epoch,
    pair_row,
    pairs_of,
    policies_of,
    remembers,
    stored_of,
    story_of,
    superseded_row,
    with_new_history,
)
from shared.core.documents import (
    ContentHash,
    DeviceId,
    DocumentId,
    Epoch,
    Position,
    SpaceId,
)
from shared.core.documents import Sequence as SequenceNumber
from shared.core.index.lineage import Lineage
from shared.core.merge.conflict_rows import MAX_CONFLICTS
from shared.core.merge.policies import Policies
from shared.core.resolution.batch import Write
from shared.core.resolution.context import (
    BEGINNING,
    MAX_PAIRS,
    RECENT,
    Allotted,
    Decision,
    DeviceMemory,
    DocumentContext,
    NeedsData,
    Pair,
    Received,
    Revision,
    Stored,
    Submission,
    ValueKey,
)
from shared.core.resolution.deletion_guard import Deletions
from shared.ports import Fence, FencedError, TooMuchError

_POLICIES_KEPT: Final = 10_000
_LINEAGE: Final = {"epoch": 1, "sequence": 1, "histories": 1}
_STORED: Final = {"hash": 1, "seq": 1, "until": 1, "body": 1, "deleted": 1, "history": 1, "version": 1}
_RECENT_BYTES: Final = 16 * 1024 * 1024
"""Of bodies that are read to find one that is near."""


class PoliciesChangedError(Exception):
    """The transaction decided by policies that are not those of the space any more; it runs again."""


class MongoTransaction:
    """Transaction on one MongoDB session."""

    def __init__(
        self,
        mongo: Mongo,
        session: ClientSession,
        space: SpaceId,
        fence: Fence | None,
        policies: dict[SpaceId, tuple[str | None, Policies]],
        *,
        max_bytes: int | None = None,
        told: Position | None,
    ) -> None:
        """`told`: how far the space is known to have been."""
        self.position: Position | None = None
        """What was written last, if this is committed."""
        self._told = told
        self._ends_history = False
        self._new_epoch = new_epoch()
        self._process = mongo.process
        self._max_bytes = max_bytes
        self._read = 0
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
        self._deletions = database["deletions"]
        self._heads: dict[str, Row] = {}
        """The rows of heads as they were read, by key: they move to the revisions when they are superseded."""

    def _rows(self, collection: Collection[Row], query: Row, projection: Row | None = None) -> Iterator[Row]:
        """Rows with bodies: they are counted before they are made values. Raises TooMuchError."""
        for batch in collection.find_raw_batches(query, projection, session=self._session):
            data = cast(bytes, batch)
            self._count(len(data))
            yield from decode_all(data, collection.codec_options)

    def _count(self, size: int) -> None:
        self._read += size
        if self._max_bytes is not None and self._read > self._max_bytes:
            raise TooMuchError

    def policies(self) -> Policies:
        # They change rarely, and every write passes the space's row in `allot`: there a change is seen. What
        # writes nothing is verified at the end.
        known = self._policies_of.get(self._space)
        self._assumed, policies = known or self._remember_policies(self._policies_row())
        self._unverified = True
        return policies

    def finish(self) -> None:
        """The last step before the commit. Raises PoliciesChangedError if the space has other policies than those
        that were given out."""
        if self._ends_history:
            self.allot(0, 0)
        if self._unverified:
            self._verify_policies(self._policies_row())

    def _verify_policies(self, row: Row | None) -> None:
        if self._unverified and self._assumed != (row or {}).get("policies"):
            self._remember_policies(row)
            raise PoliciesChangedError
        self._unverified = False

    def _policies_row(self) -> Row | None:
        found: Row | None = self._spaces.find_one({"_id": self._space}, {"policies": 1}, session=self._session)
        return found

    def _remember_policies(self, row: Row | None) -> tuple[str | None, Policies]:
        if len(self._policies_of) >= _POLICIES_KEPT:
            self._policies_of.clear()
        found = self._policies_of[self._space] = ((row or {}).get("policies"), policies_of(row))
        return found

    def live(self) -> int:
        row = self._spaces.find_one({"_id": self._space}, {"live": 1}, session=self._session)
        return int((row or {}).get("live", 0))

    def memories(self, submissions: Sequence[Submission]) -> list[DocumentContext]:
        keys = {self._key(s.document) for s in submissions}
        cursor = self._rows(self._documents, {"_id": {"$in": list(keys)}})
        self._heads = {row["_id"]: row for row in cursor}
        remembering = {self._memory_key(s) for s in submissions if remembers(s)}
        devices: dict[str, DeviceMemory] = {}
        if remembering:
            rows = self._memory.find({"_id": {"$in": list(remembering)}}, session=self._session)
            devices = {row["_id"]: device_memory_of(row) for row in rows}
        return [
            DocumentContext(
                head_of(self._heads.get(self._key(s.document))),
                devices.get(self._memory_key(s)) if remembers(s) else None,
            )
            for s in submissions
        ]

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        states = self._states([(s.document, m.states) for _, s, m in wanted if m.states])
        pairs = self._pairs([(s, m.pairs_since) for _, s, m in wanted if m.pairs_since is not None])
        gone = self._gone([(s.document, m.seen) for _, s, m in wanted if m.seen])
        loaded = []
        for context, submission, missing in wanted:
            document = submission.document
            found: dict[ContentHash, Stored | None] = {h: states.get((document, h)) for h in missing.states}
            held = gone.get(document, set())
            loaded.append(
                replace(
                    context,
                    states={**context.states, **found},
                    pairs=context.pairs if missing.pairs_since is None else pairs.get(document, ()),
                    seen={**context.seen, **{key: key in held for key in missing.seen}},
                    recent=self._recent(document) if missing.recent else context.recent,
                    ancestors=(
                        context.ancestors
                        if missing.ancestors is None
                        else self._ancestors(document, missing.ancestors)
                    ),
                )
            )
        return loaded

    def _states(
        self, wanted: Sequence[tuple[DocumentId, Several[ContentHash]]]
    ) -> dict[tuple[DocumentId, ContentHash], Stored]:
        if not wanted:
            return {}
        cursor = self._rows(
            self._revisions,
            {
                "space": self._space,
                "$or": [{"id": document, "hash": {"$in": list(hashes)}} for document, hashes in wanted],
            },
            {"id": 1, **_STORED},
        )
        found: dict[tuple[DocumentId, ContentHash], Stored] = {}
        for row in cursor:
            if row.get("deleted"):
                continue
            key = (DocumentId(row["id"]), ContentHash(row["hash"]))
            this, known = stored_of(row), found.get(key)
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
                "$or": [
                    {"id": s.document, "seq": {"$gte": since}, "pairs": {"$elemMatch": {"0": s.device}}}
                    for s, since in wanted
                ],
            },
            {"id": 1, "pairs": 1},
            session=self._session,
        ).sort([("seq", ASCENDING), ("_id", ASCENDING)])
        found: dict[DocumentId, tuple[Pair, ...]] = {}
        for row in cursor:
            document = DocumentId(row["id"])
            theirs = (pair for pair in pairs_of(row) if pair.device == devices[document])
            found[document] = (*found.get(document, ()), *theirs)
        return found

    def _gone(self, wanted: Sequence[tuple[DocumentId, Several[ValueKey]]]) -> dict[DocumentId, set[ValueKey]]:
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
            self._count(row["size"])
            if found and room < 0:
                break
            found.append(stored_of(row))
        cursor.close()
        return tuple(found)

    def _ancestors(self, document: DocumentId, until: SequenceNumber) -> tuple[Stored, ...]:
        here = {"space": self._space, "id": document}
        rows = self._newest({**here, "version": {"$exists": True}}, RECENT)
        if until > BEGINNING:
            shown = [{"deleted": True}, {"body": {"$exists": True}}]
            query = {**here, "seq": {"$lte": until}, "until": {"$gt": BEGINNING}, "version": None, "$or": shown}
            rows += self._newest(query, 1)
        return tuple(stored_of(row) for row in rows if "body" in row or row.get("deleted"))

    def _newest(self, query: Row, most: int) -> list[Row]:
        """Revisions, the newest first; fewer if they are large."""
        fields = {**_STORED, "size": {"$bsonSize": "$$ROOT"}}
        cursor = self._revisions.find(query, fields, session=self._session, batch_size=8)
        found: list[Row] = []
        room = _RECENT_BYTES
        for row in cursor.sort([("seq", DESCENDING), ("_id", DESCENDING)]).limit(most):
            room -= row["size"]
            self._count(row["size"])
            if found and room < 0:
                break
            found.append(row)
        cursor.close()
        return found

    def deletions(self, devices: Several[DeviceId]) -> dict[DeviceId, Deletions]:
        # Not in the rows of devices: a client without a server counts as well, and is no device of a server.
        keys = {self._deletions_key(device): device for device in devices}
        cursor = self._deletions.find({"_id": {"$in": list(keys)}}, session=self._session)
        return {keys[row["_id"]]: Deletions(row["since"], row["count"]) for row in cursor}

    def lineage(self) -> Lineage:
        row = self._spaces.find_one({"_id": self._space}, _LINEAGE, session=self._session)
        return lineage_of(row or {"epoch": self._new_epoch, "sequence": 0})

    def begin_history(self) -> None:
        self._ends_history = True

    def allot(self, count: int, live_change: int) -> Allotted:
        change: Row = {
            "$inc": {"sequence": count, "live": live_change, "batches": 1},
            "$setOnInsert": {"epoch": self._new_epoch},
        }
        values: Row = {} if self._fence is None else {"fence": [self._fence.number, self._fence.token]}
        process = self._process()
        if process is not None:
            values["process"] = process
        if values:
            change["$set"] = values
        before = self._spaces.find_one_and_update(
            {"_id": self._space},
            change,
            {"sequence": 1, "policies": 1, "fence": 1, "process": 1, "epoch": 1, "histories": {"$slice": -1}},
            upsert=True,
            return_document=ReturnDocument.BEFORE,
            session=self._session,
        )
        self._verify_policies(before)
        self._verify_fence(before)
        first = SequenceNumber((before or {}).get("sequence", 0) + 1)
        history = self._history(before, process)
        self.position = Position(history, SequenceNumber(first + count - 1))
        return Allotted(first, history)

    def _history(self, before: Row | None, process: str | None) -> Epoch:
        """That the new sequences are of; begun if the store may be older than what it told somebody."""
        if before is None:
            self._ends_history = False
            return self._new_epoch
        newest = lineage_of(before)
        ends = (
            self._ends_history
            or (process is not None and before.get("process") != process)
            or (self._told is not None and newest.is_ahead(self._told))
        )
        self._ends_history = False
        if not ends:
            return newest.current
        whole = self._spaces.find_one({"_id": self._space}, _LINEAGE, session=self._session) or before
        lineage = with_new_history(lineage_of({**whole, "sequence": before["sequence"]}))
        self._spaces.update_one(
            {"_id": self._space}, {"$set": {"histories": history_rows(lineage)}}, session=self._session
        )
        self._told = None
        return lineage.current

    def _verify_fence(self, before: Row | None) -> None:
        number, token = (before or {}).get("fence", (0, ""))
        fence = self._fence
        if fence is not None and (number > fence.number or (number == fence.number and token != fence.token)):
            raise FencedError(number)

    def write(self, first: Allotted, writes: Sequence[Write], deletions: Mapping[DeviceId, Deletions]) -> None:
        heads: list[InsertOne[Row] | ReplaceOne[Row] | UpdateOne] = []
        revisions: list[Row] = []
        context: list[ReplaceOne[Row]] = []
        devices: list[UpdateOne] = []
        counts: list[ReplaceOne[Row]] = []
        sequence = first.first
        for write in writes:
            decision, submission = write.decision, write.item.submission
            key = self._key(submission.document)
            old = self._heads.get(key)
            revisions += [self._received_row(write, received, old) for received in _received_by(decision)]
            if decision.revision is not None:
                row = self._head_row(write, decision.revision, Allotted(sequence, first.history))
                if old is None:
                    heads.append(InsertOne(row))
                else:
                    heads.append(ReplaceOne({"_id": key}, row))
                    gone = list(decision.revision.gone)
                    revisions.append(superseded_row(old, submission.document, gone, sequence, row["at"]))
                sequence = SequenceNumber(sequence + 1)
            elif (change := _head_change(decision)) is not None:
                heads.append(UpdateOne({"_id": key}, change))
            if decision.revision is None and decision.received is None and write.conflicts:
                heads.append(_more_conflicts(key, write))
            if decision.device is not None:
                remembered = asdict(decision.device)
                context.append(ReplaceOne({"_id": self._memory_key(submission)}, remembered, upsert=True))
            if decision.token_shared:
                devices.append(UpdateOne({"_id": submission.device}, {"$set": {"shared": True}}))
        for device, counted in deletions.items():
            row = {"since": counted.since, "count": counted.count}
            counts.append(ReplaceOne({"_id": self._deletions_key(device)}, row, upsert=True))
        if heads:
            self._documents.bulk_write(heads, ordered=False, session=self._session)
        if revisions:
            self._revisions.insert_many(revisions, ordered=False, session=self._session)
        if context:
            self._memory.bulk_write(context, ordered=False, session=self._session)
        if devices:
            self._devices.bulk_write(devices, ordered=True, session=self._session)
        if counts:
            self._deletions.bulk_write(counts, ordered=False, session=self._session)

    def _key(self, document: DocumentId) -> str:
        return f"{self._space}/{document}"

    def _memory_key(self, submission: Submission) -> str:
        return f"{self._space}/{submission.device}/{submission.document}"

    def _deletions_key(self, device: DeviceId) -> str:
        return f"{self._space}/{device}"

    def _head_row(self, write: Write, revision: Revision, position: Allotted) -> Row:
        row: Row = {
            "_id": self._key(write.item.submission.document),
            "space": self._space,
            "seq": position.first,
            "history": position.history,
            "hash": revision.hash,
            **story_of(write),
            "parents": list(revision.parents),
        }
        version = revision.version_at(position.history, position.first)
        if version is not None:
            row["version"] = dict(version)
        if revision.pairs:
            row["pairs"] = [pair_row(pair) for pair in revision.pairs]
        if revision.body is not None:
            row["body"] = stored(revision.body)
        return row

    def _received_row(self, write: Write, received: Received, old: Row | None) -> Row:
        story = story_of(write)
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
        if received.version is not None:
            row["version"] = dict(received.version)
        if received.gone:
            row["gone"] = list(received.gone)
        return row


def _received_by(decision: Decision) -> list[Received]:
    return [received for received in (decision.received, *decision.recovered) if received is not None]


def _head_change(decision: Decision) -> Row | None:
    """What changes of a head that stays."""
    change: Row = {}
    if decision.pair is not None:
        change["$push"] = {"pairs": {"$each": [pair_row(decision.pair)], "$slice": -MAX_PAIRS}}
    if decision.grown is not None:
        change["$set"] = {"version": dict(decision.grown)}
    return change or None


def _more_conflicts(key: str, write: Write) -> UpdateOne:
    """Adds conflicts to a head that stays: each once, and none if it has many."""
    has_room = {f"conflicts.{MAX_CONFLICTS - 1}": {"$exists": False}}
    rows = story_of(write)["conflicts"]
    return UpdateOne({"_id": key, **has_room}, {"$addToSet": {"conflicts": {"$each": rows}}})
