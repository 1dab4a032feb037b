"""Two devices with the same tasks, the five steps of v1.0 and nothing else; ten thousand tasks with --soak.

The devices are the independent client of tests/protocol; their requests go over plain streams, because an HTTP
library on this side would take longer than the server.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from bench.load import Connection
from bench.make_tasks import make_tasks
from client.formats.taskwarrior_fields import from_taskwarrior
from tests.instance import Access, Instance
from tests.protocol.v1_client import V1Client, content_hash, merged

Document = dict[str, Any]
EDITED = 200
CREATED = 50
CONNECTIONS = 64
SECONDS = 60
"""For all of it, with ten thousand tasks: a measurement, and therefore a long run."""


class Device(V1Client):
    """Step 4 with many requests under way at a time."""

    def __init__(self, access: Access) -> None:
        super().__init__(access.url, access.token)
        self._access = access

    def _exchange_all(self, names: list[str]) -> None:
        asyncio.run(self._exchange_together(names))

    async def _exchange_together(self, names: list[str]) -> None:
        left = iter(names)

        async def worker() -> None:
            connection = Connection(self._access.url, self._access.token)
            await connection.open()
            try:
                for name in left:
                    sent = self.documents.get(name)
                    body = json.dumps({"client_state": sent}).encode()
                    status, answer = await connection.request("POST", f"/task/{quote(name)}", body)
                    assert status == 200, answer
                    self.posts += 1
                    value = json.loads(answer)
                    assert value.keys() == {"server_state"}
                    self._apply(name, sent, value["server_state"])
            finally:
                connection.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CONNECTIONS, len(names))):
                group.create_task(worker())

    def _apply(self, name: str, sent: Document | None, correct: Document | None) -> None:
        now = merged(sent, self.documents.get(name), correct)
        if now is None:
            self.documents.pop(name, None)
        else:
            self.documents[name] = now


def imported(count: int, seed: int) -> list[Document]:
    return [from_taskwarrior(task) for task in make_tasks(count, seed)]


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_two_devices_agree(server: Instance, count: int) -> None:
    started = time.monotonic()
    here = server.access(name="desk")
    there = server.access(space=here.space, name="telephone")
    tasks = imported(count, seed=1)
    edited = [task["id"] for task in tasks[:: count // EDITED]]
    new_here, new_there = imported(CREATED, seed=2), imported(CREATED, seed=3)
    with Device(here) as desk, Device(there) as telephone:
        desk.documents = {task["id"]: task for task in tasks}
        assert desk.sync(max_rounds=2) == 2  # the second finds agreement
        assert telephone.sync(max_rounds=2) == 2
        assert telephone.documents == desk.documents
        assert desk.posts == telephone.posts == count

        wanted = dict(desk.documents)
        for identity in edited:
            desk.edit(identity, modified="2031-01-01T00:00:00Z", description=f"desk {identity}")
            telephone.edit(identity, modified="2031-01-02T00:00:00Z", seen={"on": ["telephone"]})
            wanted[identity] = desk.documents[identity] | telephone.documents[identity]
            wanted[identity]["description"] = f"desk {identity}"
        for device, documents in ((desk, new_here), (telephone, new_there)):
            for document in documents:
                device.put(document)
                wanted[document["id"]] = document
        desk.posts = telephone.posts = 0
        assert [device.sync(max_rounds=2) for device in (desk, telephone, desk)] == [2, 2, 2]
        assert desk.posts == EDITED + CREATED + EDITED + CREATED  # only what differed, each time
        assert telephone.posts == EDITED + CREATED + CREATED
        assert [device.sync(max_rounds=1) for device in (desk, telephone)] == [1, 1]

        assert len(wanted) == count + 2 * CREATED
        assert desk.documents == telephone.documents == wanted
        assert desk.hashes() == {identity: content_hash(document) for identity, document in wanted.items()}
    assert count < 10_000 or time.monotonic() - started < SECONDS
