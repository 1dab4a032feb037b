"""Draining a space's inbox: take a batch, decide it in one transaction, reply."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared import wire
from shared.core.batch import Change, Item, Write, answer, live_change, waves
from shared.core.brake import NO_DELETIONS, Deletions, held_back
from shared.core.conflict_rows import ConflictRow, conflict_rows
from shared.core.documents import DeviceId, SpaceId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.memory import Decision, Memory, Missing, Outcome, Refusal, Submission
from shared.core.policies import Policies
from shared.core.resolve import resolve
from shared.core.size_limit import within_limit
from shared.core.values import Value
from shared.observability import event
from shared.ports import (
    Announcement,
    DecisionError,
    DocumentStore,
    FencedError,
    Inbox,
    Lease,
    Reply,
    Transaction,
    UnavailableError,
)
from worker.large import LargeWork, is_large

logger = logging.getLogger(__name__)

MAX_ANNOUNCED = 200
"""Changes that an announcement says one by one."""
_ROUNDS = 8
"""Rounds of reads that a decision may take; the rules need three (shared/core/memory.py)."""


async def resolve_space(ctx: dict[Any, Any], space: str) -> None:
    """The arq job."""
    await ctx["resolver"].drain(SpaceId(space))


class SpaceResolver:
    """Decides what waits in the inboxes."""

    def __init__(self, store: DocumentStore, inbox: Inbox, large: LargeWork, *, most_bytes: int) -> None:
        """`most_bytes`: of the canonical form of a document that is made of two."""
        self._store = store
        self._inbox = inbox
        self._large = large
        self._most_bytes = most_bytes

    async def drain(self, space: SpaceId) -> None:
        """Until nothing waits, or until it is another space's turn."""
        lease = await self._inbox.lease(space)
        if lease is None:
            return
        async with lease:
            while not lease.used_up:
                envelopes = await lease.take()
                if not envelopes and await lease.release_if_empty():
                    return
                items = [item for envelope in envelopes for item in envelope.items]
                try:
                    found, announcement = await self._replies(space, lease, items)
                except FencedError:
                    event(logger, logging.WARNING, "lease_taken_over", space=space)
                    return  # who took over has the same submissions before him
                replies = iter(found)
                answers = [(envelope, [next(replies) for _ in envelope.items]) for envelope in envelopes]
                await lease.reply(answers, announcement)

    async def _replies(
        self, space: SpaceId, lease: Lease, items: Sequence[Item]
    ) -> tuple[Sequence[Reply], Announcement | None]:
        if not items:
            return (), None
        try:
            return await self._stored(space, lease, items)
        except FencedError:
            raise
        except UnavailableError as error:
            event(logger, logging.WARNING, "store_unavailable", space=space, cause=error.__cause__)
            return [error] * len(items), None
        except Exception as error:
            if len(items) == 1:
                logger.exception("submission_failed", extra={"fields": {"space": space}})
                return [DecisionError(str(error))], None
            # A faulty document fails alone: the others go one by one.
            each = [await self._replies(space, lease, [item]) for item in items]
            numbers = [announcement for _, announcement in each if announcement is not None]
            whole = Announcement(numbers[0].first, numbers[-1].last, None) if numbers else None
            return [reply for replies, _ in each for reply in replies], whole

    async def _stored(
        self, space: SpaceId, lease: Lease, items: Sequence[Item]
    ) -> tuple[list[Reply], Announcement | None]:
        judge = _Judge(self._large, self._most_bytes)
        while True:
            learned = judge.learned
            try:
                return await self._store.transact(space, lambda found: _decide(found, judge, items), lease.fence)
            except UnavailableError:
                # The database ends a transaction that takes long (docs/decisions/0007). What was decided in it is
                # known now, so that the next one is shorter.
                if judge.learned == learned:
                    raise
            except FencedError as fenced:
                # Clocks may disagree: whoever holds the lease is right, whatever his number.
                if not await lease.confirm(fenced.number):
                    raise


async def _decide(
    transaction: Transaction, judge: _Judge, items: Sequence[Item]
) -> tuple[list[Reply], Announcement | None]:
    """The replies, in order, with everything stored in the transaction; and what is to be announced of it."""
    policies = await transaction.policies()
    replies: dict[int, Reply] = {}
    changes: dict[SequenceNumber, Change] = {}
    for indices in waves(items):
        wave = [items[index] for index in indices]
        replies.update(zip(indices, await _decide_wave(transaction, judge, policies, wave, changes), strict=True))
    return [replies[index] for index in range(len(items))], _announcement(changes)


def _announcement(changes: Mapping[SequenceNumber, Change]) -> Announcement | None:
    if not changes:
        return None
    newest = {change.document: change for change in changes.values()}  # in the order of their sequences
    said = tuple(newest.values()) if len(newest) <= MAX_ANNOUNCED else None
    return Announcement(min(changes), max(changes), said)


async def _decide_wave(
    transaction: Transaction,
    judge: _Judge,
    policies: Policies,
    items: Sequence[Item],
    changes: dict[SequenceNumber, Change],
) -> list[Reply]:
    """Items of different documents. `changes` gets the new heads, by their sequences."""
    memories = await transaction.memories([item.submission for item in items])
    verdicts = await _resolved(transaction, judge, policies, items, memories)
    results = [verdict.result for verdict in verdicts]
    deletions = await _braked(transaction, items, results)
    stored = [
        (index, result)
        for index, result in enumerate(results)
        if isinstance(result, Decision) and result.writes and not items[index].dry_run
    ]
    revs = {}
    if stored:
        new = [(index, result) for index, result in stored if result.revision is not None]
        change = sum(live_change(result, _is_live(memories[index])) for index, result in new)
        first = await transaction.allot(len(new), change)
        numbers = {index: SequenceNumber(first + place) for place, (index, _) in enumerate(new)}
        revs = {index: result.rev(numbers.get(index)) for index, result in stored}
        writes = [Write(items[index], result, revs[index], verdicts[index].conflicts) for index, result in stored]
        await transaction.write(first, writes, deletions)
        for index, decision in new:
            document, revision = items[index].submission.document, decision.revision
            if revision is not None:
                content = None if revision.body is None else revision.hash
                changes[numbers[index]] = Change(document, content, revs[index], revision.body)
    replies: list[Reply] = []
    for index, result in enumerate(results):
        if isinstance(result, Refusal):
            replies.append(result)
            continue
        rev = revs.get(index) or (result.rev(None) if result.revision is None else None)
        replies.append(answer(items[index], result, rev, verdicts[index].conflicts))
    return replies


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A decision, and what is told of its conflicts."""

    result: Decision | Refusal
    conflicts: tuple[ConflictRow, ...] = ()


_Case = tuple[Memory, Submission]


class _Judge:
    """Decides the submissions of a batch, beside the event loop if they are large; and remembers then what it
    decided, because the transaction may have to begin again. That is sound: the rules are pure."""

    def __init__(self, large: LargeWork, most_bytes: int) -> None:
        self._large = large
        self._most_bytes = most_bytes
        self._known: list[tuple[Sequence[_Case], Policies, list[_Verdict | Missing]]] = []

    @property
    def learned(self) -> int:
        """How many times something large was decided."""
        return len(self._known)

    async def verdicts(self, cases: Sequence[_Case], policies: Policies) -> list[_Verdict | Missing]:
        if not is_large(_bodies(cases)):
            return self._decided(cases, policies)
        for asked, by, found in self._known:
            if asked == cases and by == policies:
                return found
        found = await self._large.run(lambda: self._decided(cases, policies))
        self._known.append((cases, policies, found))
        return found

    def _decided(self, cases: Sequence[_Case], policies: Policies) -> list[_Verdict | Missing]:
        return [self._verdict(memory, request, policies) for memory, request in cases]

    def _verdict(self, memory: Memory, request: Submission, policies: Policies) -> _Verdict | Missing:
        found = resolve(memory, request, policies, hash_of=wire.content_hash)
        if isinstance(found, Missing):
            return found
        if isinstance(found, Decision):
            found = within_limit(found, memory, request, self._most_bytes, lambda body: len(wire.canonical(body)))
        if isinstance(found, Refusal):
            return _Verdict(found)
        return _Verdict(found, conflict_rows(found.conflicts, policies))


def _bodies(cases: Sequence[_Case]) -> Iterator[Value]:
    """What the rules may compare."""
    for memory, request in cases:
        stored = (*memory.states.values(), *(memory.recent or ()))
        bodies = [memory.head.body if memory.head else None, *(s.body for s in stored if s)]
        if isinstance(request.base_state, dict):
            bodies.append(request.base_state)
        yield request.client_state
        yield from bodies


async def _resolved(
    transaction: Transaction,
    judge: _Judge,
    policies: Policies,
    items: Sequence[Item],
    memories: Sequence[Memory],
) -> list[_Verdict]:
    """Decides each, loading for all of them together what is missing."""
    current = list(memories)
    results: dict[int, _Verdict] = {}
    todo = list(range(len(items)))
    for _ in range(_ROUNDS):
        wanted: list[tuple[int, Missing]] = []
        cases = [(current[index], items[index].submission) for index in todo]
        for index, found in zip(todo, await judge.verdicts(cases, policies), strict=True):
            if isinstance(found, Missing):
                wanted.append((index, found))
            else:
                results[index] = found
        if not wanted:
            return [results[index] for index in range(len(items))]
        loaded = await transaction.load(
            [(current[index], items[index].submission, missing) for index, missing in wanted]
        )
        todo = [index for index, _ in wanted]
        for index, memory in zip(todo, loaded, strict=True):
            current[index] = memory
    raise RuntimeError("a decision asks for ever more")


async def _braked(
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
    counted = await transaction.deletions({items[index].by for index in deleting})
    changed: dict[DeviceId, Deletions] = {}
    live = await transaction.live()
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


def _is_live(memory: Memory) -> bool:
    return memory.head is not None and memory.head.body is not None
