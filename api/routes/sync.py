"""`POST /task/{id}`, the half of the Network Interchange Format v1.0 that writes; and deleting."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from api.body import read_body
from api.errors import MALFORMED_REQUEST, ProblemError
from api.representations import answers
from api.state import state
from api.submitting import document_of, is_dry_run, submit, submit_posted
from shared import codec
from shared.core.access.roles import Act
from shared.core.documents import Body
from shared.core.resolution.context import Given, Submission
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import DELETED_KEY


async def post_task(request: Request) -> Response:
    """Body: `{"client_state": {...} | null}`, and optionally `base`, `base_state`, `version` and `ancestors`.
    Answer: `{"server_state": {...} | null}`, and the additions (`rev`, `hash`, `outcome` ...) if one of the optional
    fields or `?dry_run=1` was sent. Errors: docs/protocol.md."""
    app = state(request)
    device, refusal = await app.devices.admit(request, Act.WRITE)
    document = document_of(request)
    limits = await app.limits.of_bodies(device.owner)
    body = await read_body(request, device.share, limits.max_request_bytes)
    posted = await app.parser_pool.post_task(device.share, document, body, limits)
    if refusal is not None and posted.state is not None:
        raise refusal  # without a state it asks what there is, and changes nothing
    answer = await submit_posted(app, request, device, document, posted)
    additions = posted.additions or is_dry_run(request)
    return Response(answers.answer_body(answer, posted.state, additions=additions), media_type="application/json")


async def delete_task(request: Request) -> Response:
    """The state `{"id", "_deleted": true}`, for people with curl. `If-Match` names the base."""
    app = state(request)
    device = await app.devices.of(request, Act.WRITE)
    document = document_of(request)
    mark: Body = {"id": document, DELETED_KEY: True}
    submission = Submission(
        document,
        mark,
        codec.content_hash(mark),
        time.time(),
        _if_match(request),
        Given.NOTHING,
        device.id,
        not device.shared,
    )
    answer = await submit(app, request, device, submission)
    return Response(answers.answer_body(answer, mark, additions=True), media_type="application/json")


def _if_match(request: Request) -> str | None:
    text = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not text or text == "*":
        return None
    if len(text) > 200 or text == CREATED:
        raise ProblemError(MALFORMED_REQUEST, 'If-Match is the "rev" or the hash of the state that you saw.')
    return text
