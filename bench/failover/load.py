"""Writers over many connections, and the proof afterwards that nothing that was acknowledged is missing."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bench.documents import document, names
from bench.load import Connection

AGAIN_SECONDS = 0.1
"""A client that got no answer, or one that is to be repeated, waits so long."""


@dataclass
class Outcome:
    """What the writers saw."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    """Of each document: the turn of the last edit that was acknowledged."""
    at: list[float] = field(default_factory=list)
    """When edits were acknowledged, by the monotonic clock."""
    longest_edit: float = 0.0
    """Seconds, from the first attempt until it was acknowledged."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Attempts that were to be repeated, by status, or "dropped"."""
    missing: list[str] = field(default_factory=list)

    @property
    def longest_gap(self) -> float:
        """Seconds in which no connection had an edit acknowledged."""
        return max((after - before for before, after in pairwise(sorted(self.at))), default=0.0)


class Writer:
    """One connection, which writes new documents and edits of one document of its own in turn."""

    def __init__(self, url: str, token: str, outcome: Outcome) -> None:
        self._url, self._token = url, token
        self._outcome = outcome
        [self._own] = names(1)
        self._connection: Connection | None = None
        self._turn = 0
        self._rev = "0"

    async def write(self) -> None:
        """Returns when it is acknowledged, however often that takes."""
        self._turn += 1
        edits = self._turn % 2 == 0
        identity = self._own if edits else names(1)[0]
        state = {**document(identity), "turn": self._turn}
        body = json.dumps({"client_state": state, "base": self._rev if edits else "0"}).encode()
        began = time.monotonic()
        while (answer := await self._answer(f"/task/{identity}", body)) is None:
            await asyncio.sleep(AGAIN_SECONDS)
        ended = time.monotonic()
        if edits:
            self._rev = answer["rev"]
        self._outcome.acknowledged[identity] = self._turn
        self._outcome.at.append(ended)
        self._outcome.longest_edit = max(self._outcome.longest_edit, ended - began)

    async def _answer(self, path: str, body: bytes) -> dict[str, Any] | None:
        try:
            if self._connection is None:
                connection = Connection(self._url, self._token)
                await connection.open()
                self._connection = connection
            status, data = await self._connection.request("POST", path, body)
        except (OSError, asyncio.IncompleteReadError):
            self._outcome.repeated["dropped"] += 1
            self.close()
            return None
        if status == 200:
            found: dict[str, Any] = json.loads(data)
            return found
        assert status == 503, f"{status} {data[:300]!r}"
        self._outcome.repeated["503"] += 1
        return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def under_load(
    url: str, tokens: Sequence[str], connections: int, happen: Callable[[Outcome], Awaitable[None]]
) -> Outcome:
    """Writes all the time while `happen` runs, and then reads everything. `tokens`: of devices, whose spaces the
    connections share out."""
    outcome = Outcome()
    stopping = asyncio.Event()
    writers = [Writer(url, tokens[number % len(tokens)], outcome) for number in range(connections)]

    async def write(writer: Writer) -> None:
        try:
            while not stopping.is_set():
                await writer.write()
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(write(writer))
        await happen(outcome)
        stopping.set()
    turns: dict[str, int] = {}
    for token in tokens:
        turns |= await stored(url, token)
    outcome.missing = missing(outcome.acknowledged, turns)
    return outcome


def missing(acknowledged: Mapping[str, int], turns: Mapping[str, int]) -> list[str]:
    """What was acknowledged and is not among the turns that documents have."""
    return [
        f"{identity}: turn {turn} was acknowledged, {turns.get(identity)} is stored"
        for identity, turn in acknowledged.items()
        if turns.get(identity, 0) < turn
    ]


async def until_written(outcome: Outcome, count: int) -> None:
    """Until so many edits more are acknowledged."""
    wanted = len(outcome.at) + count
    while len(outcome.at) < wanted:
        await asyncio.sleep(AGAIN_SECONDS)


async def stored(url: str, token: str) -> dict[str, int]:
    """The turn that each document of the space has."""
    connection = Connection(url, token)
    await connection.open()
    turns: dict[str, int] = {}
    after: str | None = ""
    while after is not None:
        status, data = await connection.request("GET", f"/tasks?limit=1000&after={after}")
        assert status == 200, data[:300]
        page = json.loads(data)
        turns |= {identity: row["server_state"]["turn"] for identity, row in page["tasks"].items()}
        after = page["after"]
    connection.close()
    return turns
