"""Sixteen client processes write to the same documents and to their own, through two API processes and two
workers; and a reader follows them by sequence numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import Sequence, SpaceId
from tests.chaos.load import Load, Report
from tests.instance import Instance

CLIENTS = 16
SHARED = 50
EDITS = 60


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("writers") / "data", api=2, workers=2)
    yield instance.start()
    instance.discard()


class Follower:
    """Knows the space from what changed since it last asked, and from nothing else."""

    def __init__(self, store: MongoDocumentStore, space: str) -> None:
        self._store = store
        self._space = SpaceId(space)
        self._epoch = ""
        self.sequence = Sequence(0)
        self.hashes: dict[str, str] = {}
        self.steps = 0

    async def look(self) -> None:
        changes = await self._store.changes(self._space, self.sequence)
        position = changes.position
        assert self._epoch in ("", position.epoch)
        assert position.sequence >= self.sequence
        assert bool(changes.hashes) == (position.sequence > self.sequence)
        for document, hash_ in changes.hashes.items():
            if hash_ is None:
                self.hashes.pop(document, None)
            else:
                self.hashes[document] = hash_
        self._epoch, self.sequence = position.epoch, position.sequence
        self.steps += bool(changes.hashes)

    async def follow(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.005)


def test_sixteen_processes_lose_nothing(
    instance: Instance, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """`Load.finish` has the proof: no sequence number twice and none that is nowhere, every acknowledged write
    in MongoDB, everybody's last value in every shared document, all clients and the server equal at the end."""

    async def run(load: Load) -> tuple[Report, Follower]:
        async with opened(instance.settings) as mongo:
            follower = Follower(MongoDocumentStore(mongo, give_up_after_seconds=10), load.space)
            following = asyncio.create_task(follower.follow())
            report = await asyncio.to_thread(load.finish)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await follower.look()
            return report, follower

    load = Load(instance, tmp_path, clients=CLIENTS, shared=SHARED, own=3, edits=EDITS)
    with load:
        report, follower = asyncio.run(run(load))

    assert report.failures == []
    assert report.edits == CLIENTS * EDITS
    shared = [body for document, body in report.held.bodies.items() if document.startswith("shared-")]
    assert len(shared) == SHARED
    assert sum(len(body) - 1 for body in shared) > SHARED * CLIENTS / 3  # they did meet each other there
    # No write lay behind a sequence number that the follower had already passed.
    assert follower.hashes == report.held.hash_map
    assert follower.sequence == report.held.sequence
    assert follower.steps > 20
    record_property("longest request", round(report.longest(), 2))
    print(f"{report.edits} edits, {report.held.sequence} revisions, longest request {report.longest():.2f} s")
