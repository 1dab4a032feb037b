"""Bringing documents straight to an upstream, for one who keeps no folder and remembers nothing of earlier times.

What the upstream has besides them is left alone: nothing is fetched, nothing deleted. States are sent without a
base, as v1.0 does: the upstream finds out what they were made from.

    survey   asks for the hash map and decides what has to be sent; changes nothing, anywhere
    send     sends it, takes every answer for the truth, and asks again until both maps agree

Laws (tests/unit/client/sync/test_direct.py):
    after send(...) without other writers the maps agree on every document that was not refused
    a second survey of the same documents has nothing to send
    every document is counted exactly once
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from client.sync.engine.records import NotNow, Pending, Refused, UpstreamAnswer, UpstreamReply
from client.sync.report import Progress
from client.sync.upstream import Outgoing, Upstream
from shared.codec import content_hash
from shared.core.identifiers import Body, ContentHash, DocumentId

MAX_ROUNDS: Final = 5
"""Two are enough without concurrent writers."""

Reconcile = Callable[[Body, Body], Body]
"""(mine, theirs) -> mine, without the differences that mean nothing."""


class SendOutcome(StrEnum):
    """What became of one document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MERGED = "merged"
    """The upstream answered another state than the one that was sent, and that is the correct one."""
    DELETED = "deleted"
    """The upstream knows that it was deleted, and nothing in the sent state is newer than that."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What has to be sent: `missing` is not there yet, `differing` has another content there. `documents`: all of the
    client's."""

    documents: Mapping[DocumentId, Body]
    missing: tuple[DocumentId, ...] = ()
    differing: tuple[DocumentId, ...] = ()

    @property
    def unchanged(self) -> int:
        return len(self.documents) - len(self.missing) - len(self.differing)


@dataclass(frozen=True, slots=True)
class SendReport:
    """What was sent. A document is in `fates` or in `refused`."""

    fates: Mapping[DocumentId, SendOutcome]
    refused: Mapping[DocumentId, Refused] = field(default_factory=dict)
    unsettled: tuple[DocumentId, ...] = ()
    """The upstream's hash still differed from its last answer: others are writing these."""
    rounds: int = 0
    """Rounds in which something was sent."""

    def count(self, fate: SendOutcome) -> int:
        return sum(1 for value in self.fates.values() if value is fate)

    @property
    def complete(self) -> bool:
        return not self.refused and not self.unsettled


async def survey(
    upstream: Upstream,
    documents: Mapping[DocumentId, Body],
    *,
    reconcile: Reconcile | None = None,
    progress: Progress | None = None,
) -> Survey:
    """With `reconcile` the documents that differ are read and reconciled first. Raises UpstreamError."""
    compared = await _compared(upstream, documents)
    if reconcile is None or not compared.differing:
        return compared
    mine = dict(documents)
    left = set(compared.differing)
    done = 0
    async for replies in upstream.submit([Outgoing(document) for document in compared.differing]):
        for document, reply in replies.items():
            if isinstance(reply, UpstreamAnswer) and reply.state is not None:
                mine[document] = reconcile(mine[document], reply.state)
                if content_hash(mine[document]) == reply.hash:
                    left.discard(document)
        done += len(replies)
        if progress is not None:
            progress(done, len(compared.differing))
    return Survey(mine, compared.missing, tuple(document for document in compared.differing if document in left))


async def send(
    upstream: Upstream, intent: Survey, *, progress: Progress | None = None, max_rounds: int = MAX_ROUNDS
) -> SendReport:
    """Sends what the survey found. Raises UpstreamError; what was sent until then is stored, and the same call goes
    on from there."""
    sending = _Sending(intent, progress)
    wanted: Sequence[DocumentId] = (*intent.missing, *intent.differing)
    while wanted and sending.rounds < max_rounds:
        sending.rounds += 1
        async for replies in upstream.submit([sending.outgoing(document) for document in wanted]):
            sending.take(replies)
        left = await _compared(upstream, sending.states)
        wanted = (*left.missing, *left.differing)
    refused = sending.refused | {document: Refused("unanswered", why) for document, why in sending.unanswered.items()}
    fates = {document: fate for document, fate in sending.fates.items() if document not in refused}
    return SendReport(fates, refused, tuple(one for one in wanted if one not in refused), sending.rounds)


class _Sending:
    """Where a `send` stands."""

    def __init__(self, intent: Survey, progress: Progress | None) -> None:
        self.states = dict(intent.documents)
        self.fates = dict.fromkeys(self.states, SendOutcome.UNCHANGED)
        self.refused: dict[DocumentId, Refused] = {}
        self.unanswered: dict[DocumentId, str] = {}
        self.rounds = 0
        self._new = frozenset(intent.missing)
        self._total = len(intent.missing) + len(intent.differing)
        self._answered: set[DocumentId] = set()
        self._progress = progress

    def outgoing(self, document: DocumentId) -> Outgoing:
        body = self.states[document]
        return Outgoing(document, Pending(body, content_hash(body), None))

    def take(self, replies: Mapping[DocumentId, UpstreamReply]) -> None:
        for document, reply in replies.items():
            self.unanswered.pop(document, None)
            if isinstance(reply, NotNow):
                self.unanswered[document] = reply.reason
                continue
            first = document not in self._answered
            self._answered.add(document)
            if isinstance(reply, Refused):
                self.refused[document] = reply
                del self.states[document], self.fates[document]
            elif reply.state is None:
                self.fates[document] = SendOutcome.DELETED
                del self.states[document]
            else:
                same = content_hash(self.states[document]) == reply.hash
                self.states[document] = reply.state
                if first:  # later answers repeat what the upstream said; they are not ours
                    self.fates[document] = self._fate(document, same=same)
            if first and self._progress is not None:
                self._progress(len(self._answered), self._total)

    def _fate(self, document: DocumentId, *, same: bool) -> SendOutcome:
        if not same:
            return SendOutcome.MERGED
        return SendOutcome.CREATED if document in self._new else SendOutcome.UPDATED


async def _compared(upstream: Upstream, documents: Mapping[DocumentId, Body]) -> Survey:
    theirs: Mapping[DocumentId, ContentHash | None] = (await upstream.changes(None)).hashes
    missing = [document for document in documents if theirs.get(document) is None]
    others = [document for document in documents if theirs.get(document) is not None]
    differing = [document for document in others if theirs[document] != content_hash(documents[document])]
    return Survey(documents, tuple(missing), tuple(differing))
