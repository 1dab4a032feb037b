"""A replica set of several mongods, as its own configuration has it by default: an election begins ten seconds after
the primary was heard of last."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from program import MONGOD, find
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from bench.failover.programs import Running, Together, free_ports

NAME = "rs0"
PATIENCE_SECONDS = 120.0


class Mongods(Together):
    """Use as a context."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        self._ports = free_ports(count)
        program = find(MONGOD, print)
        self.version = program.version
        self._members: dict[int, Running] = {}
        for port in self._ports:
            data = folder / f"mongod-{port}"
            data.mkdir(parents=True)
            settings: dict[str, Any] = {
                "dbpath": data,
                "bind_ip": "127.0.0.1",
                "port": port,
                "replSet": NAME,
                "wiredTigerCacheSizeGB": 0.25,
                "oplogSize": 256,
                "slowms": 2**31 - 1,
            }
            self._members[port] = Running(
                [
                    *(program.path, "--nounixsocket", "--quiet"),
                    *(word for name, value in settings.items() for word in (f"--{name}", str(value))),
                    *("--setParameter", "transactionLifetimeLimitSeconds=2"),
                    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                ],
                folder / f"mongod-{port}.log",
            )

    @property
    def url(self) -> str:
        """Names all members."""
        return f"mongodb://{','.join(f'127.0.0.1:{port}' for port in self._ports)}/?replicaSet={NAME}"

    @property
    def pids(self) -> list[int]:
        return [member.pid for member in self._members.values()]

    def _start(self) -> None:
        for member in self._members.values():
            member.start()
        members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(self._ports)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self._client(self._ports[0]) as client:
                    client.admin.command("replSetInitiate", {"_id": NAME, "members": members})
                break
            except (ConnectionFailure, OperationFailure):
                assert time.monotonic() < deadline, self._members[self._ports[0]].log()[-2000:]
                time.sleep(0.1)
        self.until_all_follow()

    def _end(self) -> None:
        for member in self._members.values():
            member.kill()

    def kill_first(self) -> None:
        """The primary, with SIGKILL."""
        self._members[self._states()["PRIMARY"][0]].kill()

    def start_again(self) -> None:
        """What was killed. Returns when it follows."""
        for member in self._members.values():
            if not member.runs:
                member.start()
        self.until_all_follow()

    def until_all_follow(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            states = self._states()
            if len(states.get("PRIMARY", ())) == 1 and len(states.get("SECONDARY", ())) == len(self._ports) - 1:
                return
            assert time.monotonic() < deadline, f"the members are {states}"
            time.sleep(0.1)

    def _states(self) -> dict[str, list[int]]:
        """Ports by what each member says of itself."""
        states: dict[str, list[int]] = {}
        for port, member in self._members.items():
            if member.runs:
                try:
                    with self._client(port) as client:
                        hello = client.admin.command("hello")
                except ConnectionFailure:
                    continue
                state = "PRIMARY" if hello["isWritablePrimary"] else "SECONDARY" if hello.get("secondary") else "-"
                states.setdefault(state, []).append(port)
        return states

    def _client(self, port: int) -> MongoClient[dict[str, Any]]:
        return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000)
