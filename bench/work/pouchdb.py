"""pouchdb-server on LevelDB, spoken to directly and by PouchDB."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.documents import Document
from bench.load import Connection, Request
from bench.work import install
from bench.work.columns import Column, NotHereError, Scale
from bench.work.driven_client import DrivenClient
from bench.work.processes import Program, free_port
from bench.work.wire import Arrival, WireColumn

JSON = {"content-type": "application/json"}


class Server:
    """Databases of one server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def database(self) -> str:
        """Path of an empty one."""
        name = f"/b{uuid.uuid4().hex}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("PUT", name)
        answer = connection.getresponse()
        if answer.status != 201:
            raise NotHereError(f"PUT {name}: {answer.status} {answer.read()[:200]!r}")
        connection.close()
        return name


class PouchServer(WireColumn):
    name = "pouchdb-server"
    means = (
        "raw HTTP to pouchdb-server 4.2 on LevelDB with its defaults; a write is handed to the operating system when "
        "it is acknowledged, not synced to the disk (a crash of the process loses nothing, a power cut may)"
    )
    works = ("w1", "w2", "w3", "w4", "w7", "w6")

    def __init__(self, scale: Scale, server: Server) -> None:
        super().__init__(scale)
        self._server = server

    async def begin(self) -> None:
        self._path = self._server.database()

    def address(self) -> tuple[str, dict[str, str]]:
        return self._server.url, JSON

    async def _ask(self, device: Connection, method: str, path: str, value: Any = None) -> Any:
        body = b"" if value is None else orjson.dumps(value)
        status, _, data = await device.exchange(method, f"{self._path}{path}", body)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
        return orjson.loads(data)

    def batched(self, bodies: list[Document]) -> Request:
        return "POST", f"{self._path}/_bulk_docs", orjson.dumps({"docs": [_stored(body) for body in bodies]})

    def single(self, body: Document) -> Request:
        return "PUT", f"{self._path}/{body['id']}", orjson.dumps(_stored(body))

    async def pull(self, device: Connection) -> int:
        return len((await self._ask(device, "GET", "/_all_docs?include_docs=true"))["rows"])

    async def agree(self, device: Connection) -> Any:
        return (await self._ask(device, "GET", ""))["update_seq"]

    async def check(self, device: Connection, mark: Any) -> None:
        if (await self._ask(device, "GET", f"/_changes?since={mark}"))["results"]:
            raise RuntimeError("not agreed")

    async def revisions(self, device: Connection, bodies: list[Document]) -> dict[str, Any]:
        found = await self._ask(device, "POST", "/_all_docs", {"keys": [body["id"] for body in bodies]})
        return {row["id"]: row["value"]["rev"] for row in found["rows"]}

    async def changes(self, device: Connection, mark: Any) -> set[str]:
        found = await self._ask(device, "GET", f"/_changes?since={mark}&include_docs=true")
        return {row["id"] for row in found["results"]}

    async def write(self, device: Connection, bodies: list[Document], revisions: dict[str, Any]) -> None:
        docs = [{**_stored(body), "_rev": revisions[body["id"]]} for body in bodies]
        if any("error" in row for row in await self._ask(device, "POST", "/_bulk_docs", {"docs": docs})):
            raise RuntimeError("a document was refused")

    async def listen(self, device: Connection) -> Arrival:
        stream = await device.stream(f"{self._path}/_changes?feed=continuous&since=now&heartbeat=10000")

        async def arrival(identity: str) -> None:
            await stream.readuntil(f'"{identity}"'.encode())

        return arrival


def _stored(body: Document) -> Document:
    return {"_id": body["id"], **{name: value for name, value in body.items() if name != "id"}}


class PouchClient(DrivenClient):
    name = "PouchDB client"
    means = (
        "PouchDB 9 on Node.js into its own LevelDB, replicating with pouchdb-server; conflicts as it decides (one "
        "revision wins, the others stay hidden beside it and the application is meant to merge them); W7 is from the "
        "local write to the other device's store"
    )
    way = "default winner"


class PouchDB:
    name = "pouchdb"

    def __init__(self) -> None:
        self._program: Program | None = None

    def start(self, folder: Path) -> None:
        self._node = install.node()
        self._folder = folder
        data = folder / "pouchdb"
        data.mkdir()
        port = free_port()
        program = self._node / "node_modules" / "pouchdb-server" / "bin" / "pouchdb-server"
        options = [
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            str(data),
            "--config",
            str(data / "config.json"),
        ]
        self._program = Program(["node", str(program), *options], data, folder / "pouchdb-server.log")
        self._program.wait_for(port, "/")
        self._server = Server(port)

    def empty(self) -> str:
        """The address of another empty database."""
        return self._server.url + self._server.database()

    def columns(self, scale: Scale) -> Sequence[Column]:
        command = ["node", str(self._node / "pouchdb.mjs")]
        client = PouchClient(scale, self._folder / "devices", command, self.empty)
        return [PouchServer(scale, self._server), client]

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()
