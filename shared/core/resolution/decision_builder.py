"""What is answered and written for a client state, once it is known what it is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.core.documents import Body, ContentHash
from shared.core.merge.objects import Conflict
from shared.core.merge.policies import Policies
from shared.core.resolution import base_inference, doubts
from shared.core.resolution.base_selection import Basis, base_hash, is_repeat
from shared.core.resolution.context import (
    BEGINNING,
    Decision,
    DeviceMemory,
    DocumentContext,
    Head,
    Outcome,
    Pair,
    Received,
    Revision,
    Submission,
)
from shared.core.resolution.device_memory import advance
from shared.core.resolution.lookup import HashOf, Lookup
from shared.core.resolution.revs import parse_rev
from shared.core.resolution.states import is_tombstone
from shared.core.version_vectors import bounded

_NEVER: Final = Head(BEGINNING, ContentHash(""), None, 0.0)
"""Stands for the head of a document that was never there."""
_NOTHING: Final = DeviceMemory()


class DecisionBuilder:
    """For one submission against one document."""

    def __init__(self, context: DocumentContext, submission: Submission, policies: Policies, hash_of: HashOf) -> None:
        self.context = context
        self.submission = submission
        self.policies = policies
        self.head = context.head or _NEVER
        self.hash_of = hash_of
        self.lookup = Lookup(context, submission, self.head, hash_of)
        self.exists = self.lookup.exists

    def pair(self) -> Pair | None:
        """What to remember of a request with a base; nothing if the state is the base."""
        submission = self.submission
        state = submission.client_state
        if submission.base is None and state is not None and submission.hash is not None and is_tombstone(state):
            return Pair(submission.device, "", submission.hash, at=submission.arrived_at)
        if submission.base is None or submission.hash is None:
            return None
        parts = parse_rev(submission.base)
        if base_hash(submission.base) == submission.hash and not (parts and parts.deleted):
            return None
        since = parts.sequence if parts else BEGINNING
        return Pair(submission.device, submission.base, submission.hash, since, submission.arrived_at)

    def remembered(self, answer: ContentHash | None, *, edited: bool, repeat: bool) -> DeviceMemory | None:
        """What the device may be on from now, if that is anything new."""
        submission, known = self.submission, self.context.device_memory
        if submission.base is not None or submission.device is None or not submission.single_device:
            return None
        now = advance(known or _NOTHING, submission, answer, edited=edited, repeat=repeat)
        return None if now is known else now

    def answer_head(
        self, rule: str, basis: Basis | None = None, *, edited: bool = False, repeat: bool = False
    ) -> Decision:
        """The head stays, and nothing of S is worth keeping. `repeat`: row 3."""
        head, submission = self.head, self.submission
        content = head.hash if head.body is not None else None
        pair = self.pair() if self.exists and not repeat else None
        if pair is not None and (
            is_repeat(submission, head.pairs) or is_repeat(submission, self.lookup.pairs(pair.since))
        ):
            pair = None
        late = basis is not None and basis.sent.late
        return Decision(
            Outcome.UNCHANGED,
            rule,
            head.body,
            content,
            head.rev if self.exists else None,
            pair=pair,
            device_memory=None if late else self.remembered(content, edited=edited, repeat=repeat),
            token_shared=basis is not None and basis.memory.contradicted,
        )

    def keep_head(self, state: Body, basis: Basis, conflicts: tuple[Conflict, ...]) -> Decision:
        """The head stays, and S is kept beside it if it is new."""
        edited = any(conflict.rule not in doubts.DOUBTS for conflict in conflicts)
        decision = self.answer_head(basis.rule, basis, edited=edited)
        return replace(decision, received=self.received(state, self.head.body, conflicts), conflicts=conflicts)

    def received(self, state: Body, head: Body | None, conflicts: tuple[Conflict, ...]) -> Received | None:
        """S, to be kept beside the revisions, unless it was received before. If its body is pruned it is kept once
        more where conflicts drop values of it."""
        content = self.submission.hash
        stored = self.lookup.stored(content) if content is not None else None
        if content is None or (stored is not None and (stored.body is not None or not conflicts)):
            return None
        return Received(content, state, base_inference.gone(state, head))

    def write(
        self,
        body: Body | None,
        outcome: Outcome,
        rule: str,
        basis: Basis | None = None,
        conflicts: tuple[Conflict, ...] = (),
    ) -> Decision:
        """A new head: `body`, or a tombstone over the one that is there."""
        head, submission = self.head, self.submission
        content = head.hash
        received = None
        if body is not None:
            content = submission.hash if body is submission.client_state and submission.hash else self.hash_of(body)
            if content == submission.hash:
                outcome = Outcome.APPLIED if outcome is Outcome.MERGED else outcome
            elif submission.client_state is not None:
                received = self.received(submission.client_state, body, conflicts)
        pair = self.pair()
        return Decision(
            outcome,
            rule,
            body,
            content if body is not None else None,
            None,
            conflicts=conflicts,
            revision=Revision(
                body,
                content,
                self.parents(),
                (pair,) if pair else (),
                base_inference.gone(head.body, body) if head.body is not None else frozenset(),
                None if head.version is None else bounded(head.version, ()),
            ),
            received=received,
            device_memory=self.remembered(content if body is not None else None, edited=True, repeat=False),
            token_shared=basis is not None and basis.memory.contradicted,
        )

    def parents(self) -> tuple[str, ...]:
        """The revs that a new revision comes from."""
        base = self.submission.base
        revs: list[str] = [self.head.rev] if self.exists else []
        if base is not None and parse_rev(base) is not None and base not in revs:
            revs.append(base)
        return tuple(revs)
