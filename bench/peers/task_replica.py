"""TaskChampion's library as a client of its own sync server for one machine; as driver.mjs: a JSON command a line.

Runs in the environment of `taskchampion.txt`. A replica is a folder with a database, a document a task whose
properties are texts; the server is a folder too, so that nothing is sent.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from taskchampion import Operations, Replica, TaskData  # type: ignore[import-not-found]

Document = dict[str, Any]


def named(identity: str) -> str:
    """Tasks have UUIDs."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, identity))


def properties(body: Document) -> Iterator[tuple[str, str]]:
    """Of a task, tags as it has them."""
    for name, value in body.items():
        if name == "tags":
            yield from ((f"tag_{tag}", "x") for tag in value)
        elif name != "id":
            yield name, str(value)


class Driver:
    """The replicas of one space."""

    def begin(self, *, folder: str, url: str) -> None:
        """`url`: the folder of the server."""
        self._folder = folder
        self._server = url
        self._here = self._opened("here")
        self._there = self._opened("there")

    def push(self, *, documents: list[Document]) -> Document:
        self._put(self._here, documents)
        return self._timed(lambda: self._sync(self._here))

    def pull(self) -> Document:
        return {**self._timed(lambda: self._sync(self._there)), "value": len(self._there.all_task_uuids())}

    def agreed(self, *, times: int) -> Document:
        self._sync(self._here)
        return {"ms": statistics.median(self._timed(lambda: self._sync(self._here))["ms"] for _ in range(times))}

    def changes(self, *, mine: list[str], theirs: list[str], turn: int) -> Document:
        for replica in (self._there, self._here):
            self._sync(replica)
        self._edit(self._there, theirs, turn)
        self._sync(self._there)
        self._edit(self._here, mine, turn)
        found = self._timed(lambda: self._sync(self._here))
        if self._task(self._here, theirs[0]).get("turn") != str(turn):
            raise RuntimeError("the changes did not arrive")
        return found

    def contend(self, *, ids: list[str], devices: int, rounds: int, patience: float) -> Document:
        """The devices take turns: a replica waits for the disk and lets nobody else run."""
        replicas = [self._opened(f"contend{number}") for number in range(devices)]
        for replica in replicas:
            self._sync(replica)
        made = [0] * devices
        began = time.perf_counter()
        for turn in range(rounds):
            for number, replica in enumerate(replicas):
                if time.perf_counter() - began < patience:
                    self._append(replica, ids, f"device{number}", turn)
                    self._sync(replica)
                    made[number] += 1
        seconds = time.perf_counter() - began
        for _ in range(2):
            for replica in replicas:
                self._sync(replica)
        fields = [f"device{number}" for number in range(devices)]
        copies = [self._copies(replica, ids, fields) for replica in replicas]
        fresh = self._opened("truth")
        self._sync(fresh)
        found = {field: (made[number], copies[number]) for number, field in enumerate(fields)}
        return {"seconds": seconds, "devices": found, "truth": self._copies(fresh, ids, fields)}

    def _opened(self, name: str) -> Replica:
        return Replica.new_on_disk(f"{self._folder}/{name}", True)

    def _sync(self, replica: Replica) -> None:
        replica.sync_to_local(self._server, False)

    def _timed(self, work: Callable[[], None]) -> Document:
        start = time.perf_counter()
        work()
        return {"ms": (time.perf_counter() - start) * 1e3}

    def _put(self, replica: Replica, documents: list[Document]) -> None:
        operations = Operations()
        for body in documents:
            task = TaskData.create(named(body["id"]), operations)
            for name, value in properties(body):
                task.update(name, value, operations)
        replica.commit_operations(operations)

    def _edit(self, replica: Replica, ids: list[str], turn: int) -> None:
        operations = Operations()
        for identity in ids:
            task = self._task(replica, identity)
            task.update("status", f"done {turn}", operations)
            task.update("turn", str(turn), operations)
        replica.commit_operations(operations)

    def _append(self, replica: Replica, ids: list[str], field: str, turn: int) -> None:
        operations = Operations()
        for identity in ids:
            task = self._task(replica, identity)
            task.update(field, f"{task.get(field) or ''} {turn}".strip(), operations)
        replica.commit_operations(operations)

    def _task(self, replica: Replica, identity: str) -> TaskData:
        task = replica.get_task_data(named(identity))
        if task is None:
            raise RuntimeError(f"{identity} is not there")
        return task

    def _copies(self, replica: Replica, ids: list[str], fields: list[str]) -> dict[str, Document]:
        """What of them is compared."""
        tasks = {identity: self._task(replica, identity) for identity in ids}
        return {
            identity: {"id": identity, **{field: task.get(field) or "" for field in fields}}
            for identity, task in tasks.items()
        }


def main() -> None:
    driver = Driver()
    for line in sys.stdin:
        options = json.loads(line)
        try:
            answer = {"ok": getattr(driver, options.pop("command"))(**options)}
        except Exception as error:  # noqa: BLE001 - it is told to who asked
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
