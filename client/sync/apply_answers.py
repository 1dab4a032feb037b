"""Applies what the upstream answers: to the store in one transaction, then to the files (docs/sync.md)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeGuard

from client.sync.arrivals import BeforeAndAfter, Placed
from client.sync.decided import Decided
from client.sync.engine.answer import NextState, agreed, edits_since, is_forgotten, on_answer, on_fetched
from client.sync.engine.own_edits import with_sides
from client.sync.engine.records import NotNow, Pending, Record, Refused, UpstreamAnswer, UpstreamReply
from client.sync.files import FileContent, UnreadableError
from client.sync.lost_edits import OwnEdits
from client.sync.outbox import NO_RECORD, Outbox
from client.sync.pair import SyncPair
from client.sync.report import SyncReport, count
from client.sync.state_store import Arriving
from client.sync.versioning import Arrival, TakenState
from shared.codec import content_hash
from shared.core.identifiers import Body, ContentHash, DocumentId
from shared.core.json.canonical import equal
from shared.core.merge.policies import NO_POLICIES, Policies


@dataclass(slots=True)
class _Changes:
    """What replies change in the store and in the files, by document."""

    records: dict[DocumentId, Record] = field(default_factory=dict)
    conflicts: dict[DocumentId, list[dict[str, Any]]] = field(default_factory=dict)
    arriving: dict[DocumentId, Arriving] = field(default_factory=dict)
    held: dict[DocumentId, ContentHash] = field(default_factory=dict)
    """Of what is to be replaced by an arrival."""
    remote: dict[DocumentId, ContentHash | None] = field(default_factory=dict)
    """What the upstream has now, of answers that cannot be applied."""
    refused: dict[DocumentId, Refused] = field(default_factory=dict)
    taken: dict[DocumentId, TakenState] = field(default_factory=dict)
    apart: dict[DocumentId, Pending] = field(default_factory=dict)
    """What was sent and answered with a state that is to be merged with the file there, once more."""


class _Applied(NamedTuple):
    """What becomes of one answer. `held`: what the file held then. `apart`: see `_Changes`."""

    next_state: NextState
    held: FileContent | None
    apart: Pending | None = None


class Answers:
    """Of one sync."""

    def __init__(self, pair: SyncPair, outbox: Outbox, own: OwnEdits) -> None:
        self._pair = pair
        self._outbox = outbox
        self._own = own
        self._policies: Policies | None = None
        """Of the upstream; None: not asked for so far."""

    async def apply(
        self, replies: Mapping[DocumentId, UpstreamReply], report: SyncReport, *, into_empty: bool = False
    ) -> None:
        """`into_empty`: a moment ago there was no file, and nothing was remembered. A file that somebody makes
        meanwhile is seen when it is to be put there; that all are in their places is durable with what is written
        down next. Raises UpstreamError, FolderError."""
        records = self._outbox.take_records(replies.keys())
        changes = _Changes()
        into_empty = into_empty and not self._pair.sends_versions
        copied = 0
        for document, reply in replies.items():
            record = records.get(document, NO_RECORD)
            if into_empty and record is NO_RECORD and _is_plain(reply):
                changes.records[document] = agreed(reply)
                changes.arriving[document] = Arriving(reply.state, None, hash=reply.hash)
                copied += 1
                continue
            match reply:
                case UpstreamAnswer():
                    await self._decide(document, record, reply, changes)
                case Refused():
                    if record.pending is not None:
                        content = None if record.pending.deletes else record.pending.hash
                        changes.refused[document] = reply._replace(hash=content, remote=record.outline.remote_hash)
                case NotNow():
                    self._pair.recheck.include([document])
        rows = await self._pair.arrivals.stage_meanwhile(changes.arriving)
        report.decided += self._commit(changes, rows)
        report.fetched += copied
        for taken in changes.taken.values():
            count(report, taken.before, taken.answer)
        report.conflicts += sum(map(len, changes.conflicts.values()))
        self._pair.step("remembered")
        report.arrived.extend(self._place(rows, durable=not into_empty))

    async def _decide(self, document: DocumentId, record: Record, answer: UpstreamAnswer, changes: _Changes) -> None:
        applied = await self._applied(document, record, answer)
        if applied is None:
            self._pair.recheck.include([document])
            if record.pending is None:
                changes.remote[document] = answer.hash
            return
        next_state, held = applied.next_state, applied.held
        changes.records[document] = next_state.record
        if applied.apart is not None:
            changes.apart[document] = applied.apart
            self._pair.recheck.include([document])
            return
        changes.taken[document] = TakenState(answer, next_state, record)
        if answer.conflicts or next_state.conflicts:
            from shared.core.merge.conflict_rows import conflict_rows  # noqa: PLC0415  most answers have none

            pending = record.pending
            sent = None if pending is None or pending.deletes else pending.body
            decided_here = conflict_rows(next_state.conflicts, self._policies or NO_POLICIES)
            changes.conflicts[document] = [
                *with_sides(answer.conflicts, sent),
                *with_sides(decided_here, held.body if held is not None else None),
            ]
        if not equal(next_state.doc, held.body if held is not None else None):
            changes.arriving[document] = _arriving(next_state.doc, held, answer)
            if held is not None:
                changes.held[document] = held.hash

    def _commit(self, changes: _Changes, rows: Mapping[DocumentId, Arriving]) -> list[Decided]:
        """Returns the conflicts as people call them."""
        pair, store = self._pair, self._pair.store
        # An answer that changes no file is asked for again if a power cut takes this back.
        with store.transaction(durable=bool(rows)):
            if pair.sends_versions:
                pair.versioning.record_taken(changes.taken)
                pair.versioning.set_apart(changes.apart)
            store.set_records(pair.name, changes.records)
            store.record_remote(pair.name, changes.remote, is_complete=False)
            store.note_contents({d: (changes.held.get(d), row.hash) for d, row in rows.items()}, time.time())
            self._own.record_taken(changes.taken)
            decided = [
                store.record_conflicts(pair.name, document, conflicts)
                for document, conflicts in changes.conflicts.items()
            ]
            for document, refusal in changes.refused.items():
                store.refuse(pair.name, document, refusal)
            store.set_arriving(rows)
        return [conflict for conflict in decided if conflict is not None]

    def _place(self, rows: Mapping[DocumentId, Arriving], *, durable: bool) -> list[BeforeAndAfter]:
        """Returns what was changed in the files. What could not be placed is tried again, by the next plan first."""
        recheck = self._pair.recheck
        placed = self._pair.arrivals.place(rows, durable=durable)
        self._pair.files.note_written({document: one.seen for document, one in placed.items()})
        recheck.arrivals = recheck.arrivals or len(placed) < len(rows)
        recheck.include(d for d, row in rows.items() if d not in placed or not _is_as_meant(row, placed[d]))
        return [(one.before, one.now) for one in placed.values() if one.changed]

    async def _applied(self, document: DocumentId, record: Record, answer: UpstreamAnswer) -> _Applied | None:
        """None: the answer cannot be used now, so it is asked for again. Why not is noted where the next plan looks:
        `recheck.forgotten` if the upstream lacks what was agreed on, another replica id if this folder is a copy."""
        pair, pending = self._pair, record.pending
        likely: list[tuple[ContentHash | None, Body | None]] = [(record.outline.shadow_hash, record.shadow)]
        if pending is not None:
            likely.append((pending.hash, pending.body))
        try:
            held = pair.files.now(document, likely)
        except UnreadableError:
            return None
        if (pending is None or not pair.upstream.abilities.versions) and is_forgotten(record.outline.base, answer):
            pair.recheck.forgotten = True
            return None
        if pair.sends_versions and pair.versioning.is_copy(answer):
            with pair.store.transaction():
                pair.store.new_replica()
            return None
        if pending is None:
            return await self._fetched(document, record, answer, held)
        return await self._submitted(document, record, pending, answer, held)

    async def _fetched(
        self, document: DocumentId, record: Record, answer: UpstreamAnswer, held: FileContent | None
    ) -> _Applied | None:
        """An answer to nothing that was sent."""
        body = held.body if held is not None else None
        if held is not None and held.too_large and not equal(body, record.shadow):
            if await self._asked_for_policies(held, record.shadow, answer):
                return await self._applied(document, record, answer)
            # Too large to be sent, so the edit is merged here: as if the base had been sent.
            return _Applied(edits_since(record.shadow or {}, body, answer, self._policies or NO_POLICIES), held)
        if self._pair.sends_versions and self._pair.versioning.is_behind(document, answer):
            # It has not seen all that the file contains, though nothing was edited here since they agreed.
            self._pair.recheck.forgotten = True
            return None
        next_state = on_fetched(record, body, answer)
        return _Applied(next_state, held) if next_state is not None else None

    async def _submitted(
        self, document: DocumentId, record: Record, pending: Pending, answer: UpstreamAnswer, held: FileContent | None
    ) -> _Applied | None:
        """The answer to what was sent."""
        body, content = (held.body, held.hash) if held is not None else (None, None)
        if self._pair.sends_versions:
            arrival = self._pair.versioning.against(document, content, pending, answer)
            if arrival is Arrival.APART:
                left = record.outline._replace(is_pending=False, remote_hash=answer.hash)
                return _Applied(NextState(body, record._replace(outline=left, pending=None)), held, apart=pending)
            if arrival is not None:
                return _Applied(NextState(answer.state if arrival is Arrival.TAKEN else body, agreed(answer)), held)
        if await self._asked_for_policies(held, pending.body, answer):
            return await self._applied(document, record, answer)
        unedited = pending.hash == record.outline.shadow_hash
        return _Applied(on_answer(pending, body, answer, self._policies or NO_POLICIES, unedited=unedited), held)

    async def _asked_for_policies(self, held: FileContent | None, sent: Body | None, answer: UpstreamAnswer) -> bool:
        """Whether a merge needed the policies and they were asked for now. The file is read again then: asking took
        a while."""
        if held is None or answer.state is None or self._policies is not None or equal(held.body, sent):
            return False
        self._policies = await self._pair.upstream.policies()
        return True


def _is_plain(reply: UpstreamReply) -> TypeGuard[UpstreamAnswer]:
    """Whether it is a document, and nothing was decided."""
    return isinstance(reply, UpstreamAnswer) and reply.state is not None and not reply.conflicts


def _arriving(doc: Body | None, held: FileContent | None, answer: UpstreamAnswer) -> Arriving:
    """`doc` in the place of what the file holds now."""
    content: ContentHash | None = None
    if doc is not None:
        content = answer.hash if doc is answer.state else content_hash(doc)
    if held is None:
        return Arriving(doc, None, hash=content)
    return Arriving(doc, held.body, hash=content, at=held.stamp)


def _is_as_meant(row: Arriving, placed: Placed) -> bool:
    """Whether the file holds what was to come, and its stamp proves it."""
    if placed.seen is None:
        return placed.now is None
    return bool(placed.seen.stamp) and placed.seen.hash == row.hash
