"""A state that comes with its version: what it contains is known, whatever upstream brought it.

    the head contains it                the client is behind: the head is answered
    it contains the head                it supersedes the head
    the same version, another content   both contain the same edits: what either has; the greater of two values
    each contains what the other lacks  a three-way merge; its bases are the newest states known that both contain,
                                        stored ones and those that the client sends along (`ancestors`)

The result contains what both contain, and counts as no edit of this upstream: the same merge made at two of them has
the same version. So it must have the same content, too, whichever of the two was there first: the states are merged
in the order of their hashes, and of two values that exclude each other the newer one stands, else the greater one,
not the one that arrives. Where upstreams know different bases the contents may still differ; then what is joined
grows, and it settles.

What two states have in common is often known to a third place only. So the states that a client sends along are kept,
and `shared.core.resolution.superseded` asks all that is known whether one side had seen the other one's value.
A deletion has seen what the states that it contains have: a state that has nothing else does not bring the document
back, and a deletion that has seen all that the head has is made.

Laws (tests/unit/core/resolution/test_by_version.py):
    a state that was sent before changes nothing
    whatever order states come in, at any number of upstreams, they end with the same content and version
    two states are merged to the same content, whichever of them is the head
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.core.documents import Body
from shared.core.json.canonical import canonical
from shared.core.merge.clock import CLOCK_POINTERS, clock, instant
from shared.core.merge.conflicts import answers_alike
from shared.core.merge.objects import ABSENT, Conflict, Decide, Side, Value, merge
from shared.core.resolution import base_inference, doubts
from shared.core.resolution.base_selection import EMPTY, Basis
from shared.core.resolution.case import Case
from shared.core.resolution.context import Decision, Outcome, Received, Refusal
from shared.core.resolution.known_states import contained_states, head_version, outgrown
from shared.core.resolution.rebase import counts
from shared.core.resolution.states import is_tombstone, last_body, same_content
from shared.core.resolution.superseded import GREATER, with_superseded
from shared.core.version_vectors import Version, bounded, equal, includes, join, maximal, meet

GUESSES = frozenset({GREATER, "clock"})


def decide_by_version(case: Case, version: Version) -> Decision | Refusal:
    """Instead of all rows."""
    return _ByVersion(case, version).decide()


VersionedStates = tuple[tuple[Version, Body], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """`bases`: the newest states known that both contain. `ours`, `theirs`: what else the head, and the state, are
    known to contain."""

    bases: tuple[Body, ...]
    ours: VersionedStates
    theirs: VersionedStates


@dataclass(frozen=True, slots=True)
class _Merged:
    """`decided`: by the merge. `superseded`: dropped before it; at one place there may be several."""

    value: Body
    decided: tuple[Conflict, ...] = ()
    superseded: tuple[Conflict, ...] = ()

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        return (*self.decided, *self.superseded)


class _ByVersion:
    def __init__(self, case: Case, version: Version) -> None:
        self.case = case
        self.lookup = case.lookup
        self.lookup.sequences_count = False
        self.lineage = self.lookup.lineage()
        self.sent = self.lineage.closed(version)
        self.held = head_version(self.lookup)
        self.joined = bounded(join(self.held, self.sent), self.lineage.sources())

    def decide(self) -> Decision | Refusal:
        case, state = self.case, self.case.submission.client_state
        if state is None:
            return replace(case.answer_head("1 null"), version=self.held)
        decision = self.decide_tombstone(last_body(state)) if is_tombstone(state) else self.decide_live(state)
        return decision if isinstance(decision, Refusal) else self.marked(decision)

    @property
    def supersedes(self) -> bool:
        """Whether the state contains the head; a base that is the head says so, too."""
        base = self.case.submission.base
        return includes(self.sent, self.held) or (base is not None and self.case.head.is_named_by(base))

    # Live states

    def decide_live(self, state: Body) -> Decision | Refusal:
        case, head = self.case, self.case.head
        if not self.lookup.exists:
            return case.write(state, Outcome.APPLIED, "new")
        if head.body is not None and head.hash == case.submission.hash:
            return case.answer_head("2 equal")
        if equal(self.held, self.sent):
            return self.same_edits(state)
        if includes(self.held, self.sent):
            # Kept if it never was here: what wrote over it may have been told to an upstream that was put back.
            return case.keep_head(state, Basis("14 behind", (state,)), ())
        if self.supersedes:
            outcome = Outcome.RESURRECTED if head.body is None else Outcome.FAST_FORWARD
            return case.write(state, outcome, "14 contains the head")
        known = self.known()
        if isinstance(known, Refusal):
            return known
        if head.body is None:
            return self.resurrect(state, known)
        return self.merged(state, head.body, known)

    def same_edits(self, state: Body) -> Decision:
        """Two contents of the same edits. Only so much may depend on them that all upstreams come to the same."""
        case, live = self.case, self.case.head.body
        if live is None:
            return case.write(state, Outcome.MERGED, "14 the same edits: what lives")
        both = joined_content(live, state)
        if both is None:
            both = max(state, live, key=case.hash_of)
        if same_content(both, live):
            return case.answer_head("14 the same edits")
        return case.write(both, Outcome.MERGED, "14 the same edits")

    def merged(self, state: Body, live: Body, known: _Known) -> Decision | Refusal:
        case = self.case
        merged = self.merge(live, state, known)
        if case.submission.ancestors is None and any(conflict.rule in GUESSES for conflict in merged.conflicts):
            return Refusal("base-unknown", "9 ancestors unknown")
        basis = self.basis(known)
        conflicts = self.conflicts(state, live, merged, basis)
        if same_content(merged.value, live):
            return case.keep_head(state, basis, conflicts)
        return case.write(merged.value, Outcome.MERGED, basis.rule, basis, conflicts)

    def merge(self, live: Body, state: Body, known: _Known) -> _Merged:
        """The same whichever of the two is there first."""
        hash_of = self.case.hash_of
        (ours, our_version), (theirs, their_version) = sorted(
            ((live, self.held), (state, self.sent)), key=lambda s: hash_of(s[0])
        )
        decide = newer_or_greater(ours, theirs, self.case.submission.arrived_at)
        known_states = (*known.ours, *known.theirs, (self.held, live), (self.sent, state))
        versions, policies = (our_version, their_version), self.case.policies
        sides = with_superseded(known.bases, ours, theirs, known_states, versions, policies=policies)
        single = len(known.bases) == 1
        merged = merge(sides.bases, sides.ours, sides.theirs, policies=policies, decide=decide, explicit_base=single)
        assert isinstance(merged.value, dict)  # of two objects an object is made
        return _Merged(merged.value, merged.conflicts, sides.dropped)

    def basis(self, known: _Known) -> Basis:
        if known.bases:
            return Basis("14 merged by versions", known.bases)
        return Basis("14 nothing in common", (EMPTY,), guessed=True, nothing_near=True)

    def conflicts(self, state: Body, live: Body, merged: _Merged, basis: Basis) -> tuple[Conflict, ...]:
        doubted = [
            *merged.superseded,  # of several at one place all are told
            *doubts.replaced_unseen(self.lookup, basis, live, merged.value),
            *doubts.not_taken(basis, state, merged.value),
        ]
        return doubts.recorded_conflicts(merged.value, merged.conflicts, doubted)

    def resurrect(self, state: Body, known: _Known) -> Decision | Refusal:
        """A live state against a deletion that had not seen all of it."""
        case, basis = self.case, self.basis(known)
        under = self.lookup.body(self.lookup.buried)
        seen = [*(body for _, body in known.ours), *([under] if under is not None else [])]
        if self.is_seen(state, seen):
            return case.keep_head(state, basis, ())
        if case.policies.scope().delete_wins:
            return case.keep_head(state, basis, (Conflict("", ABSENT, state, "delete-wins"),))
        merged = _Merged(state) if under is None else self.merge(under, state, known)
        undone = Conflict("", merged.value, ABSENT, "edit-beats-removal")
        return case.write(merged.value, Outcome.RESURRECTED, basis.rule, basis, (undone, *merged.conflicts))

    # Deletions

    def decide_tombstone(self, last: Body | None) -> Decision | Refusal:
        case, live = self.case, self.case.head.body
        if not self.lookup.exists:
            return case.bury_unknown(last)
        if live is None:
            return case.answer_head("deleted already")
        if includes(self.held, self.sent):
            return case.answer_head("14 behind")
        if self.supersedes:
            return self.buried("14 contains the head", last)
        known = self.known()
        if isinstance(known, Refusal):
            return known
        seen = [*(body for _, body in known.theirs), *([last] if last is not None else [])]
        if self.is_seen(live, seen):
            return self.buried("14 the head was seen", last)
        if case.policies.scope().delete_wins:
            conflict = Conflict("", ABSENT, live, "delete-wins")
            return replace(self.buried("delete: delete-wins", last), conflicts=(conflict,))
        if last is None:
            return case.edit_wins(None)
        merged = self.merge(live, last, known)
        if same_content(merged.value, live):
            return case.edit_wins(last)
        undone = Conflict("", merged.value, ABSENT, "edit-beats-removal")
        basis = self.basis(known)
        return case.write(merged.value, Outcome.MERGED, basis.rule, basis, (undone, *merged.conflicts))

    def buried(self, rule: str, inside: Body | None) -> Decision:
        """Under the tombstone lies what the deleter had, not what the upstream had: that says what it has seen."""
        decision = self.case.delete(rule)
        if inside is None or decision.revision is None:
            return decision
        content = self.case.hash_of(inside)
        received: Received | None = Received(content, inside, base_inference.gone(inside, None), self.sent)
        if content == self.case.head.hash or self.lookup.stored(content) is not None:
            received = None
        return replace(decision, revision=replace(decision.revision, hash=content), received=received)

    def is_seen(self, state: Body, seen: Iterable[Body]) -> bool:
        """Whether a deletion that has seen these states has seen all that is in this one."""
        states = [body for body in seen if body]
        if counts(self.case.policies):
            return any(same_content(state, body) for body in states)
        return bool(states) and base_inference.count_edits(state, states) == 0

    # What is known

    def known(self) -> _Known | Refusal:
        """A Refusal if the client may know newer common ancestors."""
        submission = self.case.submission
        stored, held = (
            [(version, stored.body if stored.body is not None else EMPTY) for version, stored in states]
            for states in (contained_states(self.lookup, self.sent), contained_states(self.lookup, self.held))
        )
        common = [(version, body) for version, body in stored if includes(self.held, version)]
        if submission.ancestors is None:
            both = meet(self.held, self.sent)
            if not any(includes(version, both) for version, _ in common):
                return Refusal("base-unknown", "9 ancestors unknown")
        brought = [
            (self.lineage.closed(ancestor.version), ancestor.state if ancestor.state is not None else EMPTY)
            for ancestor in submission.ancestors or ()
        ]
        bases = maximal([*common, *((version, body) for version, body in brought if includes(self.held, version))])
        known_states = [(version, body) for version, body in (*stored, *held, *brought) if body]
        return _Known(
            tuple(body for _, body in bases),
            tuple((version, body) for version, body in known_states if includes(self.held, version)),
            tuple((version, body) for version, body in known_states if includes(self.sent, version)),
        )

    # The answer

    def marked(self, decision: Decision) -> Decision:
        """With what the result contains."""
        decision = replace(decision, pair=None, device_memory=None, token_shared=False, version=self.joined)
        if decision.received is not None and decision.received.version is None:
            version = bounded(self.sent, self.lineage.sources())
            decision = replace(decision, received=replace(decision.received, version=version))
        if decision.revision is not None:
            revision = replace(decision.revision, version=self.joined, numbered=False, pairs=())
            return replace(decision, revision=revision, recovered=self.brought(decision))
        if self.lookup.exists and not includes(self.held, self.joined):
            recovered = (*self.brought(decision), *outgrown(self.lookup))
            return replace(decision.with_grown(self.joined), recovered=recovered)
        return decision

    def brought(self, decision: Decision) -> tuple[Received, ...]:
        """Earlier states that the client sent along and this upstream never had, to be kept: others who come with a
        state that they are part of may not have them."""
        hashes = [ancestor.hash for ancestor in self.case.submission.ancestors or () if ancestor.state is not None]
        if self.lookup.exists:
            self.lookup.need(hashes)
        known = {self.case.head.hash, decision.hash, *([decision.received.hash] if decision.received else [])}
        received: dict[str, Received] = {}
        for ancestor in self.case.submission.ancestors or ():
            if ancestor.state is None or ancestor.hash is None or ancestor.hash in known or ancestor.hash in received:
                continue
            if self.lookup.exists and self.lookup.stored(ancestor.hash) is not None:
                continue
            version = bounded(self.lineage.closed(ancestor.version), self.lineage.sources())
            gone = base_inference.gone(ancestor.state, decision.state)
            received[ancestor.hash] = Received(ancestor.hash, ancestor.state, gone, version)
        return tuple(received.values())


def newer_or_greater(ours: Body, theirs: Body, arrived_at: float) -> Decide:
    """By the clocks of the two states, which are not believed to be ahead of this moment; else the greater value."""
    mine, other = (None if at is None else min(at, arrived_at) for at in (clock(ours), clock(theirs)))
    newer: Side | None = None
    if mine is not None and other is not None and mine != other:
        newer = Side.OURS if mine > other else Side.THEIRS

    def decide(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
        a, b = (instant(ours), instant(theirs)) if pointer in CLOCK_POINTERS else (None, None)
        if pointer in CLOCK_POINTERS and a != b:
            return (Side.OURS if a is not None and (b is None or a > b) else Side.THEIRS), "clock"
        if newer is not None and pointer not in CLOCK_POINTERS:
            return newer, "clock"
        return greater(pointer, ours, theirs)

    return decide if newer is None else answers_alike(decide, (newer, "clock"))


def greater(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
    """The one whose canonical text is greater: everywhere the same one."""
    return (Side.OURS if _text(ours) > _text(theirs) else Side.THEIRS), GREATER


def joined_content(a: Body, b: Body) -> Body | None:
    """What either of two states has; None if what they have cannot be put together so that it has both."""
    ours, theirs = sorted((a, b), key=canonical)
    both = merge((), ours, theirs, decide=greater).value
    if not isinstance(both, dict):
        return None
    absorbs = all(same_content(_joined(side, both), both) for side in (ours, theirs))
    return both if absorbs else None


def _joined(a: Body, b: Body) -> Body:
    ours, theirs = sorted((a, b), key=canonical)
    both = merge((), ours, theirs, decide=greater).value
    return both if isinstance(both, dict) else b


def _text(value: Value) -> bytes:
    return b"" if value is ABSENT else canonical(value)
