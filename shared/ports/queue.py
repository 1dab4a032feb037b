"""Where client states wait to be resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.core.documents import (
    DeviceId,
    DocumentId,
    SpaceId,
)
from shared.core.frozen import frozen
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import (
    Refusal,
)
from shared.ports.cache import Announcement
from shared.ports.errors import Fence

Reply = Answer | Refusal | Exception
"""Exceptions that a Reply may be: UnavailableError, DecisionError."""


@frozen
class EncodedItem:
    """An Item as it is sent through the queue, its bodies as text. `shared.queue_messages.encode_item` makes it."""

    document: DocumentId
    device: DeviceId | None
    """Whose MapAcknowledgements are told that it posts; None: several devices use the token."""
    row: bytes


class SubmissionQueue(Protocol):
    """Where client states are sent to be resolved. MapAcknowledgements hears that their devices post."""

    async def submit(self, space: SpaceId, item: Item | EncodedItem) -> Answer | Refusal:
        """The server's decision, durable when this returns. A Refusal stored nothing.

        Raises UnavailableError when there is none in time: the submission may have been stored, and may be
        repeated. OverloadedError: it was not taken in. DecisionError: it cannot be decided; nothing was
        stored.
        """
        ...

    async def submit_all(self, space: SpaceId, items: Sequence[Item | EncodedItem]) -> list[Reply]:
        """The same for each of several items of different documents, in order; what `submit` raises stands in
        the place of the item that it is about. If the answers together are very long, an UnavailableError stands
        for some of them: those documents are to be sent again."""
        ...

    async def waiting(self, space: SpaceId) -> int:
        """How many requests wait for a worker; a batch counts once. Raises UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """Submissions in an inbox that came together, with what their answers need to find the way back."""

    process: str
    number: int
    items: tuple[Item, ...]
    trace: str | None = None
    """The `traceparent` of the request, if it is traced."""


class Lease(Protocol):
    """One space's inbox, held by one worker at a time, for speed. It is its fence, which the transaction checks, that
    keeps a worker whose lease has ended from writing.

    Used as `async with`; it is renewed until the end of the block and then handed on, so that submissions
    that wait are served by whoever comes next.
    """

    @property
    def used_up(self) -> bool:
        """The holder has had its share of time, or has lost the lease, and should hand the space on."""
        ...

    async def __aenter__(self) -> Lease: ...
    async def __aexit__(self, *exc: object) -> None: ...

    @property
    def fence(self) -> Fence: ...

    async def confirm(self, number: int) -> bool:
        """Whether the lease is held still; then its fence is later than `number` from now on."""
        ...

    def hand_over(self) -> bool:
        """Has the space go on in a process for what is large to decide, when this lease ends, which it should do now.
        False if that is here."""
        ...

    async def take(self) -> list[Envelope]:
        """The oldest submissions, as many as make a batch, and of one document MAX_PER_DOCUMENT at most
        (shared/core/resolution/batch.py). They stay in the inbox until `reply`: a worker that dies loses none. Those
        whose sender has given up are removed. Waits a moment for the first, as one who writes one document after
        another is about to send it. Nothing if another one holds the lease by now; it is used up then."""
        ...

    def prepare(
        self, replies: Sequence[tuple[Envelope, Sequence[Reply]]], announcement: Announcement | None = None
    ) -> None:
        """Puts together what `reply` will send when it is given the same objects; if it is not, this was in vain. No
        one is told anything. May be called in another thread, if nothing else is called meanwhile."""
        ...

    async def reply(
        self, replies: Sequence[tuple[Envelope, Sequence[Reply]]], announcement: Announcement | None = None
    ) -> None:
        """Sends the answers of the last `take` to the processes that wait, and removes what it took; and tells who
        listens to the space what was committed."""
        ...

    async def release_if_empty(self) -> bool:
        """Ends the lease if nothing waits, atomically: what comes in later starts a new one."""
        ...


class Inbox(Protocol):
    """Submissions of a space in the order in which they came. Errors: UnavailableError."""

    async def lease(self, space: SpaceId) -> Lease | None:
        """None: another worker holds it, and will see all that waits."""
        ...
