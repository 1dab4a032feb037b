"""Many client processes write to the same documents, through two API processes and two workers: no edit is lost.

Sixteen that write to documents of their own too, while a reader follows them by sequence numbers; and eight that
never wait, each with a field of its own in the same documents: 50 of them, 20 rounds, 8,000 edits, with --soak.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import SequenceNumber, SpaceId
from tests.chaos.load import Load, Report
from tests.instance import ROOT, Instance
from tests.patience import PATIENCE_SECONDS, STORE_TIMEOUT_SECONDS

CLIENTS = 16
HURRIED = 8

# Each client is a process. It never waits for the others: it posts what it has, edited, and takes the answer.
CLIENT = textwrap.dedent(
    """
    import asyncio, json, sys
    from bench.load import Connection

    async def main(url, token, number, rounds, documents):
        connection = Connection(url, token)
        await connection.open()
        mine = {f"doc{i}": {"id": f"doc{i}"} for i in range(documents)}
        lost = 0
        for turn in range(rounds):
            for identity, body in mine.items():
                body[f"field{number}"] = f"value {turn} of client {number}"
                sent = json.dumps({"client_state": body}).encode()
                status, answer = await connection.request("POST", f"/task/{identity}", sent)
                assert status == 200, (status, answer)
                state = json.loads(answer)["server_state"]
                lost += state.get(f"field{number}") != body[f"field{number}"]
                mine[identity] = state
        connection.close()
        print(lost)

    url, token, *numbers = sys.argv[1:]
    asyncio.run(main(url, token, *map(int, numbers)))
    """
)


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
        self.sequence = SequenceNumber(0)
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


@pytest.mark.parametrize(
    ("documents", "edits"),
    [(10, 15), pytest.param(20, 40, marks=pytest.mark.soak), pytest.param(50, 60, marks=pytest.mark.soak)],
)
def test_sixteen_processes_lose_nothing(
    instance: Instance, tmp_path: Path, record_property: Callable[[str, object], None], documents: int, edits: int
) -> None:
    """`Load.finish` has the proof: no sequence number twice and none that is nowhere, every acknowledged write
    in MongoDB, everybody's last value in every shared document, all clients and the server equal at the end."""

    async def run(load: Load) -> tuple[Report, Follower]:
        async with opened(instance.settings) as mongo:
            follower = Follower(MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS), load.space)
            following = asyncio.create_task(follower.follow())
            report = await asyncio.to_thread(load.finish)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await follower.look()
            return report, follower

    load = Load(instance, tmp_path, clients=CLIENTS, shared=documents, own=3, edits=edits)
    with load:
        report, follower = asyncio.run(run(load))

    assert report.failures == []
    assert report.edits == CLIENTS * edits
    shared = [body for document, body in report.held.bodies.items() if document.startswith("shared-")]
    assert len(shared) == documents
    assert sum(len(body) - 1 for body in shared) > documents * CLIENTS / 3  # they did meet each other there
    # No write lay behind a sequence number that the follower had already passed.
    assert follower.hashes == report.held.hash_map
    assert follower.sequence == report.held.sequence
    # How often it looks is a matter of the machine, too, and shows in the long runs.
    assert follower.steps > (20 if report.edits >= 640 else 2), "it did not follow while they wrote"
    record_property("longest request", round(report.longest(), 2))
    print(f"{report.edits} edits, {report.held.sequence} revisions, longest request {report.longest():.2f} s")


@pytest.mark.parametrize(("documents", "rounds"), [(20, 2), pytest.param(50, 20, marks=pytest.mark.soak)])
def test_eight_that_never_wait_lose_nothing(instance: Instance, tmp_path: Path, documents: int, rounds: int) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    first = instance.access(name="client 0")
    others = [instance.access(space=first.space, name=f"client {n}") for n in range(1, HURRIED)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), access.url, access.token, str(n), str(rounds), str(documents)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )
        for n, access in enumerate([first, *others])
    ]
    lost = [int(process.communicate(timeout=5 * PATIENCE_SECONDS)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * HURRIED
    assert lost == [0] * HURRIED, "an answer lacked the edit that it answered"
    for i in range(documents):
        body = httpx.get(f"{first.url}/task/doc{i}", headers=first.headers).raise_for_status().json()
        wanted = {f"field{n}": f"value {rounds - 1} of client {n}" for n in range(HURRIED)}
        assert body == {"id": f"doc{i}", **wanted}, json.dumps(body)
