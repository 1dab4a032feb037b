"""Which base a client state is compared with: rows 3 to 13 of `shared.core.resolve`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from shared.core import near
from shared.core.clock import clock
from shared.core.documents import Body, ContentHash, Sequence
from shared.core.memory import (
    CREATED,
    Head,
    Memory,
    Missing,
    Pair,
    Refusal,
    Stored,
    Submission,
    parse_rev,
)
from shared.core.merge import edits

HashOf = Callable[[Body], ContentHash]

EMPTY: Final[Body] = {}
OWN: Final = 4
"""States of its own, the newest, that a device is held against."""


class Need(Exception):
    """Carries what must be loaded out of wherever it is missed first; `resolve` turns it into its answer."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Basis:
    """What a client state is compared with."""

    rule: str
    bases: tuple[Body, ...]
    """A path that differs from all of them is edited."""
    own: tuple[Body, ...] = ()
    """States that the device sent itself: what is as in one of them is no edit either."""
    server_from: Body | None = None
    """What the server's changes are counted from, if not from the bases."""
    guessed: bool = False
    """Strong values are judged by whether they were seen."""
    contradicted: bool = False
    """The memory of the device cannot be right."""


class Lookup:
    """A submission and what is known of its document; asking for what was not loaded raises Need."""

    def __init__(self, memory: Memory, request: Submission, head: Head, hash_of: HashOf) -> None:
        self.memory = memory
        self.request = request
        self.head = head
        self.hash_of = hash_of

    def need(
        self,
        states: Iterable[ContentHash | None] = (),
        pairs_since: Sequence | None = None,
        seen: near.Strong = frozenset(),
        recent: bool = False,
    ) -> None:
        """Ask for several things at once, so that they are read in one round."""
        missing = Missing(
            frozenset(h for h in states if h and h not in self.memory.states and not self._is_head(h)),
            pairs_since if self.memory.pairs is None else None,
            near.keys_of(seen) - self.memory.seen.keys(),
            recent and self.memory.recent is None,
        )
        if missing != Missing():
            raise Need(missing)

    def _is_head(self, content: ContentHash) -> bool:
        return self.head.body is not None and self.head.hash == content

    def stored(self, content: ContentHash) -> Stored | None:
        """The newest state with this hash; None: never received."""
        if self._is_head(content):
            return Stored(content, self.head.body, self.head.sequence)
        self.need(states=[content])
        return self.memory.states[content]

    def body(self, content: ContentHash | None) -> Body | None:
        """None: pruned, or never received."""
        stored = self.stored(content) if content else None
        return stored.body if stored else None

    def buried(self) -> Body | None:
        """The body under a head that is a tombstone, if it is still there."""
        return self.body(self.head.hash)

    def pairs(self, since: Sequence) -> tuple[Pair, ...]:
        """Of the submission's device, on revisions of this sequence or later."""
        self.need(pairs_since=since)
        theirs = (*(self.memory.pairs or ()), *self.head.pairs)
        return tuple(pair for pair in theirs if pair.device == self.request.device)

    def recent(self) -> list[Body]:
        """The states that are at hand, the head first."""
        self.need(recent=True)
        bodies = [stored.body for stored in self.memory.recent or ()]
        return [body for body in (self.head.body, *bodies) if body is not None]

    def seen(self, values: near.Strong) -> near.Strong:
        """Those of these strong values that were in some state of the document."""
        held = near.strong(self.head.body) if self.head.body else frozenset()
        self.need(seen=values - held)
        return frozenset(v for v in values if v in held or self.memory.seen[near.key_of(*v)])


def is_repeat(request: Submission, pairs: Iterable[Pair]) -> bool:
    """Row 3."""
    wanted = (request.device, request.base, request.hash)
    return any((pair.device, pair.base, pair.hash) == wanted for pair in pairs)


def base_sequence(look: Lookup) -> Sequence:
    """Since when the client has its base; 0 if that is not known."""
    base = look.request.base or CREATED
    parts = parse_rev(base)
    if parts is not None:
        return parts.sequence
    stored = look.stored(ContentHash(base)) if base != CREATED else None
    return stored.sequence if stored else Sequence(0)


def base_hash(base: str) -> ContentHash:
    """The hash in a rev, or the base itself, which then is one."""
    parts = parse_rev(base)
    return parts.hash if parts else ContentHash(base)


def by_rev(look: Lookup, state: Body | None) -> Basis | Refusal:
    """Rows 3 to 9, and on to 11 if the client has no body of its base. `state`: live, or the last body, or none."""
    request, head = look.request, look.head
    base = request.base or CREATED
    parts = parse_rev(base)
    known = [request.hash, None if head.body else head.hash]
    if parts is not None:
        look.need([*known, parts.hash], parts.sequence)
    elif base == CREATED:
        look.need(known, Sequence(0))
    else:
        look.need([*known, ContentHash(base)])
    since = base_sequence(look)
    pairs = look.pairs(since)
    if is_repeat(request, pairs):
        return Basis("3 repeat", (state or EMPTY,))
    if base == CREATED:
        return _with_own(look, Basis("4 created", (EMPTY,)), pairs, since)
    if parts is not None and parts.deleted:
        body = request.base_state if isinstance(request.base_state, dict) else EMPTY
        return Basis("6 base is a tombstone", (body,), server_from=look.body(parts.hash))
    found = look.body(base_hash(base))
    if found is not None:
        return _with_own(look, Basis("7 base", (found,)), pairs, since)
    if isinstance(request.base_state, dict) and look.hash_of(request.base_state) == base_hash(base):
        return _with_own(look, Basis("8 base_state", (request.base_state,)), pairs, since)
    if request.base_state is None:
        return by_content(look, state) if state else Basis("9 nothing to go by", (EMPTY,))
    return Refusal("base-unknown", "9 base unknown")


def _with_own(look: Lookup, basis: Basis, pairs: tuple[Pair, ...], since: Sequence) -> Basis:
    """Row 5. On the same base or on a later one: a client that goes back was restored from a backup."""
    if look.request.device is None:
        return basis
    hashes = [pair.hash for pair in pairs if pair.since >= since and pair.hash != look.request.hash]
    newest = list(dict.fromkeys(reversed(hashes)))[:OWN]
    look.need(newest)
    own = tuple(body for body in map(look.body, newest) if body is not None)
    return Basis("5 sent since", basis.bases, own) if own else basis


def by_evidence(look: Lookup, state: Body) -> Basis:
    """Rows 10 to 13: the client names no base."""
    device = look.memory.device
    shown = near.strong(state) - (near.strong(look.head.body) if look.head.body else frozenset())
    if device is None or not look.request.single_device:
        return by_content(look, state)
    hashes = dict.fromkeys(h for h in (device.sent, device.returned) if h)
    look.need([look.request.hash, *hashes, None if look.head.body else look.head.hash], seen=shown)
    on = [body for body in map(look.body, hashes) if body is not None]
    if not on:
        return by_content(look, state)
    picked = near.pick(on, state)
    if not _contradicted(look, state, picked, hashes):
        return Basis("10 pick", tuple(picked))
    found = by_content(look, state)
    return Basis(found.rule, found.bases, guessed=found.guessed, contradicted=True)


def _contradicted(look: Lookup, state: Body, picked: list[Body], hashes: Iterable[ContentHash]) -> bool:
    """The guard: the state shows that the device was somewhere else than its memory says."""
    if look.seen(near.new_strong(state, picked)):
        return True
    content = look.request.hash
    if content is None or content in hashes or look.stored(content) is None:
        return False
    return clock(state) is not None or len(edits(state, picked)) > 1


def by_content(look: Lookup, state: Body) -> Basis:
    """Rows 11 to 13: nothing but the states themselves."""
    head = look.head.body
    shown = near.strong(state) - (near.strong(head) if head else frozenset())
    look.need([look.request.hash, None if head else look.head.hash], seen=shown)
    if look.request.hash and look.stored(look.request.hash) is not None:
        return Basis("11 behind", (state,))
    found = near.nearest(state, look.recent())
    if found:
        return Basis("12 near", tuple(found), guessed=True)
    return Basis("13 nothing near", (EMPTY,), guessed=True)
