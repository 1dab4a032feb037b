"""The faults, each drawn by chance."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from redis import Redis

from bench.faults.hosts import Fleet
from tests.instance import Instance
from tests.integration.truth import administrator

CHILDREN = (("worker", 0), ("api", 0), ("redis", 0), ("mongod", 0))
PAUSES = (0.5, 2.0, 5.0)
"""Seconds; a lease is 1.5."""
PARTINGS = (1.0, 3.0, 8.0)
CLOCKS = (-3 * 86400.0, -3600.0, -20.0, 20.0, 3600.0, 3 * 86400.0)
ENDS = (("redis",), ("mongod",), ("redis", "mongod"), ("clients",))


@dataclass(frozen=True)
class Fault:
    kind: str
    name: str
    happen: Callable[[], object]


def empty_redis(instance: Instance) -> None:
    with closing(Redis.from_url(instance.settings.redis_url)) as redis:
        redis.flushall()


def hold_disk(instance: Instance, seconds: float) -> None:
    """mongod stores nothing for so long, as on a disk that does not answer; reads go on."""
    with administrator(instance.data, instance.settings) as mongo:
        mongo.admin.command("fsync", lock=True)
        try:
            time.sleep(seconds)
        finally:
            mongo.admin.command("fsyncUnlock")


class Backup:
    """The files of the database at one moment, to be put back later."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._copy = fleet.folder / "copy"
        self.there = False

    def make(self) -> None:
        instance = self._fleet.instance
        mongod = instance.connection["children"]["mongod"]
        os.kill(mongod, signal.SIGSTOP)
        try:
            shutil.copytree(instance.data / "mongo", self._copy, ignore=shutil.ignore_patterns("*.lock", "*.sock"))
        finally:
            os.kill(mongod, signal.SIGCONT)
        self.there = True

    def put_back(self) -> None:
        """The server is stopped meanwhile, but for the other hosts."""
        instance = self._fleet.instance
        instance.stop()
        shutil.rmtree(instance.data / "mongo")
        shutil.move(self._copy, instance.data / "mongo")
        instance.start_again()
        self.there = False


class Faults:
    """Of a fleet. `next` draws one."""

    def __init__(self, fleet: Fleet, chance: random.Random, backup: Backup | None, kinds: Collection[str]) -> None:
        """`kinds`: those that are drawn; none: all of them. `backup`: None: no copy of the database is put back."""
        self._fleet = fleet
        self._chance = chance
        self._backup = backup
        self._drawn = {
            "kill": self._kill,
            "pause": self._pause,
            "empty Redis": self._empty,
            "partition": self._part,
            "clock": self._clock,
            "slow disk": self._disk,
        }
        if backup is not None:
            self._drawn["backup"] = self._back_up
        self._kinds = [kind for kind in self._drawn if kind in kinds or not kinds]

    def next(self) -> Fault:
        kind = self._chance.choice(self._kinds)
        name, happen = self._drawn[kind]()
        return Fault(kind, name, happen)

    def _kill(self) -> tuple[str, Callable[[], object]]:
        place = self._chance.randrange(len(self._fleet.hosts) + 1)
        if place < len(self._fleet.hosts):
            host, kind = self._fleet.hosts[place], self._chance.choice(("api", "worker"))
            return f"kill {kind} of host {host.name}", partial(host.kill, kind)
        kind, index = self._chance.choice(CHILDREN)
        return f"kill {kind}", partial(self._fleet.instance.kill, kind, index)

    def _pause(self) -> tuple[str, Callable[[], object]]:
        seconds = self._chance.choice(PAUSES)
        place = self._chance.randrange(len(self._fleet.hosts) + 1)
        if place < len(self._fleet.hosts):
            host, kind = self._fleet.hosts[place], self._chance.choice(("api", "worker"))
            return f"pause {kind} of host {host.name} for {seconds:g} s", partial(host.pause, kind, seconds)
        kind, index = self._chance.choice(CHILDREN)
        return f"pause {kind} for {seconds:g} s", partial(self._fleet.instance.pause, kind, index, seconds)

    def _empty(self) -> tuple[str, Callable[[], object]]:
        return "empty Redis", partial(empty_redis, self._fleet.instance)

    def _part(self) -> tuple[str, Callable[[], object]]:
        host = self._chance.choice(self._fleet.hosts)
        ends, seconds = self._chance.choice(ENDS), self._chance.choice(PARTINGS)
        alone = self._chance.random() < 0.3
        how = "answers lost" if alone else "parted"
        name = f"host {host.name} {how} from {' and '.join(ends)} for {seconds:g} s"
        return name, partial(host.part, ends, seconds, answers_alone=alone)

    def _clock(self) -> tuple[str, Callable[[], object]]:
        host, seconds = self._chance.choice(self._fleet.hosts), self._chance.choice(CLOCKS)
        return f"clock of host {host.name} off by {seconds:g} s", partial(host.set_clock, seconds)

    def _disk(self) -> tuple[str, Callable[[], object]]:
        seconds = self._chance.choice(PAUSES)
        return f"disk of mongod held for {seconds:g} s", partial(hold_disk, self._fleet.instance, seconds)

    def _back_up(self) -> tuple[str, Callable[[], object]]:
        assert self._backup is not None
        if not self._backup.there:
            return "copy the database", self._backup.make
        return "put the copy of the database back", self._backup.put_back
