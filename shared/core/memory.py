"""What the server knows about one document when it decides, and what it decides: values, no logic.

Where each of it lives, and what it costs:

    head        one record a document in `documents`: body or tombstone, sequence, hash, arrival, and the pairs
                received while it has been the head (at most MAX_PAIRS, the newest). Nothing else is written by a
                new document; a fast forward moves the old head to the revisions and replaces it.
    revisions   append-only: superseded heads, and *received* states that never were the head. Each has its
                hash, its body until it is pruned, the pairs that it had as the head, and `gone`: keys of the
                strong values that it holds and the head after it does not. The strong values ever seen are
                those of the head and all that is gone: nothing is counted twice, and a new document costs 0.
                Read by (document, hash), by (document, a device in its pairs, sequence), by (document, value
                in gone), and the newest RECENT by (document, sequence).
    memory      one record of two hashes a (device, document), for devices that send no base. No bodies.

A rev is `<sequence>-<hash>`, and `<sequence>-<hash>-deleted` for the tombstone that buried the body of that hash:
opaque to clients, unique per revision, and it still tells the hash of a body when that is long pruned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final, NewType

from shared.core.canonical import canonical
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Sequence
from shared.core.merge import Conflict

Rev = NewType("Rev", str)
ValueKey = NewType("ValueKey", int)
"""64 bits, signed, of a strong value and its path."""

CREATED: Final = Rev("0")
"""As a base: I created this document. As an answer: there never was one."""
DELETED_KEY: Final = "_deleted"
MAX_PAIRS: Final = 64
"""Pairs a head keeps, the newest. A revision has one of its own; the others are of states that changed nothing."""
RECENT: Final = 64
"""Revisions and received states, the newest, among which one that is near is looked for."""


class Outcome(StrEnum):
    """What was decided, as the wire says it."""

    UNCHANGED = "unchanged"
    FAST_FORWARD = "fast_forward"
    APPLIED = "applied"
    MERGED = "merged"
    DELETED = "deleted"
    RESURRECTED = "resurrected"


class Given(Enum):
    """Tells an absent `base_state` from null."""

    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RevParts:
    """A rev, taken apart."""

    sequence: Sequence
    hash: ContentHash
    """Of the body; of the body that it buried for a tombstone."""
    deleted: bool


def make_rev(sequence: Sequence, content: ContentHash, *, deleted: bool) -> Rev:
    """The rev of the revision that got `sequence`."""
    return Rev(f"{sequence}-{content}-deleted" if deleted else f"{sequence}-{content}")


def parse_rev(text: str) -> RevParts | None:
    """A rev of ours, or None."""
    number, _, rest = text.partition("-")
    content, dash, mark = rest.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 20) or not content:
        return None
    if dash and mark != "deleted":
        return None
    return RevParts(Sequence(int(number)), ContentHash(content), bool(dash))


def value_key(path: str, value: Any) -> ValueKey:
    """Names a strong value at its path. Two different ones share a key once in 2**64."""
    digest = hashlib.sha256(canonical([path, value])).digest()
    return ValueKey(int.from_bytes(digest[:8], "big", signed=True))


@dataclass(frozen=True, slots=True)
class Submission:
    """A client state as it arrives. Validated: `client_state` is a document, a tombstone, or None (has none)."""

    document: DocumentId
    client_state: Body | None
    hash: ContentHash | None
    """Content hash of `client_state`, mark and all if it is a tombstone."""
    arrived_at: float
    """Seconds since 1970."""
    base: str | None = None
    """A rev, CREATED, or a content hash, which means the newest revision with it; None: v1.0."""
    base_state: Body | Given | None = Given.NOTHING
    device: DeviceId | None = None
    single_device: bool = False
    """The token belongs to one device, and nothing has contradicted that so far."""
    clean_through: Sequence | None = None
    """The sequence of the map before last that this device got, if it posted nothing between the two."""


@dataclass(frozen=True, slots=True)
class Pair:
    """This state was received on this base."""

    device: DeviceId | None
    base: str
    hash: ContentHash
    since: Sequence
    """The sequence of the base."""


@dataclass(frozen=True, slots=True)
class Head:
    """The current revision."""

    sequence: Sequence
    hash: ContentHash
    """Of the body; of the body that it buried for a tombstone, "" if there was none."""
    body: Body | None
    """None: a tombstone."""
    arrived_at: float
    pairs: tuple[Pair, ...] = ()

    @property
    def rev(self) -> Rev:
        """What clients call it."""
        return make_rev(self.sequence, self.hash, deleted=self.body is None)


@dataclass(frozen=True, slots=True)
class Stored:
    """A superseded revision or a received state."""

    hash: ContentHash
    body: Body | None
    """None: pruned."""
    sequence: Sequence
    """Of a revision its own; of a received state that of the head that it met."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The states that a device without a base may be on. None: it has no document there, or a tombstone."""

    sent: ContentHash | None
    returned: ContentHash | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one document. What was not loaded is None or not a key of its mapping.

    First read: `head`, and `device` for a submission without a base from a token of one device - one point read
    each. That decides a new document, an equal hash and a fast forward. Everything else says by Missing what
    it needs, in at most three more rounds: hashes and pairs, then seen values, then the recent states.
    """

    head: Head | None
    device: DeviceMemory | None = None
    states: Mapping[ContentHash, Stored | None] = field(default_factory=dict)
    """By hash, the newest; None: never received for this document."""
    pairs: tuple[Pair, ...] | None = None
    """Of the revisions at the asked sequence or later: the pairs of the asked device."""
    seen: Mapping[ValueKey, bool] = field(default_factory=dict)
    """Whether a strong value is among what is gone from some revision or received state."""
    recent: tuple[Stored, ...] | None = None
    """The newest RECENT, newest first, those without a body left out. Not the head."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Load this too, and ask again. All fields together are one round of reads."""

    states: frozenset[ContentHash] = frozenset()
    pairs_since: Sequence | None = None
    """Pairs of the submission's device on revisions of this sequence or later."""
    seen: frozenset[ValueKey] = frozenset()
    recent: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """A new head. The storage allots its sequence and moves the head that it supersedes to the revisions."""

    body: Body | None
    """None: a tombstone."""
    hash: ContentHash
    """As in Head."""
    parents: tuple[str, ...]
    """Revs: the head that it supersedes, and the base if that is another."""
    pairs: tuple[Pair, ...] = ()
    gone: frozenset[ValueKey] = frozenset()
    """Belongs to the superseded head: keys of its strong values that the new head does not have."""


@dataclass(frozen=True, slots=True)
class Received:
    """A received state to keep beside the revisions."""

    hash: ContentHash
    body: Body
    gone: frozenset[ValueKey] = frozenset()
    """Keys of its strong values that the head after the decision does not have."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to answer and what to write. Every write is a part of one transaction."""

    outcome: Outcome
    rule: str
    """Which line of the rules decided, for people."""
    state: Body | None
    """The answer; None: there is no such document."""
    hash: ContentHash | None
    """Of `state`."""
    head: Rev | None
    """Its rev; None: that of `revision`, whose sequence the storage allots."""
    conflicts: tuple[Conflict, ...] = ()
    revision: Revision | None = None
    received: Received | None = None
    pair: Pair | None = None
    """To append to the pairs of the head that stays (a new one has its own)."""
    device: DeviceMemory | None = None
    """Replaces what is known of the device; None: nothing changes."""
    token_shared: bool = False
    """The token turned out to be used by several devices: `single_device` is false for it from now on."""

    def rev(self, allotted: Sequence | None) -> Rev:
        """The rev to answer; `allotted` is the sequence of `revision`, if there is one."""
        if self.revision is None:
            return self.head or CREATED
        if allotted is None:
            raise ValueError("a new revision has a sequence")
        return make_rev(allotted, self.revision.hash, deleted=self.revision.body is None)

    @property
    def writes(self) -> bool:
        """Whether anything is to be stored."""
        parts = (self.revision, self.received, self.pair, self.device)
        return self.token_shared or any(part is not None for part in parts)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was decided, nothing is written."""

    code: str
    """`base-unknown`: the body of the base is not here; send it as `base_state`, or null."""
    rule: str
