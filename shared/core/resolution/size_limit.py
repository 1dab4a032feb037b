"""Merged documents are held to the limit that every arriving one is held to.

Laws (tests/unit/core/resolution/test_size_limit.py):
    a client's own state is never refused here: it was measured when it arrived
    a document that got smaller is never refused: a limit that was lowered must not lock it up
    nothing is stored of what is refused, and nothing is answered but the refusal: the client keeps its edits
"""

from __future__ import annotations

from collections.abc import Callable

from shared.core.documents import Body
from shared.core.protocol import TOO_LARGE
from shared.core.resolution.context import Decision, DocumentContext, Refusal, Submission

SizeOf = Callable[[Body], int]
"""How many bytes a body counts for: those of its canonical form for the limit of a document, of its JSON for a
quota."""


def within_limit(
    decision: Decision, context: DocumentContext, submission: Submission, max_bytes: int, size_of: SizeOf
) -> Decision | Refusal:
    """The decision, or a Refusal if the document that it makes of two is larger than `max_bytes`."""
    revision = decision.revision
    if revision is None or revision.body is None or revision.hash == submission.hash:
        return decision
    size = size_of(revision.body)
    if size <= max_bytes:
        return decision
    head = context.head.body if context.head is not None else None
    if head is not None and size <= size_of(head):
        return decision
    there = f"; the current state has {size_of(head)}" if head is not None else ""
    return Refusal(TOO_LARGE, f"{size} bytes together, {max_bytes} are allowed{there}")
