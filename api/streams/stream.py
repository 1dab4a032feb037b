"""One event stream. Idle, it is one task that waits for the other side to hang up; it sends from a second one, which
lives while there is something to send. So thousands of idle streams cost little."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive, Send

from api.errors import ProblemError
from api.representations import events
from api.streams.live import Live, RenderedAnnouncement
from shared.core.documents import Device, Position
from shared.core.index.cursors import cursor_of
from shared.ports import UnavailableError

_MAX_WAITING = 64
"""Announcements that wait for a slow reader; then they are dropped, and what changed is read again."""
_MAX_BEATS = 2
"""Heartbeats that a reader who takes nothing is given."""
_BEAT = b":\n\n"
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def start() -> Message:
    """The head of a stream's answer."""
    return {"type": "http.response.start", "status": 200, "headers": [*_HEADERS]}


class EventStream:
    """An ASGI application: `ready`, and `changed` events after `position`."""

    __slots__ = (
        "_beats",
        "_behind",
        "_closed",
        "_device",
        "_live",
        "_main",
        "_position",
        "_send",
        "_sender",
        "_space",
        "_stuck",
        "_waiting",
    )

    def __init__(self, live: Live, device: Device, position: Position, send: Send) -> None:
        self._live = live
        self._space = device.space
        self._device = device.id
        self._position = position
        self._waiting: list[RenderedAnnouncement] = []
        self._behind = True
        self._beats = 0
        self._sender: asyncio.Task[None] | None = None
        self._main = asyncio.current_task()
        self._send = send
        self._closed = False
        self._stuck = False

    async def run(self, receive: Receive) -> None:
        """After `Live.follow`; until the other side hangs up or `close` is called."""
        try:
            await self._send(start())
            await self._write(events.ready_event(cursor_of(self._position)))
            self._wake()
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not self._closed or self._main is None:
                raise
            self._main.uncancel()
        finally:
            self._live.unfollow(self._space, self)
            if self._sender is not None:
                self._sender.cancel()
        if self._closed and not self._stuck:  # whoever takes nothing would not take the end either
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def on_announcement(self, announcement: RenderedAnnouncement) -> None:
        if len(self._waiting) >= _MAX_WAITING:
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
            if self._beats > _MAX_BEATS:
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
                    await self._pass_on(self._waiting.pop(0))
        except UnavailableError:
            self._behind = True  # until the next heartbeat
        except ProblemError as error:
            await self._write(events.gone_event(error.kind.code))
            self.close()
        finally:
            self._sender = None

    async def _pass_on(self, announcement: RenderedAnnouncement) -> None:
        reached, announced = self._position, announcement.position
        if announced.epoch == reached.epoch and announced.sequence <= reached.sequence:
            return
        # What is of another history goes on from here only if the store says so.
        if announced.epoch != reached.epoch or announcement.first > reached.sequence + 1 or announcement.rows is None:
            self._behind = True
            return
        await self._write(announcement.text())
        self._position = announced
        self._live.note_synced(self._device, self._space, announced.sequence)

    async def _catch_up(self) -> None:
        more = True
        while more:
            page = await self._live.feed.page(self._space, self._position)
            if page.hashes:
                rows = [[document, hash_] for document, hash_ in page.hashes.items()]
                await self._write(events.changed_event(cursor_of(page.position), rows))
            self._position = page.position
            more = page.more
        self._live.note_synced(self._device, self._space, self._position.sequence)

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
