"""`/task/{id}`: one document, written, read and deleted; its history, and going back in it."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError
from api.http.answer import JsonAnswer
from api.http.compression import tags_in
from api.large.large_answers import PIECE_BYTES
from api.representations import answers
from api.requests.body import enter_large, read_body, read_json_body
from api.requests.submitting import document_of, is_dry_run, submit, submit_posted
from api.state import AppState, state
from shared import codec, representations
from shared.core.access.roles import Act
from shared.core.documents import Body, ContentHash, DeviceId, SpaceId
from shared.core.index.reconciliation import is_fingerprint
from shared.core.resolution.context import Given, Submission
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import DELETED_KEY

_MAX_BYTES = 4096
_MAX_ENTRIES = 1000


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
    return JsonAnswer(answers.answer_body(answer, posted.state, additions=additions))


async def get_task(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request)
    document = document_of(request)
    async with app.pace.reading(device.share):
        head = await app.documents.head(device.space, document)
        if head is None or head.body is None:
            raise ProblemError(NOT_FOUND, "There is no such document. If it was deleted: GET /task/{id}/revisions.")
        headers = {"etag": f'"{head.hash}"', "hypertask-rev": head.rev or "", "cache-control": "private, no-cache"}
        if tags_in(request.headers.get("if-none-match")) & {"*", head.hash}:
            return Response(status_code=304, headers=headers)
        return await _rendered(app, device.share, head.body, headers)


async def _rendered(app: AppState, share: SpaceId, body: Body, headers: dict[str, str]) -> Response:
    text = codec.dumps(body)
    if len(text) > PIECE_BYTES:
        await app.pace.give_way(share, len(text))
    return Response(text, headers=headers, media_type="application/json")


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


async def get_revisions(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request)
    await enter_large(request, device.share)
    entries = await app.documents.history(
        device.space, document_of(request), _MAX_ENTRIES, bodies=False, max_bytes=app.settings.page_bytes
    )
    if not entries:
        raise ProblemError(NOT_FOUND, "There never was such a document.")
    policies = await app.documents.policies(device.space)
    rows = [representations.history_row(entry, policies) for entry in entries]
    return Response(codec.dumps({"revisions": rows}), media_type="application/json")


async def get_revision(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request)
    content = ContentHash(request.path_params["hash"])
    document = document_of(request)
    async with app.pace.reading(device.share):
        entry = await app.documents.state(device.space, document, content)
        if entry is None or entry.body is None:
            raise ProblemError(NOT_FOUND, "The document has no such revision, or its body was pruned.")
        headers = {"etag": f'"{content}"', "cache-control": "private, no-cache"}
        return await _rendered(app, device.share, entry.body, headers)


async def post_restore(request: Request) -> Response:
    """Makes an earlier state the current one: undoes a merge, an edit or a deletion. What is current now stays
    in the revisions, so this can be undone, too."""
    app = state(request)
    device = await app.devices.of(request, Act.WRITE)
    document = document_of(request)
    content = _hash(await read_json_body(request, device.share, _MAX_BYTES))
    entry = await app.documents.state(device.space, document, content)
    if entry is None or entry.body is None:
        raise ProblemError(NOT_FOUND, "The document has no such revision, or its body was pruned.")
    head = await app.documents.head(device.space, document)
    submission = Submission(
        document,
        entry.body,
        entry.hash,
        time.time(),
        head.rev if head else None,
        Given.NOTHING,
        # Not the device: it has not applied this state, and its next one must not be taken to come from it.
        DeviceId(f"{device.id}:restore"),
    )
    answer = await submit(app, request, device, submission)
    return Response(answers.answer_body(answer, entry.body, additions=True), media_type="application/json")


def _hash(raw: bytes) -> ContentHash:
    request = codec.parse(raw, max_depth=2)
    content = request.get("hash") if isinstance(request, dict) else None
    if not isinstance(content, str) or not is_fingerprint(content) or set(request) != {"hash"}:
        raise ProblemError(
            MALFORMED_REQUEST, 'The body must be {"hash": "..."}, from GET /task/{id}/revisions.', pointer="/hash"
        )
    return ContentHash(content)


def _if_match(request: Request) -> str | None:
    text = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not text or text == "*":
        return None
    if len(text) > 200 or text == CREATED:
        raise ProblemError(MALFORMED_REQUEST, 'If-Match is the "rev" or the hash of the state that you saw.')
    return text
