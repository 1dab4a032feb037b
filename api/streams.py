"""One event stream. Idle, it is one task that waits for the other side to hang up; it sends from a second one, which
lives while there is something to send. So thousands of idle streams cost little."""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.errors import ProblemError
from api.live import Heard, Live
from shared import wire
from shared.core.cursors import cursor_of
from shared.core.documents import Device, Position
from shared.ports import UnavailableError

_MOST_WAITING = 64
"""Announcements that wait for a slow reader; then they are dropped, and what changed is read again."""
_MOST_BEATS = 2
"""Heartbeats that a reader who takes nothing is given."""
_BEAT = b":\n\n"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventStream(Response):
    """`changed` events after `position`."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, device: Device, token_hash: str, position: Position) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._live = live
        self._device = device
        self._token_hash = token_hash
        self._position = position
        self._waiting: deque[Heard] = deque()
        self._behind = True
        self._beats = 0
        self._sender: asyncio.Task[None] | None = None
        self._main: asyncio.Task[object] | None = None
        self._send: Send | None = None
        self._closed = False
        self._stuck = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._main = asyncio.current_task()
        self._send = send
        async with self._live.follow(self._device, self._token_hash, self):
            start: Message = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await self._write(wire.ready_event(cursor_of(self._position)))
            self._wake()
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
            except asyncio.CancelledError:
                if not self._closed:
                    raise
            finally:
                if self._sender is not None:
                    self._sender.cancel()
        if self._closed and self._main is not None:
            self._main.uncancel()
            if not self._stuck:  # whoever takes nothing would not take the end either
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    def heard(self, announcement: Heard) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.clear()
            self._behind = True
        else:
            self._waiting.append(announcement)
        self._wake()

    def lost(self) -> None:
        self._behind = True
        self._wake()

    def beat(self) -> None:
        if self._sender is not None and not self._sender.done():
            self._beats += 1
            if self._beats > _MOST_BEATS:
                self._stuck = True
                self.close()
            return
        self._beats = 1
        self._behind = True
        self._wake()

    def close(self) -> None:
        if not self._closed and self._main is not None:
            self._closed = True
            self._main.cancel()

    def _wake(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        try:
            while self._behind or self._waiting or self._beats:
                if self._beats:
                    self._beats = 0
                    await self._write(_BEAT)
                if self._behind:
                    self._behind = False
                    await self._catch_up()
                elif self._waiting:
                    await self._pass_on(self._waiting.popleft())
        except UnavailableError:
            self._behind = True  # until the next heartbeat
        except ProblemError as error:
            await self._write(wire.gone_event(error.kind.code))
            self.close()
        finally:
            self._sender = None

    async def _pass_on(self, announcement: Heard) -> None:
        if announcement.last <= self._position.sequence:
            return
        if announcement.first > self._position.sequence + 1 or announcement.rows is None:
            self._behind = True
            return
        await self._write(announcement.text(self._position.epoch))
        self._position = Position(self._position.epoch, announcement.last)

    async def _catch_up(self) -> None:
        more = True
        while more:
            page = await self._live.replays.page(self._device.space, self._position)
            if page.hashes:
                rows = [[document, hash_] for document, hash_ in page.hashes.items()]
                await self._write(wire.changed_event(cursor_of(page.position), rows))
            self._position = page.position
            more = page.more

    async def _write(self, data: bytes) -> None:
        if self._send is not None:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
