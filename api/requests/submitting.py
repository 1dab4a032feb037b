"""Submitting client states: from a request to the queue, for every route that writes documents."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from starlette.requests import Request

from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError, refused
from api.representations.submissions import PostTask
from api.requests.body import enter_decisions
from api.state import AppState
from shared import queue_messages
from shared.core.documents import DOCUMENT_ID_RULE, Device, DocumentId, is_document_id
from shared.core.protocol import CONFIRM_DELETIONS, CONFIRM_HEADER
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import AcknowledgedMap, Refusal, Submission
from shared.core.resolution.resolve import needs_acknowledgement
from shared.core.resolution.states import is_tombstone
from shared.ports import EncodedItem


async def submit(app: AppState, request: Request, device: Device, submission: Submission) -> Answer:
    """The server's answer to a state that the server made. Raises ProblemError for a refusal."""
    state = submission.client_state
    if needs_acknowledgement(submission.base, deletes=state is not None and is_tombstone(state)):
        submission = replace(submission, acknowledged=await app.acknowledgements.posted(device))
    item = Item(submission, by=device.id, dry_run=is_dry_run(request), confirmed=is_confirmed(request))
    return await _submitted(app, request, device, item)


async def submit_posted(
    app: AppState, request: Request, device: Device, document: DocumentId, posted: PostTask
) -> Answer:
    """The server's answer to what the device posted. Raises ProblemError for a refusal. (A null is submitted like a
    state: with the answer the device may have another state than before, and its memory is kept in that order.)"""
    at = time.time()
    [acknowledged] = await acknowledgements(app, device, [posted])
    item = item_of(posted, Asked.of(request), document, device, at=at, acknowledged=acknowledged)
    return await _submitted(app, request, device, item)


async def _submitted(app: AppState, request: Request, device: Device, item: Item | EncodedItem) -> Answer:
    await enter_decisions(request, device)
    reply = await app.submissions.submit(device.space, item)
    if isinstance(reply, Refusal):
        raise refused(reply)
    return reply


async def acknowledgements(
    app: AppState, device: Device, posted: Collection[PostTask]
) -> list[AcknowledgedMap | None]:
    """For each of these, what the device acknowledged before, where the decision may depend on it. Asked for once at
    most, and only if it does."""
    needed = [needs_acknowledgement(task.base, deletes=task.deleted) for task in posted]
    acknowledged = await app.acknowledgements.posted(device) if any(needed) else None
    return [acknowledged if need else None for need in needed]


class Asked(NamedTuple):
    """What a request says for all documents in it."""

    dry_run: bool
    confirmed: bool

    @classmethod
    def of(cls, request: Request) -> Asked:
        return cls(is_dry_run(request), is_confirmed(request))


def item_of(
    posted: PostTask,
    asked: Asked,
    document: DocumentId,
    device: Device,
    *,
    at: float,
    acknowledged: AcknowledgedMap | None,
) -> EncodedItem:
    """What the device posted, encoded for the queue. `at`: when it arrived, in seconds since 1970."""
    return queue_messages.encode_fields(
        document,
        posted.state,
        posted.hash,
        at,
        base=posted.base,
        base_state=posted.base_state,
        device=device.id,
        single_device=not device.shared,
        acknowledged=acknowledged,
        version=posted.version,
        ancestors=posted.ancestors,
        by=device.id,
        dry_run=asked.dry_run,
        confirmed=asked.confirmed,
    )


def is_confirmed(request: Request) -> bool:
    """Whether the client confirms that it means to delete many documents."""
    text = request.headers.get(CONFIRM_HEADER)
    if text is None:
        return False
    if text.strip().lower() != CONFIRM_DELETIONS:
        raise ProblemError(MALFORMED_REQUEST, f'The header {CONFIRM_HEADER} is "{CONFIRM_DELETIONS}", or left out.')
    return True


def is_dry_run(request: Request) -> bool:
    """`?dry_run=1`: decide and store nothing."""
    if not request.scope["query_string"]:
        return False
    asked = request.query_params.get("dry_run", "0")
    if asked not in ("0", "1"):
        raise ProblemError(MALFORMED_REQUEST, "dry_run is 0 or 1.")
    return asked == "1"


def document_of(request: Request) -> DocumentId:
    """The document that the address names; 404 if it can name none."""
    text: str = request.path_params["id"]
    if not is_document_id(text):
        raise ProblemError(NOT_FOUND, f"This is no document's id: {DOCUMENT_ID_RULE}.")
    return DocumentId(text)
