"""This server: one API and one worker process, a single-node replica set, as `ops/serve` starts them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from backports import zstd

from bench.documents import Document
from bench.load import Connection, Request
from bench.work.bare import Bare, bare_columns
from bench.work.columns import Column, NotHereError, Scale
from bench.work.contention import Replica, edited
from bench.work.hypertask_client import ClientColumn, DaemonColumn
from bench.work.wire import Arrival, WireColumn
from shared.codec import content_hash
from tests.instance import Access, Instance

PAGE = 1000
BATCHED = "with base"
"""As clients send what was edited since their last sync."""


class WithBase(WireColumn):
    """A client of the additions: cursors, bases, batches, zstd where it saves bytes."""

    name = "Hypertask"
    means = (
        "raw HTTP to one API and one worker process, with bases; every write is in MongoDB on a majority, journaled, "
        "with its revision, when it is acknowledged"
    )
    ways: Sequence[str] = (BATCHED, "with base, one by one")

    def __init__(self, scale: Scale, instance: Instance) -> None:
        super().__init__(scale)
        self._instance = instance

    async def begin(self) -> None:
        self.access = await asyncio.to_thread(self._instance.access)

    async def another(self) -> Access:
        """A device of the same space."""
        return await asyncio.to_thread(self._instance.access, space=self.access.space, name="another")

    def address(self) -> tuple[str, dict[str, str]]:
        return self.access.url, self.access.headers

    def batched(self, bodies: list[Document]) -> Request:
        tasks = {body["id"]: {"client_state": body, "base": "0"} for body in bodies}
        return "POST", "/tasks", orjson.dumps({"tasks": tasks})

    def single(self, body: Document) -> Request:
        return "POST", f"/task/{body['id']}", orjson.dumps({"client_state": body, "base": "0"})

    async def ask(self, device: Connection, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        """The JSON of an answer, decompressed."""
        return _value(*await self.answered(device, method, path, body, **headers))

    async def answered(
        self, device: Connection, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a good answer."""
        status, found, data = await device.exchange(method, path, body, accept_encoding="zstd", **headers)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
        return found, data

    async def pull(self, device: Connection) -> int:
        """While a page is read the next one is on its way, as docs/protocol.md advises."""

        async def page(after: str) -> asyncio.Task[tuple[dict[str, str], bytes]]:
            coming = asyncio.create_task(self.answered(device, "GET", f"/tasks?limit={PAGE}&after={after}"))
            await asyncio.sleep(0)  # it leaves
            return coming

        count = 0
        coming: asyncio.Task[tuple[dict[str, str], bytes]] | None = await page("")
        while coming is not None:
            headers, data = await coming
            after = headers.get("hypertask-after")
            coming = None if after is None else await page(after)
            count += len(_value(headers, data)["tasks"])
        return count

    async def agree(self, device: Connection) -> Any:
        """ETag and cursor."""
        _, headers, _ = await device.exchange("GET", "/hashes", accept_encoding="zstd")
        return headers["etag"], headers["hypertask-cursor"]

    async def check(self, device: Connection, mark: Any) -> None:
        status, _, _ = await device.exchange("GET", "/hashes", if_none_match=mark[0])
        if status != 304:
            raise RuntimeError(f"not agreed: {status}")

    async def revisions(self, device: Connection, bodies: list[Document]) -> dict[str, Any]:
        page = await self.ask(device, "GET", f"/tasks?ids={','.join(body['id'] for body in bodies)}")
        return {identity: row["rev"] for identity, row in page["tasks"].items()}

    async def changes(self, device: Connection, mark: Any) -> set[str]:
        found = await self.ask(device, "GET", f"/hashes?since={mark[1]}&states=1")
        if found["more"] or any(row["server_state"] is None for row in found["tasks"].values()):
            raise RuntimeError("not all bodies came")
        return set(found["tasks"])

    async def write(self, device: Connection, bodies: list[Document], revisions: dict[str, Any]) -> None:
        tasks = {body["id"]: {"client_state": body, "base": revisions[body["id"]]} for body in bodies}
        packed = zstd.compress(orjson.dumps({"tasks": tasks}))
        answer = await self.ask(device, "POST", "/tasks", packed, content_encoding="zstd")
        if any("error" in row for row in answer["tasks"].values()):
            raise RuntimeError("a document was refused")

    async def listen(self, device: Connection) -> Arrival:
        stream = await device.stream("/events")
        await stream.readuntil(b"event: ready\n")

        async def arrival(identity: str) -> None:
            await stream.readuntil(f'"{identity}"'.encode())

        return arrival

    async def replica(self, way: str, number: int, ids: list[str]) -> Replica:
        access = self.access if number == 0 else await self.another()
        device = Connection(access.url, access.token)
        await device.open()
        _, headers, _ = await device.exchange("GET", "/hashes")
        page = await self.ask(device, "GET", f"/tasks?ids={','.join(ids)}")
        copies = {identity: row["server_state"] for identity, row in page["tasks"].items()}
        revs = {identity: row["rev"] for identity, row in page["tasks"].items()}
        kind = BatchReplica if way == BATCHED else BaseReplica
        return kind(self, device, number, copies=copies, revs=revs, cursor=headers["hypertask-cursor"])

    async def truth(self, ids: list[str]) -> dict[str, Document]:
        device = await self.opened()
        page = await self.ask(device, "GET", f"/tasks?ids={','.join(ids)}")
        device.close()
        return {identity: row["server_state"] for identity, row in page["tasks"].items()}


def _value(headers: dict[str, str], data: bytes) -> Any:
    """The JSON of an answer."""
    return orjson.loads(zstd.decompress(data) if headers.get("content-encoding") == "zstd" else data)


class BaseReplica(Replica):
    """Asks for what changed since its cursor, and writes with the rev that it has."""

    def __init__(
        self,
        column: WithBase,
        device: Connection,
        number: int,
        *,
        copies: dict[str, Document],
        revs: dict[str, str],
        cursor: str,
    ) -> None:
        super().__init__(number, copies)
        self._column = column
        self._device = device
        self._revs = revs
        self._cursor = cursor

    async def refresh(self) -> bool:
        found = await self._column.ask(self._device, "GET", f"/hashes?since={self._cursor}&states=1")
        tasks = found.get("tasks", {})
        rest = [identity for identity in found["hashes"] if identity not in tasks]
        if rest:  # what did not come along is asked for, as clients do
            page = await self._column.ask(self._device, "GET", f"/tasks?ids={','.join(rest)}")
            tasks = {**tasks, **page["tasks"]}
        if len(tasks) != len(found["hashes"]):
            raise RuntimeError("not all that changed came")
        self._cursor = found["cursor"]
        before = dict(self._revs)
        for identity, row in tasks.items():
            self._take(identity, row)
        return (found["more"] and await self.refresh()) or before != self._revs

    def _take(self, identity: str, row: dict[str, Any]) -> None:
        self._revs[identity] = row["rev"]
        if "server_state" in row:  # or it is what was sent
            self.copies[identity] = row["server_state"]

    async def write(self, identity: str) -> None:
        value = {"client_state": self.copies[identity], "base": self._revs[identity]}
        self._take(identity, await self._column.ask(self._device, "POST", f"/task/{identity}", orjson.dumps(value)))

    def close(self) -> None:
        self._device.close()


class BatchReplica(BaseReplica):
    """Sends all that it edited in one request."""

    async def edit(self, turn: int) -> None:
        for body in self.copies.values():
            edited(body, self.field, turn)
        tasks = {i: {"client_state": body, "base": self._revs[i]} for i, body in self.copies.items()}
        answer = await self._column.ask(self._device, "POST", "/tasks", orjson.dumps({"tasks": tasks}))
        for identity, row in answer["tasks"].items():
            self._take(identity, row)


class VersionOne(WithBase):
    """A client that knows nothing but v1.0: the map, and one request a document."""

    name = "Hypertask, v1.0 client"
    means = "the same server and the same durability; requests of the v1.0 protocol alone, a token for each device"
    works = ("w6", "w5")
    ways = ("v1.0 token",)

    def single(self, body: Document) -> Request:
        return "POST", f"/task/{body['id']}", orjson.dumps({"client_state": body})

    async def replica(self, way: str, number: int, ids: list[str]) -> Replica:
        access = self.access if number == 0 else await self.another()
        device = Connection(access.url, access.token)
        await device.open()
        replica = VersionOneReplica(self, device, number, {identity: {"id": identity} for identity in ids})
        await replica.learn()
        return replica


class VersionOneReplica(Replica):
    """The loop of docs/protocol.md."""

    def __init__(self, column: VersionOne, device: Connection, number: int, copies: dict[str, Document]) -> None:
        super().__init__(number, copies)
        self._column = column
        self._device = device

    async def learn(self) -> None:
        """`null` is what a device says of a document that it does not have."""
        for identity in self.copies:
            await self._post(identity, None)

    async def refresh(self) -> bool:
        hashes = await self._column.ask(self._device, "GET", "/hashes")
        other = [i for i, body in self.copies.items() if content_hash(body) != hashes[i]]
        for identity in other:
            await self._post(identity, self.copies[identity])
        return bool(other)

    async def write(self, identity: str) -> None:
        await self._post(identity, self.copies[identity])

    async def _post(self, identity: str, state: Document | None) -> None:
        body = orjson.dumps({"client_state": state})
        answer = await self._column.ask(self._device, "POST", f"/task/{identity}", body)
        self.copies[identity] = answer["server_state"]

    def close(self) -> None:
        self._device.close()


class Hypertask:
    """The server, and the bare stack on the same MongoDB process."""

    name = "hypertask"

    def __init__(self) -> None:
        self._instance: Instance | None = None
        self._bare = Bare()

    def start(self, folder: Path) -> None:
        self._folder = folder
        instance = Instance(folder / "data")
        try:
            self._instance = instance.start()
        except (AssertionError, OSError) as error:
            raise NotHereError(str(error)) from error
        self._bare.start(folder, instance)

    def columns(self, scale: Scale) -> Sequence[Column]:
        assert self._instance is not None
        return [
            WithBase(scale, self._instance),
            VersionOne(scale, self._instance),
            ClientColumn(scale, self._instance, self._folder / "devices"),
            DaemonColumn(scale, self._instance, self._folder / "devices"),
            *bare_columns(scale, self._bare),
        ]

    def stop(self) -> None:
        self._bare.stop()
        if self._instance is not None:
            instance, self._instance = self._instance, None
            instance.stop()
