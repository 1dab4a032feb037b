"""A Redis with a replica, and three sentinels that watch both; all have passwords."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from program import REDIS, find
from redis import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from bench.failover.programs import Running, Together, free_ports

MASTER = "tasks"
PASSWORD = "of-redis"
SENTINEL_PASSWORD = "of-the-sentinels"
PATIENCE_SECONDS = 60.0


class Sentinels(Together):
    """Use as a context."""

    def __init__(self, folder: Path, down_after_seconds: float) -> None:
        """`down_after_seconds`: after so long without an answer sentinels take a server for dead."""
        self._folder = folder
        self._down_after_ms = int(down_after_seconds * 1000)
        program = find(REDIS, print)
        self.version = program.version
        self._path = program.path
        self._ports, self._sentinel_ports = free_ports(2), free_ports(3)
        self._servers: dict[int, Running] = {}
        self._sentinels: dict[int, Running] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that is to use them; the password of the sentinels is in a file. No server is at the URL."""
        return {
            "HYPERTASK_REDIS_URL": f"redis://:{PASSWORD}@nowhere.invalid/0",
            "HYPERTASK_REDIS_SENTINELS": ",".join(f"127.0.0.1:{port}" for port in self._sentinel_ports),
            "HYPERTASK_REDIS_MASTER": MASTER,
            "HYPERTASK_REDIS_SENTINEL_PASSWORD_FILE": str(self._folder / "sentinel-password"),
        }

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "sentinel-password").write_text(f"{SENTINEL_PASSWORD}\n")
        first, second = self._ports
        common = [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", 'save ""', "repl-diskless-sync-delay 0"]
        for port in self._ports:
            follows = [f"replicaof 127.0.0.1 {first}"] if port == second else []
            self._servers[port] = self._program(port, [*common, *follows])
        watched = [
            f"sentinel monitor {MASTER} 127.0.0.1 {first} 2",
            f"sentinel auth-pass {MASTER} {PASSWORD}",
            f"sentinel down-after-milliseconds {MASTER} {self._down_after_ms}",
            f"sentinel failover-timeout {MASTER} {max(2000, 4 * self._down_after_ms)}",
            f"requirepass {SENTINEL_PASSWORD}",
            f"sentinel sentinel-pass {SENTINEL_PASSWORD}",
        ]
        for port in self._sentinel_ports:
            self._sentinels[port] = self._program(port, watched, "--sentinel")
        for server in self._servers.values():
            server.start()
        self._until(self._replica_follows)  # sentinels that begin earlier hear of it ten seconds later
        for sentinel in self._sentinels.values():
            sentinel.start()
        self.until_all_follow()

    def _program(self, port: int, lines: list[str], *arguments: str) -> Running:
        folder = self._folder / f"redis-{port}"
        folder.mkdir()
        configuration = folder / "redis.conf"
        configuration.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {folder}", *lines, ""]))
        return Running([self._path, configuration, *arguments], folder / "log")

    def _end(self) -> None:
        for one in (*self._sentinels.values(), *self._servers.values()):
            one.kill()

    def kill_first(self) -> None:
        """The master, with SIGKILL."""
        [master] = self._masters()
        self._servers[master].kill()

    def start_again(self) -> None:
        """What was killed, empty. Returns when it follows the new master."""
        for server in self._servers.values():
            if not server.runs:
                server.start()
        self.until_all_follow()

    def until_all_follow(self) -> None:
        """The master has its replica, and each sentinel knows both and the other sentinels."""
        self._until(lambda: self._replica_follows() and self._sentinels_agree())

    def _until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(ConnectionError, TimeoutError, ResponseError):
                if is_so():
                    return
            assert time.monotonic() < deadline, self._told()
            time.sleep(0.02)

    def _told(self) -> dict[int, str]:
        return {port: one.log()[-500:] for port, one in {**self._servers, **self._sentinels}.items()}

    def _replica_follows(self) -> bool:
        masters = self._masters()
        if len(masters) != 1:
            return False
        with Redis(port=masters[0], password=PASSWORD, socket_timeout=2) as master:
            replica = master.info("replication").get("slave0", {})
        return bool(replica.get("state") == "online")

    def _sentinels_agree(self) -> bool:
        [master] = self._masters()
        for port in self._sentinel_ports:
            with Redis(port=port, password=SENTINEL_PASSWORD, socket_timeout=2) as sentinel:
                [state] = sentinel.sentinel_masters().values()
                replicas = [one["port"] for one in sentinel.sentinel_slaves(MASTER) if one["flags"] == "slave"]
            if state["port"] != master or state["num-other-sentinels"] != 2 or replicas != self._others(master):
                return False
        return True

    def _others(self, port: int) -> list[int]:
        return [other for other in self._ports if other != port]

    def _masters(self) -> list[int]:
        found = []
        for port, server in self._servers.items():
            if server.runs:
                with (
                    suppress(ConnectionError, TimeoutError),
                    Redis(port=port, password=PASSWORD, socket_timeout=2) as one,
                ):
                    if one.info("replication")["role"] == "master":
                        found.append(port)
        return found
