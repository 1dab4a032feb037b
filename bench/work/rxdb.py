"""rxdb-server on its memory storage, spoken to directly and by RxDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.documents import Document, document
from bench.load import Connection, Request
from bench.work import install
from bench.work.columns import Column, Scale
from bench.work.driven_client import DrivenClient
from bench.work.processes import Program, free_port
from bench.work.wire import Arrival, WireColumn

JSON = {"content-type": "application/json"}
SPACES = 12
"""Collections that the server is started with: it takes no new ones afterwards."""


class RxServer(WireColumn):
    name = "rxdb-server"
    means = (
        "raw HTTP to rxdb-server 15.22 with the express adapter and the memory storage; nothing is durable; batches "
        "of 250, as express takes 100 kB at most"
    )
    works = ("w1", "w2", "w3", "w4", "w7", "w6")
    batch = 250

    def __init__(self, scale: Scale, url: str, spaces: Iterator[str]) -> None:
        super().__init__(scale)
        self._url = url
        self._spaces = spaces

    async def begin(self) -> None:
        self._path = next(self._spaces)

    def address(self) -> tuple[str, dict[str, str]]:
        return self._url, JSON

    def accepts(self, status: int, answer: bytes) -> bool:
        if answer != b"[]":
            raise RuntimeError(f"conflicts: {status} {answer[:200]!r}")
        return super().accepts(status, answer)

    def batched(self, bodies: list[Document]) -> Request:
        rows = [{"newDocumentState": {**body, "_deleted": False}} for body in bodies]
        return "POST", f"{self._path}/push", orjson.dumps(rows)

    def single(self, body: Document) -> Request:
        return self.batched([body])

    async def _pulled(self, device: Connection, mark: dict[str, Any], limit: int) -> Any:
        path = f"{self._path}/pull?lwt={mark['lwt']}&id={mark['id']}&limit={limit}"
        status, _, data = await device.exchange("GET", path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {data[:300]!r}")
        return orjson.loads(data)

    async def _all(self, device: Connection) -> tuple[int, dict[str, Any]]:
        mark: dict[str, Any] = {"lwt": 0, "id": ""}
        count = 0
        while True:
            page = await self._pulled(device, mark, 1000)
            mark = page["checkpoint"]
            count += len(page["documents"])
            if len(page["documents"]) < 1000:
                return count, mark

    async def pull(self, device: Connection) -> int:
        return (await self._all(device))[0]

    async def agree(self, device: Connection) -> Any:
        return (await self._all(device))[1]

    async def check(self, device: Connection, mark: Any) -> None:
        if (await self._pulled(device, mark, 100))["documents"]:
            raise RuntimeError("not agreed")

    async def revisions(self, device: Connection, bodies: list[Document]) -> dict[str, Any]:
        """A writer says what it assumes to be there."""
        return {body["id"]: document(body["id"]) for body in bodies}

    async def changes(self, device: Connection, mark: Any) -> set[str]:
        page = await self._pulled(device, mark, 1000)
        return {row["id"] for row in page["documents"]}

    async def write(self, device: Connection, bodies: list[Document], revisions: dict[str, Any]) -> None:
        rows = [
            {
                "newDocumentState": {**body, "_deleted": False},
                "assumedMasterState": {**revisions[body["id"]], "_deleted": False},
            }
            for body in bodies
        ]
        status, data = await device.request("POST", f"{self._path}/push", orjson.dumps(rows))
        self.accepts(status, data)

    async def listen(self, device: Connection) -> Arrival:
        stream = await device.stream(f"{self._path}/pullStream")

        async def arrival(identity: str) -> None:
            await stream.readuntil(f'"{identity}"'.encode())

        return arrival


class RxClient(DrivenClient):
    name = "RxDB client"
    means = (
        "RxDB 15.22 on Node.js into its own memory storage, replicating with rxdb-server; nothing is durable on "
        "either side; conflicts by its default handler (the server's state wins); W7 is from the local write to the "
        "other device's store"
    )
    way = "default handler"


class RxDB:
    name = "rxdb"

    def __init__(self) -> None:
        self._program: Program | None = None

    def start(self, folder: Path) -> None:
        self._node = install.node()
        self._folder = folder
        port = free_port()
        command = ["node", str(self._node / "rxdb_server.mjs"), str(port), str(SPACES)]
        self._program = Program(command, folder, folder / "rxdb-server.log")
        self._program.wait_for(port)
        self._url = f"http://127.0.0.1:{port}"

    def columns(self, scale: Scale) -> Sequence[Column]:
        spaces = iter([f"/tasks{number}/0" for number in range(SPACES)])
        command = ["node", str(self._node / "rxdb.mjs")]
        client = RxClient(scale, self._folder / "devices", command, lambda: self._url + next(spaces))
        return [RxServer(scale, self._url, spaces), client]

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()
