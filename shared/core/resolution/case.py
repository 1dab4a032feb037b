"""One submission against one document: live and dead, on a base that is known or by what the states tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.core.documents import Body
from shared.core.merge.clock import clock
from shared.core.merge.objects import ABSENT, Conflict
from shared.core.resolution import base_inference, doubts
from shared.core.resolution.base_selection import (
    LATE,
    REPEAT,
    Basis,
    PutBackDoubts,
    SentBefore,
    by_evidence,
    by_rev,
    clean_body,
    is_repeat,
    since_sent,
    went_back,
)
from shared.core.resolution.context import (
    BEGINNING,
    Decision,
    DeviceMemory,
    Outcome,
    Received,
    Refusal,
)
from shared.core.resolution.decision_builder import DecisionBuilder
from shared.core.resolution.known_states import came_before, may_have_come_before
from shared.core.resolution.rebase import Rebased, counts, is_edited, rebase
from shared.core.resolution.revs import make_rev
from shared.core.resolution.states import last_body, same_content

REDELIVERED: Final = "answered before"


class Case(DecisionBuilder):
    """What the rows decide, by the rules in `shared.core.resolution.resolve`."""

    def answered_before(self) -> Decision | None:
        """The answer to a request that the queue delivers again; None if it is another one, or if the body is
        gone. Which of the answers arrives is not known, so they are the same: else the device would be on a
        state that its memory does not have. A client that sends a base says itself on which it is."""
        submission, known = self.submission, self.context.device_memory
        if submission.delivery is None or known is None or known.delivery != submission.delivery:
            return None
        if known.answered is None:
            return Decision(Outcome.UNCHANGED, REDELIVERED, None, None, self.head.rev if self.exists else None)
        stored = self.lookup.stored(known.answered)
        if stored is None or stored.body is None:
            return None
        rev = make_rev(stored.sequence, stored.hash, deleted=False, history=stored.history, version=stored.version)
        return Decision(Outcome.UNCHANGED, REDELIVERED, stored.body, stored.hash, rev)

    # Live states

    def decide_live(self, state: Body) -> Decision | Refusal:
        head, base = self.head, self.submission.base
        if not self.exists:
            return self.write(state, Outcome.APPLIED, "new")
        equal = head.body is not None and head.hash == self.submission.hash and not (base and counts(self.policies))
        if equal and not self.sent_otherwise():
            return self.answer_head("2 equal")
        if base is None:
            return self.compare(state, by_evidence(self.lookup, state, self.submission.hash))
        if is_repeat(self.submission, head.pairs):
            return self.repeat(state)
        if came_before(self.lookup):
            return self.compare(state, Basis(REPEAT, (state,), nothing_new=True, is_repeat=True))
        doubted = may_have_come_before(self.lookup)
        if head.body is not None and head.is_named_by(base):
            put_back = PutBackDoubts(doubted=doubted)
            return self.compare(state, Basis("7 base is the head", (head.body,), put_back=put_back))
        if head.is_named_by(base) and not isinstance(self.submission.base_state, dict) and not doubted:
            return self.write(state, Outcome.RESURRECTED, "6 the deletion was seen")
        basis = by_rev(self.lookup, state)
        if isinstance(basis, Refusal):
            return basis
        if head.body is not None and basis.sent.went_on and (doubted or doubts.is_older(state, basis.put_back.since)):
            return self.keep_head(state, basis, tuple(doubts.of_late_copy(basis, head.body, state)))
        if doubted:
            sent, put_back = replace(basis.sent, own=()), replace(basis.put_back, doubted=True)
            basis = replace(basis, sent=sent, put_back=put_back)
        return self.compare(state, basis)

    def sent_otherwise(self) -> bool:
        """Whether the device sent something else on this base that the head did not take: it may have set that back,
        which shows only now."""
        submission = self.submission
        sent = (pair for pair in self.head.pairs if pair.device == submission.device and pair.base == submission.base)
        return bool(submission.base) and any(pair.hash != submission.hash for pair in sent)

    def compare(self, state: Body, basis: Basis) -> Decision:
        """S against the head, given what S comes from."""
        head = self.head
        if basis.nothing_new:
            return self.answer_behind(state, basis)
        if basis.sent.late:
            return self.keep_head(state, basis, doubts.of_late(self.lookup, state))
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
        merged = rebase(self.lookup, state, basis, onto, self.policies)
        if not basis.memory.contradicted:
            return merged
        return Rebased(
            merged.body,
            doubts.recorded_conflicts(merged.body, merged.conflicts, doubts.of_old(self.lookup, merged.body)),
        )

    def answer_behind(self, state: Body, basis: Basis) -> Decision:
        """S was received before. It is behind, unless it was set back to what it was: a clock would tell."""
        if basis.is_repeat:
            return self.repeat(state)
        decision = self.answer_head(basis.rule, basis)
        mistaken = basis.memory.unexpected or doubts.met_a_mistaken_memory(self.lookup)
        if mistaken and self.head.body is None:
            return replace(decision, conflicts=doubts.deleted_unseen(self.lookup, basis, state))
        is_new_here = self.submission.single_device and self.context.device_memory is None
        if basis.sent.late or is_new_here or (clock(state) is not None and not mistaken):
            return decision
        conflicts = self.set_back(state, replace(basis, guessed=True))
        if basis.memory.contradicted and self.head.body is not None:
            conflicts = doubts.recorded_conflicts(
                self.head.body, conflicts, doubts.of_old(self.lookup, self.head.body)
            )
        return replace(decision, conflicts=conflicts)

    def repeat(self, state: Body) -> Decision:
        """The device sent S on this base before. It means it again, perhaps, if it sent something else on it since.
        What is recorded can be read: nothing is, if the body of S is pruned."""
        later = since_sent(self.lookup) if self.lookup.body(self.submission.hash) is not None else ()
        basis = Basis(REPEAT, (state,), sent=SentBefore(others=later))
        return replace(self.answer_head(REPEAT, repeat=True), conflicts=self.set_back(state, basis) if later else ())

    def set_back(self, state: Body, basis: Basis) -> tuple[Conflict, ...]:
        """What is in doubt of a state that changes nothing."""
        if self.head.body is not None:
            return tuple(doubts.not_taken(basis, state, self.head.body))
        under = self.lookup.body(self.lookup.buried)
        if under is None or not doubts.not_taken(basis, state, under):
            return ()
        return (Conflict("", ABSENT, state, doubts.SET_BACK),)

    @property
    def saw_deletion(self) -> bool:
        """Whether the base is the tombstone that is the head."""
        return self.submission.base is not None and self.head.is_named_by(self.submission.base)

    def resurrect(self, state: Body, basis: Basis) -> Decision:
        """S against a tombstone: an edit that the deleter had not seen brings the document back."""
        if not self.saw_deletion:
            if not is_edited(self.lookup, state, basis):
                doubted = (
                    doubts.deleted_unseen(self.lookup, basis, state)
                    if basis.memory.contradicted
                    else self.set_back(state, basis)
                )
                if basis.put_back.is_uncertain:
                    doubted = (Conflict("", ABSENT, state, doubts.PUT_BACK),)
                return self.keep_head(state, basis, doubted)
            if self.policies.scope().delete_wins:
                return self.keep_head(state, basis, (Conflict("", ABSENT, state, "delete-wins"),))
        under = self.lookup.body(self.lookup.buried)
        merged = Rebased(state, ())
        if under is not None and not basis.nothing_near:
            merged = self.rebased(state, basis, under)
        uncertain = basis.put_back.is_uncertain
        undone = Conflict("", merged.body, ABSENT, doubts.PUT_BACK if uncertain else "edit-beats-removal")
        conflicts = merged.conflicts if self.saw_deletion and not uncertain else (undone, *merged.conflicts)
        return self.write(merged.body, Outcome.RESURRECTED, basis.rule, basis, conflicts)

    # Tombstones

    def decide_tombstone(self, state: Body) -> Decision | Refusal:
        head, base, inside = self.head, self.submission.base, last_body(state)
        if not self.exists:
            return self.bury_unknown(inside)
        if head.body is None:
            return self.answer_head("deleted already")
        if base is None:
            return self.decide_tombstone_without_base(state, inside, head.body)
        if is_repeat(self.submission, head.pairs):
            return self.repeated_deletion(head.body)
        doubted = may_have_come_before(self.lookup)
        doubt = doubts.PUT_BACK if doubted else doubts.UNSEEN
        if head.is_named_by(base):
            return self.delete("delete: the base is the head", unseen=doubted, doubt=doubt)
        basis = by_rev(self.lookup, inside)
        if isinstance(basis, Basis):
            if basis.nothing_new:
                return self.repeated_deletion(head.body)
            if doubts.is_older(state, basis.put_back.since):
                return self.edit_wins(inside, doubts.PUT_BACK)
        if inside is not None and same_content(inside, head.body):
            return self.delete("delete: the last body is the head")
        if isinstance(basis, Refusal):
            return basis
        if any(same_content(body, head.body) for body in basis.bases):
            # What the device sent on its base was replaced since, by somebody who set it back.
            unseen = bool(basis.sent.own or basis.sent.others or basis.sent.forgotten)
            return self.delete("delete: the head is as the base", unseen=unseen or doubted, doubt=doubt)
        if any(same_content(body, head.body) for body in basis.sent.own):
            # It may have forgotten since: a backup that was put back.
            doubt = doubts.PUT_BACK if basis.put_back.is_uncertain else doubt
            return self.delete("delete: the head is as the device left it", unseen=True, doubt=doubt)
        return self.edit_wins(inside)

    def repeated_deletion(self, live: Body) -> Decision:
        """The device sent this on this base before. It means it again, perhaps, if it sent a document on it since."""
        conflicts = (Conflict("", live, ABSENT, doubts.SENT_BEFORE),) if since_sent(self.lookup) else ()
        return replace(self.answer_head(REPEAT, repeat=True), conflicts=conflicts)

    def decide_tombstone_without_base(self, state: Body, inside: Body | None, live: Body) -> Decision:
        submission = self.submission
        device = self.context.device_memory if submission.single_device else None
        # Without a clock every deletion of a document looks the same: it is a repeat only if it comes soon.
        since = submission.arrived_at - LATE if clock(state) is None else 0.0
        if is_repeat(submission, self.lookup.pairs(BEGINNING), since):
            again = Conflict("", live, ABSENT, doubts.SENT_BEFORE)
            return replace(self.answer_head(REPEAT, repeat=True), conflicts=(again,))
        clean = clean_body(self.lookup, device) if device and inside is None else None
        if device is not None and clean is not None and same_content(clean, live):
            # The two rounds may be older ones that arrived late, of which the device never got the answers.
            unseen = went_back(device, state) or not self.is_on(device, live)
            return self.delete("delete: two clean rounds", unseen=unseen)
        if inside is not None:
            if same_content(inside, live):
                return self.delete("delete: the last body is the head")
            basis = by_evidence(self.lookup, inside, self.hash_of(inside))
            if all(same_content(body, live) for body in basis.bases):
                return self.delete("delete: the last body comes from the head", unseen=True)
            return self.edit_wins(inside)
        if not submission.single_device:
            others = self.lookup.recent()[1:]
            unseen = not all(same_content(body, live) for body in others)
            return self.delete("delete: an unknown device", unseen=unseen)
        if device is not None and self.is_on(device, live):
            return self.delete("delete: the device had the head", unseen=went_back(device, state))
        return self.edit_wins(None)

    def is_on(self, device: DeviceMemory, body: Body) -> bool:
        """Whether the device is on this content for certain."""
        on = [self.lookup.body(content) for content in device.states]
        return bool(on) and all(known is not None and same_content(known, body) for known in on)

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
            received=Received(content, inside, base_inference.gone(inside, None)),
        )

    def edit_wins(self, inside: Body | None, rule: str = "edit-beats-removal") -> Decision:
        """Somebody changed what the deleter had not seen."""
        if self.policies.scope().delete_wins:
            decision = self.delete("delete: delete-wins")
            return replace(decision, conflicts=(Conflict("", ABSENT, self.head.body, "delete-wins"),))
        decision = self.answer_head("the edit wins over the deletion")
        refused = Conflict("", self.head.body, ABSENT, rule)
        return replace(decision, received=self.received_last_body(inside), conflicts=(refused,))

    def received_last_body(self, body: Body | None) -> Received | None:
        """The last body of a tombstone, if it is new."""
        if body is None or self.lookup.stored(content := self.hash_of(body)) is not None:
            return None
        return Received(content, body, base_inference.gone(body, self.head.body))
