"""What a transaction knows of the revisions and received states of documents: what it has read, once, and what it is
going to write.

Rows are kept until `send`. The database does not have them before that, so what it has does not change meanwhile, and
nothing is read of it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Collection as Several
from dataclasses import replace
from typing import Final, cast

from bson import decode, decode_all, decode_iter
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.raw_rows import RAW
from shared.adapters.mongodb.rows import pairs_of, stored_of
from shared.core.documents import ContentHash, DeviceId, DocumentId, SpaceId
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
"""Of revisions that are read to find one that is near."""
_FIRST: Final = 8
"""So many of these are read first."""
_FIRST_BYTES: Final = 128 * 1024
"""If they have no more, all the others are read at once."""
_Asker = tuple[DocumentId, DeviceId | None]


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


class Revisions:
    """Of one space, within one session."""

    def __init__(
        self, revisions: Collection[Row], session: ClientSession, space: SpaceId, count: Callable[[int], None]
    ) -> None:
        """`count` is told how many bytes of bodies are read, and may raise."""
        self._revisions = revisions
        self._session = session
        self._space = space
        self._count = count
        self._unsent: dict[DocumentId, list[Row]] = {}
        # What the database has, by what was asked for:
        self._states: dict[tuple[DocumentId, ContentHash], Stored | None] = {}
        self._pairs: dict[_Asker, tuple[SequenceNumber, list[tuple[SequenceNumber, Pair]]]] = {}
        self._gone: dict[DocumentId, dict[ValueKey, bool]] = {}
        self._recent: dict[DocumentId, tuple[Stored, ...]] = {}
        self._ancestors: dict[tuple[DocumentId, SequenceNumber], tuple[Stored, ...]] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """To be written, and found from now on."""
        for row in rows:
            self._unsent.setdefault(DocumentId(row["id"]), []).append(row)

    def send(self) -> None:
        """Writes them."""
        rows = [row for several in self._unsent.values() for row in several]
        if rows:
            self._revisions.insert_many(rows, ordered=False, session=self._session)
        self._unsent.clear()

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        """As `Transaction.load`."""
        self._read_states([(s.document, m.states) for _, s, m in wanted if m.states])
        self._read_pairs([(_asker(s), m.pairs_since) for _, s, m in wanted if m.pairs_since is not None])
        self._read_gone([(s.document, m.seen) for _, s, m in wanted if m.seen])
        return [self._loaded(*one) for one in wanted]

    def _loaded(self, context: DocumentContext, submission: Submission, missing: NeedsData) -> DocumentContext:
        document = submission.document
        return replace(
            context,
            states={**context.states, **{content: self._state(document, content) for content in missing.states}},
            pairs=context.pairs if missing.pairs_since is None else self._pairs_of(submission, missing.pairs_since),
            seen={**context.seen, **{key: self._is_gone(document, key) for key in missing.seen}},
            recent=self._newest_bodies(document) if missing.recent else context.recent,
            ancestors=(
                context.ancestors if missing.ancestors is None else self._ancestors_of(document, missing.ancestors)
            ),
        )

    # States by their hashes

    def _state(self, document: DocumentId, content: ContentHash) -> Stored | None:
        state = self._states.get((document, content))
        for row in self._rows(document):
            if row["hash"] == content and not row.get("deleted"):
                state = _newer(state, stored_of(row))
        return state

    def _read_states(self, wanted: Sequence[tuple[DocumentId, Several[ContentHash]]]) -> None:
        unread: dict[DocumentId, set[ContentHash]] = {}
        for document, hashes in wanted:
            superseded = {row["hash"] for row in self._rows(document) if row["until"] > BEGINNING and "body" in row}
            for content in hashes:
                # What this transaction superseded is newer than all that the database has.
                if content not in superseded and (document, content) not in self._states:
                    unread.setdefault(document, set()).add(content)
        if not unread:
            return
        self._states.update(dict.fromkeys((document, content) for document in unread for content in unread[document]))
        query = [{"id": document, "hash": {"$in": sorted(hashes)}} for document, hashes in unread.items()]
        for row in self._rows_of({"space": self._space, "$or": query}, {"id": 1, **_STORED}):
            if not row.get("deleted"):
                key = (DocumentId(row["id"]), ContentHash(row["hash"]))
                self._states[key] = _newer(self._states[key], stored_of(row))

    # Pairs of a device

    def _pairs_of(self, submission: Submission, since: SequenceNumber) -> tuple[Pair, ...]:
        _, read = self._pairs[_asker(submission)]
        unsent = (
            (row["seq"], pair)
            for row in self._rows(submission.document)
            for pair in pairs_of(row)
            if pair.device == submission.device
        )
        return tuple(pair for sequence, pair in (*read, *unsent) if sequence >= since)

    def _read_pairs(self, wanted: Sequence[tuple[_Asker, SequenceNumber]]) -> None:
        unread: dict[_Asker, SequenceNumber] = {}
        for asker, since in wanted:
            known = self._pairs.get(asker)
            if known is None or known[0] > since:
                unread[asker] = min(since, unread.get(asker, since))
        if not unread:
            return
        self._pairs.update({asker: (since, []) for asker, since in unread.items()})
        query = [
            {"id": document, "seq": {"$gte": since}, "pairs": {"$elemMatch": {"0": device}}}
            for (document, device), since in unread.items()
        ]
        rows = self._revisions.find(
            {"space": self._space, "$or": query}, {"id": 1, "seq": 1, "pairs": 1}, session=self._session
        )
        for row in rows.sort([("seq", ASCENDING), ("_id", ASCENDING)]):
            for pair in pairs_of(row):
                asker = (DocumentId(row["id"]), pair.device)
                if asker in unread and row["seq"] >= unread[asker]:
                    self._pairs[asker][1].append((row["seq"], pair))

    # Values that are gone

    def _is_gone(self, document: DocumentId, key: ValueKey) -> bool:
        return self._gone[document][key] or any(key in row.get("gone", ()) for row in self._rows(document))

    def _read_gone(self, wanted: Sequence[tuple[DocumentId, Several[ValueKey]]]) -> None:
        unread: dict[DocumentId, set[ValueKey]] = {}
        for document, keys in wanted:
            new = set(keys) - self._gone.setdefault(document, {}).keys()
            if new:
                unread.setdefault(document, set()).update(new)
        if not unread:
            return
        for document, new in unread.items():
            self._gone[document].update(dict.fromkeys(new, False))
        query = [{"id": document, "gone": {"$in": sorted(keys)}} for document, keys in unread.items()]
        rows = self._revisions.find({"space": self._space, "$or": query}, {"id": 1, "gone": 1}, session=self._session)
        for row in rows:
            document = DocumentId(row["id"])
            for key in unread[document].intersection(map(ValueKey, row["gone"])):
                self._gone[document][key] = True

    # The newest

    def _newest_bodies(self, document: DocumentId) -> tuple[Stored, ...]:
        if document not in self._recent:
            self._recent[document] = self._read_recent(document)
        unsent = [stored_of(row) for row in self._newest_unsent(document) if "body" in row]
        return (*unsent, *self._recent[document])[:RECENT]

    def _ancestors_of(self, document: DocumentId, until: SequenceNumber) -> tuple[Stored, ...]:
        if (document, until) not in self._ancestors:
            self._ancestors[document, until] = self._read_ancestors(document, until)
        read = self._ancestors[document, until]
        unsent = [stored_of(row) for row in self._newest_unsent(document) if "body" in row or row.get("deleted")]
        versioned = [stored for stored in (*unsent, *read) if stored.version is not None]
        implied = [stored for stored in unsent if stored.version is None and _is_superseded(stored, until)]
        implied += [stored for stored in read if stored.version is None]
        return (*versioned[:RECENT], *implied[:1])

    def _rows(self, document: DocumentId) -> Sequence[Row]:
        """That are not sent yet, in the order in which they were added."""
        return self._unsent.get(document, ())

    def _newest_unsent(self, document: DocumentId) -> list[Row]:
        return sorted(self._rows(document), key=lambda row: row["seq"])[::-1]

    def _rows_of(self, query: Row, projection: Row) -> Iterator[Row]:
        return rows_of(self._revisions, query, projection, session=self._session, count=self._count)

    def _read_recent(self, document: DocumentId) -> tuple[Stored, ...]:
        query = {"space": self._space, "id": document, "body": {"$exists": True}}
        return tuple(map(stored_of, self._newest(query, RECENT)))

    def _read_ancestors(self, document: DocumentId, until: SequenceNumber) -> tuple[Stored, ...]:
        document_only = {"space": self._space, "id": document}
        rows = self._newest({**document_only, "version": {"$exists": True}}, RECENT)
        if until > BEGINNING:
            shown = [{"deleted": True}, {"body": {"$exists": True}}]
            until_then = {"seq": {"$lte": until}, "until": {"$gt": BEGINNING}, "version": None, "$or": shown}
            query = {**document_only, **until_then}
            rows += self._newest(query, 1)
        return tuple(stored_of(row) for row in rows if "body" in row or row.get("deleted"))

    def _newest(self, query: Row, most: int) -> list[Row]:
        """Revisions, the newest first; fewer if they are large. A few are read, and all others at once if those are
        small: no more of them comes at a time than `_FIRST` large ones are, as a rule."""
        rows: list[Row] = []
        size = 0
        for row, length in self._sized(query, min(most, _FIRST)):
            size += length
            if rows and size > _RECENT_BYTES:
                return rows
            rows.append(row)
        if len(rows) < _FIRST or most <= _FIRST:
            return rows
        for row, length in self._sized(query, most - _FIRST, skip=_FIRST, together=size <= _FIRST_BYTES):
            size += length
            if size > _RECENT_BYTES:
                break
            rows.append(row)
        return rows

    def _sized(self, query: Row, most: int, *, skip: int = 0, together: bool = True) -> Iterator[tuple[Row, int]]:
        """Rows and their bytes, which are counted before they are made values; `together`: in one answer."""
        cursor = self._revisions.find_raw_batches(
            query, _STORED, session=self._session, batch_size=most if together else _FIRST
        )
        newest = cursor.sort([("seq", DESCENDING), ("_id", DESCENDING)])
        with newest.skip(skip).limit(most) as batches:
            for batch in batches:
                for raw in decode_iter(cast(bytes, batch), RAW):
                    self._count(len(raw.raw))
                    yield decode(raw.raw, self._revisions.codec_options), len(raw.raw)


def _asker(submission: Submission) -> _Asker:
    return submission.document, submission.device


def _newer(known: Stored | None, state: Stored) -> Stored:
    """The newer of two with the same hash, with its body or, if that is pruned, the other one's."""
    if known is None:
        return state
    older, newest = sorted((known, state), key=lambda stored: (stored.until or 0, stored.sequence))
    return replace(newest, body=newest.body or older.body)


def _is_superseded(stored: Stored, until: SequenceNumber) -> bool:
    """Whether it was the head, up to this sequence."""
    return stored.until is not None and stored.until > BEGINNING and stored.sequence <= until
