"""What is known of a device that sends no base, after each of its requests."""

from __future__ import annotations

from shared.core.documents import ContentHash
from shared.core.merge.clock import clock
from shared.core.resolution.context import MAX_ASKED, DeviceMemory, Submission
from shared.core.resolution.states import is_tombstone


def advance(
    known: DeviceMemory, submission: Submission, answer: ContentHash | None, *, edited: bool, repeat: bool
) -> DeviceMemory:
    """What is known of a device after a request: `known` itself if that tells nothing new.

    `answer`: hash of what is returned. `edited`: the state has an edit of its own. `repeat`: it came before,
    so it tells as little as a null of what the device has now: either answer may be the one that arrived.
    """
    state = submission.client_state
    sent, returned, edited_at, before = known.sent, known.returned, known.edited_at, known.before
    asked: tuple[ContentHash, ...] = ()
    if state is None or repeat or submission.hash == known.sent:
        unlike = dict.fromkeys(h for h in (*known.asked, answer) if h and h != returned)
        asked = tuple(unlike)[-MAX_ASKED:]
    else:
        edited_at = (clock(state) if edited else None) or edited_at
        sent, returned = None if is_tombstone(state) else submission.hash, answer
        # If its clock went back, this may have been under way since before what is known.
        went_back = edited_at is not None and known.edited_at is not None and edited_at < known.edited_at
        before = known.states[:MAX_ASKED] if went_back else ()
    if (sent, returned, asked, edited_at, before) == (
        known.sent,
        known.returned,
        known.asked,
        known.edited_at,
        known.before,
    ):
        return known
    return DeviceMemory(sent, returned, asked, submission.arrived_at, edited_at, submission.delivery, answer, before)
