"""The one decision path: submissions of one space are resolved and stored in one transaction.

Workers use it on a batch; clients use it on an upstream without a server (a database, a directory, a repository).
What differs between them is behind the `Transaction` port. Policies, the deletion guard, the size limit and the
conflict records are applied here, so they hold wherever documents are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared import codec
from shared.core.documents import Body, ContentHash, DeviceId, Epoch, SequenceNumber
from shared.core.frozen import frozen
from shared.core.json.canonical import hash_of_canonical
from shared.core.merge.conflict_rows import ConflictRow, conflict_rows
from shared.core.merge.policies import Policies
from shared.core.resolution.batch import Change, Item, Write, answer, live_change, waves
from shared.core.resolution.context import (
    Decision,
    DocumentContext,
    NeedsData,
    Outcome,
    Refusal,
    Submission,
)
from shared.core.resolution.deletion_guard import NO_DELETIONS, Deletions, held_back
from shared.core.resolution.lookup import HashOf
from shared.core.resolution.resolve import resolve
from shared.core.resolution.revs import Rev
from shared.core.resolution.size_limit import within_limit
from shared.core.resolution.usage import NO_QUOTA
from shared.core.version_vectors import Version
from shared.large import LARGE_MERGE_LOCK, ContextAndSubmission, Weights
from shared.ports import Announcement, Reply, Transaction
from shared.quotas import QuotaLedger
from shared.read_ahead import load, read_ahead

MAX_ANNOUNCED: Final = 200
"""Changes that an announcement says one by one."""
_MAX_PASSES: Final = 8
"""How often one submission is resolved, with a read between two times. The rules need five: the first read and four
more (shared/core/resolution/context.py, DocumentContext)."""


def decide(
    transaction: Transaction, resolver: CachedResolver, items: Sequence[Item], ledger: QuotaLedger | None = None
) -> tuple[list[Reply], Announcement | None]:
    """The replies, in order, with everything stored in the transaction; and what is to be announced of it. `ledger`:
    of this attempt, which holds the space to its quota; None: it may hold any amount. Raises QuotaReachedError."""
    policies = transaction.policies()
    ledger = ledger or QuotaLedger(NO_QUOTA, exact=False)
    replies: dict[int, Reply] = {}
    changes = NewHeads()
    groups = waves(items)
    asked: Mapping[int, NeedsData] = {}
    first_to_read_ahead = _first_to_read_ahead(transaction, items, groups)
    for number, indices in enumerate(groups):
        if number == first_to_read_ahead:
            asked = _read_ahead(transaction, resolver, policies, items, groups[number:])
        wave = [items[index] for index in indices]
        known = {place: asked[index] for place, index in enumerate(indices) if index in asked}
        last = number == len(groups) - 1
        decided = _decide_wave(transaction, resolver, policies, wave, changes, asked=known, ledger=ledger, last=last)
        replies.update(zip(indices, decided, strict=True))
        if changes.forked:
            asked = {}  # it was asked of another history
    return [replies[index] for index in range(len(items))], changes.announcement()


@dataclass(slots=True)
class NewHeads:
    """New heads by their sequences, and the history that the last of them is of."""

    heads: dict[SequenceNumber, Change] = field(default_factory=dict)
    history: Epoch | None = None
    forked: bool = False
    """A history was begun for one of them."""

    def announcement(self) -> Announcement | None:
        """None: there are no new heads."""
        if not self.heads:
            return None
        newest = {change.document: change for change in self.heads.values()}  # in the order of their sequences
        listed = tuple(newest.values()) if len(newest) <= MAX_ANNOUNCED else None
        return Announcement(min(self.heads), max(self.heads), self.history, listed)


def _first_to_read_ahead(transaction: Transaction, items: Sequence[Item], groups: Sequence[Sequence[int]]) -> int:
    """The number of the group before which what it and the later ones need is read. The first one is decided without
    anything but the heads, as a rule, if they are its bases: then what comes after it asks for more when it is
    compared with what it makes of the heads; else it asks for as much at once, and together with it. Where all
    histories are at hand nothing is read."""
    if len(groups) <= 1:
        return 1
    submissions = [items[index].submission for index in groups[0]]  # all documents are among them
    contexts = transaction.first_contexts(submissions)
    if all(context.history is not None for context in contexts):
        return len(groups)
    rests_on_heads = all(
        context.head is None or (submission.base is not None and context.head.is_named_by(submission.base))
        for context, submission in zip(contexts, submissions, strict=True)
    )
    return 1 if rests_on_heads else 0


def _read_ahead(
    transaction: Transaction,
    resolver: CachedResolver,
    policies: Policies,
    items: Sequence[Item],
    groups: Sequence[Sequence[int]],
) -> dict[int, NeedsData]:
    """By the indices of items what is to be loaded at their turns. `groups`: those that are not decided yet."""
    indices = [index for group in groups for index in group]
    submissions = [items[index].submission for index in indices]
    asked = read_ahead(transaction, resolver, policies, submissions, len(groups[0]))
    return {indices[place]: needs for place, needs in asked.items()}


def _decide_wave(
    transaction: Transaction,
    resolver: CachedResolver,
    policies: Policies,
    items: Sequence[Item],
    changes: NewHeads,
    *,
    asked: Mapping[int, NeedsData],
    ledger: QuotaLedger,
    last: bool,
) -> list[Reply]:
    """Items of different documents. `changes` gets the new heads. `asked`: by the places of items what they asked
    before. `last`: it is the last one of the transaction."""
    submissions = [item.submission for item in items]
    contexts = transaction.first_contexts(submissions)
    with_more = list(contexts)
    load(transaction, submissions, with_more, asked)
    resolved = _resolve_all(transaction, resolver, policies, submissions, with_more)
    decided = [
        _Entry(item, context, resolution.result, resolution.conflicts)
        for item, context, resolution in zip(items, contexts, resolved, strict=True)
    ]
    deletions = _apply_deletion_guard(transaction, decided)
    _apply_quota(transaction, decided, ledger)
    if any(
        isinstance(entry.result, Decision) and entry.result.forked and not entry.item.dry_run for entry in decided
    ):
        transaction.begin_history()
        changes.forked = True
    _store(transaction, decided, deletions, changes, ledger, last=last)
    return [_reply(entry) for entry in decided]


@dataclass(slots=True)
class _Entry:
    """One item of a wave, and what becomes of it."""

    item: Item
    context: DocumentContext
    """As it was read first."""
    result: Decision | Refusal
    conflicts: tuple[ConflictRow, ...]
    rev: Rev | None = None
    """Of what was stored; None: nothing was."""
    version: Version | None = None
    """That its new head was stored with; None: it has none, or there is no new head."""

    @property
    def to_store(self) -> Decision | None:
        """The decision, if it writes anything."""
        result = self.result
        return result if isinstance(result, Decision) and result.writes and not self.item.dry_run else None


def _apply_quota(transaction: Transaction, decided: Sequence[_Entry], ledger: QuotaLedger) -> None:
    """Puts a Refusal in place of what the space has no room for."""
    for entry in decided:
        if (decision := entry.to_store) is not None:
            refusal = ledger.admit(transaction, decision, entry.context)
            if refusal is not None:
                entry.result = refusal


def _store(
    transaction: Transaction,
    decided: Sequence[_Entry],
    deletions: Mapping[DeviceId, Deletions],
    changes: NewHeads,
    ledger: QuotaLedger,
    *,
    last: bool,
) -> None:
    """Allots sequences to the new heads and writes everything; notes revs and versions of what was written."""
    stored = [(entry, decision) for entry in decided if (decision := entry.to_store) is not None]
    if not stored:
        return
    new = [(entry, decision) for entry, decision in stored if decision.revision is not None]
    live_difference = sum(live_change(decision, _is_live(entry.context)) for entry, decision in new)
    allotted = transaction.allot(len(new), live_difference, ledger.growth)
    ledger.allotted(allotted.usage)
    changes.history = allotted.history
    next_sequence = allotted.first
    writes: list[Write] = []
    for entry, decision in stored:
        revision = decision.revision
        if revision is None:
            entry.rev = decision.rev(None, allotted.history)
        else:
            entry.rev = decision.rev(next_sequence, allotted.history)
            entry.version = revision.version_at(allotted.history, next_sequence)
            content = None if revision.body is None else revision.hash
            document = entry.item.submission.document
            changes.heads[next_sequence] = Change(document, content, entry.rev, revision.body, entry.version)
            next_sequence = SequenceNumber(next_sequence + 1)
        writes.append(Write(entry.item, decision, entry.rev, entry.conflicts))
    transaction.write(allotted, writes, deletions, last=last)


def _reply(entry: _Entry) -> Reply:
    if isinstance(entry.result, Refusal):
        return entry.result
    rev = entry.rev or (entry.result.rev(None) if entry.result.revision is None else None)
    reply = answer(entry.item, entry.result, rev, entry.conflicts)
    return replace(reply, version=entry.version) if reply.version and entry.version else reply


@frozen
class Resolved:
    """A decision, and what is told of its conflicts."""

    result: Decision | Refusal
    conflicts: tuple[ConflictRow, ...] = ()


class CachedResolver:
    """Decides the submissions of a batch. If they are large it remembers what it decided, because the transaction may
    have to begin again. That is sound: the rules are pure."""

    def __init__(self, max_bytes: int, *, hash_of: HashOf | None = None) -> None:
        """`max_bytes`: of the canonical form of a document that is made of two. `hash_of`: another content hash."""
        self._max_bytes = max_bytes
        self._hash_of = hash_of
        self._hashed: tuple[Body, int] | None = None
        """The last body that was hashed, and the length of its canonical form: it is asked next."""
        self._cache: list[tuple[Sequence[ContextAndSubmission], Policies, list[Resolved | NeedsData]]] = []
        self._weights = Weights()

    @property
    def cached(self) -> int:
        """How many times something large was decided."""
        return len(self._cache)

    def are_large(self, cases: Sequence[ContextAndSubmission]) -> bool:
        """Whether these together may take long to decide."""
        return self._weights.are_large(cases)

    def resolve_all(self, cases: Sequence[ContextAndSubmission], policies: Policies) -> list[Resolved | NeedsData]:
        """For each case, in order, what was decided, or what must be loaded first."""
        if not self.are_large(cases):
            return self._decided(cases, policies)
        for earlier_cases, earlier_policies, results in self._cache:
            if earlier_cases == cases and earlier_policies == policies:
                return results
        with LARGE_MERGE_LOCK:
            results = self._decided(cases, policies)
        self._cache.append((cases, policies, results))
        return results

    def _decided(self, cases: Sequence[ContextAndSubmission], policies: Policies) -> list[Resolved | NeedsData]:
        return [self._resolve(context, submission, policies) for context, submission in cases]

    def _resolve(self, context: DocumentContext, submission: Submission, policies: Policies) -> Resolved | NeedsData:
        result = resolve(context, submission, policies, hash_of=self._hash_of or self._content_hash)
        if isinstance(result, NeedsData):
            return result
        if isinstance(result, Decision):
            result = within_limit(result, context, submission, self._max_bytes, self._canonical_size)
        if isinstance(result, Refusal):
            return Resolved(result)
        return Resolved(result, conflict_rows(result.conflicts, policies))

    def _content_hash(self, body: Body) -> ContentHash:
        data = codec.canonical(body)
        self._hashed = body, len(data)
        return hash_of_canonical(data)

    def _canonical_size(self, body: Body) -> int:
        if self._hashed is not None and self._hashed[0] is body:
            return self._hashed[1]
        return len(codec.canonical(body))


def _resolve_all(
    transaction: Transaction,
    resolver: CachedResolver,
    policies: Policies,
    submissions: Sequence[Submission],
    contexts: list[DocumentContext],
) -> list[Resolved]:
    """Resolves each, loading for all of them together what is missing in the contexts."""
    results: dict[int, Resolved] = {}
    todo = list(range(len(submissions)))
    for _ in range(_MAX_PASSES):
        wanted: dict[int, NeedsData] = {}
        cases = [(contexts[place], submissions[place]) for place in todo]
        for place, result in zip(todo, resolver.resolve_all(cases, policies), strict=True):
            if isinstance(result, NeedsData):
                wanted[place] = result
            else:
                results[place] = result
        if not wanted:
            return [results[place] for place in range(len(submissions))]
        load(transaction, submissions, contexts, wanted)
        todo = list(wanted)
    raise RuntimeError("a decision asks for ever more")


def _apply_deletion_guard(transaction: Transaction, decided: Sequence[_Entry]) -> Mapping[DeviceId, Deletions]:
    """Puts a Refusal in place of deletions that must be confirmed first; what to remember of the others."""
    deleting = [
        entry
        for entry in decided
        if isinstance(entry.result, Decision) and entry.result.outcome is Outcome.DELETED and not entry.item.dry_run
    ]
    if not deleting:
        return {}
    counted = transaction.deletions({entry.item.by for entry in deleting})
    changed: dict[DeviceId, Deletions] = {}
    live = transaction.live()
    for entry in deleting:
        device = entry.item.by
        after = counted.get(device, NO_DELETIONS).one_more(entry.item.submission.arrived_at)
        if entry.item.confirmed:
            continue
        if held_back(after, live):
            entry.result = Refusal("deletions-held", "too many deletions in a short time")
            continue
        counted[device] = changed[device] = after
        live -= 1
    return changed


def _is_live(context: DocumentContext) -> bool:
    return context.head is not None and context.head.body is not None
