"""One transaction on MongoDB: what it reads and writes."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from pymongo import InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from shared.adapters.mongodb.client import Mongo, Row
from shared.adapters.mongodb.revisions import RevisionReader, rows_of
from shared.adapters.mongodb.rows import (
    device_memory_of,
    head_of,
    history_rows,
    lineage_of,
    new_epoch,
    policies_of,
    remembers,
    superseded_row,
    with_new_history,
)
from shared.adapters.mongodb.usage import USAGE_FIELDS, usage_of
from shared.adapters.mongodb.written import head_change, head_row, more_conflicts, received_by, received_row
from shared.core.documents import (
    DeviceId,
    DocumentId,
    Epoch,
    Position,
    SpaceId,
)
from shared.core.documents import Sequence as SequenceNumber
from shared.core.index.lineage import Lineage
from shared.core.merge.policies import Policies
from shared.core.resolution.batch import Write
from shared.core.resolution.context import (
    Allotted,
    DeviceMemory,
    DocumentContext,
    NeedsData,
    Submission,
)
from shared.core.resolution.deletion_guard import Deletions
from shared.core.resolution.usage import Usage
from shared.ports import Fence, FencedError, TooMuchError
from shared.ports.stores import NOTHING

_POLICIES_KEPT: Final = 10_000
_LINEAGE: Final = {"epoch": 1, "sequence": 1, "histories": 1}
_BEFORE: Final = {
    **dict.fromkeys(("sequence", "policies", "fence", "process", "epoch", *USAGE_FIELDS), 1),
    "histories": {"$slice": -1},
}


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
        self._reader = RevisionReader(self._revisions, session, space, self._count)

    def _count(self, size: int) -> None:
        """Raises TooMuchError."""
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
        row: Row | None = self._spaces.find_one({"_id": self._space}, {"policies": 1}, session=self._session)
        return row

    def _remember_policies(self, row: Row | None) -> tuple[str | None, Policies]:
        if len(self._policies_of) >= _POLICIES_KEPT:
            self._policies_of.clear()
        known = self._policies_of[self._space] = ((row or {}).get("policies"), policies_of(row))
        return known

    def live(self) -> int:
        row = self._spaces.find_one({"_id": self._space}, {"live": 1}, session=self._session)
        return int((row or {}).get("live", 0))

    def usage(self) -> Usage:
        return usage_of(self._spaces.find_one({"_id": self._space}, USAGE_FIELDS, session=self._session))

    def first_contexts(self, submissions: Sequence[Submission]) -> list[DocumentContext]:
        keys = {self._key(s.document) for s in submissions}
        query = {"_id": {"$in": list(keys)}}
        rows = rows_of(self._documents, query, None, session=self._session, count=self._count)
        self._heads = {row["_id"]: row for row in rows}
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
        return self._reader.load(wanted)

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

    def allot(self, count: int, live_change: int, growth: Usage = NOTHING) -> Allotted:
        change: Row = {
            "$inc": {
                "sequence": count,
                "live": live_change,
                "batches": 1,
                "sized": 1,
                "size": growth.size or 0,
                "history_size": growth.history_size or 0,
            },
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
            _BEFORE,
            upsert=True,
            return_document=ReturnDocument.BEFORE,
            session=self._session,
        )
        self._verify_policies(before)
        self._verify_fence(before)
        first = SequenceNumber((before or {}).get("sequence", 0) + 1)
        history = self._history(before, process)
        self.position = Position(history, SequenceNumber(first + count - 1))
        return Allotted(first, history, usage_of(before))

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
        memories: list[ReplaceOne[Row]] = []
        devices: list[UpdateOne] = []
        counts: list[ReplaceOne[Row]] = []
        sequence = first.first
        for write in writes:
            decision, submission = write.decision, write.item.submission
            key = self._key(submission.document)
            old = self._heads.get(key)
            revisions += [received_row(self._space, write, received, old) for received in received_by(decision)]
            if decision.revision is not None:
                row = {
                    "_id": key,
                    **head_row(self._space, write, decision.revision, Allotted(sequence, first.history)),
                }
                if old is None:
                    heads.append(InsertOne(row))
                else:
                    heads.append(ReplaceOne({"_id": key}, row))
                    gone = list(decision.revision.gone)
                    revisions.append(superseded_row(old, submission.document, gone, sequence, row["at"]))
                sequence = SequenceNumber(sequence + 1)
            elif (change := head_change(decision)) is not None:
                heads.append(UpdateOne({"_id": key}, change))
            if decision.revision is None and decision.received is None and write.conflicts:
                heads.append(more_conflicts(key, write))
            if decision.device is not None:
                remembered = asdict(decision.device)
                memories.append(ReplaceOne({"_id": self._memory_key(submission)}, remembered, upsert=True))
            if decision.token_shared:
                devices.append(UpdateOne({"_id": submission.device}, {"$set": {"shared": True}}))
        for device, counted in deletions.items():
            row = {"since": counted.since, "count": counted.count}
            counts.append(ReplaceOne({"_id": self._deletions_key(device)}, row, upsert=True))
        if heads:
            self._documents.bulk_write(heads, ordered=False, session=self._session)
        if revisions:
            self._revisions.insert_many(revisions, ordered=False, session=self._session)
        if memories:
            self._memory.bulk_write(memories, ordered=False, session=self._session)
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
