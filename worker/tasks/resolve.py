"""Draining a space's inbox: take a batch, decide it in one transaction, reply."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from shared import wire
from shared.core.batch import Item, Write, answer, live_change, waves
from shared.core.brake import NO_DELETIONS, Deletions, held_back
from shared.core.conflict_rows import conflict_rows
from shared.core.documents import DeviceId, SpaceId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.memory import Decision, Memory, Missing, Outcome, Refusal
from shared.core.policies import Policies
from shared.core.resolve import resolve
from shared.observability import event
from shared.ports import (
    DecisionError,
    DocumentStore,
    FencedError,
    Inbox,
    Lease,
    Reply,
    Transaction,
    UnavailableError,
)

logger = logging.getLogger(__name__)

_ROUNDS = 8
"""Rounds of reads that a decision may take; the rules need three (shared/core/memory.py)."""


async def resolve_space(ctx: dict[Any, Any], space: str) -> None:
    """The arq job."""
    await ctx["resolver"].drain(SpaceId(space))


class SpaceResolver:
    """Decides what waits in the inboxes."""

    def __init__(self, store: DocumentStore, inbox: Inbox) -> None:
        self._store = store
        self._inbox = inbox

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
                    replies = iter(await self._replies(space, lease, items))
                except FencedError:
                    event(logger, logging.WARNING, "lease_taken_over", space=space)
                    return  # who took over has the same submissions before him
                await lease.reply([(envelope, [next(replies) for _ in envelope.items]) for envelope in envelopes])

    async def _replies(self, space: SpaceId, lease: Lease, items: Sequence[Item]) -> Sequence[Reply]:
        if not items:
            return ()
        try:
            return await self._stored(space, lease, items)
        except FencedError:
            raise
        except UnavailableError as error:
            event(logger, logging.WARNING, "store_unavailable", space=space, cause=error.__cause__)
            return [error] * len(items)
        except Exception as error:
            if len(items) == 1:
                logger.exception("submission_failed", extra={"fields": {"space": space}})
                return [DecisionError(str(error))]
            # A faulty document fails alone: the others go one by one.
            return [(await self._replies(space, lease, [item]))[0] for item in items]

    async def _stored(self, space: SpaceId, lease: Lease, items: Sequence[Item]) -> list[Reply]:
        while True:
            try:
                return await self._store.transact(space, lambda transaction: _decide(transaction, items), lease.fence)
            except FencedError as fenced:
                # Clocks may disagree: whoever holds the lease is right, whatever his number.
                if not await lease.confirm(fenced.number):
                    raise


async def _decide(transaction: Transaction, items: Sequence[Item]) -> list[Reply]:
    """The replies, in order, with everything stored in the transaction."""
    policies = await transaction.policies()
    replies: dict[int, Reply] = {}
    for indices in waves(items):
        wave = [items[index] for index in indices]
        replies.update(zip(indices, await _decide_wave(transaction, policies, wave), strict=True))
    return [replies[index] for index in range(len(items))]


async def _decide_wave(transaction: Transaction, policies: Policies, items: Sequence[Item]) -> list[Reply]:
    """Items of different documents."""
    memories = await transaction.memories([item.submission for item in items])
    results = await _resolved(transaction, policies, items, memories)
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
        writes = [
            Write(items[index], result, revs[index], conflict_rows(result.conflicts, policies))
            for index, result in stored
        ]
        await transaction.write(first, writes, deletions)
    replies: list[Reply] = []
    for index, result in enumerate(results):
        if isinstance(result, Refusal):
            replies.append(result)
            continue
        rev = revs.get(index) or (result.rev(None) if result.revision is None else None)
        replies.append(answer(items[index], result, rev, conflict_rows(result.conflicts, policies)))
    return replies


async def _resolved(
    transaction: Transaction, policies: Policies, items: Sequence[Item], memories: Sequence[Memory]
) -> list[Decision | Refusal]:
    """Decides each, loading for all of them together what is missing."""
    current = list(memories)
    results: dict[int, Decision | Refusal] = {}
    todo = list(range(len(items)))
    for _ in range(_ROUNDS):
        wanted: list[tuple[int, Missing]] = []
        for index in todo:
            found = resolve(current[index], items[index].submission, policies, hash_of=wire.content_hash)
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
