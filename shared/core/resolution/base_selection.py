"""Which base a client state is compared with: rows 3 to 13 of `shared.core.resolution.resolve`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from shared.core.documents import Body, ContentHash, SequenceNumber
from shared.core.frozen import frozen
from shared.core.merge.clock import clock
from shared.core.resolution import base_inference
from shared.core.resolution.context import (
    BEGINNING,
    DeviceMemory,
    Pair,
    Refusal,
    Submission,
)
from shared.core.resolution.known_states import rev_version, seen_by_deleter
from shared.core.resolution.lookup import Lookup
from shared.core.resolution.revs import CREATED, parse_rev

EMPTY: Final[Body] = {}
LATE: Final = 600.0
"""Seconds that a request can be under way. A device whose clock goes back by more than that was put right."""
OWN: Final = 4
"""With so many of its own states, the newest, a state of a device is compared."""
REPEAT: Final = "3 repeat"


@frozen
class SentBefore:
    """What the device sent before this state, or after it though that arrived earlier."""

    own: tuple[Body, ...] = ()
    """States that the device sent itself: what is as in one of them is no edit either."""
    others: tuple[Body, ...] = ()
    """States that the client may be on as well, though its state does not come from them: it may have set back what
    they have."""
    earlier: tuple[Body, ...] = ()
    """States that the device sent on an older base. They may have arrived after the base was made: then the client
    may have taken back what came of them."""
    forgotten: bool = False
    """Some of what the device sent on this base, or on a later one, is pruned: what it may have set back, or sent
    before, is not known."""
    went_on: bool = False
    """The device has sent something on a later base: this is an older request of its, unless it was put back."""
    late: bool = False
    """Later states of the device were received already."""


@frozen
class MemoryEvidence:
    """What the state says of the memory of the device, by which its base was chosen (row 10)."""

    remembered: bool = False
    """The bases are those that the device is on as far as its memory tells."""
    contradicted: bool = False
    """What is remembered of the device cannot be right: several devices use its token."""
    unexpected: bool = False
    """The device comes with a state of old though its memory says that it has another one, or none."""


@frozen
class PutBackDoubts:
    """What is not known any more because the store was put back to an earlier moment."""

    lost: Body | None = None
    """The base that the store has lost: its edits count from the bases, those of the state from it."""
    incomplete: bool = False
    """States that both come from are lost; what is not on the bases may have been removed since."""
    doubted: bool = False
    """The state may have arrived before, and the head may come from it."""
    since: tuple[Body, ...] = ()
    """What was written since then, as far as it is in doubt: the state may come from it, or be older and have
    arrived before."""
    overtaken: bool = False
    """What the device sent on a later base may have been written since then."""

    @property
    def is_uncertain(self) -> bool:
        """Whether the store has lost what would tell whether one of the two states comes from the other."""
        return self.doubted or self.incomplete or self.overtaken or bool(self.since)


@frozen
class Basis:
    """What a client state is compared with."""

    rule: str
    bases: tuple[Body, ...]
    """A path that differs from all of them is edited."""
    server_from: Body | None = None
    """What the server's changes are counted from, if not from the bases."""
    guessed: bool = False
    """Found by content (rows 12 and 13): a strong value counts as an edit only if it was never seen before."""
    nothing_new: bool = False
    """The state itself was received before: it has no edits."""
    is_repeat: bool = False
    """Row 3: the state was received on this base before."""
    nothing_near: bool = False
    """Row 13: nobody knows what the state comes from."""
    sent: SentBefore = SentBefore()
    memory: MemoryEvidence = MemoryEvidence()
    put_back: PutBackDoubts = PutBackDoubts()


def is_repeat(submission: Submission, pairs: Iterable[Pair], after: float = 0.0) -> bool:
    """Row 3. What came before `after`, in seconds, was another request."""
    wanted = (submission.device, submission.base or "", submission.hash)
    return any((pair.device, pair.base, pair.hash) == wanted and pair.at >= after for pair in pairs)


def base_hash(base: str) -> ContentHash:
    """The hash in a rev, or the base itself, which then is one."""
    parts = parse_rev(base)
    return parts.hash if parts else ContentHash(base)


def base_sequence(lookup: Lookup) -> SequenceNumber:
    """The sequence of the base; BEGINNING if it has none that is known."""
    base = lookup.submission.base or CREATED
    parts = parse_rev(base)
    if not lookup.sequences_count:
        return BEGINNING
    if parts is not None:
        return parts.sequence
    stored = lookup.stored(ContentHash(base)) if base != CREATED else None
    return stored.sequence if stored else BEGINNING


def by_rev(lookup: Lookup, state: Body | None) -> Basis | Refusal:
    """Rows 3 to 9, and on to 11 for a client that has lost its base.

    `state`: live, or the last body of a tombstone, or None.
    """
    submission = lookup.submission
    base = submission.base or CREATED
    parts = parse_rev(base)
    needed = [submission.hash, lookup.buried]
    if base != CREATED:
        needed.append(base_hash(base))
    lookup.need(needed, parts.sequence if parts else BEGINNING)
    since = base_sequence(lookup)
    pairs = lookup.pairs(since)
    if is_repeat(submission, pairs):
        return Basis(REPEAT, (state or EMPTY,), nothing_new=True, is_repeat=True)
    if base == CREATED:
        return _with_own(lookup, "4 created", EMPTY, pairs, since)
    if parts is not None and parts.deleted:
        body = submission.base_state if isinstance(submission.base_state, dict) else EMPTY
        under = lookup.body(parts.hash)
        if under is None and parts.version:
            under = seen_by_deleter(lookup, rev_version(lookup.lineage(), parts))
        rule = "6 base is a tombstone"
        with_own = _with_own(lookup, rule, body, pairs, since)
        return replace(with_own, rule=rule, server_from=under, sent=replace(with_own.sent, own=()))
    base_body = lookup.body(base_hash(base))
    if base_body is not None:
        return _with_own(lookup, "7 base", base_body, pairs, since)
    if isinstance(submission.base_state, dict) and lookup.hash_of(submission.base_state) == base_hash(base):
        return _with_own(lookup, "8 base_state", submission.base_state, pairs, since)
    if submission.base_state is not None:
        return Refusal("base-unknown", "9 base unknown")
    if state is None:
        return Basis("9 nothing to go by", (EMPTY,), nothing_near=True)
    return by_content(lookup, state, submission.hash)


def since_sent(lookup: Lookup) -> tuple[Body, ...]:
    """What the device sent on this base after it had sent this state on it: the newest, those that are here. A client
    that went on to another base does not come back to this one: it sent this before, and it was delivered late."""
    submission, since = lookup.submission, base_sequence(lookup)
    hashes: list[ContentHash] = []
    for pair in lookup.pairs(since):
        if pair.since != since:
            continue
        if (pair.base, pair.hash) == (submission.base, submission.hash):
            hashes.clear()
        else:
            hashes.append(pair.hash)
    newest = list(dict.fromkeys(reversed(hashes)))[:OWN]
    lookup.need(newest)
    return _bodies(lookup, newest)


def _with_own(lookup: Lookup, rule: str, base: Body, pairs: tuple[Pair, ...], since: SequenceNumber) -> Basis:
    """A base that was found by a rule; row 5, and what else the device sent that may have arrived after its base was
    made. It may have set back only what it sent on this base: who sent something on a later one, and goes back, was
    restored from a backup.
    A state that is its base has no edit, whatever was sent on later ones."""
    if lookup.submission.device is None:
        return Basis(rule, (base,))
    since_base = [pair for pair in pairs if pair.since >= since]
    on_base = [pair for pair in since_base if pair.since == since]
    its_base = base_hash(lookup.submission.base or CREATED)
    unedited = lookup.submission.hash == its_base
    others = _newest(lookup, on_base, its_base)
    sent = others if unedited or len(on_base) == len(since_base) else _newest(lookup, since_base, its_base)
    before = _newest(lookup, [pair for pair in pairs if pair.since < since], its_base)
    if sent or others or before:
        lookup.need([*sent, *others, *before])
    own = _bodies(lookup, sent)
    later = [pair for pair in since_base if pair.since > since]
    overtaking = _in_another_history(lookup, later)
    overtaken = _newest(lookup, overtaking, its_base)
    if overtaken:  # together: each by itself, they were more reads than a decision has
        lookup.need(overtaken)
    return Basis(
        "5 sent since" if own else rule,
        (base,),
        sent=SentBefore(
            own,
            _bodies(lookup, others),
            _bodies(lookup, before),
            forgotten=len(own) < len(sent),
            went_on=bool(later),
        ),
        put_back=PutBackDoubts(since=_bodies(lookup, overtaken), overtaken=bool(overtaking)),
    )


def _in_another_history(lookup: Lookup, later: list[Pair]) -> list[Pair]:
    """Those of the pairs on whose base a history was begun before the head was written. The store may have been put
    back in between, and have lost the first arrival of what the device sent before."""
    if not later:
        return []
    lineage, head = lookup.lineage(), lookup.head
    written_in = head.history or lineage.first
    return [pair for pair in later if lineage.history_of(pair.since) != written_in]


def _newest(lookup: Lookup, pairs: Sequence[Pair], its_base: ContentHash) -> list[ContentHash]:
    """The newest OWN of these, each once, but for the submission itself and what is its base."""
    if not pairs:
        return []
    known = (lookup.submission.hash, its_base)
    hashes = [pair.hash for pair in pairs if pair.hash not in known]
    return list(dict.fromkeys(reversed(hashes)))[:OWN]


def by_evidence(lookup: Lookup, state: Body, content: ContentHash | None) -> Basis:
    """Rows 10 to 13: the client names no base. `content` is the hash of `state`."""
    device = lookup.context.device_memory
    if device is None or not lookup.submission.single_device:
        return by_content(lookup, state, content)
    lookup.need([content, lookup.buried, *device.states, *device.before], seen=lookup.unlike_head(state))
    if content in device.states:
        others = () if clock(state) is not None else _bodies(lookup, (h for h in device.states if h != content))
        return Basis("10 as remembered", (state,), sent=SentBefore(others=others))
    if _is_late(lookup, state, device):
        return Basis("10 late", (state,), sent=SentBefore(late=True))
    # What arrived before the request that the memory tells of is an earlier one of the device, delivered late, or
    # once more with others. It does not contradict the memory, and tells nothing of what the device has now.
    earlier = lookup.submission.arrived_at <= device.at
    if content and lookup.stored(content) is not None:
        shared = bool(device.states) and not earlier and not _is_of_before(lookup, device)
        memory = MemoryEvidence(contradicted=shared, unexpected=not earlier)
        return Basis("11 behind", (state,), nothing_new=True, sent=SentBefore(late=earlier), memory=memory)
    on = _bodies(lookup, device.states)
    if not on:
        return by_content(lookup, state, content)
    picked = base_inference.pick(on, state)
    if not _is_contradicted(lookup, state, picked):
        unpicked = tuple(body for body in on if not any(body is one for one in picked))
        others = (*unpicked, *_bodies(lookup, device.before))
        memory = MemoryEvidence(remembered=True)
        return Basis("10 pick", tuple(picked), sent=SentBefore(others=others), memory=memory)
    shared = not earlier and not _is_of_before(lookup, device)
    return replace(by_content(lookup, state, content), memory=MemoryEvidence(contradicted=shared))


def _bodies(lookup: Lookup, states: Iterable[ContentHash]) -> tuple[Body, ...]:
    """Those of these states that are here."""
    return tuple([body for body in map(lookup.body, states) if body is not None])


def _is_of_before(lookup: Lookup, device: DeviceMemory) -> bool:
    """Whether all that is remembered of the device is of histories before the current one. The store may have been
    put back in between: then it has lost what it answered the device since, and no other device is needed to explain
    what this one has, be that brought back or of before. Where nothing was put back, several devices with one token
    are told as soon as the document was written in the current history."""
    known = [stored for stored in map(lookup.stored, device.states) if stored is not None]
    if not known:
        return False
    lineage = lookup.lineage()
    return lineage.current not in {lineage.history_of(stored.sequence) for stored in known}


def _is_late(lookup: Lookup, state: Body, device: DeviceMemory) -> bool:
    """Whether the state was made before another one of the device that is here already: by what they hold, and by
    the clock of the device where that tells nothing. A clock may be put back between two edits."""
    at, edited_at = clock(state), device.edited_at
    if at is None or edited_at is None or not edited_at - LATE <= at < edited_at:
        return False
    later = [stored for stored in map(lookup.stored, device.states) if stored is not None]
    return not any(
        base_inference.was_made_after(state, stored.body, lookup.known_before(stored))
        for stored in later
        if stored.body is not None
    )


def went_back(device: DeviceMemory, state: Body) -> bool:
    """Whether the clock of the device stands, in this state, before its last edit."""
    at = clock(state)
    return at is not None and device.edited_at is not None and at < device.edited_at


def _is_contradicted(lookup: Lookup, state: Body, picked: list[Body]) -> bool:
    """The guard: the state shows that the device was somewhere else than its memory says.

    It brings back a string that was here before, and another state is nearer to it by two paths or more. One
    edit alone is somebody who takes an edit back: as a state of old it would have been received before.
    """
    fresh = frozenset(filter(base_inference.is_long, base_inference.new_strong(state, picked)))
    if not lookup.seen(fresh) or base_inference.count_edits(state, picked) == 1:
        return False
    away = min(base_inference.distance(state, body) for body in picked)
    return any(base_inference.distance(state, other) < away - 1 for other in lookup.recent())


def clean_body(lookup: Lookup, device: DeviceMemory) -> Body | None:
    """What the device was returned last, if a map that it acknowledged after that listed it."""
    acknowledged = lookup.submission.acknowledged
    if acknowledged is None or acknowledged.at <= device.at or device.returned is None:
        return None
    stored = lookup.stored(device.returned)
    if stored is None or stored.sequence > acknowledged.sequence:
        return None
    if stored.until is not None and stored.until <= acknowledged.sequence:
        return None
    return stored.body


def by_content(lookup: Lookup, state: Body, content: ContentHash | None) -> Basis:
    """Rows 11 to 13: nothing but the states themselves."""
    lookup.need([content, lookup.buried], seen=lookup.unlike_head(state))
    if content and lookup.stored(content) is not None:
        return Basis("11 behind", (state,), nothing_new=True)
    nearest = base_inference.nearest(state, lookup.recent())
    if nearest:
        return Basis("12 near", tuple(nearest), guessed=True)
    return Basis("13 nothing near", (EMPTY,), guessed=True, nothing_near=True)
