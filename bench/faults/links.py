"""Connections that can be cut, as by a network: nothing is refused and nobody is told, but no byte passes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

_PIECE = 2**16
LOOPBACK = "127.0.0.1"


class Link:
    """A relay to an address and port. `cut` and `heal` may be called from any thread; what was on its way arrives
    when the link is healed, as with TCP."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, to: tuple[str, int], listens: str = LOOPBACK, source: str | None = None
    ) -> None:
        """`listens`: at which address. `source`: from which one it connects."""
        self._loop = loop
        self._to = to
        self._source = None if source is None else (source, 0)
        self.address = listens
        self._passes: dict[bool, asyncio.Event] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        self._passes = {True: asyncio.Event(), False: asyncio.Event()}
        for event in self._passes.values():
            event.set()
        self._server = await asyncio.start_server(self._accept, self.address, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, *, answers_alone: bool = False) -> None:
        """Both ways, or only what comes back: then what is asked for is done, and nobody hears of it."""
        self._loop.call_soon_threadsafe(self._set, False, answers_alone)

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._set, True, False)

    def _set(self, passes: bool, answers_alone: bool) -> None:
        for there, event in self._passes.items():
            if passes:
                event.set()
            elif not (there and answers_alone):
                event.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passes[True].wait()
        try:
            there, back = await asyncio.open_connection(*self._to, local_addr=self._source)
        except OSError:
            writer.close()
            return
        for source, sink, outward in ((reader, back, True), (there, writer, False)):
            task = asyncio.create_task(self._pass(source, sink, self._passes[outward]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        try:
            while piece := await source.read(_PIECE):
                await passes.wait()
                sink.write(piece)
                await sink.drain()
        except ConnectionError:
            return  # one side is gone; the other is told below
        finally:
            sink.close()


class Links:
    """Use as a context: the relays, on an event loop in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._links: list[Link] = []

    def __enter__(self) -> Links:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for link in self._links:
            self._run(link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def to(self, port: int, address: str = LOOPBACK, *, listens: str = LOOPBACK, source: str | None = None) -> Link:
        link = Link(self._loop, (address, port), listens, source)
        self._run(link.open())
        self._links.append(link)
        return link

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
