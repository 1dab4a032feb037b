"""The documents and their history."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from pymongo import ASCENDING, DESCENDING, CursorType, ReturnDocument
from pymongo.read_concern import ReadConcern

from shared.adapters.mongodb.atomic import MongoSession, atomically
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.adapters.mongodb.commands import find_command
from shared.adapters.mongodb.kept_maps import KeptMaps
from shared.adapters.mongodb.pages import Pages
from shared.adapters.mongodb.raw_batches import at_once
from shared.adapters.mongodb.raw_rows import (
    hashes_in,
    in_thread_if_large,
    live_in,
    one_by_one,
    sized,
    with_next_under_way,
)
from shared.adapters.mongodb.reads import Reads
from shared.adapters.mongodb.rows import (
    entry_of,
    history_rows,
    lineage_of,
    new_space,
    policies_of,
    with_new_history,
)
from shared.adapters.mongodb.transactions import Transactions
from shared.adapters.mongodb.usage import SIZE, count_sizes, usage
from shared.core.documents import (
    ContentHash,
    DocumentId,
    Exported,
    HistoryEntry,
    Position,
    SequenceNumber,
    SpaceId,
)
from shared.core.index.hash_map import BucketedMap
from shared.core.index.lineage import Lineage
from shared.core.merge.policies import Policies
from shared.core.resolution.retention import Kept, Prunable, Pruned, Retention, to_prune
from shared.core.resolution.usage import Usage
from shared.ports import Changes, Current, Fence, Transaction

T = TypeVar("T")

_PRUNED_AT_ONCE: Final = 1000
_DROPPED_AT_ONCE: Final = 1000
_LINEAGE: Final = {"epoch": 1, "sequence": 1, "histories": 1}
_HEADS_AT_ONCE: Final = 10_000
_AS_STORED: Final = [("$natural", ASCENDING)]
_MANY_HEADS: Final = 10_000
_MOST_HEADS: Final = 0.75
"""To pass over a head of another space takes more than twice the time that one of this space needs less."""
_HISTORY_ROWS: Final = 50
"""Of a history that are read at a time: each may say what conflicted, and be as large as a document."""
_WITHOUT_BODIES: Final = {
    **dict.fromkeys(
        (
            "seq",
            "hash",
            "deleted",
            "received",
            "superseded_at",
            "by",
            "at",
            "outcome",
            "rule",
            "parents",
            "conflicts",
            "history",
            "version",
        ),
        1,
    ),
    "body": {"$cond": [{"$gt": ["$body", None]}, {"$literal": {}}, "$$REMOVE"]},
}


class MongoDocumentStore:
    """DocumentStore on MongoDB."""

    def __init__(self, mongo: Mongo, *, give_up_after_seconds: float) -> None:
        self._mongo = mongo
        self._client = mongo.client
        self._spaces = mongo.database["spaces"]
        self._documents = mongo.database["documents"]
        self._revisions = mongo.database["revisions"]
        self._reads = Reads(mongo)
        self._pages = Pages(self._reads)
        self._kept_maps = KeptMaps(mongo)
        self._transactions = Transactions(mongo, give_up_after_seconds=give_up_after_seconds)

    async def transact(
        self,
        space: SpaceId,
        work: Callable[[Transaction], T],
        fence: Fence | None = None,
        *,
        max_bytes: int | None = None,
        meanwhile: Callable[[T], None] | None = None,
    ) -> T:
        return await self._transactions.run(space, work, fence, max_bytes, meanwhile)

    async def lineages(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Lineage]:
        with errors_mapped():
            query = {"_id": {"$in": list(spaces)}}
            rows = await self._reads.rows(find_command("spaces", query, _LINEAGE, together=len(spaces) + 1))
            lineages = {SpaceId(row["_id"]): lineage_of(row) for row in rows}
            for space in spaces:
                if space not in lineages:
                    row = await self._spaces.find_one_and_update(
                        {"_id": space},
                        {"$setOnInsert": new_space(self._mongo.process())},
                        upsert=True,
                        return_document=ReturnDocument.AFTER,
                    )
                    lineages[space] = lineage_of(row)
        return lineages

    async def begin_history(self, space: SpaceId, known_position: Position) -> None:
        while True:
            with errors_mapped():
                row = await self._spaces.find_one({"_id": space}, _LINEAGE)
            if row is None or not (lineage := lineage_of(row)).is_ahead(known_position):
                return
            # The row as it was read: a write that comes between may have reached the position.
            unchanged = {"_id": space, "sequence": lineage.sequence, "histories": row.get("histories")}
            change = {"histories": history_rows(with_new_history(lineage))}
            with errors_mapped():
                if (await self._spaces.update_one(unchanged, {"$set": change})).matched_count:
                    return

    async def changes(self, space: SpaceId, after: SequenceNumber) -> Changes:
        hashes: dict[DocumentId, ContentHash | None] = {}
        prefix = len(space) + 1
        fields = {"hash": 1, "live": {"$gt": ["$body", None]}}
        lineage = await self._read(
            space, {"seq": {"$gt": after}}, fields, lambda batch: hashes.update(hashes_in(batch, prefix))
        )
        return Changes(lineage, hashes)

    async def live(self, space: SpaceId, take: Callable[[Sequence[tuple[bytes, bytes]]], None]) -> Lineage:
        # It leaves out what is not live: to compute that as a field of each row takes it half as long again.
        query = {"seq": {"$gt": 0}, "body": {"$exists": True}}
        return await self._read(space, query, {"hash": 1}, lambda batch: take(live_in(batch, space)), whole=True)

    async def kept_map(self, space: SpaceId) -> BucketedMap | None:
        return await self._kept_maps.load(space)

    async def keep_map(self, space: SpaceId, map_: BucketedMap) -> None:
        await self._kept_maps.keep(space, map_)

    async def _read(
        self, space: SpaceId, query: Row, fields: Row, take: Callable[[bytes], None], *, whole: bool = False
    ) -> Lineage:
        """Batches of heads, and where the space stood when all of them were read: at one point in time. `whole`: the
        query finds nearly all heads of the space."""
        with errors_mapped():
            async with await self._client.start_session(snapshot=True) as session:
                row = await self._spaces.find_one({"_id": space}, session=session)
                if row is not None:
                    batches = self._documents.find_raw_batches(
                        {"space": space, **query},
                        fields,
                        session=session,
                        batch_size=_HEADS_AT_ONCE,
                        cursor_type=CursorType.EXHAUST if self._mongo.streams else CursorType.NON_TAILABLE,
                        hint=_AS_STORED if whole and await self._has_most(row) else None,
                    )
                    try:
                        async with aclosing(with_next_under_way(at_once(batches))) as read:
                            async for batch in read:
                                await in_thread_if_large(batch, take)
                    finally:
                        await batches.close()  # if more is to come over its connection, that is of no use any more
        return (await self.lineages([space]))[space] if row is None else lineage_of(row)

    async def _has_most(self, space: Row) -> bool:
        """Whether the space has most heads of all: then MongoDB looks through all of them in a fifth less time than
        it takes to find each by the index."""
        live = space.get("live", 0)
        if live < _MANY_HEADS:
            return False
        heads = self._documents.with_options(read_concern=ReadConcern("local"))
        counted = [row["count"] async for row in heads.aggregate([{"$collStats": {"count": {}}}])]
        return bool(live >= _MOST_HEADS * sum(counted))

    async def feed(
        self, space: SpaceId, after: SequenceNumber, until: SequenceNumber, most: int
    ) -> list[tuple[SequenceNumber, DocumentId, ContentHash | None]]:
        prefix = len(space) + 1
        with errors_mapped():
            find = find_command(
                "documents",
                {"space": space, "seq": {"$gt": after, "$lte": until}},
                {"seq": 1, "hash": 1, "live": {"$gt": ["$body", None]}},
                order=[("seq", ASCENDING)],
                limit=most,
                together=most,
            )
            rows = await self._reads.rows(find)
        return [(row["seq"], row["_id"][prefix:], row["hash"] if row["live"] else None) for row in rows]

    async def changed(
        self,
        space: SpaceId,
        after: SequenceNumber,
        until: SequenceNumber,
        *,
        max_bytes: int,
        made: Callable[[Sequence[Current]], T],
    ) -> list[T] | None:
        return await self._pages.changed(space, after, until, max_bytes=max_bytes, made=made)

    async def head(self, space: SpaceId, document: DocumentId) -> HistoryEntry | None:
        with errors_mapped():
            row = await self._documents.find_one({"_id": f"{space}/{document}"})
        return None if row is None else entry_of(row)

    async def page(
        self,
        space: SpaceId,
        after: str,
        most: int,
        among: Collection[DocumentId] | None = None,
        *,
        max_bytes: int | None = None,
        made: Callable[[Sequence[Current]], T],
    ) -> tuple[list[T], DocumentId | None]:
        return await self._pages.read(space, after, most, among, max_bytes=max_bytes, made=made)

    async def history(
        self,
        space: SpaceId,
        document: DocumentId,
        most: int,
        *,
        bodies: bool = True,
        max_bytes: int | None = None,
    ) -> list[HistoryEntry]:
        head = await self.head(space, document)
        stages = [] if bodies else [_WITHOUT_BODIES]
        entries: list[HistoryEntry] = []
        size = 0
        with errors_mapped():
            query = {"space": space, "id": document}
            rows = at_once(self._revisions.find_raw_batches(query, *stages, batch_size=_HISTORY_ROWS))
            async for row, length in sized(rows.sort([("seq", DESCENDING), ("_id", DESCENDING)]).limit(most)):
                entries.append(entry_of(row))
                size += length
                if max_bytes is not None and size >= max_bytes:
                    break
        # A head that was superseded between the two reads stands among the revisions now.
        if head is not None and all(entry.rev != head.rev for entry in entries):
            entries.insert(0, head)
        return sorted(entries, key=lambda entry: (entry.sequence, entry.received), reverse=True)[:most]

    async def state(self, space: SpaceId, document: DocumentId, hash_: ContentHash) -> HistoryEntry | None:
        head = await self.head(space, document)
        if head is not None and head.hash == hash_ and head.body is not None:
            return head
        with errors_mapped():
            row = await self._revisions.find_one(
                {"space": space, "id": document, "hash": hash_, "body": {"$exists": True}},
                sort=[("seq", DESCENDING)],
            )
        return None if row is None else entry_of(row)

    async def everything(self, space: SpaceId) -> AsyncIterator[Exported]:
        # Heads before revisions: what is superseded between the two comes among the revisions, too. The other way
        # round it would come nowhere.
        prefix = len(space) + 1
        with errors_mapped():
            heads = self._documents.find_raw_batches({"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}})
            async for row in one_by_one(at_once(heads).sort("_id", ASCENDING)):
                yield Exported(DocumentId(row["_id"][prefix:]), is_head=True, entry=entry_of(row))
            others = self._revisions.find_raw_batches({"space": space}).sort([("id", ASCENDING), ("seq", ASCENDING)])
            async for row in one_by_one(at_once(others).hint("space_id_seq")):
                yield Exported(DocumentId(row["id"]), is_head=False, entry=entry_of(row))

    async def policies(self, space: SpaceId) -> Policies:
        with errors_mapped():
            return policies_of(await self._spaces.find_one({"_id": space}, {"policies": 1}))

    async def set_policies(self, space: SpaceId, policies: Policies) -> None:
        await self.lineages([space])
        declared = {pattern: list(strategies) for pattern, strategies in policies.declared.items()}
        with errors_mapped():
            # As text: patterns hold the characters that mean something in a field's name.
            await self._spaces.update_one({"_id": space}, {"$set": {"policies": json.dumps(declared)}})

    async def spaces(self) -> list[SpaceId]:
        with errors_mapped():
            return [SpaceId(row["_id"]) async for row in self._spaces.find({}, {"_id": 1})]

    async def drop(self, space: SpaceId) -> None:
        heads = {"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}}
        for collection, query in (
            (self._documents, heads),
            (self._revisions, {"space": space}),
            (self._mongo.database["memory"], heads),
            (self._mongo.database["deletions"], heads),
        ):
            more = True
            while more:
                with errors_mapped():
                    keys = [
                        row["_id"]
                        for row in await collection.find(query, {"_id": 1}).limit(_DROPPED_AT_ONCE).to_list(None)
                    ]
                    await collection.delete_many({"_id": {"$in": keys}})
                more = len(keys) == _DROPPED_AT_ONCE
        await self._kept_maps.drop(space)
        with errors_mapped():
            await self._spaces.delete_one({"_id": space})
        await self._kept_maps.drop(space)  # of who was about to keep one, and saw the space

    async def prune(self, space: SpaceId, retention: Retention, now: float) -> Pruned:
        bodies = size = rows = 0
        with errors_mapped():
            excess = await self._size_of_bodies(space) - retention.bytes_per_space
            old = (
                self._revisions.find(
                    {"space": space, "superseded_at": {"$lt": retention.horizon(now)}},
                    {"id": 1, "hash": 1, "superseded_at": 1, "size": SIZE},
                )
                .sort([("superseded_at", ASCENDING), ("_id", ASCENDING)])
                .allow_disk_use(True)
            )
            while portion := await old.to_list(_PRUNED_AT_ONCE):
                prunable = to_prune(await self._kept(space, portion), excess, retention, now)
                excess = prunable.excess
                await self._remove(space, prunable)
                bodies += len(prunable.bodies) + sum(kept.size > 0 for kept in prunable.rows)
                size += sum(kept.size for kept in (*prunable.bodies, *prunable.rows))
                rows += len(prunable.rows)
        return Pruned(bodies, size, rows)

    async def _remove(self, space: SpaceId, prunable: Prunable) -> None:
        """What is no longer kept, and from what the space is said to hold."""
        size = sum(kept.size for kept in (*prunable.bodies, *prunable.rows))

        async def work(session: MongoSession) -> None:
            # First: what writes to the space meanwhile begins again at once, and not when all of this is done.
            # And without the name of the last transaction, so that nobody goes on with what is removed here.
            change_of_space = {"$inc": {"history_size": -size}, "$unset": {"transaction": ""}}
            await self._spaces.update_one({"_id": space}, change_of_space, session=session)
            for those, change in ((prunable.bodies, {"$unset": {"body": "", "size": ""}}), (prunable.rows, None)):
                query = {"_id": {"$in": [kept.key for kept in those]}}
                if those and change is not None:
                    await self._revisions.update_many(query, change, session=session)
                elif those:
                    await self._revisions.delete_many(query, session=session)

        if prunable.bodies or prunable.rows:
            await atomically(self._mongo, work)

    async def usage(self, spaces: Collection[SpaceId]) -> dict[SpaceId, Usage]:
        return await usage(self._mongo, spaces)

    async def count_sizes(self, space: SpaceId) -> bool:
        return await count_sizes(self._mongo, space)

    async def _size_of_bodies(self, space: SpaceId) -> int:
        sums = self._revisions.aggregate(
            [
                {"$match": {"space": space, "body": {"$exists": True}}},
                {"$group": {"_id": None, "size": {"$sum": SIZE}}},
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
