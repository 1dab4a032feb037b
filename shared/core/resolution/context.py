"""What the server knows of one document when it decides, and what it decides: values.

Where they live, and what they cost:

    head        one record a document: body or tombstone, sequence, hash, arrival, and the pairs that were
                received while it has been the head (at most MAX_PAIRS, the newest). A new document writes
                nothing else; a fast forward moves the old head to the revisions and replaces it.
    revisions   append-only: superseded heads, and *received* states that never were the head. Each has its
                hash, its body until that is pruned, the pairs that it had as the head, the sequence that
                superseded it, and `gone`: the keys of the strong values that it has and the next head has
                not. So the strong values ever seen are those of the head and all that is gone; a new document
                costs none, an edit as many as it replaces. Found by (document, hash), (document, device of a
                pair, sequence), (document, key in gone), and the newest RECENT by (document, sequence).
    memory      one record a (device, document), for devices that send no base: hashes, no bodies. At most
                3 + MAX_ASKED hashes, whatever the device does.

A repeated request adds nothing to any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum, StrEnum
from typing import Any, Final, NewType, Protocol

from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.frozen import frozen
from shared.core.index.lineage import Lineage
from shared.core.json.canonical import canonical
from shared.core.merge.objects import Conflict
from shared.core.resolution.ancestors import Ancestor
from shared.core.resolution.revs import CREATED, Rev, make_rev, parse_rev
from shared.core.resolution.usage import Usage
from shared.core.version_vectors import Source, Version

ValueKey = NewType("ValueKey", int)
"""64 bits, signed, of a strong value and its path."""

BEGINNING: Final = SequenceNumber(0)
"""Before every sequence that is allotted."""
MAX_ASKED: Final = 3
"""States returned to nulls that a device may be on, besides its last exchange."""
MAX_PAIRS: Final = 64
"""Pairs a head keeps: that of the request that made it, and those of states that changed nothing."""
RECENT: Final = 64
"""Among so many revisions and received states, the newest, one is looked for that is near."""


class Outcome(StrEnum):
    """What was decided, as the wire says it."""

    UNCHANGED = "unchanged"
    FAST_FORWARD = "fast_forward"
    APPLIED = "applied"
    MERGED = "merged"
    DELETED = "deleted"
    RESURRECTED = "resurrected"


class Given(Enum):
    """Tells a `base_state` that is not there from one that is null."""

    NOTHING = "nothing"


def value_key(path: str, value: Any) -> ValueKey:
    """Names a strong value at its path. Two different ones share a key once in 2**64."""
    digest = hashlib.sha256(canonical([path, value])).digest()
    return ValueKey(int.from_bytes(digest[:8], "big", signed=True))


@frozen
class AcknowledgedMap:
    """A device got this map, then another one, and posted nothing between: it had what the map lists."""

    at: float
    """When it asked for the first of the two."""
    sequence: SequenceNumber
    """Of the first."""


@frozen
class Submission:
    """A client state as it arrives. Validated: a document, a tombstone, or None for "I have none"."""

    document: DocumentId
    client_state: Body | None
    hash: ContentHash | None
    """Of `client_state`, mark and all if it is a tombstone."""
    arrived_at: float
    """Seconds since 1970."""
    base: str | None = None
    """A rev, CREATED, or a content hash, which means the newest revision with it; None: v1.0."""
    base_state: Body | Given | None = Given.NOTHING
    device: DeviceId | None = None
    single_device: bool = False
    """The token is one device's, and nothing has contradicted that so far."""
    acknowledged: AcknowledgedMap | None = None
    """The newest of this device; None: not known."""
    delivery: str | None = None
    """Names the client's request in the queue: what has the same name is that request, delivered again."""
    version: Version | None = None
    """What `client_state` contains; None: the client does not say."""
    ancestors: tuple[Ancestor, ...] | None = None
    """Earlier states that a merge may be based on; None: not sent, and to be asked for if they are needed."""


@frozen
class Pair:
    """This state was received on this base."""

    device: DeviceId | None
    base: str
    """"" for a tombstone without a base."""
    hash: ContentHash
    since: SequenceNumber = BEGINNING
    """The sequence of the base."""
    at: float = 0.0
    """Arrival."""


@frozen
class Head:
    """The current revision."""

    sequence: SequenceNumber
    hash: ContentHash
    """As in RevParts."""
    body: Body | None
    """None: a tombstone."""
    arrived_at: float
    pairs: tuple[Pair, ...] = ()
    history: Epoch | None = None
    """That the sequence is of; None: the oldest of the space."""
    version: Version | None = None
    """What it contains; None: what its sequence implies (`Lineage.version_of`)."""
    size: int | None = field(default=None, compare=False, repr=False)
    """Bytes that the body counts for; None: as many as its JSON has."""
    weight: int | None = field(default=None, compare=False, repr=False)
    """Values in the body and lines of its texts, or more: by that it is told what is large to decide
    (`shared.large`). None: not known."""

    @property
    def rev(self) -> Rev:
        """What clients call it."""
        return make_rev(
            self.sequence, self.hash, deleted=self.body is None, history=self.history, version=self.version
        )

    def is_named_by(self, base: str) -> bool:
        """Whether a client that sends this base is on this head."""
        parts = parse_rev(base)
        if parts is None:
            return base == self.hash and self.body is not None  # that of a tombstone is of what it buried
        position = (parts.history, parts.sequence, parts.hash, parts.deleted)
        return position == (self.history, self.sequence, self.hash, self.body is None)


@frozen
class Stored:
    """A superseded revision or a received state."""

    hash: ContentHash
    body: Body | None
    """None: pruned."""
    sequence: SequenceNumber
    """A revision's own; of a received state that of the head that it met."""
    until: SequenceNumber | None = None
    """What superseded it; None: it is the head; BEGINNING: a received state, see `was_head`."""
    history: Epoch | None = None
    """As in Head."""
    version: Version | None = None
    """As in Head; for a received state None: not known."""
    deleted: bool = False
    """A tombstone."""

    @property
    def was_head(self) -> bool:
        """A revision, so that a map may have listed it; False: a received state."""
        return self.until != BEGINNING


@frozen
class DeviceMemory:
    """The states that a device without a base may be on. None: no document there, or a tombstone."""

    sent: ContentHash | None = None
    returned: ContentHash | None = None
    asked: tuple[ContentHash, ...] = ()
    """Returned to nulls and repeats since: they may come late, so it does not tell that the device has nothing."""
    at: float = 0.0
    """Arrival of the request that told this."""
    edited_at: float | None = None
    """The clock of the last state in which this device had edited something: its own clock then."""
    delivery: str | None = None
    """Submission.delivery of the request that told this,"""
    answered: ContentHash | None = None
    """and what it was answered."""
    before: tuple[ContentHash, ...] = ()
    """What it was on before it sent a state that is older by its clock: it may be on that still, and have set back
    what that state says."""

    @property
    def states(self) -> tuple[ContentHash, ...]:
        """Each of them once."""
        return tuple([h for h in dict.fromkeys((self.sent, self.returned, *self.asked)) if h])


@frozen
class DocumentContext:
    """What is known of one document. What was not loaded is None, or no key of its mapping.

    The first read is `head` and, for a submission without a base, `device_memory`: one point read each. A new
    document, an equal hash without a base, and a base that is the head need no more. Everything else is asked for by
    NeedsData: in one more read as a rule, in at most four more.
    """

    head: Head | None
    device_memory: DeviceMemory | None = None
    states: Mapping[ContentHash, Stored | None] = field(default_factory=dict)
    """By hash, the newest; None: never received for this document."""
    pairs: tuple[Pair, ...] | None = None
    """Of the submission's device, on the revisions of the asked sequence and later. Not those of the head."""
    seen: Mapping[ValueKey, bool] = field(default_factory=dict)
    """Whether a strong value is gone from some revision or received state."""
    recent: tuple[Stored, ...] | None = None
    """The newest RECENT that have a body, newest first; fewer if they are large. Not the head."""
    lineage: Lineage | None = None
    """Of the space."""
    ancestors: tuple[Stored, ...] | None = None
    """See NeedsData.ancestors. Not the head."""
    history: History | None = field(default=None, compare=False, repr=False)
    """Where what is missing is taken from, instead of asking for it; None: it has to be asked for."""


class History(Protocol):
    """What came before the head of one document, at hand."""

    def loaded(
        self, context: DocumentContext, submission: Submission, missing: NeedsData
    ) -> tuple[DocumentContext, NeedsData | None]:
        """The context with what is missing, as the store would load it; and what of that is not at hand."""


@frozen
class NeedsData:
    """Load this too, and ask again. All of it together is one read."""

    states: frozenset[ContentHash] = frozenset()
    pairs_since: SequenceNumber | None = None
    seen: frozenset[ValueKey] = frozenset()
    recent: bool = False
    lineage: bool = False
    """That of the space, as `Transaction.lineage` tells it."""
    ancestors: SequenceNumber | None = None
    """The revisions and received states that have a version of their own, the newest RECENT of them, and the newest
    revision up to this sequence that is a tombstone or has a body."""


@frozen
class Revision:
    """A new head. The storage allots its sequence and moves the head that it supersedes to the revisions."""

    body: Body | None
    """None: a tombstone."""
    hash: ContentHash
    """As in RevParts."""
    parents: tuple[str, ...]
    """Revs: the head that it supersedes, and the base if that is another one."""
    pairs: tuple[Pair, ...] = ()
    gone: frozenset[ValueKey] = frozenset()
    """To be stored with the superseded head."""
    version: Version | None = None
    """What it contains, `numbered` aside; None: nothing but what its sequence implies."""
    numbered: bool = True
    """It counts as an edit made here: its version also names its own sequence."""

    def version_at(self, history: Epoch | None, sequence: SequenceNumber) -> Version | None:
        """To be stored with it, given what it was allotted."""
        if self.version is None or not self.numbered or history is None:
            return self.version
        return {**self.version, Source(history): sequence}


@frozen
class Received:
    """A received state to keep beside the revisions."""

    hash: ContentHash
    body: Body
    gone: frozenset[ValueKey] = frozenset()
    version: Version | None = None
    """As in Stored."""


@frozen
class Allotted:
    """The first of the sequences that a transaction got, and the history that they are of."""

    first: SequenceNumber
    history: Epoch | None
    """None: the oldest of the space."""
    usage: Usage | None = field(default=None, compare=False)
    """What the space held before."""


@frozen
class Decision:
    """What to answer and what to write. All that is written is written in one transaction."""

    outcome: Outcome
    rule: str
    """Which line of the rules decided, for people."""
    state: Body | None
    """The answer; None: there is no such document."""
    hash: ContentHash | None
    """Of `state`."""
    head: Rev | None
    """Its rev if the head stays; None: that of `revision`, or there never was a document."""
    conflicts: tuple[Conflict, ...] = ()
    """To be stored with the revision, or with the received state; if there is neither, with the head that stays, each
    once: so a repeat adds none."""
    revision: Revision | None = None
    received: Received | None = None
    pair: Pair | None = None
    """To be added to the pairs of the head that stays; a new one comes with its own."""
    device_memory: DeviceMemory | None = None
    """Replaces what is known of the device; None: leave it."""
    token_shared: bool = False
    """Several devices use the token: from now on `single_device` is false for it."""
    version: Version | None = None
    """Of `state`, to be answered; that of `revision` aside. None: nobody asked for it."""
    grown: Version | None = None
    """To be stored as the version of the head that stays."""
    recovered: tuple[Received, ...] = ()
    """More received states: of a history that was lost, or of other upstreams. Later states are compared with
    them."""
    forked: bool = False
    """The submission proves that the store is older than what it told somebody: the current history has to end."""

    def rev(self, allotted: SequenceNumber | None, history: Epoch | None = None) -> Rev:
        """The rev to answer. `allotted`: the sequence of `revision`, if there is one (else ValueError)."""
        if self.revision is None:
            return self.head or CREATED
        if allotted is None:
            raise ValueError("a new revision has a sequence")
        version = self.revision.version_at(history, allotted)
        deleted = self.revision.body is None
        return make_rev(allotted, self.revision.hash, deleted=deleted, history=history, version=version)

    def with_grown(self, version: Version) -> Decision:
        """The head stays and turns out to contain more: its rev says so."""
        parts = parse_rev(self.head) if self.head is not None else None
        if parts is None:
            return self
        head = make_rev(parts.sequence, parts.hash, deleted=parts.deleted, history=parts.history, version=version)
        return replace(self, head=head, grown=version)

    @property
    def writes(self) -> bool:
        """Whether anything is to be stored."""
        parts = (self.received, self.pair, self.device_memory, self.grown)
        return (
            self.revision is not None
            or self.token_shared
            or bool(self.conflicts)
            or bool(self.recovered)
            or any(part is not None for part in parts)
        )


@frozen
class Refusal:
    """Nothing was decided, nothing is written."""

    code: str
    """`base-unknown`: the body of the base is not here; the client sends it as `base_state`, or null."""
    rule: str
