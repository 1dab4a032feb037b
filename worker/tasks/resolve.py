"""Draining a space's inbox: take a batch, decide it in one transaction, reply."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from shared import codec, metrics, tracing
from shared.core.documents import DeviceId, JsonText, SpaceId
from shared.core.protocol import QUOTA_EXCEEDED
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Refusal
from shared.core.resolution.usage import NO_QUOTA, Quota
from shared.observability import event, level_of, on_behalf_of
from shared.ports import (
    Announcement,
    DecisionError,
    DocumentStore,
    Envelope,
    FencedError,
    Inbox,
    Lease,
    Reply,
    TooMuchError,
    Transaction,
    UnavailableError,
)
from shared.queue_messages import MOST_REPLY_BYTES, size_of
from shared.quotas import QuotaLedger, QuotaReachedError
from shared.space_quotas import SpaceQuotas
from shared.transaction import CachedResolver, decide
from worker.shares import SenderTurns, TimeShares

logger = logging.getLogger(__name__)

_READ_BYTES: Final = 2 * 1024 * 1024
"""Of states that a transaction may read in the process that decides what is small. If it would read more, the space
is handed over to the process for what is large."""
_LARGE_READ_BYTES: Final = 4 * 1024 * 1024
"""The same in the process for what is large. If it would read more, the batch is halved; one submission alone may
read any amount."""


async def resolve_space(ctx: dict[Any, Any], space: str) -> None:
    """The arq job."""
    await ctx["drain"].drain(SpaceId(space))


_Decided = tuple[list[Reply], Announcement | None]
_Prepare = Callable[[_Decided], None]


class ItemGroups(list[Sequence[Item]]):
    """Of submissions that cannot be decided in one transaction: those of each go together."""


class InboxDrain:
    """Decides what waits in the inboxes."""

    def __init__(
        self,
        store: DocumentStore,
        inbox: Inbox,
        *,
        max_bytes: int,
        large: bool = False,
        quotas: SpaceQuotas | None = None,
    ) -> None:
        """`max_bytes`: of the canonical form of a document that is made of two. `large`: in a process for what is
        large to decide. `quotas`: of the spaces; None: they may hold any amount."""
        self._quotas = quotas
        self._shares: TimeShares[SpaceId] = TimeShares()
        self._turns = SenderTurns()
        self._full: set[SpaceId] = set()
        """Spaces whose last transaction found them near their quota."""
        self._large = large
        self._store = store
        self._inbox = inbox
        self._max_bytes = max_bytes

    async def drain(self, space: SpaceId) -> None:
        """Until nothing waits, or until it is another space's turn."""
        lease = await self._inbox.lease(space)
        if lease is None:
            return
        metrics.LEASES_TAKEN.inc()
        async with lease:
            try:
                while not lease.used_up:
                    some = await self._drain_batch(space, lease)
                    if self._large:
                        gc.collect()  # errors are in cycles with what was read, and it looks by counts alone
                    if not some and await lease.release_if_empty():
                        return
            except FencedError:
                metrics.LEASES_TAKEN_OVER.inc()
                event(logger, logging.WARNING, "lease_taken_over", space=space)
                # Whoever took over finds the same submissions in the inbox.

    async def _drain_batch(self, space: SpaceId, lease: Lease) -> bool:
        """False if nothing waits."""
        # In a method of its own, so that the thousands of objects of a batch are freed when it returns, after its
        # answers were sent. That takes a millisecond, which would otherwise delay the next batch.
        envelopes = await lease.take()
        if not envelopes:
            return False
        items = [item for envelope in envelopes for item in envelope.items]
        senders = {} if self._large else _senders(items)  # it is at few batches at a time anyway
        async with self._turns.turn(senders):
            took = await self._decide_batch(space, lease, envelopes, items)
            if took is None:
                return False
            rest = self._turns.took(senders, took)
            if rest:  # else others had their turn when the answers were sent
                await asyncio.sleep(rest)
        await asyncio.sleep(max(self._shares.took(space, took) - rest, 0.0))
        return True

    async def _decide_batch(
        self, space: SpaceId, lease: Lease, envelopes: Sequence[Envelope], items: Sequence[Item]
    ) -> float | None:
        """How many seconds it took; None if it is for the process for what is large."""
        began, taken_at = time.monotonic(), time.time()
        with on_behalf_of(item.request for item in items), _span(envelopes):
            prepared = _Prepared(lease, envelopes)
            try:
                replies, announcement = await self._replies(space, lease, items, prepared.prepare)
            except TooMuchError:
                lease.hand_over()
                return None
            await lease.reply(prepared.of(replies), announcement)
            took = time.monotonic() - began
            await asyncio.sleep(0)  # what the loop was given to send leaves when it goes on
            _count(items, replies, taken_at)
            event(
                logger, level_of(took), "submissions_decided", space=space, count=len(items), seconds=round(took, 4)
            )
        return took

    async def _replies(
        self, space: SpaceId, lease: Lease, items: Sequence[Item], prepare: _Prepare | None = None
    ) -> tuple[Sequence[Reply], Announcement | None]:
        """`prepare` is given what may become of it, before it is certain."""
        if not items:
            return (), None
        whole = await self._decided_or_parts(space, lease, items, None if self._large else prepare)
        if isinstance(whole, ItemGroups):
            return await self._replies_of_parts(space, lease, whole)
        return whole

    async def _replies_of_parts(
        self, space: SpaceId, lease: Lease, parts: ItemGroups
    ) -> tuple[list[Reply], Announcement | None]:
        """One part after another, each in its turn whole or in parts. Of what was decided the answers alone are held,
        as texts; when they are as long as may be, the others are sent again, as what was not answered."""
        replies: list[Reply] = []
        announced: Announcement | None = None
        size = 0
        waiting = parts[::-1]
        while waiting:
            part = waiting.pop()
            if size > MOST_REPLY_BYTES:
                later = UnavailableError("the answer together with the others would be too long")
                replies += [later] * len(part)
                continue
            decided = await self._decided_or_parts(space, lease, part)
            if isinstance(decided, ItemGroups):
                waiting += decided[::-1]
                continue
            texts = [_with_text(reply) for reply in decided[0]]
            size += sum(map(size_of, texts))
            replies += texts
            announced = _together(announced, decided[1])
            del decided  # its bodies, before the next ones are read
        return replies, announced

    async def _decided_or_parts(
        self, space: SpaceId, lease: Lease, items: Sequence[Item], prepare: _Prepare | None = None
    ) -> ItemGroups | tuple[list[Reply], Announcement | None]:
        """Groups: those that the items are to be decided in. It does not go on with them by itself: an error holds
        all that its transaction had read, as long as it is handled."""
        try:
            return await self._stored(space, lease, items, prepare)
        except FencedError:
            raise
        except TooMuchError:
            if not self._large:
                raise
            half = len(items) // 2
            return ItemGroups([items[:half], items[half:]])
        except UnavailableError as error:
            event(logger, logging.WARNING, "store_unavailable", space=space, cause=error.__cause__)
            return [UnavailableError(*error.args)] * len(items), None
        except Exception as error:
            if len(items) == 1:
                with on_behalf_of([items[0].request]):
                    logger.exception("submission_failed", extra={"fields": {"space": space}})
                return [DecisionError(str(error))], None
            # A faulty document fails alone: the others go one by one.
            return ItemGroups([item] for item in items)

    async def _stored(
        self, space: SpaceId, lease: Lease, items: Sequence[Item], prepare: _Prepare | None
    ) -> _Decided:
        max_read = _READ_BYTES if not self._large else _LARGE_READ_BYTES if len(items) > 1 else None
        resolver = CachedResolver(self._max_bytes)
        quota = NO_QUOTA if self._quotas is None else await self._quotas.of(space)
        while True:
            cached = resolver.cached
            exact = space in self._full
            work = partial(_decided, resolver=resolver, items=items, quota=quota, exact=exact)
            try:
                stored = await self._store.transact(space, work, lease.fence, max_bytes=max_read, meanwhile=prepare)
                if exact and not any(
                    isinstance(reply, Refusal) and reply.code == QUOTA_EXCEEDED for reply in stored[0]
                ):
                    self._full.discard(space)
                return stored
            except QuotaReachedError:
                self._full.add(space)
            except UnavailableError:
                # The database ends a transaction that takes long (docs/decisions/0007). What was decided in it is
                # known now, so that the next one is shorter.
                if resolver.cached == cached:
                    raise
            except FencedError as fenced:
                # Another worker wrote with a later fence. If this one holds the lease all the same, the clock of
                # Redis was set back: it goes on with a later fence.
                if not await lease.confirm(fenced.number):
                    raise


class _Prepared:
    """The replies to a batch, which are put together while the database stores what they tell of."""

    def __init__(self, lease: Lease, envelopes: Sequence[Envelope]) -> None:
        self._lease = lease
        self._envelopes = envelopes
        self._replies: Sequence[Reply] | None = None
        self._by_envelope: list[tuple[Envelope, list[Reply]]] = []

    def prepare(self, decided: _Decided) -> None:
        """In the thread of the transaction. What fails here fails again when they are sent."""
        replies, announcement = decided
        with suppress(Exception):
            self._lease.prepare(self.of(replies), announcement)

    def of(self, replies: Sequence[Reply]) -> list[tuple[Envelope, list[Reply]]]:
        """Those of each envelope: the same object, if these are those that were prepared."""
        if self._replies is not replies:
            next_reply = iter(replies)
            self._by_envelope = [
                (envelope, [next(next_reply) for _ in envelope.items]) for envelope in self._envelopes
            ]
            self._replies = replies
        return self._by_envelope


def _count(items: Sequence[Item], replies: Sequence[Reply], taken_at: float) -> None:
    """A batch that was taken from the inbox at this time, in seconds since 1970, and was answered."""
    if items:
        metrics.TRANSACTION_SUBMISSIONS.observe(len(items))
        oldest = min(item.submission.arrived_at for item in items)
        metrics.INBOX_WAIT_SECONDS.observe(max(0.0, taken_at - oldest))
    metrics.count_decisions(replies)


def _senders(items: Sequence[Item]) -> dict[DeviceId, int]:
    """How many of them each has sent."""
    counts: dict[DeviceId, int] = {}
    for item in items:
        counts[item.by] = counts.get(item.by, 0) + 1
    return counts


def _span(envelopes: Sequence[Envelope]) -> AbstractContextManager[None]:
    """Of a batch, in the trace of the first request that has one. The others' traces have a span that links to it."""
    traces = [envelope.trace for envelope in envelopes if envelope.trace is not None]
    return _traced(envelopes, traces) if traces else _UNTRACED


_UNTRACED: Final = nullcontext()


@contextmanager
def _traced(envelopes: Sequence[Envelope], traces: Sequence[str]) -> Iterator[None]:
    began = time.time()
    for envelope in envelopes:
        if envelope.trace is not None and envelope.items:
            arrived = min(item.submission.arrived_at for item in envelope.items)
            tracing.past("wait in the inbox", min(arrived, began), began, parent=envelope.trace)
    first, *others = traces
    count = sum(len(envelope.items) for envelope in envelopes)
    with tracing.span("resolve", "consumer", parent=first, links=others, attributes={"count": count}) as span:
        yield
    for other in others:
        tracing.past("resolve", began, time.time(), parent=other, links=[span.traceparent or first])


def _decided(
    transaction: Transaction, resolver: CachedResolver, items: Sequence[Item], quota: Quota, *, exact: bool
) -> tuple[list[Reply], Announcement | None]:
    return decide(transaction, resolver, items, QuotaLedger(quota, exact=exact))


def _with_text(reply: Reply) -> Reply:
    """The same with the JSON text of its body: values take several times as much."""
    if not isinstance(reply, Answer) or reply.body is None or isinstance(reply.body, JsonText):
        return reply
    return replace(reply, body=JsonText(codec.dumps(reply.body)))


def _together(earlier: Announcement | None, later: Announcement | None) -> Announcement | None:
    """One announcement for several transactions, which does not list the changes."""
    newest = later or earlier
    if newest is None:
        return None
    return replace(newest, first=(earlier or newest).first, changes=None)
