"""The edits of a client state, put onto the head: one merge, or two, and every conflict that was decided.

Laws (tests/unit/core/resolution/test_rebase.py):
    a state without edits leaves the head as it is
    a state that comes from the head replaces it, and so does one whose base the head is equal to
    both sides with the same edits: the head stays
    a string of the head that is not in the result was on the base, or is in a conflict, or was merged as text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from shared.core.documents import Body
from shared.core.json.canonical import CONTAINERS, equal
from shared.core.merge.clock import CLOCK_POINTERS, clock, instant
from shared.core.merge.objects import Conflict, Decide, Side, Value, edits, merge
from shared.core.merge.paths import in_stable_form
from shared.core.merge.policies import Policies, Strategy
from shared.core.resolution import base_inference, doubts
from shared.core.resolution.base_selection import EMPTY, Basis, base_sequence
from shared.core.resolution.lookup import Lookup

LARGE: Final = 2_000
"""Members of objects and arrays in a document from which on it is merged once, after all has been read that the merge
may turn out to need."""


class Rebased(NamedTuple):
    """The body, and every conflict on the way to it."""

    body: Body
    conflicts: tuple[Conflict, ...]


def counts(policies: Policies) -> bool:
    """Whether two equal states may be two edits."""
    return any(Strategy.COUNTER in strategies for strategies in policies.declared.values())


def is_edited(lookup: Lookup, state: Body, basis: Basis) -> bool:
    """Whether the state has an edit that is not merely stale."""
    changes = base_inference.count_edits(state, (*basis.bases, *basis.sent.own))
    if not changes or not basis.guessed:
        return changes > 0
    return len(lookup.seen(base_inference.new_strong(state, basis.bases))) < changes


def rebase(lookup: Lookup, state: Body, basis: Basis, onto: Body, policies: Policies) -> Rebased:
    """The edits that `state` has on its basis, put onto the head, or onto the body under a tombstone."""
    if len(basis.bases) == 1 and basis.bases[0] is onto:
        lost = doubts.of_loss(basis, onto, state, state)
        return Rebased(state, tuple(lost or doubts.replaced_unseen(lookup, basis, onto, state)))
    return _Rebase(lookup, state, basis, onto, policies).run()


class _Rebase:
    def __init__(self, lookup: Lookup, state: Body, basis: Basis, onto: Body, policies: Policies) -> None:
        self.lookup = lookup
        self.state = state
        self.basis = basis
        self.onto = onto
        self.policies = policies
        self.sums = lookup.submission.base is not None and not basis.guessed
        self.conflicts: list[Conflict] = []
        self.asked: set[str] = set()

    def run(self) -> Rebased:
        # First, as what has to be loaded for it begins all this again.
        in_between = doubts.in_between(self.lookup, self.basis, self.onto)
        if self.since and _is_large(self.state):
            self.lookup.need(recent=True)
        decide = self.noting(self.by_novelty(self.by_clock()))
        value = self.put_edits(decide)
        older = self.older()
        if older:
            self.conflicts.clear()
            value = self.put_edits(_by_age(older, decide))
        doubted = [
            *doubts.of_loss(self.basis, self.onto, self.state, value),
            *doubts.replaced_unseen(self.lookup, self.basis, self.onto, value, in_between),
            *doubts.not_taken(self.basis, self.state, value),
            *doubts.sent_otherwise(self.basis, value, self.conflicts),
            *doubts.taken_back_before(self.basis, self.state, value),
        ]
        return Rebased(
            value, doubts.recorded_conflicts(value, doubts.decided_blindly(self.basis, self.conflicts), doubted)
        )

    def put_edits(self, decide: Decide) -> Body:
        if self.basis.server_from is not None:
            return self.onto_server(self.basis.server_from, decide)
        bases = (*self.basis.bases, *self.basis.sent.own)
        if self.basis.put_back.lost is None:
            return self.put(bases, self.onto, self.state, decide)
        brought_back = self.to_be_merged(self.put(bases, self.onto, self.basis.put_back.lost, decide))
        return self.put((self.basis.put_back.lost,), brought_back, self.state, decide)

    def put(self, ancestors: Iterable[Body], ours: Body, theirs: Body, decide: Decide) -> Body:
        merged = merge(
            tuple(ancestors),
            ours,
            theirs,
            policies=self.policies,
            decide=decide,
            explicit_base=self.sums,
        )
        self.conflicts.extend(merged.conflicts)
        if not isinstance(merged.value, dict):
            raise TypeError("objects merge to an object")
        return merged.value

    def to_be_merged(self, value: Body) -> Body:
        """What a merge has made, for the next one: in what that makes the members of arrays may have other places."""
        self.conflicts = [c._replace(path=in_stable_form(c.path, value)) for c in self.conflicts]
        return value

    def onto_server(self, server_from: Body, decide: Decide) -> Body:
        """Row 6: the client's changes are counted from its base, the server's from `server_from`."""
        moved = self.to_be_merged(self.put(self.basis.bases, server_from, self.state, _theirs))
        value = self.put((server_from,), self.onto, moved, decide)
        if counts(self.policies):
            return value  # the third merge would add sums twice
        self.to_be_merged(value)
        # What the client put back to what the server counts from is an edit as well.
        return self.put(self.basis.bases, value, self.state, decide)

    def noting(self, decide: Decide) -> Decide:
        def noted(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
            self.asked.add(pointer)
            return decide(pointer, ours, theirs)

        return noted

    def by_clock(self) -> Decide:
        """The newer by its own clock, which is not believed to be ahead of its arrival; else what arrives.

        Where the head may come from the state, the head stands. Where the state may come from the head, the state
        stands. If neither does, that is as good as anything."""
        stored, arriving = clock(self.onto), clock(self.state)
        side, rule = Side.THEIRS, "arriving"
        if self.basis.put_back.doubted or self.basis.put_back.incomplete:
            side, rule = Side.OURS if self.basis.put_back.doubted else Side.THEIRS, doubts.PUT_BACK
        elif stored is not None and arriving is not None:
            rule = "clock"
            if min(arriving, self.lookup.submission.arrived_at) < min(stored, self.lookup.head.arrived_at):
                side = Side.OURS

        def decide(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
            if pointer in CLOCK_POINTERS:
                a, b = instant(ours), instant(theirs)
                return (Side.OURS if a is not None and (b is None or a > b) else Side.THEIRS), "clock"
            return side, rule

        return decide

    def by_novelty(self, otherwise: Decide) -> Decide:
        """On a guess, a strong value that nobody saw cannot be superseded, and one that was seen is stale."""
        if not self.basis.guessed:
            return otherwise
        fresh = base_inference.new_strong(self.state, self.basis.bases)
        stale = self.lookup.seen(fresh)

        def decide(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
            if isinstance(theirs, str) and (pointer, theirs) in fresh:
                return (Side.OURS, "seen") if (pointer, theirs) in stale else (Side.THEIRS, "novel")
            return otherwise(pointer, ours, theirs)

        return decide

    @property
    def since(self) -> int:
        """The revision before which older states are looked for; 0: nowhere."""
        return 0 if self.basis.guessed else self.lookup.first_unknown or base_sequence(self.lookup)

    def older(self) -> Mapping[str, list[Value]]:
        """What stood, before the base, at places that both sides have and that the base lacks, or a state since."""
        since, asked = self.since, self.asked - CLOCK_POINTERS
        if not since or not asked:
            return {}
        lacked = asked - _paths(self.basis.server_from or self.basis.bases[0])
        nested = {path for path in asked - lacked if path.count("/") > 1}
        for body in self.lookup.recent(since) if nested else ():
            lacked |= nested - _paths(body)
        older_values: dict[str, list[Value]] = {}
        for body in self.lookup.before(since) if lacked else ():
            for path, value in edits(body, [EMPTY]):
                if path in lacked:
                    older_values.setdefault(path, []).append(value)
        return older_values


def _is_large(body: Body) -> bool:
    """Whether to merge it costs more than to read what is needed at most."""
    values: list[Any] = [body]
    count = 0
    while values and count < LARGE:
        value = values.pop()
        members = list(value.values()) if isinstance(value, dict) else value
        count += len(members)
        values += [member for member in members if isinstance(member, CONTAINERS)]
    return count >= LARGE


def _paths(body: Body) -> set[str]:
    return {path for path, _ in edits(body, [EMPTY])}


def _by_age(older: Mapping[str, list[Value]], otherwise: Decide) -> Decide:
    """A value of before the base came back around an edit that won over a removal: it is no edit itself."""

    def decide(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
        ours_old, theirs_old = (any(equal(value, old) for old in older.get(pointer, ())) for value in (ours, theirs))
        if ours_old != theirs_old:
            return (Side.THEIRS if ours_old else Side.OURS), "came-back"
        return otherwise(pointer, ours, theirs)

    return decide


def _theirs(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
    return Side.THEIRS, "arriving"
