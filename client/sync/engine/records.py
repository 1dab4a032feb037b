"""What a client remembers of one document and one upstream, and what is said between them.

docs/sync.md says what each of them is. The hash that the upstream was last heard to have is among them, so that what
is still to be done can be told from the memory alone, after a crash too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.core.identifiers import Body, ContentHash
from shared.core.resolution.ancestors import Ancestor
from shared.core.resolution.states import is_tombstone
from shared.core.version_vectors import Version

__all__ = ["Ancestor", "NotNow", "Outline", "Pending", "Record", "Refused", "UpstreamAnswer", "UpstreamReply"]


class Pending(NamedTuple):
    """A state that is on its way. Until it is answered it is sent again and again, byte for byte."""

    body: Body
    """As it is sent; a tombstone with the last body inside for a deletion."""
    hash: ContentHash
    base: str | None
    """None: nothing is known of it, as in v1.0."""
    shadow: Body | None = None
    """The body that `base` names, for an upstream that does not have it any more."""
    attach: bool = False
    """Send `shadow` (or null) as `base_state` at once, not only when asked for."""
    version: Version | None = None
    """What the state contains; None: the folder has never had several upstreams."""

    @property
    def deletes(self) -> bool:
        return is_tombstone(self.body)


class Refused(NamedTuple):
    """The upstream does not take this state, and would not the next time. Nothing was changed there."""

    code: str
    reason: str
    hash: ContentHash | None = None
    """Of the state that was refused; None: of a deletion."""
    remote: ContentHash | None = None
    """What the upstream had then. When it has something else, the state is sent again."""
    file: bool = False
    """The upstream's own file of the document is to blame. When that is corrected, the state is sent again."""


class Outline(NamedTuple):
    """A record without its bodies: all that a plan needs."""

    base: str | None = None
    """The rev of the answer that was applied last; None: nothing was agreed on so far."""
    gone: bool = False
    """The base is a tombstone."""
    shadow_hash: ContentHash | None = None
    """None: with the base there is no document."""
    remote_hash: ContentHash | None = None
    """None: the upstream has no such live document."""
    is_pending: bool = False
    refused: Refused | None = None
    unverified: bool = False
    """The upstream is not sure to know the base any more: what differs is sent, and nothing is fetched over it."""


class Record(NamedTuple):
    """An outline and its bodies."""

    outline: Outline = Outline()
    shadow: Body | None = None
    pending: Pending | None = None
    version: Version | None = None
    """What the base contains; None: the upstream did not say."""


class UpstreamAnswer(NamedTuple):
    """What the upstream says is the state now, durably."""

    state: Body | None
    hash: ContentHash | None
    rev: str | None
    """None: an upstream that knows v1.0 alone."""
    outcome: str = ""
    rule: str = ""
    conflicts: tuple[dict[str, Any], ...] = ()
    version: Version | None = None
    """What the state contains; None: the upstream does not say."""


class NotNow(NamedTuple):
    """This one was not answered; what became of it is not known. It stays pending."""

    reason: str


UpstreamReply = UpstreamAnswer | Refused | NotNow
