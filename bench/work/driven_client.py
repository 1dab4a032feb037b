"""A client program of bench/peers: told what to do line by line, it times itself."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.documents import document, names
from bench.work.columns import Column, Figures, Scale, quantiles
from bench.work.contention import judged

LINE = 2**27


class DrivenClient(Column):
    """The client's own store is its device; the server is the one of its place."""

    works: Sequence[str] = ("w1", "w2", "w3", "w4", "w7", "w5")
    way: str

    def __init__(self, scale: Scale, folder: Path, command: list[str], space: Callable[[], str]) -> None:
        """`command`: what starts the program. `space`: the address of another empty one."""
        super().__init__(scale)
        self._folder = folder
        self._command = command
        self._space = space

    async def begin(self) -> None:
        home = self._folder / uuid.uuid4().hex
        home.mkdir(parents=True)
        with (self._folder / "driver.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
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
            raise RuntimeError(f"{Path(self._command[-1]).name} ended: {log[-400:]}")
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
        return {"w2": count / found["ms"] * 1e3, **self._traffic("w2", found, count)}

    async def w3(self) -> Figures:
        found = await self._ask("agreed", times=min(self.scale.checks, 20))
        return {"w3_ms": found["ms"], **self._traffic("w3", found)}

    async def w4(self) -> Figures:
        self._turn += 1
        step = max(len(self.ids) // (2 * self.scale.changes), 2)
        mine, theirs = (self.ids[first::step][: self.scale.changes] for first in (0, 1))
        found = await self._ask("changes", mine=mine, theirs=theirs, turn=self._turn)
        return {"w4_ms": found["ms"], **self._traffic("w4", found)}

    def _traffic(self, work: str, found: Mapping[str, float], documents: int = 1) -> Figures:
        """Requests, and bytes a document; nothing of a program that sends none."""
        if "requests" not in found:
            return {}
        return {f"{work}_requests": found["requests"], f"{work}_bytes": found["bytes"] / documents}

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
