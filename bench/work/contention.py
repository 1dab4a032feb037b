"""W5: some devices edit the same documents at the same time, each a field of its own; how many edits are lost?

Judged the same way everywhere. An edit appends its round's number to the text in the device's own field of its own
copy of a document. When all is over, an edit is lost if its number is not in that field of the server's document. A
copy is stale if, after devices have synced until nothing comes any more, it is not what the server has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bench.documents import Document
from bench.work.columns import Figures, Scale

SETTLE = 5
"""Rounds without edits, at the end."""


class Replica:
    """One device: its copies, and how it brings an edit to the server."""

    def __init__(self, number: int, copies: dict[str, Document]) -> None:
        self.field = f"device{number}"
        self.copies = copies
        self.rounds = 0

    async def refresh(self) -> bool:
        """Takes what is new; False if nothing was."""
        raise NotImplementedError

    async def edit(self, turn: int) -> None:
        """Edits all of its copies and brings that to the server: one by one, unless its system knows better."""
        for identity in self.copies:
            edited(self.copies[identity], self.field, turn)
            await self.write(identity)

    async def write(self, identity: str) -> None:
        """Brings its copy's edit to the server, and takes what is answered."""
        raise NotImplementedError

    def close(self) -> None: ...


def edited(body: Document, field: str, turn: int) -> None:
    """In place."""
    body[field] = f"{body.get(field, '')} {turn}".strip()


async def contend(
    way: str, replicas: Sequence[Replica], truth: Callable[[], Awaitable[dict[str, Document]]], scale: Scale
) -> Figures:
    """Each device goes through its rounds and waits for no other."""
    start = time.perf_counter()

    async def work(replica: Replica) -> None:
        for turn in range(scale.rounds):
            if time.perf_counter() - start > scale.patience:
                return
            await replica.refresh()
            await replica.edit(turn)
            replica.rounds += 1

    async with asyncio.TaskGroup() as group:
        for replica in replicas:
            group.create_task(work(replica))
    taken = time.perf_counter() - start
    for _ in range(SETTLE):
        if not any([await replica.refresh() for replica in replicas]):
            break
    found = judged(way, await truth(), {r.field: (r.rounds, r.copies) for r in replicas}, taken)
    for replica in replicas:
        replica.close()
    return found


def judged(
    way: str,
    truth: dict[str, Document],
    devices: dict[str, tuple[int, dict[str, Document]]],
    seconds: float,
) -> Figures:
    """`devices`: field -> rounds that were gone through, copies at the end."""
    made = lost = stale = 0
    for field, (rounds, copies) in devices.items():
        for identity, copy in copies.items():
            kept: Any = truth[identity].get(field, "")
            made += rounds
            lost += len({str(turn) for turn in range(rounds)} - set(kept.split()))
            stale += copy != truth[identity]
    return {
        f"w5_lost {way}": lost,
        f"w5_made {way}": made,
        f"w5_stale {way}": stale,
        f"w5_rate {way}": made / seconds,
    }
