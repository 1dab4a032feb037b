"""What the server decides for one client state. Pure: no clock, no randomness, no key order; a value comes out.

The rows, by their number (first that matches), for a client state S on a live or dead head:

     1 null                                     answer the head
     2 S is the head                            nothing to write
     3 base, and S on this base was received    a repeat: no edits
     4 base 0                                   the base is {}
     5 base, and the device sent more since     what it sent is no edit of S; only the base tells what the server
                                                changed
     6 base is a tombstone                      the base is base_state, or {}
     7 base, its body is here                   the base
     8 base, its body came with it              that
     9 base, no body                            refused, `base-unknown`
    10 a device with memory                     pick, unless the guard says that the memory is contradicted
    11 S was received before                    merely behind: answer the head
    12 states are near                          those; a strong value that was seen before is no edit
    13 nothing is near                          {}, likewise

Laws (tests/unit/core/test_resolve.py):
    the same memory and submission give the same decision
    repeating a submission makes no revision and adds nothing to what is kept
    posting the answer back changes nothing
    null never deletes; a state that was received before never brings back what was deleted
    an edit is in the result, or in a recorded conflict, with its value in the revisions; nothing else is dropped
"""

from __future__ import annotations

from dataclasses import replace

from shared.core import near
from shared.core.basis import (
    Basis,
    HashOf,
    Lookup,
    Need,
    base_hash,
    by_evidence,
    by_rev,
    is_repeat,
)
from shared.core.canonical import content_hash, equal
from shared.core.clock import CLOCK_FIELDS, CLOCK_POINTERS, clock, instant
from shared.core.documents import Body, ContentHash, Sequence
from shared.core.memory import (
    DELETED_KEY,
    Decision,
    DeviceMemory,
    Head,
    Memory,
    Missing,
    Outcome,
    Pair,
    Received,
    Refusal,
    Revision,
    Submission,
    parse_rev,
)
from shared.core.merge import Conflict, Decide, Merged, Side, Value, edits, merge
from shared.core.policies import NO_POLICIES, Policies, Strategy

_NEVER = Head(Sequence(0), ContentHash(""), None, 0.0)
"""Stands for the head of a document that was never there."""


def resolve(
    memory: Memory,
    request: Submission,
    policies: Policies = NO_POLICIES,
    *,
    hash_of: HashOf = content_hash,
) -> Decision | Refusal | Missing:
    """Decide, or say what must be loaded first. `hash_of` may be a faster content hash."""
    case = _Case(memory, request, policies, hash_of)
    state = request.client_state
    try:
        if state is None:
            return case.answer_head("1 null")
        return case.dead(state) if is_tombstone(state) else case.live(state)
    except Need as need:
        return need.missing


def is_tombstone(state: Body) -> bool:
    """Whether a client state is the mark of a deleted document."""
    return state.get(DELETED_KEY) is True


def last_body(tombstone: Body) -> Body | None:
    """The body inside a tombstone; None if it is bare, a clock aside."""
    body = {key: value for key, value in tombstone.items() if key != DELETED_KEY}
    return body if body.keys() - {"id", *CLOCK_FIELDS} else None


def same_content(a: Body, b: Body) -> bool:
    """Equality, the clock aside."""
    return equal(_timeless(a), _timeless(b)) if clock(a) != clock(b) else equal(a, b)


def _timeless(body: Body) -> Body:
    return {k: v for k, v in body.items() if k not in CLOCK_FIELDS or instant(v) is None}


def taking_theirs(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
    """A `Decide` for putting the edits of a state onto another one."""
    return Side.THEIRS, "rebased"


class _Case:
    """One submission against one memory."""

    def __init__(self, memory: Memory, request: Submission, policies: Policies, hash_of: HashOf) -> None:
        self.memory = memory
        self.request = request
        self.policies = policies
        self.exists = memory.head is not None
        self.head = memory.head or _NEVER
        self.hash_of = hash_of
        self.look = Lookup(memory, request, self.head, hash_of)

    # Live states

    def live(self, state: Body) -> Decision | Refusal:
        head, base = self.head, self.request.base
        if not self.exists:
            return self.write(state, Outcome.APPLIED, "new")
        if head.body is not None and head.hash == self.request.hash and not (base and self.counts()):
            return self.answer_head("2 equal")
        if base is None:
            return self.compare(state, by_evidence(self.look, state))
        if is_repeat(self.request, head.pairs):
            return self.answer_head("3 repeat")
        if head.body is not None and base in (head.rev, head.hash):
            return self.compare(state, Basis("7 base is the head", (head.body,)))
        if base == head.rev and not isinstance(self.request.base_state, dict):
            return self.write(state, Outcome.RESURRECTED, "6 the deletion was seen")
        basis = by_rev(self.look, state)
        return basis if isinstance(basis, Refusal) else self.compare(state, basis)

    def counts(self) -> bool:
        """Whether two equal states may be two edits."""
        return any(Strategy.COUNTER in strategies for strategies in self.policies.declared.values())

    def compare(self, state: Body, basis: Basis) -> Decision:
        """S against the head, given what S comes from."""
        if basis.rule.startswith(("3", "11")):
            return self.answer_head(basis.rule, basis)
        head = self.head
        onto = head.body
        if onto is None:
            if self.request.base != head.rev and not self.edited(state, basis):
                return self.keep_head(state, basis, ())
            onto = self.look.buried()
            if onto is None or basis.rule.startswith("13"):
                return self.write(state, Outcome.RESURRECTED, basis.rule, basis)
        merged = self.merged(state, basis, onto)
        assert isinstance(merged.value, dict)  # of two objects an object is made
        if head.body is not None and same_content(merged.value, head.body):
            return self.keep_head(state, basis, merged.conflicts)
        fast = head.body is not None and len(basis.bases) == 1 and basis.bases[0] is head.body
        outcome = Outcome.FAST_FORWARD if fast else Outcome.MERGED
        if head.body is None:
            outcome = Outcome.RESURRECTED
        decision = self.write(merged.value, outcome, basis.rule, basis)
        return replace(decision, conflicts=merged.conflicts)

    def edited(self, state: Body, basis: Basis) -> bool:
        """Whether S has an edit that nobody has seen and undone."""
        changes = [p for p, _ in edits(state, [*basis.bases, *basis.own]) if p not in CLOCK_POINTERS]
        if not basis.guessed:
            return bool(changes)
        fresh = near.new_strong(state, basis.bases)
        stale = self.look.seen(fresh)
        return len(stale) < len(changes)

    def merged(self, state: Body, basis: Basis, onto: Body) -> Merged:
        """The edits of S on the head, or on the body under it."""
        bases = basis.bases
        if len(bases) == 1 and bases[0] is onto:
            return Merged(state, ())
        explicit = self.request.base is not None and not basis.guessed
        decide = self.by_clock(onto, state)
        if basis.guessed:
            decide = self.by_novelty(state, basis, decide)
        conflicts: list[Conflict] = []

        def put(ancestors: tuple[Body, ...], ours: Body, theirs: Body, decide: Decide = decide) -> Body:
            found = merge(ancestors, ours, theirs, policies=self.policies, decide=decide, explicit_base=explicit)
            conflicts.extend(found.conflicts)
            assert isinstance(found.value, dict)
            return found.value

        if basis.server_from is not None:
            moved = put(bases, basis.server_from, state, taking_theirs)
            value = put(bases, put((basis.server_from,), onto, moved), state)
        else:
            value = put((*bases, *basis.own), onto, state)
        if basis.own:
            changed = dict(edits(onto, bases))
            known = {conflict.path for conflict in conflicts}
            conflicts.extend(
                Conflict(path, kept, changed[path], "sent since")
                for path, kept in edits(value, [onto])
                if path in changed and path not in known
            )
        told = {c.path: c for c in conflicts if c.path not in CLOCK_POINTERS}
        return Merged(value, tuple(told.values()))

    def by_clock(self, ours: Body, theirs: Body) -> Decide:
        """The newer by its own clock, which is not believed to run ahead of its arrival; else what arrives."""
        stored, arriving = clock(ours), clock(theirs)
        older = (
            stored is not None
            and arriving is not None
            and min(arriving, self.request.arrived_at) < min(stored, self.head.arrived_at)
        )
        side = Side.OURS if older else Side.THEIRS
        rule = "arriving" if stored is None or arriving is None else "clock"

        def decide(pointer: str, mine: Value, other: Value) -> tuple[Side, str]:
            if pointer in CLOCK_POINTERS:
                a, b = instant(mine), instant(other)
                return (Side.OURS if a is not None and (b is None or a > b) else Side.THEIRS), "clock"
            return side, rule

        return decide

    def by_novelty(self, state: Body, basis: Basis, otherwise: Decide) -> Decide:
        """A strong value that nobody has seen cannot have been superseded; one that was seen is stale."""
        fresh = near.new_strong(state, basis.bases)
        stale = self.look.seen(fresh)

        def decide(pointer: str, mine: Value, other: Value) -> tuple[Side, str]:
            if isinstance(other, str) and (pointer, other) in fresh:
                return (Side.OURS, "seen") if (pointer, other) in stale else (Side.THEIRS, "novel")
            return otherwise(pointer, mine, other)

        return decide

    # Tombstones

    def dead(self, state: Body) -> Decision | Refusal:
        head, base, inside = self.head, self.request.base, last_body(state)
        if not self.exists:
            return self.answer_head("nothing to delete") if inside is None else self.bury_unknown(inside)
        if head.body is None:
            return self.answer_head("deleted already")
        if base is None:
            return self.dead_by_evidence(inside, head.body)
        if is_repeat(self.request, head.pairs):
            return self.answer_head("3 repeat")
        if base in (head.rev, head.hash):
            return self.delete("delete: the base is the head")
        if inside is not None and same_content(inside, head.body):
            return self.delete("delete: the last body is the head")
        basis = by_rev(self.look, inside)
        if isinstance(basis, Refusal):
            return basis
        if basis.rule.startswith("3"):
            return self.answer_head(basis.rule)
        if any(same_content(body, head.body) for body in (*basis.bases, *basis.own)):
            return self.delete("delete: the head is as the device left it")
        return self.edit_wins(inside)

    def dead_by_evidence(self, inside: Body | None, live: Body) -> Decision:
        device = self.memory.device if self.request.single_device else None
        if inside is not None:
            if same_content(inside, live):
                return self.delete("delete: the last body is the head")
            basis = by_evidence(self.look, inside)
            if all(same_content(body, live) for body in basis.bases):
                return self.delete("delete: the last body comes from the head")
            return self.edit_wins(inside)
        if not self.request.single_device:
            return self.delete("delete: an unknown device")
        if device is None:
            return self.edit_wins(None)
        hashes = [h for h in (device.sent, device.returned) if h]
        self.look.need(hashes)
        on = [self.look.body(h) for h in hashes]
        if on and all(body is not None and same_content(body, live) for body in on):
            return self.delete("delete: the device had the head")
        through = self.request.clean_through
        if through is not None and self.head.sequence <= through and device.returned == self.head.hash:
            return self.delete("delete: two clean rounds")
        return self.edit_wins(None)

    def delete(self, rule: str) -> Decision:
        return self.write(None, Outcome.DELETED, rule)

    def bury_unknown(self, inside: Body) -> Decision:
        """A tombstone for what never arrived: its creation may still be on the way."""
        content = self.hash_of(inside)
        decision = self.write(None, Outcome.DELETED, "delete: never seen")
        revision = Revision(None, content, (), decision.revision.pairs if decision.revision else ())
        return replace(decision, revision=revision, received=Received(content, inside))

    def edit_wins(self, inside: Body | None) -> Decision:
        """Somebody changed what the deleter had not seen."""
        return self.answer_head("the edit wins over the deletion")

    # Answers

    def pair(self) -> Pair | None:
        """What to remember of a request with a base; nothing if the state is the base."""
        request = self.request
        if request.base is None or request.hash is None or base_hash(request.base) == request.hash:
            return None
        parts = parse_rev(request.base)
        since = parts.sequence if parts else Sequence(0)
        return Pair(request.device, request.base, request.hash, since)

    def remembered(self, answer: ContentHash | None) -> DeviceMemory | None:
        """What the device may be on from now, if that is anything new."""
        request = self.request
        if request.base is not None or request.device is None or not request.single_device:
            return None
        state = request.client_state
        sent = None if state is None or is_tombstone(state) else request.hash
        now = DeviceMemory(sent, answer)
        return None if now == self.memory.device else now

    def answer_head(self, rule: str, basis: Basis | None = None) -> Decision:
        """The head stays, and nothing of S is worth keeping."""
        head = self.head
        content = head.hash if head.body is not None else None
        pair = self.pair() if self.exists and not rule.startswith("3") else None
        if pair is not None and (pair in head.pairs or pair in self.look.pairs(pair.since)):
            pair = None
        return Decision(
            Outcome.UNCHANGED,
            rule,
            head.body,
            content,
            head.rev if self.exists else None,
            pair=pair,
            device=self.remembered(content),
            token_shared=basis is not None and basis.contradicted,
        )

    def keep_head(self, state: Body, basis: Basis, conflicts: tuple[Conflict, ...]) -> Decision:
        """The head stays, and S is kept beside it if it is new."""
        decision = self.answer_head(basis.rule, basis)
        return replace(decision, received=self.received(state, self.head.body), conflicts=conflicts)

    def received(self, state: Body, head: Body | None) -> Received | None:
        content = self.request.hash
        if content is None or self.look.stored(content) is not None:
            return None
        after = near.strong(head) if head else frozenset()
        return Received(content, state, near.keys_of(near.strong(state) - after))

    def write(self, body: Body | None, outcome: Outcome, rule: str, basis: Basis | None = None) -> Decision:
        """A new head: `body`, or a tombstone over the one that is there."""
        head, request = self.head, self.request
        content = head.hash
        if body is not None:
            content = request.hash if body is request.client_state and request.hash else self.hash_of(body)
            if content == request.hash and outcome is Outcome.MERGED:
                outcome = Outcome.APPLIED
        before = near.strong(head.body) if head.body else frozenset()
        after = near.strong(body) if body else frozenset()
        pair = self.pair()
        revision = Revision(
            body,
            content,
            self.parents(),
            (pair,) if pair else (),
            near.keys_of(before - after),
        )
        state = request.client_state
        kept = None
        if body is not None and state is not None and content != request.hash:
            kept = self.received(state, body)
        answer = content if body is not None else None
        return Decision(
            outcome,
            rule,
            body,
            answer,
            None,
            revision=revision,
            received=kept,
            device=self.remembered(answer),
            token_shared=basis is not None and basis.contradicted,
        )

    def parents(self) -> tuple[str, ...]:
        base = self.request.base
        found: list[str] = [self.head.rev] if self.exists else []
        if base is not None and parse_rev(base) is not None and base not in found:
            found.append(base)
        return tuple(found)
