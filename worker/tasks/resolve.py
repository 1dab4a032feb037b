"""Draining a space's inbox: take a batch, decide it in one transaction, reply."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from shared.core.batch import Answer, Batch, decide, questions
from shared.core.documents import SpaceId
from shared.core.resolve import Submission
from shared.observability import event
from shared.ports import DecisionError, DocumentStore, Inbox, Reply, Transaction, UnavailableError

logger = logging.getLogger(__name__)


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
                replies = await self._replies(space, [envelope.submission for envelope in envelopes])
                await lease.reply(list(zip(envelopes, replies, strict=True)))

    async def _replies(self, space: SpaceId, submissions: Sequence[Submission]) -> Sequence[Reply]:
        if not submissions:
            return ()
        try:
            return await self._commit(space, submissions)
        except UnavailableError as error:
            event(logger, logging.WARNING, "store_unavailable", space=space, cause=error.__cause__)
            return [error] * len(submissions)
        except Exception as error:
            if len(submissions) == 1:
                logger.exception("submission_failed", extra={"fields": {"space": space}})
                return [DecisionError(str(error))]
            # A faulty document fails alone: the others go one by one.
            return [(await self._replies(space, [submission]))[0] for submission in submissions]

    async def _commit(self, space: SpaceId, submissions: Sequence[Submission]) -> list[Reply]:
        async def work(transaction: Transaction) -> Batch:
            heads = await transaction.heads({s.document for s in submissions})
            known = await transaction.known(questions(heads, submissions))
            batch = decide(heads, known, submissions)
            if batch.writes:
                first = await transaction.allot(batch.heads)
                await transaction.write(batch.numbered(first))
            return batch

        batch = await self._store.transact(space, work)
        for failure in batch.failures:
            event(logger, logging.ERROR, "decision_failed", space=space, cause=failure)
        return [_reply(answer) for answer in batch.answers]


def _reply(answer: Answer | None) -> Reply:
    return DecisionError("it could not be decided") if answer is None else answer
