"""What a transaction knows of the revisions and received states of documents: what it has read, once, and what it is
going to write.

Rows are kept until `send`. The database does not have them before that, so what it has does not change meanwhile, and
nothing is read of it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as Several
from dataclasses import replace
from itertools import chain
from typing import Final

from bson import decode
from pymongo import ASCENDING, DESCENDING

from shared.adapters.mongodb.client import CODEC, RAW, Row
from shared.adapters.mongodb.commands import Commands, aggregate_command, find_command
from shared.adapters.mongodb.rows import pairs_of, stored_of
from shared.core.documents import ContentHash, DeviceId, DocumentId, SequenceNumber, SpaceId
from shared.core.resolution.context import (
    BEGINNING,
    RECENT,
    DocumentContext,
    Head,
    NeedsData,
    Pair,
    Stored,
    Submission,
    ValueKey,
)
from shared.core.resolution.document_history import newer

_REVISIONS: Final = "revisions"
_STORED: Final = {"hash": 1, "seq": 1, "until": 1, "body": 1, "deleted": 1, "history": 1, "version": 1}
_RECENT_BYTES: Final = 16 * 1024 * 1024
"""Of revisions that are read to find one that is near: of one document, or of several together."""
_FIRST: Final = 8
"""So many of these are read first."""
_FIRST_BYTES: Final = 128 * 1024
"""If they have no more, all the others are read at once."""
_PAIRS_AT_ONCE: Final = 4000
_Asker = tuple[DocumentId, DeviceId | None]


class Revisions:
    """Of one space, within one transaction."""

    def __init__(self, commands: Commands, space: SpaceId, count: Callable[[int], None]) -> None:
        """`count` is told how many bytes of bodies are read, and may raise."""
        self._commands = commands
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
            self._commands.insert(_REVISIONS, rows)
        self._unsent.clear()

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        """As `Transaction.load`."""
        self._read_states([(s.document, m.states) for _, s, m in wanted if m.states])
        self._read_pairs([(_asker(s), m.pairs_since) for _, s, m in wanted if m.pairs_since is not None])
        self._read_gone([(s.document, m.seen) for _, s, m in wanted if m.seen])
        self._read_recent({s.document: _first_of(c.head) for c, s, m in wanted if m.recent})
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
                state = newer(state, stored_of(row))
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
        # Two lists, not a condition for each document: of some hundred conditions the database makes a plan each.
        hashes = sorted(set().union(*unread.values()))
        query = {"space": self._space, "id": {"$in": sorted(unread)}, "hash": {"$in": hashes}}
        # In the order of the index that is meant: another one has all revisions of these documents.
        find = find_command(
            _REVISIONS,
            query,
            {"id": 1, **_STORED},
            order=[("id", ASCENDING), ("hash", ASCENDING)],
            together=2 * len(hashes) + 1,
        )
        for row in chain.from_iterable(self._commands.batches(find, count=self._count)):
            key = (DocumentId(row["id"]), ContentHash(row["hash"]))
            if key in self._states and not row.get("deleted"):
                self._states[key] = newer(self._states[key], stored_of(row))

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
        query = {"space": self._space, "$or": _since_about_the_same(unread)}
        find = find_command(_REVISIONS, query, {"id": 1, "seq": 1, "pairs": 1}, together=_PAIRS_AT_ONCE)
        batches = self._commands.batches(find)
        for row in sorted(chain.from_iterable(batches), key=lambda row: (row["seq"], row["_id"])):
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
        values = sorted(set().union(*unread.values()))
        query = {"space": self._space, "id": {"$in": sorted(unread)}, "gone": {"$in": values}}
        find = find_command(_REVISIONS, query, {"id": 1, "gone": 1}, together=len(values) + 1)
        for row in chain.from_iterable(self._commands.batches(find)):
            document = DocumentId(row["id"])
            for key in unread[document].intersection(map(ValueKey, row["gone"])):
                self._gone[document][key] = True

    # The newest

    def _newest_bodies(self, document: DocumentId) -> tuple[Stored, ...]:
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

    def _read_recent(self, documents: Mapping[DocumentId, int]) -> None:
        """Those of many documents in two questions at most. What is too large for that is read one by one."""
        unread = [document for document in documents if document not in self._recent]
        if len(unread) > 1:
            for settled in (self._recent_of_short, self._recent_of_long):
                self._recent.update(settled(sorted(unread)))
                unread = [document for document in unread if document not in self._recent]
        for document in unread:
            self._recent[document] = _recent_of(self._newest(self._bodies_of(document), RECENT, documents[document]))

    def _bodies_of(self, documents: DocumentId | Row) -> Row:
        return {"space": self._space, "id": documents, "body": {"$exists": True}}

    def _recent_of_short(self, documents: Sequence[DocumentId]) -> dict[DocumentId, tuple[Stored, ...]]:
        """Of those that have few, in a walk along the index, until it has met more than `_FIRST` for each."""
        most = _FIRST * len(documents)
        known: dict[DocumentId, list[Row]] = {}
        find = find_command(
            _REVISIONS,
            self._bodies_of({"$in": documents}),
            {"id": 1, **_STORED},
            order=[("id", DESCENDING), ("seq", DESCENDING)],
            limit=most,
            together=most + 1,
        )
        all_of_them = self._collect(find, known)
        if all_of_them and sum(map(len, known.values())) < most:
            return {document: _recent_of(known.get(document, ())) for document in documents}
        last = min(known, key=_as_in_index)  # of it more may come
        return {
            document: _recent_of(known.get(document, ()))
            for document in documents
            if _as_in_index(document) > _as_in_index(last) or len(known.get(document, ())) >= RECENT
        }

    def _recent_of_long(self, documents: Sequence[DocumentId]) -> dict[DocumentId, tuple[Stored, ...]]:
        """Of those that have many: for each document the database asks itself, and no more than RECENT come."""
        if len(documents) < 2:
            return {}
        keys = [f"{self._space}/{document}" for document in documents]
        each = [
            {"$match": {"space": self._space, "body": {"$exists": True}}},
            {"$sort": {"seq": DESCENDING}},
            {"$limit": RECENT},
            {"$project": _STORED},
        ]
        matches = {"from": _REVISIONS, "localField": "id", "foreignField": "id", "pipeline": each}
        steps: list[Row] = [
            {"$match": {"_id": {"$in": keys}}},
            {"$project": {"_id": 0, "id": {"$substrBytes": ["$_id", len(f"{self._space}/".encode()), -1]}}},
            {"$lookup": {**matches, "as": "revision"}},
            {"$unwind": {"path": "$revision", "preserveNullAndEmptyArrays": True}},
        ]
        known: dict[DocumentId, list[Row]] = {}
        aggregate = aggregate_command("documents", steps, together=RECENT * len(documents))
        if not self._collect(aggregate, known):
            known.popitem()  # of it more may come
        return {document: _recent_of(rows) for document, rows in known.items()}

    def _collect(self, find: Row, known: dict[DocumentId, list[Row]]) -> bool:
        """Rows by document. False: they were more than `_RECENT_BYTES`, and the others are left out."""
        size = 0

        def count(answer: int) -> None:
            nonlocal size
            size += answer
            self._count(answer)

        for rows in self._commands.batches(find, count=count):
            for row in rows:
                several = known.setdefault(DocumentId(row["id"]), [])
                if "hash" in row:
                    several.append(row)
                elif "revision" in row:
                    several.append(row["revision"])
            if size > _RECENT_BYTES:
                return False
        return True

    def _read_ancestors(self, document: DocumentId, until: SequenceNumber) -> tuple[Stored, ...]:
        document_only = {"space": self._space, "id": document}
        rows = self._newest({**document_only, "version": {"$exists": True}}, RECENT)
        if until > BEGINNING:
            shown = [{"deleted": True}, {"body": {"$exists": True}}]
            until_then = {"seq": {"$lte": until}, "until": {"$gt": BEGINNING}, "version": None, "$or": shown}
            query = {**document_only, **until_then}
            rows += self._newest(query, 1)
        return tuple(stored_of(row) for row in rows if "body" in row or row.get("deleted"))

    def _newest(self, query: Row, most: int, first: int = _FIRST) -> list[Row]:
        """Revisions, the newest first; fewer if they are large. So many are read first, and all others at once if
        those are small: no more of them comes at a time than `_FIRST` large ones are, as a rule."""
        rows: list[Row] = []
        size = 0
        for row, length in self._sized(query, min(most, first)):
            size += length
            if rows and size > _RECENT_BYTES:
                return rows
            rows.append(row)
        if len(rows) < min(most, first) or most <= first:
            return rows
        # From the last one's sequence on, which received states may share with it.
        known = {row["_id"] for row in rows}
        query = {"$and": [query, {"seq": {"$lte": rows[-1]["seq"]}}]}
        for row, length in self._sized(query, most, together=size <= _FIRST_BYTES):
            if row["_id"] in known:
                continue
            size += length
            if size > _RECENT_BYTES or len(rows) == most:
                break
            rows.append(row)
        return rows

    def _sized(self, query: Row, most: int, *, together: bool = True) -> Iterator[tuple[Row, int]]:
        """Rows and their bytes, which are counted before they are made values; `together`: in one answer."""
        # Along an index; by one more field, and all that the document has would be read.
        find = find_command(
            _REVISIONS,
            query,
            _STORED,
            order=[("seq", DESCENDING)],
            limit=most,
            together=most + 1 if together else _FIRST,
        )
        for raw in chain.from_iterable(self._commands.batches(find, codec=RAW)):
            self._count(len(raw.raw))
            yield decode(raw.raw, CODEC), len(raw.raw)


def _asker(submission: Submission) -> _Asker:
    return submission.document, submission.device


def _since_about_the_same(wanted: Mapping[_Asker, SequenceNumber]) -> list[Row]:
    """Conditions on the revisions that anybody asks for, and no more than twice as many. One for each who asks would
    be a plan for each: of some hundred that takes the database half a second."""
    newest = max(wanted.values())
    groups: dict[int, list[_Asker]] = {}
    for asker, since in wanted.items():
        groups.setdefault((newest - since).bit_length(), []).append(asker)
    return [
        {
            "id": {"$in": sorted({document for document, _ in askers})},
            "seq": {"$gte": min(wanted[asker] for asker in askers)},
            "pairs": {"$elemMatch": {"0": {"$in": list({device for _, device in askers})}}},
        }
        for askers in groups.values()
    ]


def _first_of(head: Head | None) -> int:
    """How many of the newest states are read at once: all, if the head is so small that they are few bytes."""
    size = None if head is None else head.size
    return RECENT if size is not None and size * RECENT <= _FIRST_BYTES else _FIRST


def _recent_of(rows: Iterable[Row]) -> tuple[Stored, ...]:
    """In the order of their sequences, the newest first. Received states share those of the heads that they met."""
    newest = sorted(rows, key=lambda row: (row["seq"], row["_id"]), reverse=True)
    return tuple(map(stored_of, newest[:RECENT]))


def _as_in_index(document: DocumentId) -> bytes:
    return document.encode()


def _is_superseded(stored: Stored, until: SequenceNumber) -> bool:
    """Whether it was the head, up to this sequence."""
    return stored.until is not None and stored.until > BEGINNING and stored.sequence <= until
