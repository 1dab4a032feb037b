"""The one decision path: submissions of one space are resolved and stored in one transaction.

Workers use it on a batch; clients use it on an upstream without a server (a database, a directory, a repository).
What differs between them is behind the `Transaction` port. Policies, the deletion guard, the size limit and the
conflict records are applied here, so they hold wherever documents are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared import codec
from shared.core.documents import DeviceId, Epoch
from shared.core.documents import Sequence as SequenceNumber
from shared.core.json.values import Value
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
from shared.large import LARGE_MERGE_LOCK, is_large
from shared.ports import Announcement, Reply, Transaction
from shared.quotas import QuotaLedger

MAX_ANNOUNCED: Final = 200
"""Changes that an announcement says one by one."""
_ROUNDS: Final = 8
"""Rounds of reads that a decision may take; the rules need five (shared/core/resolution/context.py)."""


def decide(
    transaction: Transaction, resolver: CachedResolver, items: Sequence[Item], ledger: QuotaLedger | None = None
) -> tuple[list[Reply], Announcement | None]:
    """The replies, in order, with everything stored in the transaction; and what is to be announced of it. `ledger`:
    of this attempt, which holds the space to its quota; None: it may hold any amount. Raises QuotaReachedError."""
    policies = transaction.policies()
    ledger = ledger or QuotaLedger(NO_QUOTA, exact=False)
    replies: dict[int, Reply] = {}
    changes = NewHeads()
    for indices in waves(items):
        wave = [items[index] for index in indices]
        replies.update(
            zip(indices, _decide_wave(transaction, resolver, policies, wave, changes, ledger=ledger), strict=True)
        )
    return [replies[index] for index in range(len(items))], changes.announcement()


@dataclass(slots=True)
class NewHeads:
    """New heads by their sequences, and the history that the last of them is of."""

    heads: dict[SequenceNumber, Change] = field(default_factory=dict)
    history: Epoch | None = None

    def announcement(self) -> Announcement | None:
        """None: there are no new heads."""
        if not self.heads:
            return None
        newest = {change.document: change for change in self.heads.values()}  # in the order of their sequences
        said = tuple(newest.values()) if len(newest) <= MAX_ANNOUNCED else None
        return Announcement(min(self.heads), max(self.heads), self.history, said)


def _decide_wave(
    transaction: Transaction,
    resolver: CachedResolver,
    policies: Policies,
    items: Sequence[Item],
    changes: NewHeads,
    *,
    ledger: QuotaLedger,
) -> list[Reply]:
    """Items of different documents. `changes` gets the new heads."""
    memories = transaction.memories([item.submission for item in items])
    resolved = _resolved(transaction, resolver, policies, items, memories)
    results = [one.result for one in resolved]
    deletions = _with_deletion_guard(transaction, items, results)
    stored = [
        (index, result)
        for index, result in enumerate(results)
        if isinstance(result, Decision) and result.writes and not items[index].dry_run
    ]
    for index, decision in stored:
        refusal = ledger.admit(transaction, decision, memories[index])
        if refusal is not None:
            results[index] = refusal
    stored = [(index, decision) for index, decision in stored if results[index] is decision]
    revs: dict[int, Rev] = {}
    versions: dict[int, Version | None] = {}
    if any(_ends_history(item, result) for item, result in zip(items, results, strict=True)):
        transaction.begin_history()
    if stored:
        new = [(index, result) for index, result in stored if result.revision is not None]
        change = sum(live_change(result, _is_live(memories[index])) for index, result in new)
        first = transaction.allot(len(new), change, ledger.growth)
        ledger.allotted(first.usage)
        changes.history = first.history
        numbers = {index: SequenceNumber(first.first + place) for place, (index, _) in enumerate(new)}
        revs = {index: result.rev(numbers.get(index), first.history) for index, result in stored}
        writes = [Write(items[index], result, revs[index], resolved[index].conflicts) for index, result in stored]
        transaction.write(first, writes, deletions)
        for index, decision in new:
            document, revision = items[index].submission.document, decision.revision
            if revision is not None:
                content = None if revision.body is None else revision.hash
                version = versions[index] = revision.version_at(first.history, numbers[index])
                changes.heads[numbers[index]] = Change(document, content, revs[index], revision.body, version)
    replies: list[Reply] = []
    for index, result in enumerate(results):
        if isinstance(result, Refusal):
            replies.append(result)
            continue
        rev = revs.get(index) or (result.rev(None) if result.revision is None else None)
        found = answer(items[index], result, rev, resolved[index].conflicts)
        replies.append(replace(found, version=versions[index]) if found.version and versions.get(index) else found)
    return replies


def _ends_history(item: Item, result: Decision | Refusal) -> bool:
    return isinstance(result, Decision) and result.forked and not item.dry_run


@dataclass(frozen=True, slots=True)
class Resolved:
    """A decision, and what is told of its conflicts."""

    result: Decision | Refusal
    conflicts: tuple[ConflictRow, ...] = ()


_Case = tuple[DocumentContext, Submission]


class CachedResolver:
    """Decides the submissions of a batch. If they are large it remembers what it decided, because the transaction may
    have to begin again. That is sound: the rules are pure."""

    def __init__(self, max_bytes: int, *, hash_of: HashOf = codec.content_hash) -> None:
        """`max_bytes`: of the canonical form of a document that is made of two. `hash_of`: a content hash."""
        self._max_bytes = max_bytes
        self._hash_of = hash_of
        self._cache: list[tuple[Sequence[_Case], Policies, list[Resolved | NeedsData]]] = []

    @property
    def cached(self) -> int:
        """How many times something large was decided."""
        return len(self._cache)

    def resolve_all(self, cases: Sequence[_Case], policies: Policies) -> list[Resolved | NeedsData]:
        """For each case, in order, what was decided, or what must be loaded first."""
        if not is_large(_bodies(cases)):
            return self._decided(cases, policies)
        for asked, by, found in self._cache:
            if asked == cases and by == policies:
                return found
        with LARGE_MERGE_LOCK:
            found = self._decided(cases, policies)
        self._cache.append((cases, policies, found))
        return found

    def _decided(self, cases: Sequence[_Case], policies: Policies) -> list[Resolved | NeedsData]:
        return [self._resolve(context, request, policies) for context, request in cases]

    def _resolve(self, context: DocumentContext, request: Submission, policies: Policies) -> Resolved | NeedsData:
        found = resolve(context, request, policies, hash_of=self._hash_of)
        if isinstance(found, NeedsData):
            return found
        if isinstance(found, Decision):
            found = within_limit(found, context, request, self._max_bytes, lambda body: len(codec.canonical(body)))
        if isinstance(found, Refusal):
            return Resolved(found)
        return Resolved(found, conflict_rows(found.conflicts, policies))


def _bodies(cases: Sequence[_Case]) -> Iterator[Value]:
    """What the rules may compare."""
    for context, request in cases:
        stored = (*context.states.values(), *(context.recent or ()), *(context.ancestors or ()))
        bodies = [context.head.body if context.head else None, *(s.body for s in stored if s)]
        if isinstance(request.base_state, dict):
            bodies.append(request.base_state)
        bodies += [ancestor.state for ancestor in request.ancestors or ()]
        yield request.client_state
        yield from bodies


def _resolved(
    transaction: Transaction,
    resolver: CachedResolver,
    policies: Policies,
    items: Sequence[Item],
    memories: Sequence[DocumentContext],
) -> list[Resolved]:
    """Resolves each, loading for all of them together what is missing."""
    current = list(memories)
    results: dict[int, Resolved] = {}
    todo = list(range(len(items)))
    for _ in range(_ROUNDS):
        wanted: list[tuple[int, NeedsData]] = []
        cases = [(current[index], items[index].submission) for index in todo]
        for index, found in zip(todo, resolver.resolve_all(cases, policies), strict=True):
            if isinstance(found, NeedsData):
                wanted.append((index, found))
            else:
                results[index] = found
        if not wanted:
            return [results[index] for index in range(len(items))]
        loaded = transaction.load([(current[index], items[index].submission, missing) for index, missing in wanted])
        lineage = transaction.lineage() if any(missing.lineage for _, missing in wanted) else None
        todo = [index for index, _ in wanted]
        for (index, missing), context in zip(wanted, loaded, strict=True):
            current[index] = replace(context, lineage=lineage) if missing.lineage else context
    raise RuntimeError("a decision asks for ever more")


def _with_deletion_guard(
    transaction: Transaction,
    items: Sequence[Item],
    results: list[Decision | Refusal],
) -> Mapping[DeviceId, Deletions]:
    """Puts a Refusal in place of deletions that must be confirmed first; what to remember of the others."""
    deleting = [
        index
        for index, result in enumerate(results)
        if isinstance(result, Decision) and result.outcome is Outcome.DELETED and not items[index].dry_run
    ]
    if not deleting:
        return {}
    counted = transaction.deletions({items[index].by for index in deleting})
    changed: dict[DeviceId, Deletions] = {}
    live = transaction.live()
    for index in deleting:
        item = items[index]
        after = counted.get(item.by, NO_DELETIONS).one_more(item.submission.arrived_at)
        if item.confirmed:
            continue
        if held_back(after, live):
            results[index] = Refusal("deletions-held", "too many deletions in a short time")
            continue
        counted[item.by] = changed[item.by] = after
        live -= 1
    return changed


def _is_live(context: DocumentContext) -> bool:
    return context.head is not None and context.head.body is not None
