"""What a decision drops though no rule decided it: because it is not known what the client was on.

A value of the arriving state that is as before in one of the states that the client may be on, and not as in another
one, is no edit; but it is one if the client was on the other one and set the value back. A value of the head that is
replaced may be one that the client never saw. Neither can be told from the states; so it is recorded.

Laws (tests/unit/core/test_doubts.py):
    what is recorded as dropped stood in that place in one of the two states, and the result has something else there
    with one base that the client names nothing is in doubt
    every difference between the arriving state and the result is in a record if nothing is known of the client
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.core import near
from shared.core.basis import EMPTY, Basis, Lookup
from shared.core.clock import CLOCK_POINTERS, clock
from shared.core.conflicts import Conflict
from shared.core.documents import Body
from shared.core.paths import Difference, around, differences, in_stable_form
from shared.core.values import ABSENT, Key, Keys

UNSEEN = "perhaps-unseen"
SENT_BEFORE = "sent-before"
SET_BACK = "perhaps-set-back"
DOUBTS = frozenset({UNSEEN, SENT_BEFORE, SET_BACK})


def between(state: Body, other: Body) -> list[Difference]:
    """Where they differ, the clock aside, by path."""
    found = [one for one in differences(state, other) if one.path not in CLOCK_POINTERS]
    return sorted(found, key=lambda one: one.path)


def not_taken(basis: Basis, state: Body, result: Body) -> list[Conflict]:
    """What `state` has and the result has not, where the client may mean it."""
    alternatives = [*basis.bases, *basis.own, *basis.others]
    if len(alternatives) < 2 and not basis.guessed:
        return []
    found = between(state, result)
    if not found:
        return []
    named, others = _Compared(state, basis.bases), _Compared(state, [*basis.own, *basis.others])
    return [
        Conflict(one.path, one.there, one.here, SENT_BEFORE if basis.own and named.all_differ(one) else SET_BACK)
        for one in found
        if basis.guessed or named.any_differs(one) or others.any_differs(one)
    ]


def replaced_unseen(look: Lookup, basis: Basis, head: Body, state: Body, result: Body) -> list[Conflict]:
    """What the head has and the result has not, where the client may not have seen it: not all the states that it
    may have been on had it. On a guess that is any state."""
    alternatives: Sequence[Body] = [*basis.bases, *basis.own]
    if len(alternatives) < 2 and not basis.guessed:
        return []
    found = between(head, result)
    if not found:
        return []
    if basis.guessed:
        alternatives = _on_a_guess(look, state, head)
    elif basis.own and _is_older(state, basis.own):
        alternatives = [*alternatives, EMPTY]
    compared = _Compared(head, alternatives)
    return [Conflict(one.path, one.there, one.here, UNSEEN) for one in found if compared.any_differs(one)]


def of_old(look: Lookup, result: Body) -> list[Conflict]:
    """What states of old had and the result has not, once it turns out that several devices use a token: each of them
    may have been taken for another one, and have replaced it unseen."""
    return [
        Conflict(one.path, one.there, one.here, UNSEEN) for body in look.recent() for one in between(body, result)
    ]


def _on_a_guess(look: Lookup, state: Body, head: Body) -> list[Body]:
    """The states that a client may be on of which nothing is known. If its state is older than the head by its clock,
    or has several edits, it may also come from one that never was here."""
    return [*look.recent(), *([EMPTY] if _is_older(state, [head]) or near.count_edits(state, [head]) > 1 else [])]


def _is_older(state: Body, others: Iterable[Body]) -> bool:
    """Whether it is, by its clock, older than one of the others."""
    at = clock(state)
    return at is not None and any(there is not None and at < there for there in map(clock, others))


class _Compared:
    """Where a state differs from others."""

    def __init__(self, state: Body, others: Iterable[Body]) -> None:
        self._keys = Keys()
        self._places = [frozenset(map(self._name, differences(state, other))) for other in others]

    def any_differs(self, at: Difference) -> bool:
        return any(self._differs(at, places) for places in self._places)

    def all_differ(self, at: Difference) -> bool:
        return all(self._differs(at, places) for places in self._places)

    def _differs(self, at: Difference, places: frozenset[Place]) -> bool:
        if self._name(at) in places or any((outer, None) in places for outer in around(at.path)):
            return True
        return not _is_member(at.path) and any(path.startswith(f"{at.path}/") for path, _ in places)

    def _name(self, at: Difference) -> Place:
        if not _is_member(at.path):
            return at.path, None
        return at.path, self._keys.key(at.there if at.here is ABSENT else at.here)


Place = tuple[str, Key | None]
"""A path, and of a member of a set which one."""


def _is_member(path: str) -> bool:
    return path.endswith("/-")


def told(result: Body, decided: Iterable[Conflict], doubted: Iterable[Conflict]) -> tuple[Conflict, ...]:
    """All conflicts, each once and by path; what was decided is not in doubt as well."""
    keys = Keys()
    found: dict[tuple[str, Key, Key], Conflict] = {}
    whole: set[str] = set()

    def name(path: str, conflict: Conflict) -> tuple[str, Key, Key]:
        return path, keys.key(conflict.dropped), keys.key(conflict.kept) if _is_member(path) else None

    last = {name(c.path, c) if _is_member(c.path) else (c.path, None, None): c for c in decided}
    for conflict in last.values():
        if conflict.path not in CLOCK_POINTERS:
            path = in_stable_form(conflict.path, result)
            found[name(path, conflict)] = conflict
            if conflict.dropped is not ABSENT:
                whole.add(path)
    for conflict in doubted:
        if whole.isdisjoint(around(conflict.path)):
            found.setdefault(name(conflict.path, conflict), conflict)
    return tuple(sorted(found.values(), key=lambda conflict: conflict.path))
