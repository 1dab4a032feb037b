"""The load generator reads an answer whole, however it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bench.load import LARGE, Connection

LENGTH = 3 * LARGE
WHOLE = bytes(range(256)) * (LENGTH // 256)


@asynccontextmanager
async def serving(pieces: Sequence[bytes], *, closes: bool = False) -> AsyncIterator[Connection]:
    """A server that answers each request with a head that says LENGTH, and these pieces."""

    served: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            for piece in (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % LENGTH, *pieces):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if closes:
                break
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    connection = Connection(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await connection.open()
    try:
        yield connection
    finally:
        connection.close()
        server.close()
        await asyncio.gather(*filter(None, served), return_exceptions=True)


@pytest.mark.parametrize("size", [LENGTH, LENGTH - 1, 1000, 100_000])
async def test_a_large_body_comes_whole_and_so_does_the_next_one(size: int) -> None:
    async with serving([WHOLE[begin : begin + size] for begin in range(0, LENGTH, size)]) as connection:
        for turn in (1, 2):
            assert await connection.request("GET", "/") == (200, WHOLE)
            assert await connection.length_of("/") == (200, LENGTH)
            assert connection.requests == 2 * turn and 2 * turn * LENGTH < connection.bytes < (2 * turn + 1) * LENGTH


@pytest.mark.parametrize("size", [0, 1000, LENGTH - 1])
async def test_a_large_body_that_ends_too_soon_is_an_error(size: int) -> None:
    async with serving([WHOLE[:size]], closes=True) as connection:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(connection.request("GET", "/"), 30)
    async with serving([WHOLE[:size]], closes=True) as connection:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(connection.length_of("/"), 30)
