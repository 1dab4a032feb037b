"""What a transaction reads of the revisions and received states of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as Several
from dataclasses import replace
from typing import Final, cast

from bson import decode_all
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.rows import pairs_of, stored_of
from shared.core.documents import ContentHash, DocumentId, SpaceId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.resolution.context import (
    BEGINNING,
    RECENT,
    DocumentContext,
    NeedsData,
    Pair,
    Stored,
    Submission,
    ValueKey,
)

_STORED: Final = {"hash": 1, "seq": 1, "until": 1, "body": 1, "deleted": 1, "history": 1, "version": 1}
_RECENT_BYTES: Final = 16 * 1024 * 1024
"""Of bodies that are read to find one that is near."""
_Wanted = tuple[DocumentContext, Submission, NeedsData]


def rows_of(
    collection: Collection[Row],
    query: Row,
    projection: Row | None,
    *,
    session: ClientSession,
    count: Callable[[int], None],
) -> Iterator[Row]:
    """Rows with bodies. Their bytes are counted before they are made values."""
    for batch in collection.find_raw_batches(query, projection, session=session):
        data = cast(bytes, batch)
        count(len(data))
        yield from decode_all(data, collection.codec_options)


class RevisionReader:
    """Reads of one space, within one session."""

    def __init__(
        self, revisions: Collection[Row], session: ClientSession, space: SpaceId, count: Callable[[int], None]
    ) -> None:
        """`count` is told how many bytes of bodies are read, and may raise."""
        self._revisions = revisions
        self._session = session
        self._space = space
        self._count = count

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        states = self._states([(s.document, m.states) for _, s, m in wanted if m.states])
        pairs = self._pairs([(s, m.pairs_since) for _, s, m in wanted if m.pairs_since is not None])
        gone = self._gone([(s.document, m.seen) for _, s, m in wanted if m.seen])
        loaded = []
        for context, submission, missing in wanted:
            document = submission.document
            stored: dict[ContentHash, Stored | None] = {h: states.get((document, h)) for h in missing.states}
            held = gone.get(document, set())
            loaded.append(
                replace(
                    context,
                    states={**context.states, **stored},
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
        cursor = rows_of(
            self._revisions,
            {
                "space": self._space,
                "$or": [{"id": document, "hash": {"$in": list(hashes)}} for document, hashes in wanted],
            },
            {"id": 1, **_STORED},
            session=self._session,
            count=self._count,
        )
        newest_states: dict[tuple[DocumentId, ContentHash], Stored] = {}
        for row in cursor:
            if row.get("deleted"):
                continue
            key = (DocumentId(row["id"]), ContentHash(row["hash"]))
            state, known = stored_of(row), newest_states.get(key)
            if known is not None:
                older, newest = sorted((known, state), key=lambda stored: (stored.until or 0, stored.sequence))
                state = replace(newest, body=newest.body or older.body)
            newest_states[key] = state
        return newest_states

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
        pairs: dict[DocumentId, tuple[Pair, ...]] = {}
        for row in cursor:
            document = DocumentId(row["id"])
            theirs = (pair for pair in pairs_of(row) if pair.device == devices[document])
            pairs[document] = (*pairs.get(document, ()), *theirs)
        return pairs

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
        by_document: dict[DocumentId, set[ValueKey]] = {}
        for row in cursor:
            by_document.setdefault(DocumentId(row["id"]), set()).update(map(ValueKey, row["gone"]))
        return by_document

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
        states: list[Stored] = []
        bytes_left = _RECENT_BYTES
        for row in cursor:
            bytes_left -= row["size"]
            self._count(row["size"])
            if states and bytes_left < 0:
                break
            states.append(stored_of(row))
        cursor.close()
        return tuple(states)

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
        rows: list[Row] = []
        bytes_left = _RECENT_BYTES
        for row in cursor.sort([("seq", DESCENDING), ("_id", DESCENDING)]).limit(most):
            bytes_left -= row["size"]
            self._count(row["size"])
            if rows and bytes_left < 0:
                break
            rows.append(row)
        cursor.close()
        return rows
