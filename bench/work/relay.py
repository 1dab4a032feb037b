"""Counts what a client sends and gets: a relay on loopback in front of a server."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Relay:
    """`requests`: HTTP/1.1 request lines that passed; `bytes`: everything that did, both ways."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests = 0
        self.bytes = 0
        self.url = ""

    def passed(self) -> tuple[int, int]:
        """Requests and bytes so far."""
        return self.requests, self.bytes

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink, asks in ((reader, back, True), (there, writer, False)):
            task = asyncio.create_task(self._pass(source, sink, asks=asks))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, asks: bool) -> None:
        tail = b""
        try:
            while data := await source.read(2**16):
                self.bytes += len(data)
                if asks:
                    self.requests += (tail + data).count(MARK)
                    tail = data[1 - len(MARK) :]
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return  # one side is gone; the other is told below
        finally:
            sink.close()


MARK = b" HTTP/1.1\r\n"
