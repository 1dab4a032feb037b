"""Kinto under its own `kinto start` (waitress), with its memory back ends or with PostgreSQL."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.documents import Document
from bench.load import Connection, Request
from bench.work import install
from bench.work.columns import Column, Scale
from bench.work.contention import Replica, edited
from bench.work.postgresql import PostgreSQL
from bench.work.processes import Program, free_port, ran
from bench.work.wire import Arrival, WireColumn

BATCH = 25
"""batch_max_requests as it comes, and as the documentation recommends for production."""
HEADERS = {"authorization": "Basic " + base64.b64encode(b"bench:bench").decode(), "content-type": "application/json"}
TRIES = 100
INI = """\
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
[app:main]
use = egg:kinto
kinto.includes = kinto.plugins.default_bucket
kinto.userid_hmac_secret = {secret}
multiauth.policies = basicauth
kinto.bucket_create_principals = system.Authenticated
kinto.experimental_permissions_endpoint = false
{back_ends}
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = ERROR
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


class KintoColumn(WireColumn):
    batch = BATCH
    most_connections = 100
    ways = ("PUT", "JSON patch", "If-Match, retried")

    def __init__(self, scale: Scale, url: str, kind: str) -> None:
        super().__init__(scale)
        self._url = url
        self.name = f"Kinto, {kind}"
        durable = "nothing is durable" if kind == "memory" else "durable when acknowledged (fsync, as initdb sets it)"
        self.means = (
            f"Kinto 26.5 under `kinto start` (waitress), {kind} back ends, basic authentication, batches of 25 (its "
            f"default), logs off; {durable}; waitress takes 100 connections at a time; it has no feed: W7 polls "
            "without a pause"
        )

    async def begin(self) -> None:
        bucket = f"b{uuid.uuid4().hex[:12]}"
        self._records = f"/v1/buckets/{bucket}/collections/tasks/records"
        device = await self.opened()
        for path in (f"/v1/buckets/{bucket}", f"/v1/buckets/{bucket}/collections/tasks"):
            await self._ask(device, "PUT", path)
        device.close()

    def address(self) -> tuple[str, dict[str, str]]:
        return self._url, HEADERS

    def accepts(self, status: int, answer: bytes) -> bool:
        """With PostgreSQL, writes at the same time are refused with 409 "please retry", in a batch too. 412: an
        earlier try of the batch has stored this one."""
        if status == 200 and answer.startswith(b'{"responses"'):
            return all(row["status"] in (200, 201, 412) for row in orjson.loads(answer)["responses"])
        return status != 409 and super().accepts(status, answer)

    async def _ask(self, device: Connection, method: str, path: str, value: Any = None, **headers: str) -> Any:
        """Headers and JSON of a good answer."""
        body = b"" if value is None else orjson.dumps(value)
        status, found, data = await device.exchange(method, path, body, **headers)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
        return found, orjson.loads(data)

    def path(self, identity: str) -> str:
        return f"{self._records}/{identity}"

    def batched(self, bodies: list[Document]) -> Request:
        value = {
            "defaults": {"method": "PUT", "headers": {"If-None-Match": "*"}},
            "requests": [{"path": self.path(body["id"])[3:], "body": {"data": body}} for body in bodies],
        }
        return "POST", "/v1/batch", orjson.dumps(value)

    def single(self, body: Document) -> Request:
        return "PUT", self.path(body["id"]), orjson.dumps({"data": body})

    async def records_of(self, device: Connection, query: str = "") -> tuple[str, list[Document]]:
        """All pages, and the collection's ETag."""
        path, rows = f"{self._records}{query}", []
        while True:
            headers, page = await self._ask(device, "GET", path)
            rows += page["data"]
            if "next-page" not in headers:
                return headers["etag"], rows
            path = headers["next-page"].removeprefix(self._url)

    async def pull(self, device: Connection) -> int:
        return len((await self.records_of(device))[1])

    async def agree(self, device: Connection) -> Any:
        headers, _ = await self._ask(device, "GET", f"{self._records}?_limit=1")
        return headers["etag"]

    async def check(self, device: Connection, mark: Any) -> None:
        status, _, _ = await device.exchange("GET", self._records, if_none_match=mark)
        if status != 304:
            raise RuntimeError(f"not agreed: {status}")

    async def revisions(self, device: Connection, bodies: list[Document]) -> dict[str, Any]:
        ids = ",".join(body["id"] for body in bodies)
        _, rows = await self.records_of(device, f"?in_id={ids}")
        return {row["id"]: row["last_modified"] for row in rows}

    async def changes(self, device: Connection, mark: Any) -> set[str]:
        _, rows = await self.records_of(device, f"?_since={_quoted(mark)}")
        return {row["id"] for row in rows}

    async def write(self, device: Connection, bodies: list[Document], revisions: dict[str, Any]) -> None:
        for first in range(0, len(bodies), BATCH):
            requests = [
                {
                    "path": self.path(body["id"])[3:],
                    "body": {"data": body},
                    "headers": {"If-Match": f'"{revisions[body["id"]]}"'},
                }
                for body in bodies[first : first + BATCH]
            ]
            value = {"defaults": {"method": "PUT"}, "requests": requests}
            _, answer = await self._ask(device, "POST", "/v1/batch", value)
            if any(row["status"] >= 300 for row in answer["responses"]):
                raise RuntimeError(f"a document was refused: {answer['responses'][0]['body']}")

    async def listen(self, device: Connection) -> Arrival:
        mark = await self.agree(device)

        async def arrival(identity: str) -> None:
            nonlocal mark
            while True:
                headers, page = await self._ask(device, "GET", f"{self._records}?_since={_quoted(mark)}")
                mark = headers["etag"]
                if any(row["id"] == identity for row in page["data"]):
                    return

        return arrival

    async def replica(self, way: str, number: int, ids: list[str]) -> Replica:
        device = await self.opened()
        mark, rows = await self.records_of(device)
        return KintoReplica(self, device, number, way=way, copies={row["id"]: row for row in rows}, mark=mark)

    async def truth(self, ids: list[str]) -> dict[str, Document]:
        device = await self.opened()
        _, rows = await self.records_of(device)
        device.close()
        return {row["id"]: row for row in rows}


def _quoted(mark: str) -> str:
    return mark.replace('"', "%22")


class KintoReplica(Replica):
    """Takes what changed before each round, then writes its own edits one by one."""

    def __init__(
        self,
        column: KintoColumn,
        device: Connection,
        number: int,
        *,
        way: str,
        copies: dict[str, Document],
        mark: str,
    ) -> None:
        super().__init__(number, copies)
        self._column = column
        self._device = device
        self._way = way
        self._mark = mark

    async def refresh(self) -> bool:
        self._mark, rows = await self._column.records_of(self._device, f"?_since={_quoted(self._mark)}")
        self.copies.update({row["id"]: row for row in rows})
        return bool(rows)

    async def write(self, identity: str) -> None:
        for _ in range(TRIES):
            status, data = await self._written(identity)
            if status != 409:
                break
        if status not in (200, 201):
            raise RuntimeError(f"{identity}: {status} {data[:300]!r}")
        self.copies[identity] = orjson.loads(data)["data"]

    async def _written(self, identity: str) -> tuple[int, bytes]:
        path, mine = self._column.path(identity), self.copies[identity]
        if self._way == "JSON patch":
            patch = [{"op": "add", "path": f"/data/{self.field}", "value": mine[self.field]}]
            kind = "application/json-patch+json"
            status, _, data = await self._device.exchange("PATCH", path, orjson.dumps(patch), content_type=kind)
        elif self._way == "PUT":
            status, _, data = await self._device.exchange("PUT", path, orjson.dumps({"data": mine}))
        else:
            status, data = await self._matched(path, mine)
        return status, data

    async def _matched(self, path: str, mine: Document) -> tuple[int, bytes]:
        """On 412 its own field goes onto what the answer says there is, and the request is repeated."""
        turn = int(mine[self.field].split()[-1])
        for _ in range(TRIES):
            match = f'"{mine["last_modified"]}"'
            body = orjson.dumps({"data": mine})
            status, _, data = await self._device.exchange("PUT", path, body, if_match=match)
            if status != 412:
                return status, data
            mine = orjson.loads(data)["details"]["existing"]
            edited(mine, self.field, turn)
        raise RuntimeError(f"{path}: refused {TRIES} times")

    def close(self) -> None:
        self._device.close()


class Kinto:
    """`memory` or `PostgreSQL`."""

    def __init__(self, kind: str) -> None:
        self.name = f"kinto-{kind.lower()}"
        self._kind = kind
        self._program: Program | None = None
        self._database: PostgreSQL | None = None

    def start(self, folder: Path) -> None:
        commands = install.of_python("kinto")
        if self._kind == "memory":
            lines = [
                f"kinto.{part}_backend = kinto.core.{part}.memory" for part in ("storage", "cache", "permission")
            ]
        else:
            self._database = PostgreSQL(folder)
            self._database.start()
            lines = []
            for part in ("storage", "cache", "permission"):
                lines.append(f"kinto.{part}_backend = kinto.core.{part}.postgresql")
                lines.append(f"kinto.{part}_url = {self._database.url}")
        ini = folder / "kinto.ini"
        ini.write_text(INI.format(secret=secrets.token_hex(32), back_ends="\n".join(lines)))
        ini.chmod(0o600)
        if self._database is not None:
            ran([str(commands / "kinto"), "migrate", "--ini", str(ini)], folder)
        port = free_port()
        command = [str(commands / "kinto"), "start", "--ini", str(ini), "--port", str(port)]
        self._program = Program(command, folder, folder / "kinto.log")
        self._program.wait_for(port, "/v1/")
        self._url = f"http://127.0.0.1:{port}"

    def columns(self, scale: Scale) -> Sequence[Column]:
        return [KintoColumn(scale, self._url, self._kind)]

    def stop(self) -> None:
        for program in (self._program, self._database):
            if program is not None:
                program.stop()
