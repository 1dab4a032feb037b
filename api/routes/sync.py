"""The Network Interchange Format v1.0: `GET /hashes` and `POST /task/{id}`."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from api.body import read_json_body
from api.errors import NOT_FOUND, ProblemError
from api.state import state
from shared import wire
from shared.core.documents import DocumentId, is_document_id
from shared.core.resolve import Submission


async def get_hashes(request: Request) -> Response:
    here = state(request)
    device = await here.devices.of(request)
    current = await here.hash_maps.current(device.space)
    return Response(current.text(), media_type="application/json")


async def post_task(request: Request) -> Response:
    here = state(request)
    device = await here.devices.of(request)
    document = _document(request)
    limits = here.settings.limits
    raw = await read_json_body(request, limits.max_request_bytes)
    client = wire.parse_post_task(raw, document, limits)
    submission = Submission(document, client.body, client.hash, device.id, time.time())
    answer = await here.resolver.resolve(device.space, submission)
    server_state = client.body if answer.same else answer.body
    return Response(wire.dumps({"server_state": server_state}), media_type="application/json")


def _document(request: Request) -> DocumentId:
    text: str = request.path_params["id"]
    if not is_document_id(text):
        raise ProblemError(
            NOT_FOUND, "A document's id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -; this is none."
        )
    return DocumentId(text)
