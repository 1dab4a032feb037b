"""Bringing documents to a server by the v1.0 procedure, for a client that knows its own documents only.

What the server has besides them is none of its business: nothing is fetched, nothing deleted.

    survey   asks for the hash map and decides what has to be sent; changes nothing, anywhere
    send     sends it, takes every answer for the truth, and asks again until both maps agree

Laws (tests/unit/client/test_push.py):
    after send(...) without other writers the maps agree on every document that was not refused
    a second survey of the same documents has nothing to send
    every document is counted exactly once
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from client.push.remote import Refused, Remote
from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DocumentId, HashMap
from shared.core.index.plan import Action, Differs, Fetch, compare

MAX_ROUNDS: Final = 5
"""Two are enough without concurrent writers."""

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""(done, total), after each document."""
Reconcile = Callable[[Body, Body], Body]
"""(mine, theirs) -> mine, without the differences that are none."""


class Fate(StrEnum):
    """What became of one document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MERGED = "merged"
    """The server answered another state than the one that was sent, and that is the correct one."""
    DELETED = "deleted"
    """The server knows that it was deleted, and nothing in the sent state is newer than that."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a push would do. `actions` holds Push and Differs only, `documents` all of the client's."""

    documents: Mapping[DocumentId, Body]
    actions: tuple[Action, ...]

    @property
    def unchanged(self) -> int:
        return len(self.documents) - len(self.actions)

    @property
    def differing(self) -> int:
        return sum(isinstance(action, Differs) for action in self.actions)

    @property
    def missing(self) -> int:
        return len(self.actions) - self.differing


@dataclass(frozen=True, slots=True)
class Report:
    """What a push did. A document is in `fates` or in `refused`."""

    fates: Mapping[DocumentId, Fate]
    refused: Mapping[DocumentId, Refused] = field(default_factory=dict)
    unsettled: tuple[DocumentId, ...] = ()
    """The server's hash still differed from its last answer: others are writing these."""
    rounds: int = 0
    """Rounds in which something was sent."""

    def count(self, fate: Fate) -> int:
        return sum(1 for value in self.fates.values() if value is fate)

    @property
    def complete(self) -> bool:
        return not self.refused and not self.unsettled


async def survey(
    remote: Remote,
    documents: Mapping[DocumentId, Body],
    *,
    reconcile: Reconcile | None = None,
    progress: Progress | None = None,
    connections: int = 32,
) -> Survey:
    """What has to be sent. With `reconcile` the documents that differ are read and reconciled first."""
    theirs = await remote.hashes()
    mine = dict(documents)
    actions = _own(_hashes(mine), theirs)
    if reconcile is None:
        return Survey(mine, actions)

    differing = [action for action in actions if isinstance(action, Differs)]
    tick = _ticker(progress, len(differing))

    async def look(action: Action) -> Action | None:
        stored = await remote.read(action.id)
        tick()
        if stored is None:
            return action
        mine[action.id] = reconcile(mine[action.id], stored)
        return None if content_hash(mine[action.id]) == content_hash(stored) else action

    looked_at = await _in_parallel(differing, look, connections)
    left = {action for action in looked_at if action is not None}
    return Survey(mine, tuple(a for a in actions if not isinstance(a, Differs) or a in left))


async def send(
    remote: Remote,
    intent: Survey,
    *,
    progress: Progress | None = None,
    connections: int = 32,
    max_rounds: int = MAX_ROUNDS,
) -> Report:
    """Sends what the survey found. Raises RemoteError; what was sent until then is stored, and a push that
    is started again goes on from there."""
    states = dict(intent.documents)
    hashes = _hashes(states)
    fates = dict.fromkeys(states, Fate.UNCHANGED)
    refused: dict[DocumentId, Refused] = {}
    actions = intent.actions
    rounds = 0
    tick = _ticker(progress, len(actions))

    async def submit(action: Action) -> None:
        document = action.id
        answer = await remote.submit(document, states[document])
        if rounds == 1:
            tick()
        if isinstance(answer, Refused):
            refused[document] = answer
            del states[document], hashes[document], fates[document]
            return
        if answer.state is None:
            fates[document] = Fate.DELETED
            del states[document], hashes[document]
            return
        sent, hashes[document] = hashes[document], content_hash(answer.state)
        states[document] = answer.state
        if rounds == 1:  # later rounds repeat what the server said; they are not ours
            fates[document] = _fate(action, same=hashes[document] == sent)

    while actions and rounds < max_rounds:
        rounds += 1
        await _in_parallel(actions, submit, connections)
        actions = _own(hashes, await remote.hashes())
    return Report(fates, refused, tuple(action.id for action in actions), rounds)


def _ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return tick


def _fate(action: Action, *, same: bool) -> Fate:
    if not same:
        return Fate.MERGED
    return Fate.UPDATED if isinstance(action, Differs) else Fate.CREATED


def _hashes(documents: Mapping[DocumentId, Body]) -> dict[DocumentId, ContentHash]:
    return {document: content_hash(body) for document, body in documents.items()}


def _own(ours: HashMap, theirs: HashMap) -> tuple[Action, ...]:
    return tuple(action for action in compare(ours, theirs) if not isinstance(action, Fetch))


async def _in_parallel(
    actions: Iterable[Action], work: Callable[[Action], Awaitable[T]], connections: int
) -> list[T]:
    """`work` on each action, `connections` at a time, results in their order. The first error stops all."""
    results: dict[int, T] = {}
    left = iter(enumerate(actions))

    async def worker() -> None:
        for number, action in left:
            results[number] = await work(action)

    workers = [asyncio.create_task(worker()) for _ in range(connections)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[number] for number in sorted(results)]
