"""PocketBase under its own `pocketbase serve`: records of a collection in SQLite."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from bench.documents import Document
from bench.load import Connection, Request
from bench.work import install
from bench.work.columns import Column, Scale
from bench.work.contention import Replica
from bench.work.processes import Program, free_port, ran
from bench.work.wire import Arrival, WireColumn

JSON = {"content-type": "application/json"}
PAGE = 1000
"""The most that it gives at once."""
TEXTS = ("description", "status", "entry", "modified", "project", "priority")
ADMINISTRATOR = "bench@example.com"
WHOLE, OWN = "PATCH of the record", "PATCH of the own field"


def collection(name: str, devices: int) -> dict[str, Any]:
    """Tasks, each field a column, that everybody may read and write; `updated` says when."""
    texts = [*TEXTS, *(f"device{number}" for number in range(devices))]
    identity = {"name": "id", "type": "text", "min": 1, "max": 40, "pattern": "^[a-z0-9]+$"}
    return {
        "name": name,
        "type": "base",
        **dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), ""),
        "fields": [
            {**identity, "autogeneratePattern": "[a-z0-9]{15}"},
            *({"name": text, "type": "text"} for text in texts),
            {"name": "tags", "type": "json"},
            {"name": "turn", "type": "number"},
            {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
        ],
        "indexes": [f"CREATE INDEX idx_{name} ON {name} (updated)"],
    }


class PocketBaseColumn(WireColumn):
    name = "PocketBase"
    means = (
        "raw HTTP to PocketBase 0.40 on SQLite (write-ahead log, synced as it sets it), without authentication, "
        "batches of 500 in one transaction each (it allows none by default), its log off; devices ask for what is "
        "newer than the newest that they have; a removal would not be seen by that"
    )
    ways = (WHOLE, OWN)

    def __init__(self, scale: Scale, url: str, administrator: dict[str, str]) -> None:
        super().__init__(scale)
        self._url = url
        self._administrator = administrator

    async def begin(self) -> None:
        name = f"b{uuid.uuid4().hex[:12]}"
        self.path = f"/api/collections/{name}/records"
        self._topic = f"{name}/*"
        administrator = Connection(self._url, headers=self._administrator)
        await administrator.open()
        await self.ask(administrator, "POST", "/api/collections", collection(name, self.scale.devices))
        administrator.close()

    def address(self) -> tuple[str, dict[str, str]]:
        return self._url, JSON

    async def ask(self, device: Connection, method: str, path: str, value: Any = None) -> Any:
        """JSON of a good answer."""
        body = b"" if value is None else orjson.dumps(value)
        status, data = await device.request(method, path, body)
        if status not in (200, 204):
            raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
        return orjson.loads(data) if data else None

    def batched(self, bodies: list[Document]) -> Request:
        requests = [{"method": "POST", "url": self.path, "body": body} for body in bodies]
        return "POST", "/api/batch", orjson.dumps({"requests": requests})

    def single(self, body: Document) -> Request:
        return "POST", self.path, orjson.dumps(body)

    async def rows(self, device: Connection, query: str) -> list[Document]:
        """All pages."""
        rows: list[Document] = []
        while True:
            path = f"{self.path}?perPage={PAGE}&page={len(rows) // PAGE + 1}&skipTotal=1&sort=@rowid{query}"
            page = (await self.ask(device, "GET", path))["items"]
            rows += page
            if len(page) < PAGE:
                return rows

    async def since(self, device: Connection, mark: str, how: str = ">") -> list[Document]:
        """What is newer than a time that it said."""
        query = quote(f"updated{how}'{mark}'")
        return await self.rows(device, f"&filter=({query})")

    async def pull(self, device: Connection) -> int:
        return len(await self.rows(device, ""))

    async def agree(self, device: Connection) -> Any:
        newest = await self.ask(device, "GET", f"{self.path}?perPage=1&skipTotal=1&sort=-updated&fields=updated")
        return newest["items"][0]["updated"]

    async def check(self, device: Connection, mark: Any) -> None:
        if await self.since(device, mark):
            raise RuntimeError("not agreed")

    async def revisions(self, device: Connection, bodies: list[Document]) -> dict[str, Any]:
        return {}  # a writer names none

    async def changes(self, device: Connection, mark: Any) -> set[str]:
        return {row["id"] for row in await self.since(device, mark)}

    async def write(self, device: Connection, bodies: list[Document], revisions: dict[str, Any]) -> None:
        requests = [{"method": "PATCH", "url": f"{self.path}/{body['id']}", "body": body} for body in bodies]
        answers = await self.ask(device, "POST", "/api/batch", {"requests": requests})
        if any(answer["status"] != 200 for answer in answers):
            raise RuntimeError("a document was refused")

    async def listen(self, device: Connection) -> Arrival:
        stream = await device.stream("/api/realtime")
        await stream.readuntil(b'"clientId":"')
        client = (await stream.readuntil(b'"'))[:-1].decode()
        other = await self.opened()
        await self.ask(other, "POST", "/api/realtime", {"clientId": client, "subscriptions": [self._topic]})
        other.close()

        async def arrival(identity: str) -> None:
            await stream.readuntil(f'"{identity}"'.encode())

        return arrival

    async def replica(self, way: str, number: int, ids: list[str]) -> Replica:
        device = await self.opened()
        rows = await self.rows(device, "")
        return PocketBaseReplica(self, device, number, way=way, copies={row["id"]: row for row in rows})

    async def truth(self, ids: list[str]) -> dict[str, Document]:
        device = await self.opened()
        rows = await self.rows(device, "")
        device.close()
        return {row["id"]: row for row in rows}


class PocketBaseReplica(Replica):
    """Takes what changed before each round, then writes its own edits one by one."""

    def __init__(
        self, column: PocketBaseColumn, device: Connection, number: int, *, way: str, copies: dict[str, Document]
    ) -> None:
        super().__init__(number, copies)
        self._column = column
        self._device = device
        self._way = way
        self._mark = max(row["updated"] for row in copies.values())

    async def refresh(self) -> bool:
        # Of one millisecond there may be more to come: it is asked for again.
        rows = await self._column.since(self._device, self._mark, ">=")
        new = [row for row in rows if row != self.copies.get(row["id"])]
        self.copies.update({row["id"]: row for row in new})
        self._mark = max([self._mark, *(row["updated"] for row in rows)])
        return bool(new)

    async def write(self, identity: str) -> None:
        mine = self.copies[identity]
        value = {self.field: mine[self.field]} if self._way == OWN else mine
        self.copies[identity] = await self._column.ask(
            self._device, "PATCH", f"{self._column.path}/{identity}", value
        )

    def close(self) -> None:
        self._device.close()


class PocketBase:
    name = "pocketbase"

    def __init__(self) -> None:
        self._program: Program | None = None

    def start(self, folder: Path) -> None:
        program = str(install.of_python("pocketbase") / "pocketbase")
        options = ["--dir", str(folder / "pb_data")]
        password = secrets.token_hex(16)
        ran([program, "superuser", "upsert", ADMINISTRATOR, password, *options], folder)
        port = free_port()
        command = [program, "serve", "--http", f"127.0.0.1:{port}", *options]
        self._program = Program(command, folder, folder / "pocketbase.log")
        self._program.wait_for(port, "/api/health")
        self._url = f"http://127.0.0.1:{port}"
        self._administrator = asyncio.run(self._settings(password))

    async def _settings(self, password: str) -> dict[str, str]:
        """Allows batches, and logs nothing; the headers of its administrator."""
        device = Connection(self._url, headers=JSON)
        await device.open()
        path = "/api/collections/_superusers/auth-with-password"
        body = orjson.dumps({"identity": ADMINISTRATOR, "password": password})
        status, data = await device.request("POST", path, body)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {data[:300]!r}")
        device.close()
        headers = {**JSON, "authorization": orjson.loads(data)["token"]}
        device = Connection(self._url, headers=headers)
        await device.open()
        settings = {"batch": {"enabled": True, "maxRequests": 1000, "timeout": 60}, "logs": {"maxDays": 0}}
        status, data = await device.request("PATCH", "/api/settings", orjson.dumps(settings))
        if status != 200:
            raise RuntimeError(f"/api/settings: {status} {data[:300]!r}")
        device.close()
        return headers

    def columns(self, scale: Scale) -> Sequence[Column]:
        return [PocketBaseColumn(scale, self._url, self._administrator)]

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()
