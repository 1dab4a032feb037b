"""A base that the store no longer knows: it was put back to an earlier moment, and clients have later states.

The base is at a position (history, sequence) that is not of the document's lineage. What a state at that position
contained is known all the same (`Lineage.version_at`), and so is what the head contains. If the head contains it,
somebody brought it back already, or something later: the client's edits count from its base, whose body it sends
along. If not, the state is news, and what it is compared with are the newest stored states that it contains: of the
part of the lineage that was not lost, or brought back before. The result contains the lost position as well.

Laws (tests/unit/core/resolution/test_lost_base.py):
    whoever comes first after the store was put back, and in whatever order the others come: nothing is lost
    a device that is merely behind changes nothing
    a deletion that a device made stays made, unless somebody changed what the deleter had not seen
"""

from __future__ import annotations

from dataclasses import replace

from shared.core.documents import Body, Position, SequenceNumber
from shared.core.resolution import doubts
from shared.core.resolution.base_inference import gone
from shared.core.resolution.base_selection import (
    EMPTY,
    REPEAT,
    Basis,
    PutBackDoubts,
    SentBefore,
    by_content,
    is_repeat,
)
from shared.core.resolution.case import Case
from shared.core.resolution.context import (
    BEGINNING,
    Decision,
    Given,
    Outcome,
    Received,
    Refusal,
    Stored,
)
from shared.core.resolution.known_states import (
    came_before,
    common_ancestors,
    head_version,
    may_have_come_before,
    outgrown,
    rev_version,
)
from shared.core.resolution.lookup import Lookup
from shared.core.resolution.revs import CREATED, RevParts, parse_rev
from shared.core.resolution.states import is_tombstone, last_body, same_content
from shared.core.version_vectors import Version, bounded, includes, join, meet


def lost_base(lookup: Lookup) -> RevParts | None:
    """The base of the submission if the store no longer knows it; None: it does, or there is none that is a rev."""
    base, head = lookup.submission.base, lookup.head
    parts = parse_rev(base) if base is not None and base != CREATED else None
    if parts is None or (lookup.exists and parts.history == head.history and parts.sequence <= head.sequence):
        return None
    lineage = lookup.lineage()
    history = parts.history or lineage.first
    if lookup.exists and parts.sequence <= head.sequence and lineage.holds(Position(history, parts.sequence)):
        return None
    return None if lookup.exists and lineage.is_full and _is_given_up(lookup, parts) else parts


def _is_given_up(lookup: Lookup, parts: RevParts) -> bool:
    """Whether the revision is known, though the lineage has given up its history."""
    head = lookup.head
    if (parts.sequence, parts.hash, parts.deleted) == (head.sequence, head.hash, head.body is None):
        return True
    stored = lookup.stored(parts.hash) if parts.hash else None
    return stored is not None and stored.was_head and stored.sequence == parts.sequence


def decide_on_lost_base(case: Case, parts: RevParts) -> Decision | Refusal:
    """Instead of rows 2 to 9."""
    return _LostBase(case, parts).decide()


class _LostBase:
    def __init__(self, case: Case, parts: RevParts) -> None:
        self.case = case
        self.lookup = case.lookup
        self.lookup.sequences_count = False
        self.parts = parts
        lineage = self.lookup.lineage()
        history = parts.history or lineage.first
        self.forked = history == lineage.current
        version, held = rev_version(lineage, parts), head_version(self.lookup)
        self.version, self.held = lineage.completed(version, held.keys()), lineage.completed(held, version.keys())
        self.reached = lineage.reach(self.version)
        """The last sequence of the lineage that the base contains."""
        self.lookup.first_unknown = SequenceNumber(self.reached + 1)
        if self.lookup.exists:
            self.lookup.need(
                [case.submission.hash, parts.hash, self.lookup.buried], BEGINNING, ancestors=self.reached
            )
        self.included = includes(self.held, self.version)
        self.contained = self.included or self.came_back()

    def decide(self) -> Decision | Refusal:
        state = self.case.submission.client_state
        if state is None:  # the client has nothing, as it was answered at its base
            return self.decide_tombstone(None, None)
        if self.lookup.exists and is_repeat(self.case.submission, self.lookup.pairs(BEGINNING)):
            return self.case.answer_head(REPEAT, repeat=True)
        if self.lookup.exists and came_before(self.lookup):
            return self.marked(self.case.answer_head(REPEAT, repeat=True), None)
        if is_tombstone(state):
            inside = last_body(state)
            return self.decide_tombstone(inside, self.known(inside))
        base = self.known(state)
        if base is None and self.case.submission.base_state is Given.NOTHING and not self.parts.deleted:
            return Refusal("base-unknown", "9 base unknown")
        decision = self.decide_live(state, base)
        if decision.revision is None and not self.contained and self.is_edit:
            # What the state was made on is brought back as well, and edited so that it is what the head has.
            kept = decision
            decision = self.case.write(decision.state, Outcome.MERGED, decision.rule)
            decision = replace(decision, conflicts=kept.conflicts, received=kept.received)
        return self.marked(decision, base)

    @property
    def is_edit(self) -> bool:
        """Whether the state is another one than that of its base."""
        submission = self.case.submission
        if self.parts.deleted:
            return submission.client_state is not None and not is_tombstone(submission.client_state)
        return submission.hash != self.parts.hash

    def came_back(self) -> bool:
        """Whether the content of the base was written again after the loss, by the request that made it for example,
        which came once more. Then the head comes from it, though not from that position."""
        if self.parts.deleted or not self.parts.hash or not self.lookup.exists:
            return False
        stored = self.lookup.stored(self.parts.hash)
        if stored is None or not stored.was_head or stored.deleted:
            return False
        return stored.sequence > self.reached

    @property
    def is_kept(self) -> bool:
        """Whether the body of the base is here, or was until it was pruned: a repeat keeps nothing. A head that has
        the same content by another clock does not do: it can be written over."""
        return self.lookup.stored(self.parts.hash) is not None

    def known(self, state: Body | None) -> Body | None:
        """The body of the base, if it is at hand."""
        given = self.case.submission.base_state
        for body in (state, given if isinstance(given, dict) else None):
            if body is not None and self.case.hash_of(body) == self.parts.hash:
                return body
        return self.lookup.body(self.parts.hash) if self.lookup.exists and self.parts.hash else None

    def decide_live(self, state: Body, base: Body | None) -> Decision:
        case, head = self.case, self.case.head
        if not self.lookup.exists:
            return case.write(state, Outcome.APPLIED, "new: what it comes from was lost")
        if self.contained:
            if self.parts.deleted:
                given = case.submission.base_state
                began = given if isinstance(given, dict) else EMPTY
                rule, under = "6 base is a tombstone that was lost", base or EMPTY
                sent = SentBefore(others=self.own())
                return case.compare(state, Basis(rule, (began,), server_from=under, sent=sent))
            if case.submission.hash == self.parts.hash:
                return case.answer_head("11 behind")  # `marked` keeps it
            known = self.on_lost_base(base) if base is not None else None
            basis = known or by_content(self.lookup, state, case.submission.hash)
            put_back = replace(basis.put_back, doubted=may_have_come_before(self.lookup))
            return case.compare(state, replace(basis, put_back=put_back))
        if head.body is not None and head.hash == case.submission.hash:
            return case.answer_head("2 equal")
        if includes(self.version, self.held):
            if head.body is None:
                return case.write(state, Outcome.RESURRECTED, "the deletion was seen")
            return case.compare(state, Basis("7 the head was lost with its base", (head.body,)))
        return self.compare_with_both_had(state, base)

    def compare_with_both_had(self, state: Body, base: Body | None) -> Decision:
        """Each contains what the other lacks. The edits of the base come first, those of the state on it then."""
        known = common_ancestors(self.lookup, self.version)
        bodies, own = _bodies(known), self.sent_before()
        if not bodies and not own:
            return self.case.compare(state, self.on_nothing(state, base))
        both = meet(self.held, self.version)
        put_back = PutBackDoubts(
            lost=base,
            incomplete=bool(both) and not any(includes(version, both) for version, _ in known),
            doubted=may_have_come_before(self.lookup),
            since=tuple(self.lookup.recent(self.reached + 1)),
        )
        sent = SentBefore(own=own if bodies else ())
        basis = Basis("7 what both had before the loss", bodies or own, sent=sent, put_back=put_back)
        return self.case.compare(state, basis)

    def sent_before(self) -> tuple[Body, ...]:
        """What the device sent on earlier bases and came once more after the loss: its base comes from that."""
        hashes = [pair.hash for pair in self.lookup.pairs(BEGINNING) if self.is_earlier(pair.base)]
        self.lookup.need(hashes)
        states = [stored for stored in map(self.lookup.stored, dict.fromkeys(hashes)) if stored is not None]
        return tuple(stored.body for stored in states if stored.body is not None and stored.sequence > self.reached)

    def is_earlier(self, base: str) -> bool:
        """Whether it is of a position that the base contains."""
        parts = parse_rev(base)
        if parts is None or base == self.case.submission.base:
            return base == CREATED
        earlier = rev_version(self.lookup.lineage(), parts)
        return includes(self.lookup.lineage().completed(self.version, earlier.keys()), earlier)

    def on_nothing(self, state: Body, base: Body | None) -> Basis:
        """Each contains what the other lacks, and nothing is known that both come from: what either has stands."""
        basis = by_content(self.lookup, state, self.case.submission.hash)
        if basis.nothing_new:
            return basis
        put_back = PutBackDoubts(lost=base, incomplete=True, doubted=may_have_come_before(self.lookup))
        return Basis("13 nothing known that both had", (EMPTY,), nothing_near=True, put_back=put_back)

    def on_lost_base(self, base: Body) -> Basis:
        own = self.own()
        return Basis("8 base that was lost", (base,), sent=SentBefore(own, others=own))

    def own(self) -> tuple[Body, ...]:
        """Row 5: what the device sent on this base before."""
        submission = self.case.submission
        hashes = [
            p.hash for p in self.lookup.pairs(BEGINNING) if p.base == submission.base and p.hash != submission.hash
        ]
        self.lookup.need(hashes)
        return tuple(body for body in map(self.lookup.body, dict.fromkeys(hashes)) if body is not None)

    def decide_tombstone(self, inside: Body | None, base: Body | None) -> Decision:
        case, live = self.case, self.case.head.body
        if not self.lookup.exists:
            return self.marked(case.bury_unknown(inside), base)
        if live is None:
            return self.marked(case.answer_head("deleted already"), base)
        if self.contained and self.parts.deleted:
            return self.marked(case.answer_head("11 behind"), base)
        seen = [body for body in (inside, base if self.contained else None) if body is not None]
        if not self.contained:
            if includes(self.version, self.held):
                return self.marked(case.delete("delete: the head was lost with its base"), base)
            seen += _bodies(common_ancestors(self.lookup, self.version))
        if any(same_content(body, live) for body in seen):
            doubted = may_have_come_before(self.lookup)
            decision = case.delete("delete: the head is as the base", unseen=doubted, doubt=doubts.PUT_BACK)
            return self.marked(decision, base)
        rule = "edit-beats-removal" if self.contained else doubts.PUT_BACK
        return replace(case.edit_wins(inside, rule), forked=self.forked)

    def marked(self, decision: Decision, base: Body | None) -> Decision:
        """With what the result contains. The state at the lost position is kept, and the head as it was known so far,
        if it stays and turns out to contain more. Also a state that is behind is kept: what it has and the head has
        not was written over before the loss, and the record of that was lost."""
        sources = self.lookup.lineage().sources()
        version = bounded(join(self.held, self.version), sources)
        pair = replace(decision.pair, since=BEGINNING) if decision.pair is not None else None
        decision = replace(decision, forked=self.forked, pair=pair)
        revision = decision.revision
        if revision is not None:
            pairs = tuple(replace(pair, since=BEGINNING) for pair in revision.pairs)
            revision = replace(revision, version=version, pairs=pairs, numbered=self.is_edit)
            decision = replace(decision, revision=revision)
        elif not self.included and self.lookup.exists:
            decision = replace(decision.with_grown(version), recovered=outgrown(self.lookup))
        if base is None or (self.included and self.is_kept):
            return decision
        recovered = Received(self.parts.hash, base, gone(base, decision.state), bounded(self.version, sources))
        received = decision.received
        if received is not None and received.hash == recovered.hash:
            received = None
        return replace(decision, recovered=(*decision.recovered, recovered), received=received)


def _bodies(known: list[tuple[Version, Stored]]) -> tuple[Body, ...]:
    return tuple(stored.body if stored.body is not None else EMPTY for _, stored in known)
