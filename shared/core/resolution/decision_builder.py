"""What is answered and written for a client state, once it is known what it is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.core.documents import Body, ContentHash
from shared.core.merge.objects import Conflict
from shared.core.merge.policies import Policies
from shared.core.resolution import base_inference as near
from shared.core.resolution import doubts
from shared.core.resolution.base_selection import REPEAT, Basis, base_hash, is_repeat
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
    advance,
)
from shared.core.resolution.lookup import HashOf, Lookup
from shared.core.resolution.revs import parse_rev
from shared.core.resolution.states import is_tombstone
from shared.core.version_vectors import bounded

_NEVER: Final = Head(BEGINNING, ContentHash(""), None, 0.0)
"""Stands for the head of a document that was never there."""


class DecisionBuilder:
    """For one submission against one document."""

    def __init__(self, context: DocumentContext, request: Submission, policies: Policies, hash_of: HashOf) -> None:
        self.context = context
        self.request = request
        self.policies = policies
        self.head = context.head or _NEVER
        self.hash_of = hash_of
        self.look = Lookup(context, request, self.head, hash_of)
        self.exists = self.look.exists

    def pair(self) -> Pair | None:
        """What to remember of a request with a base; nothing if the state is the base."""
        request = self.request
        state = request.client_state
        if request.base is None and state is not None and request.hash is not None and is_tombstone(state):
            return Pair(request.device, "", request.hash, at=request.arrived_at)
        if request.base is None or request.hash is None:
            return None
        parts = parse_rev(request.base)
        if base_hash(request.base) == request.hash and not (parts and parts.deleted):
            return None
        since = parts.sequence if parts else BEGINNING
        return Pair(request.device, request.base, request.hash, since, request.arrived_at)

    def remembered(self, answer: ContentHash | None, *, edited: bool, repeat: bool) -> DeviceMemory | None:
        """What the device may be on from now, if that is anything new."""
        request, known = self.request, self.context.device
        if request.base is not None or request.device is None or not request.single_device:
            return None
        now = advance(known or DeviceMemory(), request, answer, edited=edited, repeat=repeat)
        return None if now == known else now

    def answer_head(self, rule: str, basis: Basis | None = None, *, edited: bool = False) -> Decision:
        """The head stays, and nothing of S is worth keeping."""
        head, request = self.head, self.request
        content = head.hash if head.body is not None else None
        repeat = rule == REPEAT
        pair = self.pair() if self.exists and not repeat else None
        if pair is not None and (is_repeat(request, head.pairs) or is_repeat(request, self.look.pairs(pair.since))):
            pair = None
        late = basis is not None and basis.late
        return Decision(
            Outcome.UNCHANGED,
            rule,
            head.body,
            content,
            head.rev if self.exists else None,
            pair=pair,
            device=None if late else self.remembered(content, edited=edited, repeat=repeat),
            token_shared=basis is not None and basis.contradicted,
        )

    def keep_head(self, state: Body, basis: Basis, conflicts: tuple[Conflict, ...]) -> Decision:
        """The head stays, and S is kept beside it if it is new."""
        edited = any(conflict.rule not in doubts.DOUBTS for conflict in conflicts)
        decision = self.answer_head(basis.rule, basis, edited=edited)
        return replace(decision, received=self.received(state, self.head.body, conflicts), conflicts=conflicts)

    def received(self, state: Body, head: Body | None, conflicts: tuple[Conflict, ...]) -> Received | None:
        """S, to be kept beside the revisions, unless it was received before. If its body is pruned it is kept once
        more where conflicts drop values of it."""
        content = self.request.hash
        stored = self.look.stored(content) if content is not None else None
        if content is None or (stored is not None and (stored.body is not None or not conflicts)):
            return None
        return Received(content, state, near.gone(state, head))

    def write(
        self,
        body: Body | None,
        outcome: Outcome,
        rule: str,
        basis: Basis | None = None,
        conflicts: tuple[Conflict, ...] = (),
    ) -> Decision:
        """A new head: `body`, or a tombstone over the one that is there."""
        head, request = self.head, self.request
        content = head.hash
        received = None
        if body is not None:
            content = request.hash if body is request.client_state and request.hash else self.hash_of(body)
            if content == request.hash:
                outcome = Outcome.APPLIED if outcome is Outcome.MERGED else outcome
            elif request.client_state is not None:
                received = self.received(request.client_state, body, conflicts)
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
                near.gone(head.body, body) if head.body is not None else frozenset(),
                None if head.version is None else bounded(head.version, ()),
            ),
            received=received,
            device=self.remembered(content if body is not None else None, edited=True, repeat=False),
            token_shared=basis is not None and basis.contradicted,
        )

    def parents(self) -> tuple[str, ...]:
        """The revs that a new revision comes from."""
        base = self.request.base
        found: list[str] = [self.head.rev] if self.exists else []
        if base is not None and parse_rev(base) is not None and base not in found:
            found.append(base)
        return tuple(found)
