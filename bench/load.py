"""A load generator for loopback: keep-alive HTTP/1.1 over plain asyncio streams, so that it costs little
beside the server that it measures."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Result:
    """Latencies in seconds, sorted; the wall time of all."""

    latencies: list[float]
    seconds: float
    bytes_in: int

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, q: float) -> float:
        """Seconds."""
        return self.latencies[min(int(len(self.latencies) * q), len(self.latencies) - 1)]


LARGE: Final = 256 * 1024
"""Bytes of a body that is not read as a stream."""
_SCRATCH: Final = memoryview(bytearray(LARGE))


class _Body(asyncio.BufferedProtocol):
    """What is left of a body, in place of the protocol of the streams, which is told when the connection ends."""

    def __init__(self, place: memoryview, begun: int, length: int, streams: asyncio.Protocol) -> None:
        """`begun`: bytes of it that are there."""
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._place = place
        self._at = begun % len(place)
        self._left = length - begun
        self._streams = streams

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._place[self._at : self._at + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        self._left -= nbytes
        self._at = (self._at + nbytes) % len(self._place)
        if not self._left:
            self.whole.set_result(None)

    def eof_received(self) -> bool | None:
        self._end(asyncio.IncompleteReadError(b"", self._left))
        return self._streams.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("closed within a body"))
        self._streams.connection_lost(exc)

    def _end(self, error: Exception) -> None:
        if not self.whole.done():
            self.whole.set_exception(error)


class Connection:
    """One keep-alive connection. `headers`: sent with every request, in place of the bearer token."""

    def __init__(self, url: str, token: str = "", headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        if parts.hostname != "127.0.0.1":
            raise ValueError("loopback only")
        self._address = (parts.hostname, parts.port or 80)
        always = {"authorization": f"Bearer {token}"} if headers is None else headers
        self._always = always
        self._host = f"host: {parts.netloc}\r\n"
        self._head = self._host + _lines(always)
        self._closing = False
        self.requests = 0
        self.bytes = 0
        """Of heads and bodies, both ways, as they travelled."""

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(*self._address, limit=2**26)
        self._closing = False

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body."""
        status, _, answer = await self.exchange(method, path, body)
        return status, answer

    async def exchange(
        self, method: str, path: str, body: bytes = b"", /, **fields: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with names in lower case, body as it came. `fields`: other headers, `_` for `-`."""
        status, headers = await self._head_of_answer(method, path, body, fields)
        if status in (204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, await self._chunks()
        length = int(headers["content-length"])
        data = await (self._reader.readexactly(length) if length < LARGE else self._large(length))
        self.bytes += len(data)
        return status, headers, data

    async def length_of(self, path: str, **fields: str) -> tuple[int, int]:
        """GET: the status, and how many bytes came of a body of known length. They are not kept: new memory for a
        large one costs more than all else of receiving it."""
        status, headers = await self._head_of_answer("GET", path, b"", fields)
        length = int(headers["content-length"])
        await self._receive(length, _SCRATCH)
        self.bytes += length
        return status, length

    async def _head_of_answer(
        self, method: str, path: str, body: bytes, fields: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        sent = self._host + _lines({**self._always, **named}) if named else self._head
        head = f"{method} {path} HTTP/1.1\r\n{sent}content-length: {len(body)}\r\n\r\n".encode()
        if self._closing:
            self.close()
            await self.open()
        self._writer.write(head + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = answer.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        self._closing = headers.get("connection", "").lower() == "close"
        self.requests += 1
        self.bytes += len(head) + len(body) + len(answer)
        return int(first.split()[1]), headers

    async def _large(self, length: int) -> bytes:
        """A stream would copy it three times, and grow as it comes."""
        data = bytearray(length)
        await self._receive(length, memoryview(data))
        return bytes(data)

    async def _receive(self, length: int, place: memoryview) -> None:
        """A body, straight into its place, or over and over into one that is smaller."""
        begun = await self._reader.read(length)
        # The stream has no more of it: nothing came since, for nobody else had a turn.
        kept = begun[: len(place)]
        place[: len(kept)] = kept
        if len(begun) == length:
            return
        if self._reader.at_eof():
            raise asyncio.IncompleteReadError(begun, length)
        transport = cast(asyncio.Transport, self._writer.transport)
        streams = transport.get_protocol()
        rest = _Body(place, len(begun), length, cast(asyncio.Protocol, streams))
        transport.set_protocol(rest)
        try:
            await rest.whole
        finally:
            transport.set_protocol(streams)

    async def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            line = await self._reader.readuntil(b"\r\n")
            part = await self._reader.readexactly(int(line, 16) + 2)
            self.bytes += len(line) + len(part)
            if len(part) == 2:
                return b"".join(parts)
            parts.append(part[:-2])

    async def stream(self, path: str) -> asyncio.StreamReader:
        """What comes without end, after the answer's head."""
        self._writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"GET {path}: {head[:300]!r}")
        return self._reader

    def pause(self) -> None:
        """Takes nothing from the socket any more."""
        cast(asyncio.ReadTransport, self._writer.transport).pause_reading()

    def close(self) -> None:
        self._writer.close()


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


TRIES = 20
Request = tuple[str, str, bytes]


async def run(
    url: str,
    token: str,
    requests: Callable[[], Iterator[Request]],
    connections: int,
    *,
    headers: dict[str, str] | None = None,
    seconds: float | None = None,
    accepts: Callable[[int, bytes], bool] = lambda status, answer: status == 200,
) -> Result:
    """Sends all `requests` over so many connections, or as many as go within `seconds`. `accepts` says of an answer
    whether it is a good one; where it says no the request is repeated, up to `TRIES` times, as part of the same
    latency. Raises RuntimeError."""
    opened = [Connection(url, token, headers) for _ in range(connections)]
    for connection in opened:
        await connection.open()
    source = requests()
    latencies: list[float] = []
    size = 0
    end = math.inf if seconds is None else time.perf_counter() + seconds

    async def worker(connection: Connection) -> None:
        nonlocal size
        for method, path, body in source:
            start = time.perf_counter()
            for _ in range(TRIES):
                status, answer = await connection.request(method, path, body)
                if accepts(status, answer):
                    break
            else:
                raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
            now = time.perf_counter()
            latencies.append(now - start)
            size += len(answer)
            if now > end:
                return

    start = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for connection in opened:
                group.create_task(worker(connection))
        taken = time.perf_counter() - start
    finally:
        for connection in opened:
            connection.close()
    return Result(sorted(latencies), taken, size)
