"""What the server decides for one client state. First form of the rules.

Laws (tests/unit/core/test_resolve.py):
    the same inputs give the same decision
    a repeated submission makes no new revision
    null never deletes
    the answer, submitted, is a no-op
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.core.canonical import content_hash, equal
from shared.core.clock import clock
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Head


class Outcome(StrEnum):
    """What was decided, in the protocol's words."""

    UNCHANGED = "unchanged"
    FAST_FORWARD = "fast_forward"
    APPLIED = "applied"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Submission:
    """One client state on its way to be resolved."""

    document: DocumentId
    state: Body | None
    hash: ContentHash | None
    """Content hash of `state`."""
    device: DeviceId
    arrived_at: float
    """Seconds since 1970, by the clock of the API process."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome and what is to be stored for it."""

    outcome: Outcome
    hash: ContentHash | None
    """Of the correct state; None: there is no such document."""
    body: Body | None
    """The correct state."""
    new_head: bool = False
    """The correct state is a new revision."""
    keep_received: bool = False
    """The client state is in no revision, but something of it was dropped: it stays readable."""


def resolve(head: Head | None, hash_is_known: bool, submission: Submission) -> Decision:
    """`hash_is_known`: the client state's hash is that of a stored revision of this document."""
    if submission.state is None or submission.hash is None:
        return _unchanged(head)
    if head is None:
        return Decision(Outcome.APPLIED, submission.hash, submission.state, new_head=True)
    if submission.hash == head.hash:
        return _unchanged(head)
    if hash_is_known or head.body is None:
        return Decision(Outcome.FAST_FORWARD, head.hash, head.body)  # the client is merely behind
    body = union(head.body, submission.state)
    merged = content_hash(body)
    if merged == submission.hash:
        return Decision(Outcome.APPLIED, merged, body, new_head=True)
    return Decision(Outcome.MERGED, merged, body, new_head=merged != head.hash, keep_received=True)


def union(stored: Body, arriving: Body) -> Body:
    """All fields of both. Where both have a field and differ, the newer document's stands, by the documents'
    own clocks; if one of them has no clock, or on a tie, the arriving one's."""
    ours, theirs = clock(stored), clock(arriving)
    stored_is_newer = ours is not None and theirs is not None and ours > theirs
    result = dict(stored)
    for field, value in arriving.items():
        if field in stored and (stored_is_newer or equal(stored[field], value)):
            continue
        result[field] = value
    return result


def _unchanged(head: Head | None) -> Decision:
    if head is None:
        return Decision(Outcome.UNCHANGED, None, None)
    return Decision(Outcome.UNCHANGED, head.hash if head.body is not None else None, head.body)
