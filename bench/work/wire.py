"""The work over plain HTTP, the same for every server: a column says what its requests are."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import orjson

from bench.documents import Document, changed, document, names
from bench.load import Connection, Request, Result, run
from bench.processes import children_cpu_seconds
from bench.work.columns import Column, Figures, quantiles
from bench.work.contention import Replica, contend

MADE_BEFORE = 20_000
"""Up to so many documents the requests of a push are made before the clock starts."""
CROWD = 500
"""W6: connections."""
OTHERS = 5
"""W2: devices that pull after the first one; medians are taken over them."""
WARM_SECONDS = 0.2
Arrival = Callable[[str], Awaitable[None]]
"""Returns when the document of that id has been heard of."""


def servers_cpu() -> float:
    """Seconds so far, of all that this process has started."""
    return children_cpu_seconds(os.getpid())


def cpu_since(before: float, documents: int) -> float:
    """Microseconds of the servers a document."""
    return max(servers_cpu() - before, 0.0) / documents * 1e6


class WireColumn(Column):
    """Load comes from one process over keep-alive connections; bytes are those of heads and bodies, both ways."""

    batch = 500
    """Documents in a batched write."""
    most_connections = 1000
    """That the system takes at a time."""
    ways: Sequence[str] = ()
    """W5: how a device writes."""
    ids: list[str]
    turn = 0

    # What a column says.

    def address(self) -> tuple[str, dict[str, str]]:
        """URL, and the headers of every request, of one device."""
        raise NotImplementedError

    def accepts(self, status: int, answer: bytes) -> bool:
        """False: the request is to be repeated."""
        if status in (200, 201):
            return True
        raise RuntimeError(f"{status} {answer[:300]!r}")

    def batched(self, bodies: list[Document]) -> Request:
        """New documents."""
        raise NotImplementedError

    def single(self, body: Document) -> Request:
        """One new document."""
        raise NotImplementedError

    async def pull(self, device: Connection) -> int:
        """All of it; how many there were."""
        raise NotImplementedError

    async def agree(self, device: Connection) -> Any:
        """What a device remembers that has all of it."""
        raise NotImplementedError

    async def check(self, device: Connection, mark: Any) -> None:
        """An agreed sync."""
        raise NotImplementedError

    async def revisions(self, device: Connection, bodies: list[Document]) -> dict[str, Any]:
        """What a writer over them must name."""
        raise NotImplementedError

    async def changes(self, device: Connection, mark: Any) -> set[str]:
        """Ids that changed since; the bodies have come too."""
        raise NotImplementedError

    async def write(self, device: Connection, bodies: list[Document], revisions: dict[str, Any]) -> None:
        """Edits of documents that exist."""
        raise NotImplementedError

    async def listen(self, device: Connection) -> Arrival:
        """As devices hear of changes."""
        raise NotImplementedError

    async def replica(self, way: str, number: int, ids: list[str]) -> Replica:
        """A device of W5 that has all of these."""
        raise NotImplementedError

    async def truth(self, ids: list[str]) -> dict[str, Document]:
        """What the server has."""
        raise NotImplementedError

    # The works.

    async def opened(self) -> Connection:
        """Another device of the space."""
        url, headers = self.address()
        device = Connection(url, headers=headers)
        await device.open()
        return device

    async def send(
        self, requests: Callable[[], Iterator[Request]], connections: int, seconds: float | None = None
    ) -> Result:
        """As `bench.load.run`."""
        url, headers = self.address()
        return await run(url, "", requests, connections, headers=headers, seconds=seconds, accepts=self.accepts)

    async def w1(self) -> Figures:
        self.ids = names(self.scale.documents)
        before = servers_cpu()
        taken = await self.push(self.ids)
        return {"w1_batched": len(self.ids) / taken, "w1_cpu": cpu_since(before, len(self.ids))}

    async def push(self, ids: list[str]) -> float:
        """Seconds."""

        def requests() -> Iterator[Request]:
            for first in range(0, len(ids), self.batch):
                yield self.batched([document(identity) for identity in ids[first : first + self.batch]])

        if len(ids) <= MADE_BEFORE:
            made = list(requests())
            return (await self.send(lambda: iter(made), 2)).seconds
        return (await self.send(requests, 2)).seconds

    async def w2(self) -> Figures:
        """By one device, then by others, one after the other."""
        self._warm_up()
        first = await self._one_pull()
        others = [await self._one_pull() for _ in range(OTHERS)]
        again = {name: statistics.median(pulled[name] for pulled in others) for name in first}
        return {
            "w2": first["rate"],
            "w2_cpu": first["cpu"],
            "w2_again": again["rate"],
            "w2_again_cpu": again["cpu"],
            "w2_requests": again["requests"],
            "w2_bytes": again["bytes"],
        }

    def _warm_up(self) -> None:
        """After a pause the first documents that a program reads take twice as long as later ones: that is no matter
        of the server's."""
        sample = orjson.dumps([document(identity) for identity in self.ids[:1000]])
        until = time.perf_counter() + WARM_SECONDS
        while time.perf_counter() < until:
            orjson.loads(sample)

    async def _one_pull(self) -> Figures:
        device = await self.opened()
        before, start = servers_cpu(), time.perf_counter()
        found = await self.pull(device)
        taken = time.perf_counter() - start
        device.close()
        if found != len(self.ids):
            raise RuntimeError(f"{found} documents of {len(self.ids)} came")
        return {
            "rate": found / taken,
            "cpu": cpu_since(before, found),
            "requests": device.requests,
            "bytes": device.bytes / found,
        }

    async def w3(self) -> Figures:
        device = await self.opened()
        mark = await self.agree(device)
        device.requests = device.bytes = 0
        taken = []
        for _ in range(self.scale.checks):
            start = time.perf_counter()
            await self.check(device, mark)
            taken.append(time.perf_counter() - start)
        device.close()
        times = self.scale.checks
        return {
            "w3_ms": quantiles("x", taken)["x_p50"],
            "w3_requests": device.requests / times,
            "w3_bytes": device.bytes / times,
        }

    async def w4(self) -> Figures:
        """The other device's changes are there first."""
        device, other = await self.opened(), await self.opened()
        step = max(len(self.ids) // (2 * self.scale.changes), 2)
        mine, theirs = (
            [document(identity) for identity in self.ids[first::step][: self.scale.changes]] for first in (0, 1)
        )
        self.turn += 1
        mark = await self.agree(device)
        revisions = await self.revisions(device, mine)
        others = await self.revisions(other, theirs)
        await self.write(other, [changed(body, self.turn) for body in theirs], others)
        device.requests = device.bytes = 0
        start = time.perf_counter()
        heard = await self.changes(device, mark)
        await self.write(device, [changed(body, self.turn) for body in mine], revisions)
        taken = time.perf_counter() - start
        device.close()
        other.close()
        if heard != {body["id"] for body in theirs}:
            raise RuntimeError(f"{len(heard)} changes came, not those {len(theirs)} of the other device")
        return {"w4_ms": taken * 1e3, "w4_requests": device.requests, "w4_bytes": device.bytes}

    async def w6(self) -> Figures:
        await self.begin()

        def singles(count: int) -> Callable[[], Iterator[Request]]:
            made = [self.single(document(identity)) for identity in names(count)]
            return lambda: iter(made)

        one = await self.send(singles(max(self.scale.singles // 10, 1)), 1, self.scale.seconds)
        before = servers_cpu()
        many = await self.send(singles(self.scale.singles), 32, self.scale.seconds)
        cpu = cpu_since(before, len(many.latencies))
        figures = {**quantiles("w6", one.latencies), "w6_rate": many.per_second, "w6_cpu": cpu}
        if self.most_connections < CROWD:
            return figures
        crowd = await self.send(singles(self.scale.crowded), CROWD, self.scale.seconds)
        return {**figures, "w6_crowd": crowd.per_second, "w6_worst": crowd.latencies[-1] * 1e3}

    async def w7(self) -> Figures:
        """A negative difference - it was there before the acknowledgement - counts as such."""
        listener, device = await self.opened(), await self.opened()
        arrival = await self.listen(listener)
        delays = []
        for identity in names(self.scale.checks):

            async def arrived(sought: str = identity) -> float:
                await arrival(sought)
                return time.perf_counter()

            waiting = asyncio.create_task(arrived())
            await asyncio.sleep(0)
            method, path, body = self.single(document(identity))
            status, answer = await device.request(method, path, body)
            acknowledged = time.perf_counter()
            if status >= 300:
                raise RuntimeError(f"{status} {answer[:200]!r}")
            delays.append(await asyncio.wait_for(waiting, 10) - acknowledged)
        listener.close()
        device.close()
        return quantiles("w7", delays)

    async def w5(self) -> Figures:
        found: Figures = {}
        for way in self.ways:
            await self.begin()
            ids = names(self.scale.contended)
            await self.push(ids)
            replicas = [await self.replica(way, number, ids) for number in range(self.scale.devices)]
            found |= await contend(way, replicas, partial(self.truth, ids), self.scale)
        return found
