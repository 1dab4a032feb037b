"""`/hashes`: what the server has, whole, since a cursor, or when it changes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from api.errors import MALFORMED_REQUEST, ProblemError
from api.http.codings import IDENTITY
from api.http.compression import MIN_BYTES, accepted, tag_named, tag_of, tags_in
from api.large.large_answers import Parts
from api.reads.change_feed import PAGE, Page, Whole, cursor_in
from api.representations import batches, ranges
from api.requests.body import enter_large, read_body
from api.state import state
from api.streams.live import Wait
from shared import codec
from shared.core.documents import Device, Position, SequenceNumber
from shared.core.index.cursors import cursor_of, parse_cursor
from shared.core.index.lineage import Lineage
from shared.ports import Current

T = TypeVar("T")

_MAX_WAIT_SECONDS = 60
_MAX_RANGES = 4096
_MAX_DIFF_BYTES = 512 * 1024
_MAX_STATES_BYTES = 1024 * 1024
"""Of the states that come with what changed; the rest is asked for."""
_MAX_CURSORS = 8
"""Cursors in If-None-Match that are looked up. A client has one."""


async def get_hashes(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request)
    # What cannot be a request is refused before the cursor is looked at.
    since, may_wait, limit = request.query_params.get("since"), _wait(request) > 0, _limit(request)
    if since is not None:
        return await _since(request, device, since, limit, may_wait=may_wait)
    known = tags_in(request.headers.get("if-none-match"))
    asked_at = time.time()

    async def read() -> Lineage:
        nonlocal asked_at
        asked_at = time.time()
        return await app.hash_maps.lineage(device.space)

    lineage = await read()
    if may_wait and cursor_of(lineage.position) in known:
        lineage = await _held(
            request, device, read=read, changed=lambda newer: cursor_of(newer.position) not in known
        )
    position = lineage.position
    for position_known in islice(filter(None, map(parse_cursor, known)), _MAX_CURSORS):
        await app.hash_maps.note_position(device.space, position_known, lineage)
    coding = accepted(request.headers.get("accept-encoding"))
    if known & {"*", cursor_of(position)}:
        await app.acknowledgements.listed(device, asked_at, position.sequence)
        app.devices.synced(device.id, device.space, position.sequence)
        headers = _headers(position, coding)
        headers["etag"] = tag_named(request.headers.get("if-none-match"), cursor_of(position))
        return Response(status_code=304, headers=headers)
    hash_map = await app.hash_maps.at_least(device.space, lineage, coding)
    await app.acknowledgements.listed(device, asked_at, hash_map.position.sequence)
    app.devices.synced(device.id, device.space, hash_map.position.sequence)
    if hash_map.text_bytes < MIN_BYTES:
        coding = IDENTITY
    body = await app.hash_maps.body(device.space, hash_map, coding)
    headers = _headers(hash_map.position, coding)
    if coding != IDENTITY:
        headers["content-encoding"] = coding
    # A map that is compressed as a whole is kept once for all who ask, unless it changes from one to the next.
    return Parts(body, headers, shared=coding == IDENTITY or hash_map.is_segmented)


async def post_diff(request: Request) -> Response:
    """Where a client's documents differ from the server's, range by range (docs/reconciliation.md)."""
    app = state(request)
    device = await app.devices.of(request)
    received = await read_body(request, device.share, _MAX_DIFF_BYTES)
    asked = ranges.ranges_of(await app.parser_pool.value(device.share, received, max_depth=2), _MAX_RANGES)
    await enter_large(request, device.share)
    hash_map = await app.hash_maps.current(device.space)
    comparison = await hash_map.compare(asked)
    body = {"ranges": comparison.divided, "documents": comparison.listed, "cursor": cursor_of(hash_map.position)}
    return Response(codec.dumps(body), headers={"cache-control": "no-store"}, media_type="application/json")


async def _since(request: Request, device: Device, since: str, limit: int, *, may_wait: bool) -> Response:
    app = state(request)
    with_states = _with_states(request)
    cursor = cursor_in(since)
    states = _States(request, device)

    async def read() -> Page:
        return await app.live.feed.page(device.space, cursor, limit, whole=states.whole if with_states else None)

    page = await read()
    if may_wait and not page.hashes and not page.more:
        page = await _held(request, device, read=read, changed=lambda newer: bool(newer.hashes))
    rows = await states.of(page) if with_states else []
    app.devices.synced(device.id, device.space, page.position.sequence)
    body = {"hashes": page.hashes, "cursor": cursor_of(page.position), "more": page.more}
    text = batches.with_tasks(codec.dumps(body), rows)
    return Response(text, headers={"cache-control": "no-store"}, media_type="application/json")


class _States:
    """What changed, as rows of `tasks`: so many documents as come in a batch, and so many bytes as are an answer."""

    def __init__(self, request: Request, device: Device) -> None:
        self._request = request
        self._device = device
        self._app = state(request)
        self._most = self._app.settings.limits.max_batch_documents
        self._entered = False

    async def _enter(self) -> None:
        if not self._entered:
            await enter_large(self._request, self._device.share)
            self._entered = True

    async def whole(self, after: SequenceNumber, until: SequenceNumber) -> list[Whole] | None:
        """With their hashes, in one read, if they are few."""
        if until - after > self._most:
            return None
        await self._enter()
        return await self._app.documents.changed(
            self._device.space, after, until, max_bytes=_MAX_STATES_BYTES, made=_whole
        )

    async def of(self, page: Page) -> list[bytes]:
        if page.rows is not None:
            return page.rows
        among = list(islice(page.hashes, self._most))
        if not among:
            return []
        await self._enter()
        # Each as it is now, which may be newer than its hash on the page: then it comes on a later page, too.
        rows, _ = await self._app.documents.page(
            self._device.space, "", len(among), among, max_bytes=_MAX_STATES_BYTES, made=batches.page_rows
        )
        return rows


def _whole(currents: Sequence[Current]) -> Whole:
    hashes = {document: None if body is None else hash_ for document, _, hash_, body, _ in currents}
    return Whole(hashes, batches.page_rows(currents))


async def _held(
    request: Request, device: Device, *, read: Callable[[], Awaitable[T]], changed: Callable[[T], bool]
) -> T:
    """What `read` returns when it has changed, or when the time that the request gives is over."""
    app = state(request)
    until = time.monotonic() + _wait(request)
    wait = Wait()
    await app.live.follow(device, app.devices.credential(request), wait)
    try:
        while not changed(result := await read()):
            left = until - time.monotonic()
            if left <= 0 or app.live.closing or await request.is_disconnected():
                break
            await wait.for_change(left)
            await app.devices.of(request)  # it may have been revoked meanwhile
    finally:
        app.live.unfollow(device.space, wait)
    return result


def _headers(position: Position, coding: str) -> dict[str, str]:
    cursor = cursor_of(position)
    return {
        "etag": tag_of(cursor, coding),
        "hypertask-cursor": cursor,
        "cache-control": "private, no-cache",
        "vary": "accept-encoding",
    }


def _wait(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 8):
        raise ProblemError(MALFORMED_REQUEST, "wait is a whole number of seconds.")
    return min(int(text), _MAX_WAIT_SECONDS)


def _with_states(request: Request) -> bool:
    text = request.query_params.get("states", "0")
    if text not in ("0", "1"):
        raise ProblemError(MALFORMED_REQUEST, "states is 0 or 1.")
    return text == "1"


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(PAGE))
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and 1 <= int(text) <= PAGE):
        raise ProblemError(MALFORMED_REQUEST, f"limit is a whole number from 1 to {PAGE}.")
    return int(text)
