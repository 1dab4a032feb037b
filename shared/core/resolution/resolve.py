"""What the server decides for one client state: pure, without clock, randomness or order of keys.

The rows, of which the first that matches decides what a live client state S is compared with:

     1 null                                     nothing: answer the head
     2 S is the head                            nothing to write
     3 base, and S was received on it           a repeat: no edits
     4 base 0                                   {}
     5 base, and the device sent more since     the base; what is as the device sent it is no edit
     6 base is a tombstone                      base_state, or {}; the server's changes count from the body
                                                that the tombstone buried
     7 base, its body is here                   that body
     8 base, its body came with it              that body
     9 base, no body                            refused, `base-unknown`
    10 a device with memory                     what it may be on (pick), unless the guard finds a
                                                contradiction; no edits in what it edited further before
                                                (late)
    11 S was received before                    merely behind: answer the head
    12 states are near                          those; a strong value that was seen before is no edit
    13 nothing is near                          {}, likewise

A state with a version is decided by that alone (14, `shared.core.resolution.by_version`); a base that the store no
longer knows takes the place of rows 2 to 9 (`shared.core.resolution.lost_base`).

`shared.core.resolution.base_selection` is rows 3 to 13, `shared.core.resolution.rebase` what follows from them, this
module the rest: live and dead, and what is answered and written.

Laws (tests/unit/core/resolution/test_resolve.py):
    the same memory and submission give the same decision
    repeating a submission makes no revision and adds nothing to what is kept
    posting the answer back changes nothing
    null never deletes; a state that was received before never brings back what was deleted
    an edit is in the result, or in a conflict with its value in the revisions; nothing else is dropped
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.core.documents import Body, ContentHash
from shared.core.json.canonical import content_hash
from shared.core.merge.clock import clock
from shared.core.merge.objects import ABSENT, Conflict
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution import base_inference as near
from shared.core.resolution import doubts
from shared.core.resolution.base_selection import (
    LATE,
    REPEAT,
    Basis,
    HashOf,
    Lookup,
    Need,
    base_hash,
    by_evidence,
    by_rev,
    clean_body,
    is_repeat,
    since_sent,
    went_back,
)
from shared.core.resolution.by_version import decide_by_version
from shared.core.resolution.context import (
    BEGINNING,
    Decision,
    DeviceMemory,
    DocumentContext,
    Head,
    NeedsData,
    Outcome,
    Pair,
    Received,
    Refusal,
    Revision,
    Submission,
    advance,
)
from shared.core.resolution.known_states import came_before, may_have_come_before
from shared.core.resolution.lost_base import decide_on_lost_base, lost_base
from shared.core.resolution.rebase import Rebased, counts, is_edited, rebase
from shared.core.resolution.revs import make_rev, parse_rev
from shared.core.resolution.states import is_tombstone, last_body, same_content
from shared.core.version_vectors import bounded

REDELIVERED: Final = "answered before"
_NEVER: Final = Head(BEGINNING, ContentHash(""), None, 0.0)
"""Stands for the head of a document that was never there."""


def resolve(
    context: DocumentContext,
    request: Submission,
    policies: Policies = NO_POLICIES,
    *,
    hash_of: HashOf = content_hash,
) -> Decision | Refusal | NeedsData:
    """Decide, or say what must be loaded first. `hash_of` may be a faster content hash."""
    case = Case(context, request, policies, hash_of)
    state = request.client_state
    try:
        again = case.answered_before()
        if again is not None:
            return again
        if request.version is not None:
            return decide_by_version(case, request.version)
        lost = lost_base(case.look)
        if lost is not None and (state is not None or lost.deleted):
            return decide_on_lost_base(case, lost)
        if state is None:
            return case.answer_head("1 null")
        return case.dead(state) if is_tombstone(state) else case.live(state)
    except Need as need:
        return need.missing


def needs_acknowledgement(request: Submission) -> bool:
    """Whether `request.agreed` can matter: for a tombstone without a base."""
    state = request.client_state
    return request.base is None and state is not None and is_tombstone(state)


class Case:
    """One submission against one memory."""

    def __init__(self, context: DocumentContext, request: Submission, policies: Policies, hash_of: HashOf) -> None:
        self.context = context
        self.request = request
        self.policies = policies
        self.head = context.head or _NEVER
        self.hash_of = hash_of
        self.look = Lookup(context, request, self.head, hash_of)
        self.exists = self.look.exists

    def answered_before(self) -> Decision | None:
        """The answer to a request that the queue delivers again; None if it is another one, or if the body is
        gone. Which of the answers arrives is not known, so they are the same: else the device would be on a
        state that its memory does not have. A client that sends a base says itself on which it is."""
        request, known = self.request, self.context.device
        if request.request is None or known is None or known.request != request.request:
            return None
        if known.answered is None:
            return Decision(Outcome.UNCHANGED, REDELIVERED, None, None, self.head.rev if self.exists else None)
        stored = self.look.stored(known.answered)
        if stored is None or stored.body is None:
            return None
        rev = make_rev(stored.sequence, stored.hash, deleted=False, history=stored.history, version=stored.version)
        return Decision(Outcome.UNCHANGED, REDELIVERED, stored.body, stored.hash, rev)

    # Live states

    def live(self, state: Body) -> Decision | Refusal:
        head, base = self.head, self.request.base
        if not self.exists:
            return self.write(state, Outcome.APPLIED, "new")
        equal = head.body is not None and head.hash == self.request.hash and not (base and counts(self.policies))
        if equal and not self.sent_otherwise():
            return self.answer_head("2 equal")
        if base is None:
            return self.compare(state, by_evidence(self.look, state, self.request.hash))
        if is_repeat(self.request, head.pairs):
            return self.repeat(state)
        if came_before(self.look):
            return self.compare(state, Basis(REPEAT, (state,), nothing_new=True))
        doubted = may_have_come_before(self.look)
        if head.body is not None and head.is_named_by(base):
            return self.compare(state, Basis("7 base is the head", (head.body,), doubted=doubted))
        if head.is_named_by(base) and not isinstance(self.request.base_state, dict) and not doubted:
            return self.write(state, Outcome.RESURRECTED, "6 the deletion was seen")
        basis = by_rev(self.look, state)
        if isinstance(basis, Refusal) or not doubted:
            return basis if isinstance(basis, Refusal) else self.compare(state, basis)
        if head.body is not None and basis.went_on:
            return self.keep_head(state, basis, tuple(doubts.of_late_copy(basis, head.body, state)))
        return self.compare(state, replace(basis, own=(), doubted=True))

    def sent_otherwise(self) -> bool:
        """Whether the device sent something else on this base that the head did not take: it may have set that back,
        which shows only now."""
        request = self.request
        sent = (pair for pair in self.head.pairs if pair.device == request.device and pair.base == request.base)
        return bool(request.base) and any(pair.hash != request.hash for pair in sent)

    def compare(self, state: Body, basis: Basis) -> Decision:
        """S against the head, given what S comes from."""
        head = self.head
        if basis.nothing_new:
            return self.behind(state, basis)
        if basis.late:
            return self.keep_head(state, basis, doubts.of_late(self.look, state))
        if head.body is None:
            return self.resurrect(state, basis)
        merged = self.rebased(state, basis, head.body)
        if same_content(merged.body, head.body):
            return self.keep_head(state, basis, merged.conflicts)
        fast = len(basis.bases) == 1 and basis.bases[0] is head.body
        outcome = Outcome.FAST_FORWARD if fast else Outcome.MERGED
        return self.write(merged.body, outcome, basis.rule, basis, merged.conflicts)

    def rebased(self, state: Body, basis: Basis, onto: Body) -> Rebased:
        """With what is in doubt once the token turns out to be shared."""
        merged = rebase(self.look, state, basis, onto, self.policies)
        if not basis.contradicted:
            return merged
        return Rebased(merged.body, doubts.told(merged.body, merged.conflicts, doubts.of_old(self.look, merged.body)))

    def behind(self, state: Body, basis: Basis) -> Decision:
        """S was received before. It is behind, unless it was set back to what it was: a clock would tell."""
        if basis.rule == REPEAT:
            return self.repeat(state)
        decision = self.answer_head(basis.rule, basis)
        mistaken = basis.unexpected or doubts.met_a_mistaken_memory(self.look)
        if mistaken and self.head.body is None:
            return replace(decision, conflicts=doubts.deleted_unseen(self.look, basis, state))
        is_new_here = self.request.single_device and self.context.device is None
        if basis.late or is_new_here or (clock(state) is not None and not mistaken):
            return decision
        conflicts = self.set_back(state, replace(basis, guessed=True))
        if basis.contradicted and self.head.body is not None:
            conflicts = doubts.told(self.head.body, conflicts, doubts.of_old(self.look, self.head.body))
        return replace(decision, conflicts=conflicts)

    def repeat(self, state: Body) -> Decision:
        """The device sent S on this base before. It means it anew, perhaps, if it sent something else on it since.
        What is recorded can be read: nothing is, if the body of S is pruned."""
        later = since_sent(self.look) if self.look.body(self.request.hash) is not None else ()
        basis = Basis(REPEAT, (state,), others=later)
        return replace(self.answer_head(REPEAT), conflicts=self.set_back(state, basis) if later else ())

    def set_back(self, state: Body, basis: Basis) -> tuple[Conflict, ...]:
        """What is in doubt of a state that changes nothing."""
        if self.head.body is not None:
            return tuple(doubts.not_taken(basis, state, self.head.body))
        under = self.look.body(self.look.buried)
        if under is None or not doubts.not_taken(basis, state, under):
            return ()
        return (Conflict("", ABSENT, state, doubts.SET_BACK),)

    @property
    def saw_deletion(self) -> bool:
        """Whether the base is the tombstone that is the head."""
        return self.request.base is not None and self.head.is_named_by(self.request.base)

    def resurrect(self, state: Body, basis: Basis) -> Decision:
        """S against a tombstone: an edit that the deleter had not seen brings the document back."""
        if not self.saw_deletion:
            if not is_edited(self.look, state, basis):
                doubted = (
                    doubts.deleted_unseen(self.look, basis, state)
                    if basis.contradicted
                    else self.set_back(state, basis)
                )
                if basis.is_uncertain:
                    doubted = (Conflict("", ABSENT, state, doubts.PUT_BACK),)
                return self.keep_head(state, basis, doubted)
            if self.policies.scope().delete_wins:
                return self.keep_head(state, basis, (Conflict("", ABSENT, state, "delete-wins"),))
        under = self.look.body(self.look.buried)
        merged = Rebased(state, ())
        if under is not None and not basis.nothing_near:
            merged = self.rebased(state, basis, under)
        undone = Conflict("", merged.body, ABSENT, doubts.PUT_BACK if basis.is_uncertain else "edit-beats-removal")
        conflicts = merged.conflicts if self.saw_deletion and not basis.is_uncertain else (undone, *merged.conflicts)
        return self.write(merged.body, Outcome.RESURRECTED, basis.rule, basis, conflicts)

    # Tombstones

    def dead(self, state: Body) -> Decision | Refusal:
        head, base, inside = self.head, self.request.base, last_body(state)
        if not self.exists:
            return self.bury_unknown(inside)
        if head.body is None:
            return self.answer_head("deleted already")
        if base is None:
            return self.dead_by_evidence(state, inside, head.body)
        if is_repeat(self.request, head.pairs):
            return self.repeated_deletion(head.body)
        doubted = may_have_come_before(self.look)
        doubt = doubts.PUT_BACK if doubted else doubts.UNSEEN
        if head.is_named_by(base):
            return self.delete("delete: the base is the head", unseen=doubted, doubt=doubt)
        basis = by_rev(self.look, inside)
        if isinstance(basis, Basis) and basis.nothing_new:
            return self.repeated_deletion(head.body)
        if inside is not None and same_content(inside, head.body):
            return self.delete("delete: the last body is the head")
        if isinstance(basis, Refusal):
            return basis
        if any(same_content(body, head.body) for body in basis.bases):
            # What the device sent on its base was replaced since, by somebody who set it back.
            unseen = bool(basis.own or basis.others or basis.forgotten)
            return self.delete("delete: the head is as the base", unseen=unseen or doubted, doubt=doubt)
        if any(same_content(body, head.body) for body in basis.own):
            # It may have forgotten since: a backup that was put back.
            return self.delete("delete: the head is as the device left it", unseen=True)
        return self.edit_wins(inside)

    def repeated_deletion(self, live: Body) -> Decision:
        """The device sent this on this base before. It means it anew, perhaps, if it sent a document on it since."""
        conflicts = (Conflict("", live, ABSENT, doubts.SENT_BEFORE),) if since_sent(self.look) else ()
        return replace(self.answer_head(REPEAT), conflicts=conflicts)

    def dead_by_evidence(self, state: Body, inside: Body | None, live: Body) -> Decision:
        request = self.request
        device = self.context.device if request.single_device else None
        # Without a clock every deletion of a document looks the same: it is a repeat only if it comes soon.
        since = request.arrived_at - LATE if clock(state) is None else 0.0
        if is_repeat(request, self.look.pairs(BEGINNING), since):
            again = Conflict("", live, ABSENT, doubts.SENT_BEFORE)
            return replace(self.answer_head(REPEAT), conflicts=(again,))
        clean = clean_body(self.look, device) if device and inside is None else None
        if device is not None and clean is not None and same_content(clean, live):
            # The two rounds may be older ones that arrived late, of which the device never got the answers.
            unseen = went_back(device, state) or not self.is_on(device, live)
            return self.delete("delete: two clean rounds", unseen=unseen)
        if inside is not None:
            if same_content(inside, live):
                return self.delete("delete: the last body is the head")
            basis = by_evidence(self.look, inside, self.hash_of(inside))
            if all(same_content(body, live) for body in basis.bases):
                return self.delete("delete: the last body comes from the head", unseen=True)
            return self.edit_wins(inside)
        if not request.single_device:
            others = self.look.recent()[1:]
            unseen = not all(same_content(body, live) for body in others)
            return self.delete("delete: an unknown device", unseen=unseen)
        if device is not None and self.is_on(device, live):
            return self.delete("delete: the device had the head", unseen=went_back(device, state))
        return self.edit_wins(None)

    def is_on(self, device: DeviceMemory, body: Body) -> bool:
        """Whether the device is on this content for certain."""
        on = [self.look.body(content) for content in device.states]
        return bool(on) and all(one is not None and same_content(one, body) for one in on)

    def delete(self, rule: str, *, unseen: bool = False, doubt: str = doubts.UNSEEN) -> Decision:
        """`unseen`: the deleter may not have had what is deleted; `doubt`: how the conflict says that."""
        unseen_body = Conflict("", ABSENT, self.head.body, doubt)
        return self.write(None, Outcome.DELETED, rule, conflicts=(unseen_body,) if unseen else ())

    def bury_unknown(self, inside: Body | None) -> Decision:
        """A tombstone for what never arrived: its creation may still be on the way."""
        decision = self.write(None, Outcome.DELETED, "delete: never seen")
        if inside is None or decision.revision is None:
            return decision
        content = self.hash_of(inside)
        return replace(
            decision,
            revision=replace(decision.revision, hash=content),
            received=Received(content, inside, near.gone(inside, None)),
        )

    def edit_wins(self, inside: Body | None, rule: str = "edit-beats-removal") -> Decision:
        """Somebody changed what the deleter had not seen."""
        if self.policies.scope().delete_wins:
            found = self.delete("delete: delete-wins")
            return replace(found, conflicts=(Conflict("", ABSENT, self.head.body, "delete-wins"),))
        decision = self.answer_head("the edit wins over the deletion")
        refused = Conflict("", self.head.body, ABSENT, rule)
        return replace(decision, received=self.inside(inside), conflicts=(refused,))

    def inside(self, body: Body | None) -> Received | None:
        """The last body of a tombstone, if it is new."""
        if body is None or self.look.stored(content := self.hash_of(body)) is not None:
            return None
        return Received(content, body, near.gone(body, self.head.body))

    # Answers

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
