"""A client program on Node.js (bench/peers/*.mjs): told what to do line by line, it times itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.documents import document, names
from bench.work.columns import Column, Figures, NotHereError, Scale, quantiles
from bench.work.contention import judged

LINE = 2**27


class NodeClient(Column):
    """The client's own store is its device; the server is the one of its place."""

    works = ("w1", "w2", "w3", "w4", "w7", "w5")
    way: str
    driver: str

    def __init__(self, scale: Scale, folder: Path, node: Path, space: Callable[[], str]) -> None:
        """`space`: the URL of another empty one."""
        super().__init__(scale)
        self._folder = folder
        self._node = node
        self._space = space

    async def begin(self) -> None:
        home = self._folder / uuid.uuid4().hex
        home.mkdir(parents=True)
        program = shutil.which("node")
        if program is None:
            raise NotHereError("node is not on PATH")
        with (self._folder / "driver.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program,
                str(self._node / self.driver),
                cwd=home,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE,
                start_new_session=True,
            )
        self._turn = 0
        await self._ask("begin", folder=str(home), url=await asyncio.to_thread(self._space))

    async def _ask(self, command: str, **rest: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **rest}).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            log = (self._folder / "driver.log").read_text(errors="replace")
            raise RuntimeError(f"{self.driver} ended: {log[-400:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    async def w1(self) -> Figures:
        self.ids = names(self.scale.documents)
        found = await self._ask("push", documents=[document(identity) for identity in self.ids])
        return {"w1_batched": len(self.ids) / found["ms"] * 1e3}

    async def w2(self) -> Figures:
        found = await self._ask("pull")
        count = len(self.ids)
        if found["value"] != count:
            raise RuntimeError(f"{found['value']} documents of {count} came")
        return {
            "w2": count / found["ms"] * 1e3,
            "w2_requests": found["requests"],
            "w2_bytes": found["bytes"] / count,
        }

    async def w3(self) -> Figures:
        found = await self._ask("agreed", times=min(self.scale.checks, 20))
        return {f"w3_{name}": found[name] for name in ("ms", "requests", "bytes")}

    async def w4(self) -> Figures:
        self._turn += 1
        step = max(len(self.ids) // (2 * self.scale.changes), 2)
        mine, theirs = (self.ids[first::step][: self.scale.changes] for first in (0, 1))
        found = await self._ask("changes", mine=mine, theirs=theirs, turn=self._turn)
        return {f"w4_{name}": found[name] for name in ("ms", "requests", "bytes")}

    async def w7(self) -> Figures:
        """From the end of the local write to the other device's store: both clients and the server are in it."""
        found = await self._ask("live", documents=[document(identity) for identity in names(self.scale.checks)])
        return quantiles("w7", [delay / 1e3 for delay in found["delays"]])

    async def w5(self) -> Figures:
        await self.end()
        await self.begin()
        ids = names(self.scale.contended)
        await self._ask("push", documents=[document(identity) for identity in ids])
        found = await self._ask(
            "contend",
            ids=ids,
            devices=self.scale.devices,
            rounds=self.scale.rounds,
            patience=self.scale.patience,
        )
        devices = {field: (rounds, copies) for field, (rounds, copies) in found["devices"].items()}
        return judged(self.way, found["truth"], devices, found["seconds"])
