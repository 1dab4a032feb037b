"""One hostile client: `python -m tests.attack.attacks NAME URL TOKEN`, until its input ends. Each attack is what one
token can send to one server, over loopback alone."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

MIB = 1024 * 1024
TIMEOUT = 30.0
Reply = tuple[int, bytes]


class Client:
    """Sends what it is told to, without caring for what HTTP clients care for."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self.host, self.port = address.hostname or "", address.port or 0
        self.token = token
        self.statuses: dict[int, int] = {}

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, limit=MIB)

    def head(self, method: str, path: str, *fields: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Authorization: Bearer {self.token}", *fields]
        return "\r\n".join(lines).encode() + b"\r\n"

    async def ask(self, method: str, path: str, body: bytes = b"", *fields: str) -> Reply:
        """On a connection of its own."""
        reader, writer = await self.open()
        try:
            head = self.head(method, path, f"Content-Length: {len(body)}", "Connection: close", *fields)
            writer.write(head + b"\r\n" + body)
            async with asyncio.timeout(TIMEOUT):
                answer = await _all(reader)
        finally:
            writer.close()
        status = int(answer.split(b" ", 2)[1]) if answer[:5] == b"HTTP/" else 0
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return status, answer.partition(b"\r\n\r\n")[2]


async def _all(reader: asyncio.StreamReader) -> bytes:
    """The beginning of what comes, up to the end."""
    kept = b""
    while part := await reader.read(256 * 1024):
        if len(kept) < MIB:
            kept += part
    return kept


def document(name: str, inside: str) -> str:
    return f'"{name}":{{"client_state":{{"id":"{name}","x":{inside}}}}}'


def posted(name: str) -> bytes:
    """A document of nearly a megabyte, each time another one."""
    return json.dumps(
        {"client_state": {"id": name, "n": random.randrange(10**9), "x": text(MIB - 300)[1:-1]}}
    ).encode()


def text(size: int) -> str:
    return '"' + random.Random(size).randbytes(32).hex() * (size // 64) + '"'


async def repeated(count: int, act: Callable[[int], Awaitable[Any]]) -> None:
    """So many at a time, for ever."""

    async def one(number: int) -> None:
        while True:
            with suppress(OSError, TimeoutError, EOFError, IndexError, ValueError):
                await act(number)
            await asyncio.sleep(0.01)

    await asyncio.gather(*map(one, range(count)))


def batch(number: int) -> bytes:
    """Gzipped: 15 documents of a megabyte."""
    tasks = ",".join(document(f"d{number}-{i}", text(MIB - 200)) for i in range(15))
    return gzip.compress(('{"tasks":{' + tasks + "}}").encode(), 1)


async def batches(client: Client) -> None:
    """Gzipped batches of documents of a megabyte, 25 at a time."""
    raw = [batch(n) for n in range(2)]
    await repeated(25, lambda n: client.ask("POST", "/tasks", raw[n % 2], "Content-Encoding: gzip"))


async def plain(client: Client) -> None:
    """Documents of a megabyte, 25 at a time, each another one."""

    async def act(number: int) -> None:
        name = f"p{number}-{random.randrange(10)}"
        await client.ask("POST", f"/task/{name}", posted(name))

    await repeated(25, act)


async def texts(client: Client) -> None:
    """Texts that take long to read."""
    half = 4 * MIB - 100
    bodies = [
        b"[" + b"[]," * 70 + b'"' + b'\\"' * 16_000,
        _state(b"[0" + b",0" * half + b"]"),
        _state(b"0" * 2 * half),
        _state(b"[0" + b",0" * half + b",1234567890123456]"),
        _state(b"[[]" + b",[]" * (MIB // 3 - 100) + b"]"),
        _state(b"[[]" + b",[]" * (MIB // 3 - 100) + b'],"x":1'),
        _state(b"[0.5" + b",1e20" * (MIB // 5 - 100) + b"]"),
        _state(b'{"' + b"k" * (MIB // 2) + b'":[' + b"0," * (MIB // 5) + b"1e999]}"),
        _state(b"{" + b",".join(b'"%d":{}' % n for n in range(MIB // 12)) + b"}"),
    ]
    tasks = (
        b'{"tasks":{'
        + b",".join(
            b'"a%d":{"client_state":{"id":"a%d","x":[[]%s]}}' % (n, n, b",[]" * (MIB // 3 - 100)) for n in range(15)
        )
        + b"}}"
    )
    calls = [("/task/a", gzip.compress(body, 1)) for body in bodies] + [("/tasks", gzip.compress(tasks, 1))]

    async def act(number: int) -> None:
        path, body = random.choice(calls)
        await client.ask("POST", path, body, "Content-Encoding: gzip")

    await repeated(16, act)


def _state(inside: bytes) -> bytes:
    return b'{"client_state":{"id":"a","x":' + inside + b"}}"


async def withheld(client: Client) -> None:
    """Compressed bodies whose last byte does not come, on 150 connections."""
    body = gzip.compress(b'{"tasks":{"a":{"client_state":{"id":"a","x":"' + b"0" * (15 * MIB) + b'"}}}}')

    async def act(number: int) -> None:
        reader, writer = await client.open()
        try:
            writer.write(
                client.head("POST", "/tasks", "Content-Encoding: gzip", f"Content-Length: {len(body)}") + b"\r\n"
            )
            writer.write(body[:-1])
            await _all(reader)
        finally:
            writer.close()

    await repeated(150, act)


async def heads(client: Client) -> None:
    """Half a head on 300 connections, and heads that do not end."""

    async def act(number: int) -> None:
        reader, writer = await client.open()
        try:
            writer.write(client.head("GET", "/hashes"))
            for _ in range(100 if number % 3 else 0):
                writer.write(b"X-More: %s\r\n" % (b"x" * 60))
                await writer.drain()
                await asyncio.sleep(0.2)
            await _all(reader)
        finally:
            writer.close()

    await repeated(300, act)


async def pages(client: Client) -> None:
    """Pages of 76 documents of a megabyte, 20 at a time, a third of them not read; histories and exports too."""
    for number in range(76):
        while (await client.ask("POST", f"/task/p{number}", posted(f"p{number}")))[0] in (429, 503):
            await asyncio.sleep(0.5)
    ids = ",".join(f"p{n}" for n in range(76))

    async def act(number: int) -> None:
        paths = ["/tasks?limit=1000", f"/tasks?ids={ids}", "/export", "/task/p1/revisions"]
        if number % 3:
            await client.ask("GET", random.choice(paths))
            return
        _, writer = await client.open()
        writer.write(client.head("GET", "/tasks?limit=1000") + b"\r\n")
        await asyncio.sleep(20)
        writer.close()

    await repeated(20, act)


async def stale(client: Client) -> None:
    """Small states of many large documents, all of which are answered with what is stored."""
    for number in range(60):
        while (await client.ask("POST", f"/task/s{number}", posted(f"s{number}")))[0] in (429, 503):
            await asyncio.sleep(0.5)

    async def act(number: int) -> None:
        tasks = {
            f"s{n}": {"client_state": {"id": f"s{n}", "y": random.randrange(10**9)}, "base": "0"} for n in range(60)
        }
        await client.ask("POST", "/tasks", json.dumps({"tasks": tasks}).encode())

    await repeated(10, act)


async def devices(client: Client) -> None:
    """As many devices as there may be, and 2,000 streams, all of which are told of each write."""
    tokens = [client.token]

    async def act(number: int) -> None:
        status, answer = await client.ask("POST", "/devices", b'{"name":"x"}')
        if status == 201:
            tokens.append(json.loads(answer)["token"])
        else:
            await asyncio.sleep(0.5)

    async def write(number: int) -> None:
        body = b'{"client_state":{"id":"w","n":%d}}' % random.randrange(10**9)
        await client.ask("POST", "/task/w", body)
        await asyncio.sleep(0.1)

    async def stream(number: int) -> None:
        reader, writer = await client.open()
        one = Client("http://x", random.choice(tokens))
        one.host, one.port = client.host, client.port
        writer.write(one.head("GET", "/events") + b"\r\n")
        await reader.read(1)
        await asyncio.sleep(0.5)
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await _all(reader)
        writer.close()

    await asyncio.gather(repeated(8, act), repeated(2000, stream), repeated(2, write))


async def flood(client: Client) -> None:
    """Small requests on 64 connections."""

    async def act(number: int) -> None:
        reader, writer = await client.open()
        body = b'{"client_state":{"id":"f%d","n":%d}}' % (number, random.randrange(10**9))
        try:
            while True:
                if number % 2:
                    writer.write(client.head("GET", "/hashes") + b"\r\n")
                else:
                    writer.write(
                        client.head("POST", f"/task/f{number}", f"Content-Length: {len(body)}") + b"\r\n" + body
                    )
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
        finally:
            writer.close()

    await repeated(64, act)


async def spaces(client: Client) -> None:
    """Batches, documents of a megabyte, pages and small requests, all of them in 200 spaces that the token opens."""
    opened: list[str] = []
    while len(opened) < 200:
        status, answer = await client.ask("POST", "/spaces", b'{"name":"x"}')
        if status == 201:
            opened.append(f"Hypertask-Space: {json.loads(answer)['space']}")
        else:
            await asyncio.sleep(0.5)
    raw = batch(0)

    async def act(number: int) -> None:
        space = opened[number % len(opened)]
        match number % 8:
            case 0:
                await client.ask("POST", "/tasks", raw, space, "Content-Encoding: gzip")
            case 1:
                await client.ask("POST", "/task/p", posted("p"), space)
            case 2:
                await client.ask("GET", "/tasks?limit=1000", b"", space)
            case _:
                body = b'{"client_state":{"id":"f","n":%d}}' % random.randrange(10**9)
                await client.ask("POST", "/task/f", body, space)

    await repeated(200, act)


async def people(client: Client) -> None:
    """Small requests about people and spaces, and without a token, on 64 connections."""
    paths = ["/spaces", "/me", "/devices", "/openapi.json", "/docs", "/sign-in", "/app/"]

    async def act(number: int) -> None:
        await client.ask("GET", paths[number % len(paths)], b"", "Accept-Encoding: gzip")

    await repeated(64, act)


ATTACKS: dict[str, Callable[[Client], Coroutine[Any, Any, None]]] = {
    act.__name__: act
    for act in (batches, plain, texts, withheld, heads, pages, stale, devices, flood, spaces, people)
}


async def main(name: str, url: str, token: str) -> None:
    client = Client(url, token)
    attack = asyncio.create_task(ATTACKS[name](client))
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.read))
    await asyncio.wait({attack, end}, return_when=asyncio.FIRST_COMPLETED)
    if attack.done():
        attack.result()
    print(json.dumps(client.statuses), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
