"""Submitting client states: from a request to the queue, for every route that writes documents."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError, refused
from api.representations.submissions import PostTask
from api.state import AppState
from shared import queue_messages
from shared.core.documents import DOCUMENT_ID_RULE, Device, DocumentId, is_document_id
from shared.core.protocol import CONFIRM_DELETIONS, CONFIRM_HEADER
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import AcknowledgedMap, Refusal, Submission
from shared.core.resolution.resolve import needs_acknowledgement
from shared.ports import SealedItem


async def submit(app: AppState, request: Request, device: Device, submission: Submission) -> Answer:
    """The server's answer. Raises ProblemError for a refusal."""
    item = Item(submission, by=device.id, dry_run=is_dry_run(request), confirmed=is_confirmed(request))
    if needs_acknowledgement(submission):
        item = replace(item, submission=replace(submission, agreed=await app.acknowledgements.posted(device)))
    found = await app.resolver.resolve(device.space, item)
    if isinstance(found, Refusal):
        raise refused(found)
    return found


def is_bare_deletion(posted: PostTask) -> bool:
    """As `shared.core.resolution.resolve.needs_acknowledgement`."""
    return posted.base is None and posted.deleted


def item_of(
    posted: PostTask,
    request: Request,
    document: DocumentId,
    device: Device,
    *,
    at: float,
    agreed: AcknowledgedMap | None,
) -> SealedItem:
    """What the device posted, as it goes to be resolved."""
    return queue_messages.sealed(
        document,
        posted.state,
        posted.hash,
        at,
        base=posted.base,
        base_state=posted.base_state,
        device=device.id,
        single_device=not device.shared,
        agreed=agreed,
        version=posted.version,
        ancestors=posted.ancestors,
        by=device.id,
        dry_run=is_dry_run(request),
        confirmed=is_confirmed(request),
    )


def is_confirmed(request: Request) -> bool:
    """Whether many deletions are meant."""
    text = request.headers.get(CONFIRM_HEADER)
    if text is None:
        return False
    if text.strip().lower() != CONFIRM_DELETIONS:
        raise ProblemError(MALFORMED_REQUEST, f'The header {CONFIRM_HEADER} is "{CONFIRM_DELETIONS}", or left out.')
    return True


def is_dry_run(request: Request) -> bool:
    """`?dry_run=1`: decide and store nothing."""
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
