"""What a decision drops though no rule decided it: because it is not known what the client was on.

A value of the arriving state that is as before in one of the states that the client may be on, and not as in another
one, is no edit; but it is one if the client was on the other one and set the value back. A value of the head that is
replaced may be one that the client never saw. Neither can be told from the states; so it is recorded.

Laws (tests/unit/core/resolution/test_doubts.py):
    what is recorded as dropped stood in that place in one of the two states, and the result has something else there
    with one base that the client names nothing is in doubt
    every difference between the arriving state and the result is in a record if nothing is known of the client
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from shared.core.documents import Body
from shared.core.json.canonical import CONTAINERS
from shared.core.json.pointers import split
from shared.core.json.values import ABSENT, Key, Keys, Value
from shared.core.merge.clock import CLOCK_POINTERS, clock
from shared.core.merge.conflicts import Conflict
from shared.core.merge.paths import Difference, around, differences, in_stable_form, is_member, value_at
from shared.core.resolution import base_inference
from shared.core.resolution.base_selection import EMPTY, Basis, base_hash, base_sequence, went_back
from shared.core.resolution.context import BEGINNING
from shared.core.resolution.lookup import Lookup
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import same_content

UNSEEN = "perhaps-unseen"
SENT_BEFORE = "sent-before"
LATE = "late"
SET_BACK = "perhaps-set-back"
PUT_BACK = "put-back"
DOUBTS = frozenset({UNSEEN, SENT_BEFORE, SET_BACK})
_OF_SIDES = frozenset({"arriving", "clock", "came-back", "both-edited", "edit-beats-removal"})


def between(state: Body, other: Body) -> list[Difference]:
    """Where they differ, the clock aside, by path."""
    changed = [difference for difference in differences(state, other) if difference.path not in CLOCK_POINTERS]
    return sorted(changed, key=lambda difference: difference.path)


def not_taken(basis: Basis, state: Body, result: Body) -> list[Conflict]:
    """What `state` has and the result has not, where the client may mean it."""
    alternatives = [*basis.bases, *basis.sent.own, *basis.sent.others, *basis.sent.earlier]
    in_the_dark = basis.guessed or basis.sent.forgotten
    if len(alternatives) < 2 and not in_the_dark:
        return []
    untaken = between(state, result)
    if not untaken:
        return []
    keys = Keys()
    named, others = _Compared(state, basis.bases, keys), _Compared(state, basis.sent.others, keys)
    earlier = [(_Compared(state, [body], keys), _Compared(result, [body], keys)) for body in basis.sent.earlier]
    return [
        Conflict(
            difference.path,
            difference.there,
            difference.here,
            SENT_BEFORE if basis.sent.own and named.all_differ(difference) else SET_BACK,
        )
        for difference in untaken
        if in_the_dark
        or named.any_differs(difference)
        or others.any_differs(difference)
        or any(before.any_differs(difference) and not after.any_differs(difference) for before, after in earlier)
    ]


def replaced_unseen(
    lookup: Lookup, basis: Basis, head: Body, result: Body, between_them: Sequence[Body] = ()
) -> list[Conflict]:
    """What the head has and the result has not, where the client may not have seen it: not all the states that it
    may have been on had it, or it was something else in between (`in_between`). On a guess that is any state. What
    the head lacks and the result has is told likewise."""
    state, remembered = lookup.submission.client_state or EMPTY, basis.memory.remembered
    alternatives: Sequence[Body] = [*basis.bases, *basis.sent.own, *basis.sent.others]
    if len(alternatives) < 2 and not (between_them or basis.guessed or remembered or basis.sent.forgotten):
        return []
    lost_values = between(head, result)
    if not lost_values:
        return []
    if _comes_from_nowhere(lookup, basis, state, head):
        return [Conflict(difference.path, difference.there, difference.here, UNSEEN) for difference in lost_values]
    if basis.guessed:
        alternatives = [*lookup.recent(), *([EMPTY] if base_inference.count_edits(state, [head]) > 1 else [])]
    keys = Keys()
    compared, places = _Compared(head, alternatives, keys), _Places(keys)
    earlier = [*between_them, *(_set_back_to(lookup, state, head, lost_values, places) if remembered else ())]
    return [
        Conflict(difference.path, difference.there, difference.here, UNSEEN)
        for difference in lost_values
        if compared.any_differs(difference)
        or not all(places.has(body, difference, difference.here) for body in earlier)
    ]


def of_loss(basis: Basis, head: Body, state: Body, result: Body) -> list[Conflict]:
    """What the result has not, where one of the two states may come from the other, and whoever made it had decided
    otherwise: the store was put back and has lost what would tell."""
    doubts = basis.put_back
    if not doubts.is_uncertain:
        return []
    keys = Keys()
    written = [_Compared(body, basis.bases, keys) for body in doubts.since]
    in_doubt = [
        difference
        for other, all_of_them in ((head, doubts.doubted or doubts.incomplete), (state, doubts.incomplete))
        for difference in between(other, result)
        if all_of_them or any(compared.any_differs(difference) for compared in written)
    ]
    return [Conflict(difference.path, difference.there, difference.here, PUT_BACK) for difference in in_doubt]


def decided_blindly(basis: Basis, conflicts: Iterable[Conflict]) -> list[Conflict]:
    """The conflicts of a merge, so that they say it if the sides may not be what they were taken for."""
    return [
        conflict._replace(rule=PUT_BACK) if basis.put_back.is_uncertain and conflict.rule in _OF_SIDES else conflict
        for conflict in conflicts
    ]


def of_late_copy(basis: Basis, head: Body, state: Body) -> list[Conflict]:
    """What a state has that its device sent before it went on, as far as anybody can tell, and that is not there."""
    edited = _Compared(state, basis.bases, Keys())
    return [
        Conflict(difference.path, difference.there, difference.here, PUT_BACK)
        for difference in between(state, head)
        if edited.any_differs(difference)
    ]


def sent_otherwise(basis: Basis, result: Body, decided: Iterable[Conflict]) -> list[Conflict]:
    """What the device itself sent where an edit of it met another one's. The request that arrives may be the older
    one: then the client has set that back, which was no edit as long as this one was not here."""
    conflicts: list[Conflict] = []
    for conflict in decided if basis.sent.own else ():
        path = in_stable_form(conflict.path, result)
        if path in CLOCK_POINTERS or is_member(path):
            continue
        keys, kept = Keys(), value_at(result, path)
        known = {keys.key(kept), keys.key(conflict.dropped)}
        sent = (value_at(state, path) for state in basis.sent.own)
        conflicts += [Conflict(path, kept, value, UNSEEN) for value in sent if keys.key(value) not in known]
    return conflicts


def taken_back_before(basis: Basis, state: Body, result: Body) -> list[Conflict]:
    """What the device sent itself as it is in the base, where this state has an edit. If the state is the older one,
    as the clock does not rule out, the device had edited the place and set it back, which was no edit until now."""
    sent = [] if basis.guessed or basis.memory.remembered else [*basis.sent.own, *basis.sent.others]
    older = [other for other in sent if not _is_newer(state, [other])]
    if not older:
        return []
    keys = Keys()
    edited = _Compared(state, basis.bases, keys)
    before = [(other, _Compared(other, basis.bases, keys)) for other in older]
    return [
        Conflict(difference.path, difference.there, difference.here, UNSEEN)
        for other, compared in before
        for difference in between(other, result)
        if edited.any_differs(difference) and not compared.any_differs(difference)
    ]


def of_old(lookup: Lookup, result: Body, since: int = BEGINNING) -> list[Conflict]:
    """What states of old, received on the revision of this sequence or later, had and the result has not.

    For where several devices use a token, or may do so: each of them may have been taken for another one, and have
    replaced it unseen."""
    state = lookup.submission.client_state or EMPTY
    return [
        Conflict(difference.path, difference.there, difference.here, UNSEEN)
        for body in lookup.recent(since)
        if not same_content(body, state)
        for difference in between(body, result)
    ]


def of_late(lookup: Lookup, state: Body) -> tuple[Conflict, ...]:
    """Everything in which a late state differs from the head, which stays. It may also be of another device with the
    same token that was put back to a backup: what that one did since it sent this, or had when the token deleted it,
    may be lost unseen."""
    head = lookup.head
    decided = [Conflict("", ABSENT, state, LATE)]
    if head.body is not None:
        decided = [Conflict(path, kept, mine, LATE) for path, mine, kept in between(state, head.body)]
    result = head.body if head.body is not None else lookup.body(lookup.buried)
    if result is None:
        return tuple(decided)
    doubted: list[Conflict] = []
    if head.body is None and any(pair.device == lookup.submission.device for pair in head.pairs):
        doubted.append(Conflict("", ABSENT, result, UNSEEN))
    stored = lookup.stored(lookup.submission.hash) if lookup.submission.hash is not None else None
    if stored is not None:
        doubted += of_old(lookup, result, stored.sequence)
    return recorded_conflicts(result, decided, doubted)


def deleted_unseen(lookup: Lookup, basis: Basis, state: Body) -> tuple[Conflict, ...]:
    """What is in doubt of a state of old that meets a tombstone. If the token turns out to be shared, that is also
    what was buried, and what it had replaced."""
    whole_state = Conflict("", ABSENT, state, UNSEEN)
    under = lookup.body(lookup.buried) if basis.memory.contradicted else None
    if under is None:
        return (whole_state,)
    buried = Conflict("", ABSENT, under, UNSEEN)
    return recorded_conflicts(under, (), [whole_state, buried, *of_old(lookup, under)])


def met_a_mistaken_memory(lookup: Lookup) -> bool:
    """Whether the state was here when the token was still taken for that of one device: another one may have been
    taken for its sender, and replaced or deleted it unseen. A memory that ends with a deletion does not tell when
    that was."""
    known, submission = lookup.context.device_memory, lookup.submission
    if known is None or submission.single_device or submission.hash is None:
        return False
    if known.returned is None:
        return True
    stored = lookup.stored(submission.hash)
    since = [stored.sequence for stored in map(lookup.stored, known.states) if stored is not None]
    return stored is not None and stored.sequence <= max(since, default=BEGINNING)


def _comes_from_nowhere(lookup: Lookup, basis: Basis, state: Body, head: Body) -> bool:
    """Whether the state may come from one of which nothing is known: what the device sent before it is pruned; or it
    was made before what is here, so that what it has there may have been taken back before that was sent. (Of what
    the device sent on its base `taken_back_before` tells that.)"""
    if basis.guessed:
        return is_older(state, [head])
    if basis.memory.remembered:
        device = lookup.context.device_memory
        return device is not None and went_back(device, state)
    return basis.sent.forgotten


def in_between(lookup: Lookup, basis: Basis, head: Body) -> list[Body]:
    """What was the head between the base and the head. If somebody set a place to something and back, it is as in the
    base, and was edited all the same."""
    if basis.guessed or not lookup.sequences_count or any(body is head for body in basis.bases):
        return []
    device = lookup.context.device_memory
    if basis.memory.remembered and device is not None:
        on = [stored.sequence for stored in map(lookup.stored, device.states) if stored is not None]
        return lookup.superseded_since(min(on, default=BEGINNING))
    since = base_sequence(lookup)
    content = base_hash(lookup.submission.base or CREATED) if since else None
    base = lookup.stored(content) if content else None
    if base is not None and base.sequence == since and base.until == lookup.head.sequence:
        return []  # the head came next
    return lookup.superseded_since(since)


def _set_back_to(lookup: Lookup, state: Body, head: Body, edits: Sequence[Difference], places: _Places) -> list[Body]:
    """States of before that the state may come from, though the device is on another one as far as its memory tells:
    it may have been put back to a backup. They have somewhere what the state has and the head has not. A new strong
    value was in none of them."""
    strong = base_inference.new_strong(state, [head])
    new = strong - lookup.seen(strong)
    old = [one for one in edits if not (isinstance(one.there, str) and (one.path, one.there) in new)]
    return [body for body in lookup.recent() if any(places.has(body, one, one.there) for one in old)] if old else []


def is_older(state: Body, others: Iterable[Body]) -> bool:
    """Whether it is, by its clock, older than one of the others."""
    at = clock(state)
    return at is not None and any(there is not None and at < there for there in map(clock, others))


def _is_newer(state: Body, others: Iterable[Body]) -> bool:
    """Whether it is, by its clock, newer than all the others."""
    at = clock(state)
    return at is not None and all(there is not None and at > there for there in map(clock, others))


class _Places:
    """What states have at a place where two others differ."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def has(self, state: Body, at: Difference, value: Value) -> bool:
        """Whether it has `value` there, which is one of the two: absence too, and of a set the member or none."""
        if not is_member(at.path):
            return self._keys.same(value_at(state, at.path), value)
        array = value_at(state, at.path.removesuffix("/-"))
        member = self._keys.key(at.there if at.here is ABSENT else at.here)
        return (isinstance(array, list) and member in self._keys.keys(array)) is (value is not ABSENT)


class _Compared:
    """Where a state differs from others."""

    def __init__(self, state: Body, others: Iterable[Body], keys: Keys) -> None:
        self._keys = keys
        self._state = state
        self._others = list(others)
        self._places: dict[int, tuple[frozenset[PlaceKey], frozenset[str]]] = {}
        """Of the others, by number: where they differ, and around that."""

    def any_differs(self, at: Difference) -> bool:
        return any(map(self._differs, repeat(at), range(len(self._others))))

    def all_differ(self, at: Difference) -> bool:
        return all(map(self._differs, repeat(at), range(len(self._others))))

    def _differs(self, at: Difference, number: int) -> bool:
        path = at.path
        if path.rfind("/") == 0 and "~" not in path and path != "/-":  # most differ in members of the document
            name = path[1:]
            here, there = self._state.get(name, ABSENT), self._others[number].get(name, ABSENT)
            if type(here) is str and type(there) is str:
                return here != there
            if not isinstance(here, CONTAINERS) and not isinstance(there, CONTAINERS):  # what is plain tells at once
                return not self._keys.same(here, there)
        places, outer = self._compared_with(number)
        if self._name(at) in places or any((above, None) in places for above in around(path)):
            return True
        return not is_member(path) and path in outer

    def _compared_with(self, number: int) -> tuple[frozenset[PlaceKey], frozenset[str]]:
        if number not in self._places:
            places = frozenset(map(self._name, differences(self._state, self._others[number])))
            around_them = frozenset(outer for path, _ in places for outer in ("", *around(path)))
            self._places[number] = places, around_them
        return self._places[number]

    def _name(self, at: Difference) -> PlaceKey:
        if not is_member(at.path):
            return at.path, None
        return at.path, self._keys.key(at.there if at.here is ABSENT else at.here)


PlaceKey = tuple[str, Key | None]
"""A path, and of a member of a set which one."""


def recorded_conflicts(
    result: Body, decided: Iterable[Conflict], doubted: Iterable[Conflict]
) -> tuple[Conflict, ...]:
    """All conflicts, each once and by path; what was decided is not in doubt as well."""
    decided, doubted = tuple(decided), tuple(doubted)
    if not decided and not doubted:  # as with most decisions
        return ()
    keys = Keys()
    conflicts: dict[tuple[str, Key, Key], Conflict] = {}
    dropped_at: set[str] = set()

    def name(path: str, conflict: Conflict) -> tuple[str, Key, Key]:
        return path, keys.key(conflict.dropped), keys.key(conflict.kept) if is_member(path) else None

    last = {name(c.path, c) if "-" in split(c.path) else (c.path, None, None): c for c in decided}
    for conflict in last.values():
        if conflict.path not in CLOCK_POINTERS:
            path = in_stable_form(conflict.path, result)
            conflicts[name(path, conflict)] = conflict
            if conflict.dropped is not ABSENT:
                dropped_at.add(path)
    for conflict in doubted:
        if dropped_at.isdisjoint(around(conflict.path)):
            conflicts.setdefault(name(conflict.path, conflict), conflict)
    return tuple(sorted(conflicts.values(), key=lambda conflict: conflict.path))
