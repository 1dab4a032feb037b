"""The rows of a backup: read at one moment of each space, and put back.

A space that is empty gets its rows as they were, with their sequences and histories, so what devices remember of it
still means something. It goes on in a new history. While rows are put back there is a history for that time alone;
its place is taken by another one at the end, so nothing that was read of the unfinished space (a cached hash map, a
cursor) is taken for valid later. A row of the space says who puts it back: stopped at any moment, the same again
goes on.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from bson import decode
from pymongo.errors import BulkWriteError, DuplicateKeyError

from shared.adapters.mongodb.atomic import MongoSession, atomically
from shared.adapters.mongodb.client import CODEC, RAW, Mongo, Row, errors_mapped
from shared.adapters.mongodb.rows import entry_of, history_rows, lineage_of, policies_of, with_new_history
from shared.core.access.people import name_key
from shared.core.access.roles import Role
from shared.core.display import MAX_NAME
from shared.core.documents import DocumentId, Epoch, Exported, SpaceId, UserName
from shared.core.index.lineage import Begun, Lineage, next_history
from shared.core.merge.policies import Policies

PEOPLE: Final = ("users", "identities", "space_profiles", "members", "invitations", "devices", "audit")
"""Collections of people and devices, in the order in which they are put back."""
CONTENT: Final = ("documents", "revisions", "memory", "deletions")
"""Collections that spaces have rows in, besides `spaces`."""
LEFT_OUT: Final = (
    "sessions",
    "sign_in_failures",
    "device_grants",
    "provider_flows",
    "device_additions",
    "schema",
    "hash_maps",
)
"""What a backup does not have, for it does not last, or is made again: browsers sign in again."""
_DUPLICATE: Final = 11000
_NAMES_TRIED: Final = 100


class MongoBackups:
    """Reads and puts back rows, as BSON."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._spaces = mongo.database["spaces"]

    async def spaces(self) -> list[SpaceId]:
        """All that have documents, or that somebody may open."""
        with errors_mapped():
            names = {row["_id"] async for row in self._spaces.find({}, {"_id": 1})}
            names |= {row["_id"] async for row in self._mongo.database["space_profiles"].find({}, {"_id": 1})}
            devices = self._mongo.database["devices"].aggregate([{"$group": {"_id": "$space"}}])
            names |= {row["_id"] async for row in devices}
        return [SpaceId(space) for space in sorted(names)]

    async def people(self, spaces: Collection[SpaceId] | None) -> AsyncIterator[tuple[str, bytes]]:
        """The rows of PEOPLE with their collections, as they are at one moment: all, or what belongs to the
        spaces."""
        queries: dict[str, Row] = {collection: {} for collection in PEOPLE}
        if spaces is not None:
            of_spaces = {"$in": list(spaces)}
            with errors_mapped():
                people = [
                    *await self._values("members", "user", {"space": of_spaces}),
                    *await self._values("devices", "owner", {"space": of_spaces}),
                ]
            queries = {
                **{collection: {"space": of_spaces} for collection in PEOPLE},
                "users": {"_id": {"$in": people}},
                "identities": {"user": {"$in": people}},
                "space_profiles": {"_id": of_spaces},
            }
        async for row in self._at_one_moment(queries):
            yield row

    async def _values(self, collection: str, field: str, query: Row) -> list[Any]:
        """Of the rows that have the field, each once. (`distinct` is not in the stable API.)"""
        stages = [{"$match": {**query, field: {"$exists": True}}}, {"$group": {"_id": f"${field}"}}]
        return [row["_id"] async for row in self._mongo.database[collection].aggregate(stages)]

    async def space(self, space: SpaceId) -> AsyncIterator[tuple[str, bytes]]:
        """The row of the space and all rows in it with their collections, as they are at one moment."""
        keys = {"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}}
        in_space: Row = {"space": space}
        queries = {
            "spaces": {"_id": space},
            "documents": in_space,
            "revisions": in_space,
            "memory": keys,
            "deletions": keys,
        }
        async for row in self._at_one_moment(queries):
            yield row

    async def _at_one_moment(self, queries: dict[str, Row]) -> AsyncIterator[tuple[str, bytes]]:
        with errors_mapped():
            async with await self._mongo.client.start_session(snapshot=True) as session:
                for name, query in queries.items():
                    collection: Any = self._mongo.database[name].with_options(codec_options=RAW)
                    async for row in collection.find(query, session=session):
                        yield name, row.raw

    async def add_person_row(self, collection: str, raw: bytes) -> bool:
        """Stores a row of PEOPLE unless there is one with its key: that one knows what happened since (a password
        that was changed, a device that was revoked). A user whose name somebody else has gets another one; a space
        that has an owner keeps that one, and the other one becomes an editor. False: nothing was stored."""
        row = decode(raw, CODEC)
        rows = self._mongo.database[collection]
        with errors_mapped():
            if await rows.find_one({"_id": row["_id"]}, {"_id": 1}) is not None:
                return False
            for changed in _alternatives(collection, row):
                try:
                    await rows.insert_one(changed)
                except DuplicateKeyError:
                    continue
                return True
        return False

    async def begin(self, space: SpaceId, raw: bytes, restoration: str) -> bool:
        """Whether the rows of a space can be put back as they were: it is empty, or its rows are being put back by
        the restoration of this name. `raw`: its row of `spaces`."""
        row = decode(raw, CODEC)
        lineage = with_new_history(lineage_of(row))
        for left in ("process", "fence", "transaction"):  # of the servers that the rows come from
            row.pop(left, None)
        row |= {"histories": history_rows(lineage), "restoring": {"by": restoration, "since": lineage.current}}
        with errors_mapped():
            current = await self._spaces.find_one({"_id": space}, {"sequence": 1, "restoring": 1})
            if current is None:
                try:
                    await self._spaces.insert_one(row)
                except DuplicateKeyError:
                    return await self.begin(space, raw, restoration)
                return True
            if current.get("restoring") is not None:
                return bool(current["restoring"]["by"] == restoration)
            unused = {"_id": space, "sequence": 0, "restoring": {"$exists": False}}
            return (await self._spaces.replace_one(unused, row)).matched_count == 1

    async def put(self, collection: str, raws: Sequence[bytes]) -> list[DocumentId]:
        """Stores rows of CONTENT as they were. Returns the documents of which somebody wrote another state
        meanwhile."""
        rows = [decode(raw, CODEC) for raw in raws]
        with errors_mapped():
            try:
                await self._mongo.database[collection].insert_many(rows, ordered=False)
            except BulkWriteError as error:
                failed = error.details["writeErrors"]
                if any(one["code"] != _DUPLICATE for one in failed):
                    raise
                if collection == "documents":
                    return await self._written_meanwhile([rows[one["index"]] for one in failed])
        return []

    async def _written_meanwhile(self, rows: Sequence[Row]) -> list[DocumentId]:
        keys = [row["_id"] for row in rows]
        cursor = self._mongo.database["documents"].find({"_id": {"$in": keys}}, {"seq": 1, "hash": 1})
        current = {row["_id"]: (row["seq"], row["hash"]) async for row in cursor}
        others = [row for row in rows if current.get(row["_id"]) != (row["seq"], row["hash"])]
        return [_document_of(row) for row in others]

    async def finish(self, space: SpaceId, restoration: str) -> None:
        """To be called when all rows of a space are put back. What was written meanwhile is of the new history
        too."""

        async def work(session: MongoSession) -> None:
            row = await self._spaces.find_one({"_id": space, "restoring.by": restoration}, session=session)
            if row is not None:
                lineage, renamed = _renamed(lineage_of(row), row["restoring"]["since"])
                change: Row = {"$set": {"histories": history_rows(lineage)}, "$unset": {"restoring": ""}}
                await self._spaces.update_one({"_id": space}, change, session=session)
                await self._rename(space, lineage, renamed, session)

        await atomically(self._mongo, work)

    async def _rename(
        self, space: SpaceId, lineage: Lineage, renamed: Mapping[Epoch, Begun], session: MongoSession
    ) -> None:
        """What was written in these histories is said to be of those that took their places."""
        first = min(new.first for new in renamed.values())
        if lineage.sequence < first:
            return
        documents, revisions = self._mongo.database["documents"], self._mongo.database["revisions"]
        since: Row = {"space": space, "seq": {"$gte": first}}
        written = [_document_of(row) async for row in documents.find(since, {"space": 1}, session=session)]
        for old, new in renamed.items():
            change: Row = {"$set": {"history": new.id}}
            await documents.update_many({**since, "history": old}, change, session=session)
            query: Row = {"space": space, "id": {"$in": written}, "seq": {"$gte": first}, "history": old}
            await revisions.update_many(query, change, session=session)


def _renamed(lineage: Lineage, since: str) -> tuple[Lineage, dict[Epoch, Begun]]:
    """With other ids for the histories from this one on, and which id became which."""
    place = next(place for place, one in enumerate(lineage.histories) if one.id == since)
    histories = list(lineage.histories)
    renamed: dict[Epoch, Begun] = {}
    for number in range(place, len(histories)):
        old = histories[number]
        before = histories[number - 1].id if number else old.id
        histories[number] = renamed[old.id] = Begun(next_history(before, old.first, secrets.randbits(40)), old.first)
    return Lineage(tuple(histories), lineage.sequence), renamed


def _document_of(row: Row) -> DocumentId:
    return DocumentId(row["id"] if "id" in row else row["_id"][len(row["space"]) + 1 :])


def _alternatives(collection: str, row: Row) -> Iterator[Row]:
    """The row as it is, then what may be stored where another one is in its way."""
    yield row
    if collection == "members" and row["role"] == Role.OWNER.value:
        yield {**row, "role": Role.EDITOR.value}
    if collection == "users":
        without = {name: value for name, value in row.items() if name not in {"email", "email_key"}}
        yield without
        for number in range(1, _NAMES_TRIED):
            name = UserName(f"{row['name'][: MAX_NAME - 16]}-restored-{number}")
            yield {**row, "name": name, "name_key": name_key(name)}
            yield {**without, "name": name, "name_key": name_key(name)}


def exported(collection: str, raw: bytes) -> Exported:
    """A row of `documents` or `revisions`, as an export lists it."""
    row = decode(raw, CODEC)
    return Exported(_document_of(row), collection == "documents", entry_of(row))


def policies_in(raw: bytes) -> Policies:
    """Of a row of `spaces`."""
    return policies_of(decode(raw, CODEC))


def is_of(collection: str, raw: bytes, spaces: Collection[SpaceId], users: Collection[str]) -> bool:
    """Whether a row of PEOPLE belongs to one of the spaces, or is one of the users."""
    row = decode(raw, CODEC)
    if collection in ("users", "identities"):
        return row["_id" if collection == "users" else "user"] in users
    return row.get("_id" if collection == "space_profiles" else "space") in spaces


def users_in(collection: str, raw: bytes, spaces: Collection[SpaceId]) -> set[str]:
    """The users that a row of PEOPLE names, if it is of a member or a device of one of the spaces."""
    field = {"members": "user", "devices": "owner"}.get(collection)
    if field is None:
        return set()
    row = decode(raw, CODEC)
    return {row[field]} if row["space"] in spaces and field in row else set()
