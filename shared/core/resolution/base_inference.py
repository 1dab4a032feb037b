"""What a client that names no base was on: read from the states themselves.

A strong value is a string of at least 8 characters or a member of a set, at its path: that two states have
one in common shows that one comes from the other. Booleans, null, numbers, short strings and absence show
nothing, nor do the `id`, which all have, and the clock.

Laws (tests/unit/core/resolution/test_base_inference.py):
    the order of the states that are given does not matter to which are found
    pick leaves at least one; all of them if S shows nothing where they differ
    nearest finds S itself where it is among them, and nothing without a strong value in common with S
    gone(before, after) are the names of strong(before) - strong(after)
    was_made_after(S, S, before) if S has a strong value that is new; never if S has none of those that are
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.core.documents import Body
from shared.core.json.canonical import CONTAINERS, JsonValue, canonical, equal
from shared.core.json.pointers import escape
from shared.core.json.values import is_strong
from shared.core.merge.clock import CLOCK_POINTERS
from shared.core.merge.objects import differing_paths, edits
from shared.core.merge.paths import strong_values
from shared.core.resolution.context import ValueKey, value_key

StrongValue = tuple[str, str | bytes]
"""Path and value: a string as it is, any other member of a set in canonical form."""
Strong = frozenset[StrongValue]

_EVERYWHERE = CLOCK_POINTERS | {"/id"}


def distance(a: Body, b: Body) -> int:
    """How many paths differ; against {} all paths of `a`."""
    return sum(path not in CLOCK_POINTERS for path in differing_paths(a, b))


def count_edits(state: Body, bases: Sequence[Body]) -> int:
    """How many paths differ from every base."""
    return sum(path not in CLOCK_POINTERS for path, _ in edits(state, bases))


def strong(body: Body) -> Strong:
    """The strong values of a state."""
    return frozenset(
        (path, value if isinstance(value, str) else canonical(value))
        for path, value in strong_values(body)
        if path not in _EVERYWHERE
    )


def strong_at(body: Body, values: Strong) -> Strong:
    """Those of a state in the members of the document in which these are."""
    names = {path[1:].partition("/")[0] for path, _ in values}
    return strong({key: value for key, value in body.items() if escape(key) in names})


def new_strong(state: Body, bases: Iterable[Body]) -> Strong:
    """The strong values that `state` has and no base has: those of its edits."""
    # A strong value stands at its place; so members of the document that some base has need not be looked into.
    bases = list(bases)
    changed = state
    for base in bases:
        changed = {
            key: value
            for key, value in changed.items()
            if (value != base.get(key) if type(value) is str else not _has(base, key, value))
        }
    # A text that is not in its place in any base is new. Of what is nested some may be there all the same.
    fresh = {
        (path, value)
        for key, value in changed.items()
        if is_strong(value) and (path := f"/{escape(key)}") not in _EVERYWHERE
    }
    nested = {key: value for key, value in changed.items() if isinstance(value, CONTAINERS)}
    if nested:
        before = ({key: base[key] for key in nested if key in base} for base in bases)
        fresh |= strong(nested).difference(*map(strong, before))
    return frozenset(fresh)


def _has(body: Body, key: str, value: JsonValue) -> bool:
    return key in body and (value == body[key] if type(value) is str else equal(value, body[key]))


def is_long(value: StrongValue) -> bool:
    """Whether it is strong by its length. Members of sets may come from a small vocabulary, as tags do."""
    return is_strong(value[1])


def key_of(value: StrongValue) -> ValueKey:
    """The stored name of a strong value."""
    path, content = value
    return value_key(path, content if isinstance(content, str) else [content.decode()])


def gone(before: Body, after: Body | None) -> frozenset[ValueKey]:
    """The stored names of what `before` has and `after` has not."""
    return frozenset(map(key_of, strong(before) if after is None else new_strong(before, [after])))


def pick(candidates: Sequence[Body], state: Body) -> list[Body]:
    """Those of the candidates that `state` can come from, in the order given.

    A candidate is out if what it has in common with `state`, where the candidates differ, is a strict subset
    of what another one has.
    """
    if len(candidates) < 2:
        return list(candidates)
    first, *others = candidates
    everywhere = {key for key, value in first.items() if all(_has(other, key, value) for other in others)}
    shown, *strong_values = (
        strong({key: value for key, value in body.items() if key not in everywhere}) for body in (state, *candidates)
    )
    common = frozenset.intersection(*strong_values)
    matches = [shown & values - common for values in strong_values]
    return [
        body for body, match in zip(candidates, matches, strict=True) if not any(match < other for other in matches)
    ]


def nearest(state: Body, candidates: Iterable[Body]) -> list[Body]:
    """The states that `state` most likely comes from: of those at the least distance what `pick` leaves.

    A candidate has a strong value in common with it, and differs in at most half its paths + 1.
    """
    shown = strong(state)
    limit = distance(state, {}) / 2 + 1
    nearest_so_far: list[Body] = []
    for candidate in candidates:
        if shown.isdisjoint(strong(candidate)):
            continue
        away = distance(state, candidate)
        if away < limit:
            limit, nearest_so_far = away, [candidate]
        elif away == limit:
            nearest_so_far.append(candidate)
    return pick(nearest_so_far, state)


def was_made_after(state: Body, other: Body, before: Sequence[Body]) -> bool:
    """Whether `state` shows that its device made it after `other`, which it had sent or been answered: it holds
    what was new in `other`. `before`: what was here before `other`, the newest first."""
    fresh = new_strong(other, before)
    if fresh:
        return fresh <= strong(state)
    earlier = before or [{}]
    return any(_holds_edits(state, other, known) for known in (earlier, earlier[:1]))


def _holds_edits(state: Body, other: Body, before: Sequence[Body]) -> bool:
    """Whether `other` differs from all of `before` somewhere, and `state` has there what it has."""
    return count_edits(other, before) > 0 and count_edits(other, [*before, state]) == 0
