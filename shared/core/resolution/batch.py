"""Many submissions of one space in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Final

from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, JsonText
from shared.core.frozen import frozen
from shared.core.merge.conflict_rows import ConflictRow
from shared.core.resolution.context import Decision, Outcome, Submission
from shared.core.resolution.revs import Rev
from shared.core.version_vectors import Version

MAX_PER_DOCUMENT: Final = 16
"""Submissions of one document in a transaction. Each is decided on what the one before it stored, with reads and
writes of its own, and a transaction must not take long."""


@frozen
class Item:
    """A submission, and what is wanted beside the decision."""

    submission: Submission
    by: DeviceId
    """Which device sent it, for people; the rules go by `submission.device`."""
    dry_run: bool = False
    """Decide and store nothing."""
    confirmed: bool = False
    """Many deletions are meant (shared/core/resolution/deletion_guard.py)."""
    request: str | None = field(default=None, compare=False)
    """The id of the request that brought it, for the log; nothing is decided by it."""


@frozen
class Write:
    """What is to be stored for one submission."""

    item: Item
    decision: Decision
    rev: Rev
    """Of the answer."""
    conflicts: tuple[ConflictRow, ...]


@frozen
class Change:
    """A new head, for those who follow the space."""

    document: DocumentId
    hash: ContentHash | None
    """None: a tombstone."""
    rev: Rev
    body: Body | None
    version: Version | None = None
    """Where it is stored with the head."""


@frozen
class Answer:
    """What one client is told. `body` is left out (`same` True) when it equals what the client sent."""

    outcome: Outcome
    rule: str
    hash: ContentHash | None
    rev: Rev | None
    """None: a dry run that would have made a revision."""
    body: Body | JsonText | None
    same: bool = False
    conflicts: tuple[ConflictRow, ...] = ()
    version: Version | None = None
    """What the answered state contains; None: the request did not ask."""


def waves(items: Sequence[Item]) -> list[list[int]]:
    """Indices of the items, in groups in which each document occurs once and keeps its order over the groups.

    Law: deciding group after group, each on what the ones before it stored, is deciding one by one.
    """
    if len(items) == 1:
        return [[0]]
    groups: list[list[int]] = []
    turns: dict[str, int] = {}
    for index, item in enumerate(items):
        document = item.submission.document
        turn = turns[document] = turns.get(document, -1) + 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(index)
    return groups


class DocumentCounts:
    """Counts how often each document occurs in a batch that is put together."""

    def __init__(self) -> None:
        self._counts: Counter[DocumentId] | None = None

    def admit(self, items: Iterable[Item]) -> bool:
        """Whether these may come into the batch too; the first ones always may."""
        more = Counter([item.submission.document for item in items])
        if not self._counts:
            self._counts = more
            return True
        if any(self._counts[document] + count > MAX_PER_DOCUMENT for document, count in more.items()):
            return False
        self._counts.update(more)
        return True


def answer(item: Item, decision: Decision, rev: Rev | None, conflicts: tuple[ConflictRow, ...]) -> Answer:
    """What the client is told of a decision."""
    same = decision.hash is not None and decision.hash == item.submission.hash
    return Answer(
        decision.outcome,
        decision.rule,
        decision.hash,
        rev,
        None if same else decision.state,
        same,
        conflicts,
        decision.version if item.submission.version is not None else None,
    )


def live_change(decision: Decision, was_live: bool) -> int:
    """By how much a decision changes the number of live documents."""
    if decision.revision is None:
        return 0
    return int(decision.revision.body is not None) - int(was_live)
