"""What the stack costs without a sync server: MongoDB through motor, and two small Starlette applications."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pymongo import InsertOne

from bench.documents import Document, document, names
from bench.load import Request
from bench.work.columns import Column, Figures, Scale, quantiles
from bench.work.processes import Program
from bench.work.wire import WireColumn
from shared.adapters.mongodb import Mongo
from tests.instance import ROOT, Instance

BATCH = 500


class Bare:
    """The two applications, and the MongoDB that the measured server uses."""

    instance: Instance

    def __init__(self) -> None:
        self._programs: list[Program] = []
        self.urls: dict[str, str] = {}

    def start(self, folder: Path, instance: Instance) -> None:
        self.instance = instance
        environment = {
            "BENCH_MONGO_URL": instance.connection["mongo_url"],
            "BENCH_MONGO_DATABASE": instance.connection["mongo_database"],
            "PYTHONPATH": str(ROOT),
        }
        for name, factory in (("echo", []), ("writer", ["--factory"])):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                port, number = listener.getsockname()[1], listener.fileno()
                options = f"--loop uvloop --http httptools --no-access-log --log-level warning --fd {number}"
                program = Program(
                    [sys.executable, "-m", "uvicorn", f"bench.work.stack:{name}", *factory, *options.split()],
                    ROOT,
                    folder / f"{name}.log",
                    environment=environment,
                    descriptors=(number,),
                )
            self._programs.append(program)
            self.urls[name] = f"http://127.0.0.1:{port}"
            program.wait_for(port)

    def stop(self) -> None:
        for program in self._programs:
            program.stop()
        self._programs.clear()


class Motor(Column):
    """No HTTP, no server."""

    works = ("w1", "w6")

    name = "motor"
    means = "bare: documents straight into MongoDB from this process, on a majority and journaled; nothing is decided"

    def __init__(self, scale: Scale, bare: Bare) -> None:
        super().__init__(scale)
        self._bare = bare

    async def begin(self) -> None:
        self._mongo = Mongo(self._bare.instance.settings)

    async def end(self) -> None:
        self._mongo.close()

    async def w1(self) -> Figures:
        """`insert_many`, then `bulk_write`: 500 at a time by two tasks."""
        collection = self._mongo.database["bench"]
        found = {}
        for name in ("w1_batched", "w1_bulk"):
            rows = [{"_id": identity, "body": document(identity)} for identity in names(self.scale.documents)]

            async def insert(part: list[dict[str, Any]], bulk: bool = name == "w1_bulk") -> None:
                for first in range(0, len(part), BATCH):
                    chunk = part[first : first + BATCH]
                    if bulk:
                        await collection.bulk_write([InsertOne(row) for row in chunk], ordered=False)
                    else:
                        await collection.insert_many(chunk, ordered=False)

            middle = len(rows) // 2
            start = time.perf_counter()
            await asyncio.gather(insert(rows[:middle]), insert(rows[middle:]))
            found[name] = len(rows) / (time.perf_counter() - start)
        return found

    async def w6(self) -> Figures:
        """`insert_one`, one at a time and in 32 tasks."""
        collection = self._mongo.database["bench"]
        taken: list[float] = []

        async def insert(count: int) -> None:
            for identity in names(count):
                row = {"_id": identity, "body": document(identity)}
                start = time.perf_counter()
                await collection.insert_one(row)
                taken.append(time.perf_counter() - start)

        await insert(max(self.scale.singles // 10, 1))
        alone = list(taken)
        start = time.perf_counter()
        count = max(self.scale.singles // 32, 1)
        await asyncio.gather(*(insert(count) for _ in range(32)))
        return {**quantiles("w6", alone), "w6_rate": 32 * count / (time.perf_counter() - start)}


class Application(WireColumn):
    """A Starlette application under uvicorn, as the measured API."""

    works = ("w6",)

    def __init__(self, scale: Scale, bare: Bare, which: str) -> None:
        super().__init__(scale)
        self._bare = bare
        self._which = which
        self.name, self.means = {
            "echo": ("Starlette echo", "bare: sends back what it got; stores nothing"),
            "writer": (
                "Starlette + motor",
                "bare: one insert_one a request, one by one, on a majority and journaled; nothing is decided",
            ),
        }[which]

    def address(self) -> tuple[str, dict[str, str]]:
        return self._bare.urls[self._which], {}

    def single(self, body: Document) -> Request:
        return "POST", f"/task/{body['id']}", orjson.dumps({"client_state": body})


def bare_columns(scale: Scale, bare: Bare) -> Sequence[Column]:
    return [Motor(scale, bare), Application(scale, bare, "writer"), Application(scale, bare, "echo")]
