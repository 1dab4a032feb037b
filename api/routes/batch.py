"""`/tasks`: many documents at once."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import errors
from api.errors import MALFORMED_REQUEST, ProblemError
from api.http.codings import IDENTITY
from api.http.compression import accepted
from api.large.large_answers import Parts
from api.representations import batches, submissions
from api.requests.body import enter_decisions, enter_large, read_body
from api.requests.submitting import Asked, acknowledgements, item_of
from api.state import AppState, state
from shared import metrics
from shared.core.access.roles import Act
from shared.core.documents import Device, DocumentId, is_document_id
from shared.core.index.cursors import cursor_of
from shared.core.json.strict import Fault, FaultError
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Refusal
from shared.ports import Reply, UnavailableError

_PAGE = 500
_PRIVATE = {"cache-control": "private, no-cache"}
DOCUMENTS_OF_A_REQUEST = 4
"""A batch of so many takes about as much as a request."""


async def post_tasks(request: Request) -> Response:
    app = state(request)
    device, refusal = await app.devices.admit(request, Act.WRITE)
    asked = Asked.of(request)  # what that refuses is refused whatever the body is
    limits = await app.limits.of_bodies(device.owner)
    body = await read_body(request, device.share, limits.max_batch_bytes)
    posted = await app.parser_pool.post_tasks(device.share, body, limits)
    metrics.BATCH_DOCUMENTS.observe(len(posted))
    app.pace.more(device.share, len(posted) // DOCUMENTS_OF_A_REQUEST)
    answers = await _answers(app, request, device, _refused(posted, refusal), asked)
    if refusal is None:
        app.filled_spaces.came(device, len(posted))
    return Parts(batches.answers_body(answers))


async def get_tasks(request: Request) -> Response:
    """`?ids=a,b,c`, or live documents in pages by id: `?limit=&after=`. The cursor was taken before the page was
    read: who has all pages, and then what changed since the first one's, has everything. A page ends when it is
    large, and then says after which id it goes on; of the `ids` those that are greater are left out."""
    app = state(request)
    device = await app.devices.of(request)
    most = app.settings.limits.max_batch_documents
    ids = _ids(request, most)
    limit, after = _whole_number(request, "limit", _PAGE, most), _after(request)
    max_bytes = app.settings.page_bytes
    await enter_large(request, device.share)
    lineage = await app.hash_maps.lineage(device.space)
    cursor = cursor_of(lineage.position)
    if ids is not None:
        asked = [document for document in ids if document > after]
        rows, last = await app.documents.page(
            device.space, "", most, asked, max_bytes=max_bytes, made=batches.asked_rows
        )
        body = batches.asked_body(rows, asked, cursor=cursor, after=last)
        return Parts(body, _page_headers(last))
    coding = accepted(request.headers.get("accept-encoding"))
    page = await app.pages.answer(
        device.space, lineage, after, limit, coding, billed=lambda work: app.pace.billed(work, lambda: device.share)
    )
    headers = _page_headers(page.last)
    if page.coding == IDENTITY:
        return Parts(page.parts, headers)
    return Parts(page.parts, {**headers, "content-encoding": page.coding, "vary": "accept-encoding"}, shared=True)


def _page_headers(last: DocumentId | None) -> dict[str, str]:
    """`last`: after which the next page begins. Who sees it before the body asks for that page while it reads this
    one."""
    return _PRIVATE if last is None else {**_PRIVATE, "hypertask-after": last}


async def _answers(
    app: AppState,
    request: Request,
    device: Device,
    posted: dict[str, batches.Posted | ProblemError],
    asked: Asked,
) -> dict[str, Answer | dict[str, Any]]:
    now = time.time()
    tasks = {DocumentId(key): task for key, task in posted.items() if isinstance(task, submissions.PostTask)}
    acknowledged = await acknowledgements(app, device, tasks.values())
    items = {
        key: item_of(task, asked, key, device, at=now, acknowledged=known)
        for (key, task), known in zip(tasks.items(), acknowledged, strict=True)
    }
    if items:
        await enter_decisions(request, device)
    replies = dict(zip(items, await app.submissions.submit_all(device.space, list(items.values())), strict=True))
    if (
        replies
        and all(isinstance(reply, UnavailableError) for reply in replies.values())
        and len(items) == len(posted)
    ):
        raise next(reply for reply in replies.values() if isinstance(reply, UnavailableError))
    answers: dict[str, Answer | dict[str, Any]] = {}
    for key, task_or_fault in posted.items():
        reply: Reply
        match task_or_fault:
            case Fault():
                reply = FaultError(task_or_fault)
            case ProblemError():
                reply = task_or_fault
            case _:
                reply = replies[DocumentId(key)]
        if isinstance(reply, Refusal):
            reply = errors.refused(reply)
        answers[key] = reply if isinstance(reply, Answer) else errors.members(errors.problem(reply))
    return answers


def _refused(
    posted: dict[str, batches.Posted], refusal: ProblemError | None
) -> dict[str, batches.Posted | ProblemError]:
    """What one who may not write posted: only what has no state goes on, which asks what there is."""
    if refusal is None:
        return dict(posted)
    writes = {
        key for key, task in posted.items() if isinstance(task, submissions.PostTask) and task.state is not None
    }
    return {key: refusal if key in writes else task for key, task in posted.items()}


def _ids(request: Request, most: int) -> list[DocumentId] | None:
    text = request.query_params.get("ids")
    if text is None:
        return None
    ids = list(dict.fromkeys(text.split(",")))
    if len(ids) > most or not all(map(is_document_id, ids)):
        raise ProblemError(MALFORMED_REQUEST, f"ids is a list of 1 to {most} documents' ids with commas between.")
    return [DocumentId(identity) for identity in ids]


def _after(request: Request) -> str:
    text: str = request.query_params.get("after", "")
    # A page may have ended with a document that has an id of these two, from when they were accepted.
    if text not in ("", ".", "..") and not is_document_id(text):
        raise ProblemError(MALFORMED_REQUEST, '"after" is the "after" of the page before.')
    return text


def _whole_number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and 1 <= int(text) <= most):
        raise ProblemError(MALFORMED_REQUEST, f"{name} is a whole number from 1 to {most}.")
    return int(text)
