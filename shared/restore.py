"""Putting the history of documents into a space: what an export of a space says, or a dump of another server.

A document that the space does not have gets all its states, in their order, each with who made it, when, and what was
decided then; so it has the same hashes, tombstones and revisions as where it comes from. Sequences are new ones,
and with them revs: `parents` name the new ones. A document of which the space has an earlier state goes on from
there. One that went another way here is decided as any state that a client sends, without a base; one that is deleted
there and went on here is kept.

Laws (tests/unit/test_restore.py):
    doing it again changes nothing
    afterwards a space that was empty has the states of the chains, in their order
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from shared import codec
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, SequenceNumber
from shared.core.merge.conflict_rows import ConflictRow
from shared.core.resolution.base_inference import gone
from shared.core.resolution.batch import Change, Item, Write
from shared.core.resolution.context import (
    BEGINNING,
    Decision,
    DocumentContext,
    Head,
    NeedsData,
    Outcome,
    Received,
    Refusal,
    Revision,
    Submission,
)
from shared.core.resolution.quota import growth_of
from shared.core.resolution.revs import Rev, make_rev
from shared.core.resolution.usage import NO_QUOTA, Quota, Usage
from shared.ports import Announcement, Transaction
from shared.quotas import QuotaLedger
from shared.transaction import CachedResolver, NewHeads, decide


@dataclass(frozen=True, slots=True)
class RestoredState:
    """One state of a document. `hash` of a tombstone: of the body that it buried. `rev` None: a state that was
    received and never current. `at`: seconds since 1970. `parents`: revs as they were where it comes from."""

    hash: ContentHash
    body: Body | None
    deleted: bool
    rev: str | None
    by: DeviceId
    at: float
    outcome: Outcome
    rule: str
    parents: tuple[str, ...] = ()
    conflicts: tuple[ConflictRow, ...] = ()

    @property
    def received(self) -> bool:
        return self.rev is None


Chain = Sequence[RestoredState]
"""The states of one document, in their order. The last that was current is the head."""


class RestoreOutcome(StrEnum):
    """What became of a document."""

    CREATED = "created"
    CONTINUED = "continued"
    UNCHANGED = "unchanged"
    MERGED = "merged"
    KEPT = "kept"
    REFUSED = "refused"


def restore(
    transaction: Transaction,
    chains: Mapping[DocumentId, Chain],
    *,
    max_bytes: int,
    at: float,
    quota: Quota = NO_QUOTA,
) -> tuple[Counter[RestoreOutcome], Announcement | None]:
    """What became of the documents, with everything stored in the transaction; and what is to be announced of it.

    `max_bytes`: of a document that is made of two. `at`: now, for what is decided here. The bodies of states that
    were current are there, but for tombstones: what is pruned has been taken out of the chains. `quota`: of the
    space; a document that it has no room for is refused as a whole, and those after it that fit are taken.
    """
    ledger = QuotaLedger(quota, exact=True)
    documents = list(chains)
    contexts = _first_contexts(transaction, documents, at)
    todo: dict[DocumentId, Chain] = {}
    fates: dict[DocumentId, RestoreOutcome] = {}
    revs: dict[DocumentId, dict[str, Rev]] = {document: {} for document in documents}
    others: list[DocumentId] = []
    for document, context in zip(documents, contexts, strict=True):
        place = _place(context.head, chains[document])
        if place is None:
            others.append(document)
            continue
        rest = chains[document][place:]
        if not ledger.has_room(transaction, _growth(context.head, rest)):
            fates[document] = RestoreOutcome.REFUSED
            continue
        todo[document] = rest
        known = chains[document][place - 1] if place else None
        if known is not None and known.rev is not None and context.head is not None:
            revs[document][known.rev] = context.head.rev
        fates[document] = (
            RestoreOutcome.UNCHANGED
            if not todo[document]
            else RestoreOutcome.CONTINUED
            if place
            else RestoreOutcome.CREATED
        )
    changes = NewHeads()
    _write(transaction, {name: chain for name, chain in todo.items() if chain}, revs, changes, at)
    ledger.forget_growth()  # `_write` said it
    fates |= _decided(transaction, {name: chains[name] for name in others}, max_bytes, at, changes, ledger=ledger)
    return Counter(fates.values()), changes.announcement()


def _first_contexts(transaction: Transaction, documents: Sequence[DocumentId], at: float) -> list[DocumentContext]:
    return transaction.first_contexts([Submission(document, None, None, at) for document in documents])


def _place(head: Head | None, chain: Chain) -> int | None:
    """From which state on the chain is to be written; None: the space has another history."""
    if head is None:
        return 0
    deleted = head.body is None
    for place in range(len(chain) - 1, -1, -1):
        state = chain[place]
        if not state.received and state.hash == head.hash and state.deleted is deleted:
            received = place + 1
            while received < len(chain) and chain[received].received:
                received += 1  # they met this head, and came with it
            return received
    return None


def _write(
    transaction: Transaction,
    chains: Mapping[DocumentId, Chain],
    revs: Mapping[DocumentId, dict[str, Rev]],
    changes: NewHeads,
    at: float,
) -> None:
    """State after state, of all documents at a time."""
    for turn in range(max(map(len, chains.values()), default=0)):
        wave = {document: chain[turn] for document, chain in chains.items() if turn < len(chain)}
        contexts = _first_contexts(transaction, list(wave), at)
        writes, live, new = [], 0, []
        growth = Usage()
        for (document, state), context in zip(wave.items(), contexts, strict=True):
            decision = _decision(state, context.head, revs[document])
            if decision.revision is not None:
                live += int(state.body is not None) - int(context.head is not None and context.head.body is not None)
                new.append(document)
            growth = growth.plus(growth_of(decision, context.head, codec.size_of))
            submission = Submission(document, state.body, state.hash, state.at)
            writes.append(Write(Item(submission, state.by), decision, Rev(""), state.conflicts))
        first = transaction.allot(len(new), live, growth)
        changes.history = first.history
        numbers = {document: SequenceNumber(first.first + place) for place, document in enumerate(new)}
        named = []
        for write in writes:
            document = write.item.submission.document
            rev = write.decision.rev(numbers.get(document), first.history)
            old = wave[document].rev
            if old is not None:
                revs[document][old] = rev
                body = wave[document].body
                content = None if body is None else wave[document].hash
                changes.heads[numbers[document]] = Change(document, content, rev, body)
            named.append(replace(write, rev=rev))
        transaction.write(first, named, {})


def _growth(head: Head | None, chain: Chain) -> Usage:
    """By how much the space grows with the states of a chain."""
    sizes = [0 if state.body is None else codec.size_of(state.body) for state in chain]
    heads = [(state, size) for state, size in zip(chain, sizes, strict=True) if not state.received]
    before = 0 if head is None or head.body is None else codec.size_of(head.body) if head.size is None else head.size
    if not heads:
        return Usage(0, 0, sum(sizes))
    live = int(heads[-1][0].body is not None) - int(head is not None and head.body is not None)
    return Usage(live, heads[-1][1] - before, before + sum(sizes) - heads[-1][1])


def _decision(state: RestoredState, head: Head | None, revs: Mapping[str, Rev]) -> Decision:
    parents = tuple(revs[parent] for parent in state.parents if parent in revs)
    decision = Decision(state.outcome, state.rule, state.body, state.hash, head.rev if head is not None else None)
    if state.received:
        body = state.body
        assert body is not None
        return replace(decision, received=Received(state.hash, body, gone(body, head.body if head else None)))
    lost = gone(head.body, state.body) if head is not None and head.body is not None else frozenset()
    return replace(decision, revision=Revision(state.body, state.hash, parents, gone=lost))


def _newest(chain: Chain) -> RestoredState:
    return next(state for state in reversed(chain) if not state.received)


def _superseded_here(transaction: Transaction, chains: Mapping[DocumentId, Chain], at: float) -> set[DocumentId]:
    """The documents whose newest state is a revision of this space, by its rev: what superseded it here knew it."""
    newest = {document: _newest(chain) for document, chain in chains.items()}
    submissions = [Submission(document, state.body, state.hash, at) for document, state in newest.items()]
    wanted = [
        (context, one, NeedsData(states=frozenset({newest[one.document].hash})))
        for context, one in zip(transaction.first_contexts(submissions), submissions, strict=True)
    ]
    known: set[DocumentId] = set()
    for (_, one, _), context in zip(wanted, transaction.load(wanted) if wanted else [], strict=True):
        state, stored = newest[one.document], context.states.get(newest[one.document].hash)
        # A sequence alone may be that of another server.
        if stored is None or stored.until in (None, BEGINNING) or stored.history is None or state.deleted:
            continue
        rev = make_rev(stored.sequence, stored.hash, deleted=False, history=stored.history, version=stored.version)
        if rev == state.rev:
            known.add(one.document)
    return known


def _decided(
    transaction: Transaction,
    chains: Mapping[DocumentId, Chain],
    max_bytes: int,
    at: float,
    changes: NewHeads,
    *,
    ledger: QuotaLedger,
) -> dict[DocumentId, RestoreOutcome]:
    """Documents that went another way here: the newest state comes as one that a client sends."""
    fates = dict.fromkeys(chains, RestoreOutcome.KEPT)
    known = _superseded_here(transaction, chains, at)
    items = []
    for document, chain in chains.items():
        newest = _newest(chain)
        if newest.body is not None and document not in known:
            submission = Submission(document, newest.body, newest.hash, at)
            items.append(Item(submission, newest.by))
    replies, announcement = decide(transaction, CachedResolver(max_bytes), items, ledger) if items else ([], None)
    for item, reply in zip(items, replies, strict=True):
        fates[item.submission.document] = (
            RestoreOutcome.REFUSED if isinstance(reply, Refusal) else RestoreOutcome.MERGED
        )
    if announcement is not None:
        numbers = range(announcement.first, announcement.last + 1)
        for number, change in zip(numbers, announcement.changes or (), strict=False):
            changes.heads[SequenceNumber(number)] = change
        changes.history = announcement.history
    return fates
