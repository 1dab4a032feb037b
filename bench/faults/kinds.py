"""The faults, each drawn by chance."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from redis import Redis

from bench.faults.check import Lost
from bench.faults.copies import WAYS, Copies
from bench.faults.hosts import Fleet
from tests.instance import Instance
from tests.integration.truth import administrator

CHILDREN = (("worker", 0), ("api", 0), ("redis", 0), ("mongod", 0))
PAUSES = (0.5, 2.0, 5.0)
"""Seconds; a lease is 1.5."""
PARTINGS = (1.0, 3.0, 8.0)
CLOCKS = (-3 * 86400.0, -3600.0, -20.0, 20.0, 3600.0, 3 * 86400.0)
ENDS = (("redis",), ("mongod",), ("redis", "mongod"), ("clients",))


ROUND = Counter(
    {"kill": 3, "pause": 2, "empty Redis": 1, "partition": 3, "clock": 1, "slow disk": 1, "backup": 2},
)
"""How many of each kind come together in a round, in any order."""
_INSIDE = ("kill", "pause", "empty Redis", "clock")
"""What may happen during a partition."""
_INSIDE_SHARE = 0.4


@dataclass(frozen=True)
class Fault:
    """`kinds`: more than one if another one happens meanwhile."""

    kinds: tuple[str, ...]
    name: str
    happen: Callable[[], object]


Drawn = tuple[str, Callable[[], object]]


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


class Faults:
    """Of a fleet. `next` draws one. What is drawn depends on the seed alone, and how many there is time for on the
    machine."""

    def __init__(self, fleet: Fleet, chance: random.Random, kinds: Collection[str], *, backups: bool) -> None:
        """`kinds`: those that are drawn; none: all of them. `backups`: copies of the database are put back, too."""
        self._fleet = fleet
        self._chance = chance
        self._copies = Copies(fleet)
        self._draw = {
            "kill": self._kill,
            "pause": self._pause,
            "empty Redis": self._empty,
            "clock": self._clock,
            "slow disk": self._disk,
        }
        self._kinds = [kind for kind in ROUND if (kind in kinds or not kinds) and (backups or kind != "backup")]
        self._way: str | None = None
        """Of the copy that there is."""
        self._left: list[str] = []
        """Kinds of this round."""

    @property
    def lost(self) -> list[Lost]:
        """By putting copies back."""
        return self._copies.lost

    def next(self) -> Fault:
        if not self._left:
            self._left = [kind for kind in self._kinds for _ in range(ROUND[kind])]
            self._chance.shuffle(self._left)
        kind = self._left.pop()
        if kind == "partition":
            return self._part()
        if kind == "backup":
            return self._back_up()
        return Fault((kind,), *self._draw[kind]())

    def _kill(self) -> Drawn:
        place = self._chance.randrange(len(self._fleet.hosts) + 1)
        if place < len(self._fleet.hosts):
            host, kind = self._fleet.hosts[place], self._chance.choice(("api", "worker"))
            return f"kill {kind} of host {host.name}", partial(host.kill, kind)
        kind, index = self._chance.choice(CHILDREN)
        return f"kill {kind}", partial(self._fleet.instance.kill, kind, index)

    def _pause(self) -> Drawn:
        seconds = self._chance.choice(PAUSES)
        place = self._chance.randrange(len(self._fleet.hosts) + 1)
        if place < len(self._fleet.hosts):
            host, kind = self._fleet.hosts[place], self._chance.choice(("api", "worker"))
            return f"pause {kind} of host {host.name} for {seconds:g} s", partial(host.pause, kind, seconds)
        kind, index = self._chance.choice(CHILDREN)
        return f"pause {kind} for {seconds:g} s", partial(self._fleet.instance.pause, kind, index, seconds)

    def _empty(self) -> Drawn:
        return "empty Redis", partial(empty_redis, self._fleet.instance)

    def _part(self) -> Fault:
        host = self._chance.choice(self._fleet.hosts)
        ends, seconds = self._chance.choice(ENDS), self._chance.choice(PARTINGS)
        alone = self._chance.random() < 0.3
        how = "answers lost" if alone else "parted"
        name = f"host {host.name} {how} from {' and '.join(ends)} for {seconds:g} s"
        part = partial(host.part, ends, seconds, answers_alone=alone)
        inside = [kind for kind in _INSIDE if kind in self._kinds]
        if not inside or self._chance.random() >= _INSIDE_SHARE:
            return Fault(("partition",), name, part)
        kind = self._chance.choice(inside)
        meanwhile, happen = self._draw[kind]()
        return Fault(("partition", kind), f"{name}; meanwhile {meanwhile}", partial(_together, part, happen))

    def _clock(self) -> Drawn:
        host, seconds = self._chance.choice(self._fleet.hosts), self._chance.choice(CLOCKS)
        return f"clock of host {host.name} off by {seconds:g} s", partial(host.set_clock, seconds)

    def _disk(self) -> Drawn:
        seconds = self._chance.choice(PAUSES)
        return f"disk of mongod held for {seconds:g} s", partial(hold_disk, self._fleet.instance, seconds)

    def _back_up(self) -> Fault:
        way, self._way = self._way, None
        if way is None:
            self._way = way = self._chance.choice(WAYS)
            name = "copy the files of the database" if way == "files" else "back up"
            return Fault(("copy",), name, partial(self._copies.make, way))
        name = {
            "files": "put the files of the database back",
            "empty": "restore the backup into an empty database",
            "running": "restore the backup into the database in use",
        }[way]
        return Fault(("backup",), name, partial(self._copies.put_back, way))


def _together(long: Callable[[], object], short: Callable[[], object]) -> None:
    """Raises what one of them raises."""
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(long)
        short()
        running.result()
