"""`POST /task/{id}`, the half of the Network Interchange Format v1.0 that writes; and deleting."""

from __future__ import annotations

import time
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from api.body import read_json_body
from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError, refused
from api.state import State, state
from shared import wire, wire_queue
from shared.core.documents import DOCUMENT_ID_RULE, Body, Device, DocumentId, is_document_id
from shared.core.protocol import CONFIRM_DELETIONS, CONFIRM_HEADER
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import CREATED, AcknowledgedMap, Given, Refusal, Submission
from shared.core.resolution.resolve import needs_acknowledgement
from shared.core.resolution.states import DELETED_KEY
from shared.ports import SealedItem


async def post_task(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request)
    document = document_of(request)
    limits = app.settings.limits
    raw = await read_json_body(request, device.space, limits.max_request_bytes)
    posted = await app.aside.post_task(device.space, document, raw)
    agreed = await app.acknowledgements.posted(device) if is_bare_deletion(posted) else None
    item = item_of(posted, request, document, device, at=time.time(), agreed=agreed)
    found = await app.resolver.resolve(device.space, item)
    if isinstance(found, Refusal):
        raise refused(found)
    additions = posted.additions or is_dry_run(request)
    return Response(wire.answer_body(found, posted.state, additions=additions), media_type="application/json")


async def delete_task(request: Request) -> Response:
    """The state `{"id", "_deleted": true}`, for people with curl. `If-Match` names the base."""
    app = state(request)
    device = await app.devices.of(request)
    document = document_of(request)
    mark: Body = {"id": document, DELETED_KEY: True}
    submission = Submission(
        document,
        mark,
        wire.content_hash(mark),
        time.time(),
        _if_match(request),
        Given.NOTHING,
        device.id,
        not device.shared,
    )
    answer = await submit(app, request, device, submission)
    return Response(wire.answer_body(answer, mark, additions=True), media_type="application/json")


async def submit(app: State, request: Request, device: Device, submission: Submission) -> Answer:
    """The server's answer. Raises ProblemError for a refusal."""
    item = Item(submission, by=device.id, dry_run=is_dry_run(request), confirmed=is_confirmed(request))
    if needs_acknowledgement(submission):
        item = replace(item, submission=replace(submission, agreed=await app.acknowledgements.posted(device)))
    found = await app.resolver.resolve(device.space, item)
    if isinstance(found, Refusal):
        raise refused(found)
    return found


def is_bare_deletion(posted: wire.PostTask) -> bool:
    """As `shared.core.resolution.resolve.needs_acknowledgement`."""
    return posted.base is None and posted.deleted


def item_of(
    posted: wire.PostTask,
    request: Request,
    document: DocumentId,
    device: Device,
    *,
    at: float,
    agreed: AcknowledgedMap | None,
) -> SealedItem:
    """What the device posted, as it goes to be resolved."""
    return wire_queue.sealed(
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


def _if_match(request: Request) -> str | None:
    text = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not text or text == "*":
        return None
    if len(text) > 200 or text == CREATED:
        raise ProblemError(MALFORMED_REQUEST, 'If-Match is the "rev" or the hash of the state that you saw.')
    return text
