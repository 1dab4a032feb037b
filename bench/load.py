"""A load generator for loopback: keep-alive HTTP/1.1 over plain asyncio streams, so that it costs little
beside the server that it measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast
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


class Connection:
    """One keep-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.hostname != "127.0.0.1":
            raise ValueError("loopback only")
        self.bytes = 0
        self._address = (parts.hostname, parts.port or 80)
        self._head = f"host: {parts.netloc}\r\nauthorization: Bearer {token}\r\n"

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(*self._address, limit=2**26)

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body."""
        status, _, answer = await self.exchange(method, path, body)
        return status, answer

    async def exchange(
        self, method: str, path: str, body: bytes = b"", fields: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with names in lower case, and body. `fields`: more header lines, each with its end.
        `bytes` is then what went both ways, heads and bodies."""
        sent = f"{method} {path} HTTP/1.1\r\n{self._head}{fields}content-length: {len(body)}\r\n\r\n".encode() + body
        self._writer.write(sent)
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        parts = []
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                parts.append((await self._reader.readexactly(size + 2))[:-2])
            await self._reader.readexactly(2)
        else:
            parts.append(await self._reader.readexactly(int(headers.get("content-length", 0))))
        answer = b"".join(parts)
        self.bytes = len(sent) + len(head) + len(answer)
        return int(first.split()[1]), headers, answer

    async def stream(self, path: str) -> asyncio.StreamReader:
        """What comes without end, behind the head."""
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


Request = tuple[str, str, bytes]


async def run(url: str, token: str, requests: Callable[[], Iterator[Request]], connections: int) -> Result:
    """Sends all `requests` over so many connections; every answer must be a 200."""
    opened = [Connection(url, token) for _ in range(connections)]
    for connection in opened:
        await connection.open()
    source = requests()
    latencies: list[float] = []
    size = 0

    async def worker(connection: Connection) -> None:
        nonlocal size
        for method, path, body in source:
            start = time.perf_counter()
            status, answer = await connection.request(method, path, body)
            latencies.append(time.perf_counter() - start)
            size += len(answer)
            if status != 200:
                raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(worker(connection))
    seconds = time.perf_counter() - start
    for connection in opened:
        connection.close()
    return Result(sorted(latencies), seconds, size)
