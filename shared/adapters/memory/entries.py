"""One document and its history as a value. Pure: who stores it, and where, is another module's business.

Laws (tests/contract/test_transaction.py holds them against every adapter):
    `loaded` answers what the rules ask for as the database does
    `after_write` keeps every state that was superseded or received, and the pairs and strong values that it had
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shared.core.documents import Body, ContentHash, DeviceId, Epoch, HistoryEntry, SequenceNumber
from shared.core.merge.conflict_rows import ConflictRow, with_more
from shared.core.resolution.batch import Write
from shared.core.resolution.context import (
    BEGINNING,
    MAX_PAIRS,
    RECENT,
    DocumentContext,
    Head,
    NeedsData,
    Pair,
    Stored,
    Submission,
    ValueKey,
)
from shared.core.resolution.revs import make_rev
from shared.core.version_vectors import Version


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a state comes from, for people. `at`: seconds since 1970."""

    by: str
    at: float
    outcome: str
    rule: str
    parents: tuple[str, ...] = ()
    conflicts: tuple[ConflictRow, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A superseded head, or a received state that never was one (`until` BEGINNING)."""

    sequence: SequenceNumber
    """Of a received state: that of the head that it met."""
    hash: ContentHash
    body: Body | None
    """None: pruned, or a tombstone."""
    until: SequenceNumber
    """The sequence that superseded it."""
    provenance: Provenance
    deleted: bool = False
    pairs: tuple[Pair, ...] = ()
    gone: frozenset[ValueKey] = frozenset()
    history: Epoch | None = None
    """Of the sequence; None: the oldest."""
    version: Version | None = None
    """As in `shared.core.resolution.context.Stored`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document: its head, where that comes from, and what was before, the newest last."""

    head: Head
    provenance: Provenance
    past: tuple[HistoryItem, ...] = field(default=())

    @property
    def hash(self) -> ContentHash | None:
        """None: it is not live."""
        return self.head.hash if self.head.body is not None else None

    @property
    def buried(self) -> ContentHash | None:
        """The hash of the body that a head tombstone buried, which must be kept."""
        return self.head.hash if self.head.body is None else None


def loaded(entry: Entry | None, memory: DocumentContext, request: Submission, missing: NeedsData) -> DocumentContext:
    """`memory` with what is missing."""
    past = entry.past if entry is not None else ()
    pairs, since = memory.pairs, missing.pairs_since
    if since is not None:
        pairs = tuple(p for item in past if item.sequence >= since for p in item.pairs if p.device == request.device)
    recent = memory.recent
    if missing.recent:
        newest = sorted((item for item in past if item.body is not None), key=lambda item: item.sequence)[::-1]
        recent = tuple(_stored(item) for item in newest[:RECENT])
    gone = frozenset[ValueKey]().union(*(item.gone for item in past)) if missing.seen else frozenset[ValueKey]()
    return replace(
        memory,
        states={**memory.states, **{content: _newest(past, content) for content in missing.states}},
        pairs=pairs,
        seen={**memory.seen, **{key: key in gone for key in missing.seen}},
        recent=recent,
        ancestors=memory.ancestors if missing.ancestors is None else _ancestors(past, missing.ancestors),
    )


def _ancestors(past: tuple[HistoryItem, ...], until: SequenceNumber) -> tuple[Stored, ...]:
    shown = [item for item in past if item.body is not None or item.deleted]
    with_version = [item for item in shown if item.version is not None]
    implied = [item for item in shown if item.version is None and item.until > BEGINNING and item.sequence <= until]
    newest = max(implied, key=lambda item: item.sequence, default=None)
    return tuple(map(_stored, [*reversed(with_version[-RECENT:]), *([newest] if newest is not None else [])]))


def _newest(past: tuple[HistoryItem, ...], content: ContentHash) -> Stored | None:
    same = [item for item in past if item.hash == content and not item.deleted]
    if not same:
        return None
    newest = max(reversed(same), key=lambda item: (item.until, item.sequence))  # of equal ones the last one
    body = next((item.body for item in same if item.body is not None), None)
    return replace(_stored(newest), body=body)


def _stored(item: HistoryItem) -> Stored:
    return Stored(item.hash, item.body, item.sequence, item.until, item.history, item.version, item.deleted)


def after_write(entry: Entry | None, write: Write, sequence: SequenceNumber, history: Epoch | None) -> Entry | None:
    """The entry with a decision stored in it. `sequence` and `history`: of the new head, if there is one. None: there
    is still no document."""
    decision, request = write.decision, write.item.submission
    new = decision.revision
    parents = new.parents if new is not None else ()
    provenance = Provenance(
        str(write.item.by), request.arrived_at, str(decision.outcome), decision.rule, parents, write.conflicts
    )
    head = entry.head if entry is not None else None
    past = list(entry.past) if entry is not None else []
    for received in (decision.received, *decision.recovered):
        if received is None:
            continue
        # With a new head the conflicts stand there.
        shown = provenance if new is None else replace(provenance, conflicts=())
        met = head.sequence if head is not None else BEGINNING
        kept = HistoryItem(met, received.hash, received.body, BEGINNING, shown, gone=received.gone)
        past.append(replace(kept, version=received.version))
    if new is not None:
        if entry is not None:
            past.append(_superseded(entry, sequence, new.gone))
        version = new.version_at(history, sequence)
        new_head = Head(sequence, new.hash, new.body, request.arrived_at, new.pairs, history, version)
        return Entry(new_head, provenance, tuple(past))
    if entry is None:
        return None
    stays, provenance_now = entry.head, entry.provenance
    if write.conflicts and decision.received is None:
        provenance_now = replace(provenance_now, conflicts=with_more(provenance_now.conflicts, write.conflicts))
    if decision.pair is not None:
        stays = replace(stays, pairs=(*stays.pairs, decision.pair)[-MAX_PAIRS:])
    if decision.grown is not None:
        stays = replace(stays, version=decision.grown)
    return Entry(stays, provenance_now, tuple(past))


def _superseded(entry: Entry, until: SequenceNumber, gone: frozenset[ValueKey]) -> HistoryItem:
    head = entry.head
    return HistoryItem(
        head.sequence,
        head.hash,
        head.body,
        until,
        entry.provenance,
        deleted=head.body is None,
        pairs=head.pairs,
        gone=gone,
        history=head.history,
        version=head.version,
    )


def history(entry: Entry) -> list[HistoryEntry]:
    """Revisions and received states, newest first, as the document store lists them."""
    head = entry.head
    newest = HistoryItem(
        head.sequence,
        head.hash,
        head.body,
        head.sequence,
        entry.provenance,
        deleted=head.body is None,
        history=head.history,
        version=head.version,
    )
    return [_listed(item) for item in (newest, *reversed(entry.past))]


def _listed(item: HistoryItem) -> HistoryEntry:
    received, provenance = item.until == BEGINNING, item.provenance
    rev = make_rev(item.sequence, item.hash, deleted=item.deleted, history=item.history, version=item.version)
    return HistoryEntry(
        rev=None if received else rev,
        sequence=item.sequence,
        hash=item.hash,
        body=item.body,
        deleted=item.deleted,
        received=received,
        by=DeviceId(provenance.by),
        at=provenance.at,
        outcome=provenance.outcome,
        rule=provenance.rule,
        parents=provenance.parents,
        conflicts=tuple(dict(row) for row in provenance.conflicts),
        version=item.version,
    )


def body_of(entry: Entry, content: str) -> Body | None:
    """Of the newest state with this hash that still has its body."""
    if entry.hash == content:
        return entry.head.body
    return next((item.body for item in reversed(entry.past) if item.hash == content and item.body), None)
