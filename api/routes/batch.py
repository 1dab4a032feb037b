"""`/tasks`: many documents at once."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import errors
from api.body import read_json_body
from api.errors import MALFORMED_REQUEST, ProblemError
from api.routes.sync import is_confirmed, is_dry_run, submission_of
from api.state import State, state
from shared import wire_tasks
from shared.core.batch import Answer, Item
from shared.core.cursors import cursor_of
from shared.core.documents import Device, DocumentId, is_document_id
from shared.core.memory import Refusal
from shared.core.resolve import goes_by_rounds
from shared.core.strict import Fault, FaultError
from shared.ports import Reply, UnavailableError

_PAGE = 500


async def post_tasks(request: Request) -> Response:
    here = state(request)
    device = await here.devices.of(request)
    limits = here.settings.limits
    raw = await read_json_body(request, limits.max_batch_bytes)
    posted = wire_tasks.parse_post_tasks(raw, limits)
    answers = await _answers(here, request, device, posted)
    return Response(wire_tasks.answers_body(answers), media_type="application/json")


async def get_tasks(request: Request) -> Response:
    """`?ids=a,b,c`, or live documents in pages by id: `?limit=&after=`. The cursor was taken before the page was
    read: who has all pages, and then what changed since the first one's, has everything."""
    here = state(request)
    device = await here.devices.of(request)
    most = here.settings.limits.max_batch_documents
    ids = _ids(request, most)
    limit, after = _whole_number(request, "limit", _PAGE, most), _after(request)
    position = await here.hash_maps.position(device.space)
    cursor = cursor_of(position)
    if ids is not None:
        found = await here.documents.page(device.space, "", most, ids)
        body = wire_tasks.asked_body(found, ids, cursor=cursor)
    else:
        found = await here.documents.page(device.space, after, limit)
        more = found[-1].document if len(found) == limit else None
        body = wire_tasks.page_body(found, cursor=cursor, after=more)
    return Response(body, media_type="application/json", headers={"cache-control": "private, no-cache"})


async def _answers(
    here: State, request: Request, device: Device, posted: dict[str, wire_tasks.Posted]
) -> dict[str, Answer | dict[str, Any]]:
    now = time.time()
    dry_run, confirmed = is_dry_run(request), is_confirmed(request)
    items = {
        key: Item(submission_of(found, DocumentId(key), device, now), device.id, dry_run, confirmed)
        for key, found in posted.items()
        if not isinstance(found, Fault)
    }
    replies = await _submitted(here, device, items)
    if (
        replies
        and all(isinstance(reply, UnavailableError) for reply in replies.values())
        and len(items) == len(posted)
    ):
        raise next(reply for reply in replies.values() if isinstance(reply, UnavailableError))
    answers: dict[str, Answer | dict[str, Any]] = {}
    for key, found in posted.items():
        reply: Reply = FaultError(found) if isinstance(found, Fault) else replies[key]
        if isinstance(reply, Refusal):
            reply = errors.refused(reply)
        answers[key] = reply if isinstance(reply, Answer) else errors.members(errors.problem(reply))
    return answers


async def _submitted(here: State, device: Device, items: dict[str, Item]) -> dict[str, Reply]:
    by_rounds = [key for key, item in items.items() if goes_by_rounds(item.submission)]
    if by_rounds:
        agreed = await here.rounds.posted(device)
        for key in by_rounds:
            item = items[key]
            items[key] = replace(item, submission=replace(item.submission, agreed=agreed))
    replies = await here.resolver.resolve_all(device.space, list(items.values()))
    return dict(zip(items, replies, strict=True))


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
