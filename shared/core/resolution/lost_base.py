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
from typing import TYPE_CHECKING

from shared.core.documents import Body, Position
from shared.core.resolution.base_inference import gone
from shared.core.resolution.base_selection import EMPTY, REPEAT, Basis, Lookup, by_content, is_repeat
from shared.core.resolution.context import (
    BEGINNING,
    CREATED,
    Decision,
    Given,
    Outcome,
    Received,
    Refusal,
    RevParts,
    parse_rev,
)
from shared.core.resolution.known_states import common_ancestors, head_version
from shared.core.resolution.states import is_tombstone, last_body, same_content
from shared.core.version_vectors import bounded, includes, join

if TYPE_CHECKING:
    from shared.core.resolution.resolve import Case


def lost_base(look: Lookup) -> RevParts | None:
    """The base of the submission if the store no longer knows it; None: it does, or there is none that is a rev."""
    base, head = look.request.base, look.head
    if base is None or base == CREATED or base in (head.rev, head.hash):
        return None
    parts = parse_rev(base)
    if parts is None or (look.exists and parts.history == head.history and parts.sequence <= head.sequence):
        return None
    if (parts.sequence, parts.hash, parts.deleted) == (head.sequence, head.hash, head.body is None):
        return None
    lineage = look.lineage()
    history = parts.history or lineage.first
    if look.exists and parts.sequence <= head.sequence and lineage.holds(Position(history, parts.sequence)):
        return None
    stored = look.stored(parts.hash) if look.exists and parts.hash else None
    if stored is not None and stored.until != BEGINNING and stored.sequence == parts.sequence:
        return None  # the history was given up, and the state is known
    return parts


def decide_on_lost_base(case: Case, parts: RevParts) -> Decision | Refusal:
    """Instead of rows 2 to 9."""
    return _LostBase(case, parts).decide()


class _LostBase:
    def __init__(self, case: Case, parts: RevParts) -> None:
        self.case = case
        self.look = case.look
        self.look.sequences_count = False
        self.parts = parts
        lineage = self.look.lineage()
        history = parts.history or lineage.first
        self.forked = history == lineage.current
        self.version = lineage.version_at(history, parts.sequence)
        self.held = head_version(self.look)
        self.included = includes(self.held, self.version)
        self.contained = self.included or self.came_back()

    def decide(self) -> Decision | Refusal:
        state = self.case.request.client_state
        assert state is not None
        if self.look.exists and is_repeat(self.case.request, self.look.pairs(BEGINNING)):
            return self.case.answer_head(REPEAT)
        if is_tombstone(state):
            inside = last_body(state)
            return self.dead(inside, self.known(inside))
        base = self.known(state)
        if base is None and self.case.request.base_state is Given.NOTHING and not self.parts.deleted:
            return Refusal("base-unknown", "9 base unknown")
        return self.marked(self.live(state, base), base)

    def came_back(self) -> bool:
        """Whether the content of the base was written again after the loss, by the request that made it for example,
        which came once more. Then the head comes from it, though not from that position."""
        if self.parts.deleted or not self.parts.hash or not self.look.exists:
            return False
        stored = self.look.stored(self.parts.hash)
        if stored is None or stored.until == BEGINNING or stored.deleted:
            return False
        return stored.sequence > self.look.lineage().reach(self.version)

    def known(self, state: Body | None) -> Body | None:
        """The body of the base, if it is at hand."""
        given = self.case.request.base_state
        for body in (state, given if isinstance(given, dict) else None):
            if body is not None and self.case.hash_of(body) == self.parts.hash:
                return body
        return self.look.body(self.parts.hash) if self.look.exists and self.parts.hash else None

    def live(self, state: Body, base: Body | None) -> Decision:
        case, head = self.case, self.case.head
        if not self.look.exists:
            return case.write(state, Outcome.APPLIED, "new: what it comes from was lost")
        if self.contained:
            if self.parts.deleted:
                lost = Basis("6 base is a tombstone that was lost", (base or EMPTY,), others=self.own())
                return case.compare(state, lost)
            if case.request.hash == self.parts.hash:
                return case.answer_head("11 behind")
            known = self.on_lost_base(base) if base is not None else None
            return case.compare(state, known or by_content(self.look, state, case.request.hash))
        if head.body is not None and head.hash == case.request.hash:
            return case.answer_head("2 equal")
        if includes(self.version, self.held):
            if head.body is None:
                return case.write(state, Outcome.RESURRECTED, "the deletion was seen")
            return case.compare(state, Basis("7 the head was lost with its base", (head.body,)))
        bodies = self.bodies()
        if not bodies:
            return case.compare(state, by_content(self.look, state, case.request.hash))
        return case.compare(state, Basis("7 what both had before the loss", bodies))

    def bodies(self) -> tuple[Body, ...]:
        found = common_ancestors(self.look, self.version)
        return tuple(stored.body if stored.body is not None else EMPTY for _, stored in found)

    def on_lost_base(self, base: Body) -> Basis:
        own = self.own()
        return Basis("8 base that was lost", (base,), own=own, others=own)

    def own(self) -> tuple[Body, ...]:
        """Row 5: what the device sent on this base before."""
        request = self.case.request
        hashes = [p.hash for p in self.look.pairs(BEGINNING) if p.base == request.base and p.hash != request.hash]
        self.look.need(hashes)
        return tuple(body for body in map(self.look.body, dict.fromkeys(hashes)) if body is not None)

    def dead(self, inside: Body | None, base: Body | None) -> Decision:
        case, live = self.case, self.case.head.body
        if not self.look.exists:
            return self.marked(case.bury_unknown(inside), base)
        if live is None:
            return self.marked(case.answer_head("deleted already"), base)
        if self.contained and self.parts.deleted:
            return self.marked(case.answer_head("11 behind"), base)
        seen = [body for body in (inside, base if self.contained else None) if body is not None]
        if not self.contained:
            if includes(self.version, self.held):
                return self.marked(case.delete("delete: the head was lost with its base"), base)
            seen += self.bodies()
        if any(same_content(body, live) for body in seen):
            return self.marked(case.delete("delete: the head is as the base"), base)
        return replace(case.edit_wins(inside), forked=self.forked)

    def marked(self, decision: Decision, base: Body | None) -> Decision:
        """With what the result contains, and with the state at the lost position kept."""
        sources = self.look.lineage().sources()
        version = bounded(join(self.held, self.version), sources)
        pair = replace(decision.pair, since=BEGINNING) if decision.pair is not None else None
        decision = replace(decision, forked=self.forked, pair=pair)
        revision = decision.revision
        if revision is not None:
            pairs = tuple(replace(pair, since=BEGINNING) for pair in revision.pairs)
            decision = replace(decision, revision=replace(revision, version=version, pairs=pairs))
        elif not self.included:
            decision = replace(decision, grown=version)
        if base is None or self.contained:
            return decision
        recovered = Received(self.parts.hash, base, gone(base, decision.state), bounded(self.version, sources))
        received = decision.received
        if received is not None and received.hash == recovered.hash:
            received = None
        return replace(decision, recovered=(recovered,), received=received)
