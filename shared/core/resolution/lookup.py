"""What the rules ask of a document: looked up in what was loaded, or named as missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import takewhile

from shared.core.documents import Body, ContentHash, SequenceNumber
from shared.core.index.lineage import Lineage
from shared.core.resolution import base_inference
from shared.core.resolution.context import (
    BEGINNING,
    DocumentContext,
    Head,
    NeedsData,
    Pair,
    Stored,
    Submission,
)

HashOf = Callable[[Body], ContentHash]


class Need(Exception):
    """Carries what must be loaded out of wherever it is missed first; `resolve` turns it into its answer."""

    def __init__(self, missing: NeedsData) -> None:
        super().__init__(missing)
        self.missing = missing


class Lookup:
    """A submission and what is known of its document; asking for what was not loaded raises Need."""

    def __init__(self, context: DocumentContext, submission: Submission, head: Head, hash_of: HashOf) -> None:
        self.context = context
        self.submission = submission
        self.head = head
        self.exists = context.head is not None
        self.hash_of = hash_of
        self.sequences_count = True
        """Whether the sequence of the base says what came after it."""
        self.first_unknown: SequenceNumber | None = None
        """The first sequence that a base does not contain which was lost."""

    def lineage(self) -> Lineage:
        """Of the space."""
        if self.context.lineage is None:
            raise Need(NeedsData(lineage=True))
        return self.context.lineage

    def ancestors(self, until: SequenceNumber) -> tuple[Stored, ...]:
        """See `NeedsData.ancestors`. Not the head."""
        self.need(ancestors=until)
        return self.context.ancestors or ()

    def need(
        self,
        states: Iterable[ContentHash | None] = (),
        pairs_since: SequenceNumber | None = None,
        seen: base_inference.Strong = frozenset(),
        recent: bool = False,
        ancestors: SequenceNumber | None = None,
    ) -> None:
        """Ask for several things at once, so that they are read together."""
        context = self.context
        unknown = frozenset([h for h in states if h and h not in context.states and not self._is_head(h)])
        pairs_since = None if context.pairs is not None else pairs_since
        unseen = frozenset(map(base_inference.key_of, seen)) - context.seen.keys() if seen else frozenset()
        recent = recent and context.recent is None
        ancestors = None if context.ancestors is not None else ancestors
        if unknown or pairs_since is not None or unseen or recent or ancestors is not None:
            self._load(NeedsData(unknown, pairs_since, unseen, recent, ancestors=ancestors))

    def _load(self, missing: NeedsData) -> None:
        """From the history that is at hand; what is not there raises Need."""
        rest: NeedsData | None = missing
        if self.context.history is not None:
            self.context, rest = self.context.history.loaded(self.context, self.submission, missing)
        if rest is not None:
            raise Need(rest)

    def _is_head(self, content: ContentHash) -> bool:
        return self.head.body is not None and self.head.hash == content

    def stored(self, content: ContentHash) -> Stored | None:
        """The newest state with this hash; None: never received."""
        if self._is_head(content):
            return Stored(content, self.head.body, self.head.sequence, history=self.head.history)
        if content not in self.context.states:
            self.need(states=[content])
        return self.context.states[content]

    def body(self, content: ContentHash | None) -> Body | None:
        """None: pruned, or never received."""
        stored = self.stored(content) if content else None
        return stored.body if stored is not None else None

    @property
    def buried(self) -> ContentHash | None:
        """The hash of the body under a head that is a tombstone."""
        return None if self.head.body is not None else self.head.hash

    def pairs(self, since: SequenceNumber) -> tuple[Pair, ...]:
        """Of the submission's device, received on revisions of this sequence or later."""
        if self.context.pairs is None:
            self.need(pairs_since=since)
        received = (*(self.context.pairs or ()), *self.head.pairs)
        return tuple(pair for pair in received if pair.device == self.submission.device)

    def recent(self, since: int = BEGINNING) -> list[Body]:
        """The states that are at hand, the head first; those of the revision of this sequence and later."""
        self.need(recent=True)
        bodies = [stored.body for stored in self.context.recent or () if stored.sequence >= since]
        return [body for body in (self.head.body, *bodies) if body is not None]

    def superseded_since(self, sequence: SequenceNumber) -> list[Body]:
        """Those of them that were the head after the revision of this sequence, and are not."""
        if self.context.recent is None:
            self.need(recent=True)
        since = takewhile(lambda stored: stored.sequence > sequence, self.context.recent or ())
        return [stored.body for stored in since if stored.was_head and stored.body is not None]

    def before(self, sequence: int) -> list[Body]:
        """Those that were received before the revision of this sequence."""
        self.need(recent=True)
        # Of a state that was brought back the sequence does not tell when it was made.
        exact = self.first_unknown is None
        return [
            stored.body
            for stored in self.context.recent or ()
            if stored.sequence < sequence and stored.body is not None and (exact or stored.version is None)
        ]

    def known_before(self, stored: Stored) -> list[Body]:
        """Those that were received before this one: also the head that a received state met."""
        self.need(recent=True)
        every = [*self._head_as_stored(), *(self.context.recent or ())]
        met = None if stored.was_head else stored.sequence
        return [
            other.body
            for other in every
            if other.body is not None
            and (other.sequence < stored.sequence or (other.sequence == met and other.was_head))
        ]

    def _head_as_stored(self) -> list[Stored]:
        head = self.head
        return [Stored(head.hash, head.body, head.sequence)] if head.body is not None else []

    def unlike_head(self, state: Body) -> base_inference.Strong:
        """The strong values of a state that the head does not have."""
        return base_inference.new_strong(state, [self.head.body] if self.head.body is not None else [])

    def seen(self, values: base_inference.Strong) -> base_inference.Strong:
        """Those of these strong values that some state of the document had."""
        if not values:
            return values
        held = base_inference.strong_at(self.head.body, values) if self.head.body is not None else frozenset()
        self.need(seen=values - held)
        return frozenset(v for v in values if v in held or self.context.seen[base_inference.key_of(v)])
