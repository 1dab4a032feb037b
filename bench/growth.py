"""What a space costs as it grows: `python -m bench.growth [--sizes 10000 100000 1000000]`.

One space, filled through `POST /tasks` to each size in turn, and at each:

    filling          documents a second since the size before
    batch            a batch of 500 new documents
    agreed sync      `GET /hashes` with If-None-Match: time, bytes of heads and bodies both ways
    differing sync   100 changes of another device and 100 own ones: `since`, `GET /tasks?ids=`, `POST /tasks`
    diff             `POST /hashes/diff` by a client without a cursor that differs in 100: time at the server alone
    the whole map    cold (an API process that knows nothing, an empty cache), after one write, unchanged with zstd
    sixteen maps     of sixteen clients at once, after one write
    pages, export    all documents through `GET /tasks`, and through `GET /export`, with zstd
    resident         of the API and of the worker process, afterwards, and their peaks so far

Real processes on this machine, loopback only; ends by itself. Medians of several, but for what is done once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis

from api.http.codings import Decoder, compress
from bench.documents import document
from bench.load import Connection, Request, run
from bench.processes import peak_mib, resident_mib
from shared.core.documents import ContentHash, Epoch, Position, SequenceNumber
from shared.core.index.hash_map import BucketedMap
from shared.core.index.reconciliation import Tree
from tests.instance import Access, Instance

BATCH = 500
PAGE = 1000
CHANGES = 100
READERS = 16
MAX_PASSES = 7
COMPRESSED = {"accept_encoding": "zstd"}


def name_of(number: int) -> str:
    return f"t{number:08}"


def new(identities: list[str]) -> bytes:
    """A batch of documents that nobody has."""
    return json.dumps({"tasks": {one: {"client_state": document(one), "base": "0"} for one in identities}}).encode()


def changed(revs: dict[str, str], turn: int) -> bytes:
    """A batch of edits."""
    tasks = {one: {"client_state": {**document(one), "turn": turn}, "base": rev} for one, rev in revs.items()}
    return json.dumps({"tasks": tasks}).encode()


class Space:
    """A device of a space of so many documents, and another device of it."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.mine = instance.access()
        self.theirs = instance.access(space=self.mine.space, name="other")
        self.size = 0
        self._turn = 0

    async def grow(self, size: int) -> float:
        """Documents a second."""
        numbers = range(self.size, size)

        def requests() -> Iterator[Request]:
            for first in range(numbers.start, numbers.stop, BATCH):
                yield "POST", "/tasks", new([name_of(n) for n in range(first, min(first + BATCH, size))])

        result = await run(self.mine.url, self.mine.token, requests, 2, accepts=_took_all)
        self.size = size
        return len(numbers) / result.seconds

    async def batch(self) -> float:
        """Seconds for a batch of new documents."""
        async with device(self.mine) as http:
            body = new([name_of(self.size + n) for n in range(BATCH)])
            self.size += BATCH
            return await seconds(lambda: ask(http, "POST", "/tasks", body))

    async def agreed(self) -> tuple[float, int]:
        """Seconds, and bytes both ways."""
        async with device(self.mine) as http:
            cursor = await self._cursor(http)
            tag, http.bytes = f'"{cursor}"', 0
            times = [await seconds(lambda: ask(http, "GET", "/hashes", if_none_match=tag)) for _ in range(100)]
            return statistics.median(times), http.bytes // len(times)

    async def differing(self) -> tuple[float, int]:
        """Seconds, and bytes both ways, of three requests."""
        self._turn += 1
        step = self.size // (2 * CHANGES)
        theirs = [name_of(n * step * 2) for n in range(CHANGES)]
        mine = [name_of(n * step * 2 + 1) for n in range(CHANGES)]
        async with device(self.mine) as http, device(self.theirs) as other:
            cursor = await self._cursor(http)
            await ask(other, "POST", "/tasks", changed(await self._revs(other, theirs), self._turn))
            own = compress("zstd", changed(await self._revs(http, mine), self._turn))
            http.bytes = 0

            async def synced() -> None:
                _, found = await ask(http, "GET", f"/hashes?since={cursor}", **COMPRESSED)
                ids = ",".join(json.loads(found)["hashes"])
                await ask(http, "GET", f"/tasks?ids={ids}", **COMPRESSED)
                await ask(http, "POST", "/tasks", own, content_encoding="zstd", **COMPRESSED)

            return await seconds(synced), http.bytes

    async def diff(self) -> tuple[float, int, int]:
        """A client with a hundred other hashes and no cursor: seconds at the server, requests, bytes both ways."""
        async with device(self.mine) as http:
            _, body = await ask(http, "GET", "/hashes", **COMPRESSED)
        own = dict(sorted(json.loads(body).items()))
        for one in list(own)[:: len(own) // CHANGES]:
            own[one] = ContentHash("0" * 32)
        tree = Tree(BucketedMap.of(Position(Epoch("-"), SequenceNumber(0)), own))
        asked, took = {"": tree.sum("").fingerprint}, 0.0
        async with device(self.mine) as http:  # anew: of millions, the server waits for no client that long
            while asked:
                text = json.dumps({"ranges": asked}).encode()
                started = time.perf_counter()
                _, body = await ask(http, "POST", "/hashes/diff", text, **COMPRESSED)
                took += time.perf_counter() - started
                theirs = json.loads(body)["ranges"]
                here = {prefix: tree.sum(prefix).fingerprint for prefix in theirs}
                asked = {prefix: here[prefix] for prefix in theirs if here[prefix] != theirs[prefix]}
            return took, http.requests, http.bytes

    async def whole_map(self) -> float:
        async with device(self.mine) as http:
            return await seconds(lambda: ask(http, "GET", "/hashes", **COMPRESSED))

    def forget_map(self) -> None:
        """It is in no cache any more, and the API process is another one."""
        client = redis.Redis.from_url(self.instance.connection["redis_url"])
        client.delete(f"ht:{{{self.mine.space}}}:map")
        client.close()
        self.instance.kill("api")

    async def maps_at_once(self) -> float:
        """Seconds until the last of several clients has its map."""
        await self.batch()

        async def one() -> None:
            async with device(self.mine) as http:
                await ask(http, "GET", "/hashes", **COMPRESSED)

        return await seconds(lambda: asyncio.gather(*(one() for _ in range(READERS))))

    async def pages(self) -> float:
        """Documents a second."""
        async with device(self.mine) as http:
            found, start = 0, time.perf_counter()
            after: str | None = ""
            while after is not None:
                _, body = await ask(http, "GET", f"/tasks?limit={PAGE}&after={after}", **COMPRESSED)
                page = json.loads(body)
                found, after = found + len(page["tasks"]), page["after"]
            assert found == self.size
            return found / (time.perf_counter() - start)

    async def export(self) -> tuple[float, float]:
        """Lines a second, and MB as sent."""
        async with device(self.mine) as http:
            start = time.perf_counter()
            _, _, data = await http.exchange("GET", "/export", **COMPRESSED)
            took = time.perf_counter() - start
            lines, tail = 0, b""
            for piece in Decoder("zstd").feed(data):
                lines += piece.count(b"\n")
                tail = (tail + piece)[-200:]
            assert b'"kind":"end"' in tail
            return lines / took, len(data) / 1e6

    async def _cursor(self, http: Connection) -> str:
        """Of now."""
        _, body = await ask(http, "GET", "/tasks?limit=1")
        found: str = json.loads(body)["cursor"]
        return found

    async def _revs(self, http: Connection, identities: list[str]) -> dict[str, str]:
        _, body = await ask(http, "GET", f"/tasks?ids={','.join(identities)}")
        return {identity: row["rev"] for identity, row in json.loads(body)["tasks"].items()}


@asynccontextmanager
async def device(access: Access) -> AsyncIterator[Connection]:
    """A connection."""
    connection = Connection(access.url, access.token)
    await connection.open()
    try:
        yield connection
    finally:
        connection.close()


def _took_all(status: int, answer: bytes) -> bool:
    """Of a batch: what is refused in it stands beside what is not."""
    return status == 200 and b'"error":' not in answer


async def ask(
    http: Connection, method: str, path: str, body: bytes = b"", /, **fields: str
) -> tuple[dict[str, str], bytes]:
    """Headers, and the body, decompressed."""
    status, headers, answer = await http.exchange(method, path, body, **fields)
    if headers.get("content-encoding") == "zstd":
        answer = b"".join(Decoder("zstd").feed(answer))
    if status not in (200, 304) or (method == "POST" and not _took_all(status, answer)):
        raise RuntimeError(f"{method} {path[:80]}: {status} {answer[:300]!r}")
    return headers, answer


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def several(work: Callable[[], Awaitable[float]], times: int = MAX_PASSES) -> float:
    return statistics.median([await work() for _ in range(times)])


async def measured(space: Space, size: int) -> dict[str, str]:
    """The figures at a size, by what they are of; each is printed as well when it is there."""
    found: dict[str, str] = {}

    def note(name: str, figure: str) -> None:
        found[name] = figure
        print(f"  {name}: {figure}", file=sys.stderr, flush=True)

    note("filling, documents/s", f"{await space.grow(size):,.0f}")
    note("batch of 500, ms", f"{await several(space.batch) * 1e3:.0f}")
    took, sent = await space.agreed()
    note("agreed sync, ms; bytes", f"{took * 1e3:.2f}; {sent}")
    turns = [await space.differing() for _ in range(MAX_PASSES)]
    took, sent = (statistics.median(column) for column in zip(*turns, strict=True))
    note("100 + 100 changes, ms; bytes", f"{took * 1e3:.0f}; {sent:,.0f}")
    space.forget_map()
    async with device(space.mine) as http:
        await ask(http, "GET", "/readyz")
    note("whole map, cold, ms", f"{await space.whole_map() * 1e3:,.0f}")
    for name in ("first", "then"):
        took, requests, sent = await space.diff()
        note(f"diff of 100, {name}: ms; requests; bytes", f"{took * 1e3:,.0f}; {requests}; {sent:,}")
    await space.batch()
    note("whole map, after a batch, ms", f"{await space.whole_map() * 1e3:,.0f}")
    note("whole map, unchanged, ms", f"{await several(space.whole_map) * 1e3:,.0f}")
    note("sixteen maps at once, after a batch, ms", f"{await space.maps_at_once() * 1e3:,.0f}")
    note("pages, documents/s", f"{await space.pages():,.0f}")
    lines, megabytes = await space.export()
    note("export, lines/s; MB", f"{lines:,.0f}; {megabytes:.1f}")
    for kind in ("api", "worker"):
        [pid] = space.instance.connection["children"][kind]
        note(f"{kind}, resident MiB; peak", f"{resident_mib(pid):.0f}; {peak_mib(pid):.0f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "data").start(HYPERTASK_SPACE_DOCUMENTS="0")
        try:
            space = Space(instance)
            for size in sorted(options.sizes):
                columns.append(asyncio.run(measured(space, size)))
                print(f"{size:,}: {json.dumps(columns[-1])}", flush=True)
        finally:
            instance.stop()
    print("\n| documents | " + " | ".join(f"{size:,}" for size in sorted(options.sizes)) + " |")
    print("|---|" + "---|" * len(columns))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


if __name__ == "__main__":
    main()
