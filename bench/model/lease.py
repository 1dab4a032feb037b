"""Lease, fence and inbox of one space (docs/decisions/0007-fenced-writers.md).

One device writes 1, 2, 3 ... into a document, each after the one before was acknowledged, and says no base: so a
write that is stored once more after a later one sets the old value back. Workers take what waits, store it in a
transaction and answer. Any of this may come late: a worker may stand still between any two steps.

    Redis      inbox, lease, clock, and the last number that was given to a lease
    MongoDB    the value, and the fence of the last transaction
    a worker   idle; or it holds (or believes to hold) a lease with a number, and has taken some writes, and has
               stored them or not

Left out: batches of several devices, merges, the queue of jobs (any idle worker may take a free lease at any time).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum


class Weakness(Enum):
    """A precaution that is left out."""

    NO_FENCE = "a transaction does not look at the fence"
    TAKE_UNASKED = "a worker takes what waits without asking whether the lease is its own still"
    ANSWER_FIRST = "a worker answers before it has stored"
    LEASE_ASKED_FIRST = "a worker asks whether it holds the lease before it stores, instead of a fence"
    CLOCK_ALONE = "the number of a lease is the time, whatever number was given before"
    TOKEN_IGNORED = "of two leases with the same number both may write"


class Fault(Enum):
    """Of Redis; leases also end by themselves, and workers are killed."""

    EMPTIED = "Redis is emptied"
    SET_BACK = "the clock of Redis is set back"


@dataclass(frozen=True)
class Worker:
    number: int = 0
    """Of its lease."""
    token: int = 0
    """0: it is idle."""
    taken: tuple[int, ...] = ()
    stored: bool = False
    asked: bool = False
    """It has asked for its lease, and held it then."""


IDLE = Worker()


@dataclass(frozen=True)
class State:
    """`faults`: how many may still happen."""

    faults: int
    workers: tuple[Worker, ...]
    inbox: tuple[int, ...] = ()
    lease: int = 0
    """The token of whoever holds it; 0: nobody."""
    clock: int = 10
    last: int = 0
    """The last number that was given; 0: none, or Redis was emptied."""
    tokens: int = 0
    """Leases that there were."""
    value: int = 0
    fence: tuple[int, int] = (0, 0)
    """Number and token."""
    written: int = 0
    """The device's last write ..."""
    acknowledged: int = 0
    """... and the last one that was acknowledged."""


@dataclass(frozen=True)
class Model:
    """`writes`: of the device. `faults`: that happen in one run. `without`: kinds of them that do not happen."""

    weakness: Weakness | None = None
    writes: int = 2
    workers: int = 2
    faults: int = 3
    without: frozenset[Fault] = frozenset()
    alike: bool = False
    """States that differ only in what a worker or a lease is called are one, which leaves fewer. Steps then name a
    worker by its place in the state before them."""

    def initial(self) -> State:
        return State(self.faults, (IDLE,) * self.workers)

    def wrong(self, state: State) -> str | None:
        if state.value < state.acknowledged:
            return f"{state.acknowledged} was acknowledged, and {state.value} is stored"
        return None

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        for name, state in self._steps(s):
            yield name, _renamed(state) if self.alike else state

    def _steps(self, s: State) -> Iterator[tuple[str, State]]:
        if s.written == s.acknowledged < self.writes:
            number = s.written + 1
            yield f"the device writes {number}", replace(s, written=number, inbox=(*s.inbox, number))
        elif s.written > s.acknowledged and s.written not in s.inbox:
            yield f"{s.written} is sent again", replace(s, inbox=(*s.inbox, s.written))
        for place, worker in enumerate(s.workers):
            yield from self._worker(s, place, worker)
        if s.faults:
            yield from self._faults(replace(s, faults=s.faults - 1))

    def _worker(self, s: State, place: int, worker: Worker) -> Iterator[tuple[str, State]]:
        name = f"worker {place}"

        def after(new: Worker, state: State = s) -> State:
            return replace(state, workers=(*s.workers[:place], new, *s.workers[place + 1 :]))

        if not worker.token:
            if not s.lease and s.inbox:
                yield f"{name} takes the lease", self._leased(s, place)
            return
        if not worker.taken:
            if s.lease != worker.token and self.weakness is not Weakness.TAKE_UNASKED:
                yield f"{name} finds that its lease has ended", after(IDLE)
            elif s.inbox:
                yield f"{name} takes {s.inbox}", after(replace(worker, taken=s.inbox))
            else:
                yield f"{name} gives the lease back", after(IDLE, self._released(s, worker))
        elif self.weakness is Weakness.ANSWER_FIRST and not worker.asked:
            answered = after(replace(worker, asked=True), self._acknowledged(s, worker))
            yield f"{name} answers {worker.taken}", answered
        elif self.weakness is Weakness.LEASE_ASKED_FIRST and not worker.asked and not worker.stored:
            held = s.lease == worker.token
            yield f"{name} asks for its lease", after(replace(worker, asked=True) if held else IDLE)
        elif not worker.stored:
            yield self._store(s, name, worker, after)
        else:
            yield f"{name} answers {worker.taken}", after(*self._answered(s, worker))

    def _leased(self, s: State, place: int) -> State:
        number = s.clock if self.weakness is Weakness.CLOCK_ALONE else max(s.clock, s.last + 1)
        token = s.tokens + 1
        workers = (*s.workers[:place], Worker(number, token), *s.workers[place + 1 :])
        clock = s.clock if self.weakness is Weakness.TOKEN_IGNORED else s.clock + 1
        last = 0 if self.weakness is Weakness.TOKEN_IGNORED else number
        return replace(s, workers=workers, lease=token, tokens=token, last=last, clock=clock)

    def _released(self, s: State, worker: Worker) -> State:
        return replace(s, lease=0) if s.lease == worker.token else s

    def _store(self, s: State, name: str, worker: Worker, after: Callable[..., State]) -> tuple[str, State]:
        number, token = s.fence
        later = number > worker.number or (number == worker.number and token != worker.token)
        if self.weakness is Weakness.TOKEN_IGNORED:
            later = number > worker.number
        if self.weakness in (Weakness.NO_FENCE, Weakness.LEASE_ASKED_FIRST):
            later = False
        if later and s.lease == worker.token:  # the clock was set back: it goes on with a later number
            return f"{name} takes a later number", after(replace(worker, number=number + 1))
        if later:
            return f"{name} meets a later fence, and gives up", after(IDLE)
        stored = replace(s, value=worker.taken[-1], fence=(max(number, worker.number), worker.token))
        return f"{name} stores {worker.taken}", after(replace(worker, stored=True), stored)

    def _answered(self, s: State, worker: Worker) -> tuple[Worker, State]:
        state = self._acknowledged(s, worker)
        if s.lease == worker.token:
            state = replace(state, inbox=_without(s.inbox, worker.taken))
        return Worker(worker.number, worker.token), state

    def _acknowledged(self, s: State, worker: Worker) -> State:
        return replace(s, acknowledged=s.written) if s.written in worker.taken else s

    def _faults(self, s: State) -> Iterator[tuple[str, State]]:
        if s.lease:
            yield "the lease ends by itself", replace(s, lease=0)
        for place, worker in enumerate(s.workers):
            if worker.token:
                workers = (*s.workers[:place], IDLE, *s.workers[place + 1 :])
                yield f"worker {place} is killed", replace(s, workers=workers)
        if Fault.EMPTIED not in self.without:
            yield Fault.EMPTIED.value, replace(s, inbox=(), lease=0, last=0)
        if Fault.SET_BACK not in self.without:
            yield Fault.SET_BACK.value, replace(s, clock=max(s.clock - 5, 1))


def _renamed(s: State) -> State:
    """The same state with other names: workers in order, and tokens counted from 1 as they come. Of tokens it only
    matters which are equal, and of workers who they are does not matter."""
    workers = sorted(
        s.workers, key=lambda worker: (worker.number, worker.taken, worker.stored, worker.asked, worker.token)
    )
    names = {0: 0}
    for token in (s.lease, s.fence[1], *(worker.token for worker in workers)):
        names.setdefault(token, len(names))
    return replace(
        s,
        workers=tuple(replace(worker, token=names[worker.token]) for worker in workers),
        lease=names[s.lease],
        fence=(s.fence[0], names[s.fence[1]]),
        tokens=len(names) - 1,
    )


def _without(inbox: tuple[int, ...], taken: tuple[int, ...]) -> tuple[int, ...]:
    """What stands in front and was taken goes, as `trim.lua` does it."""
    while inbox and inbox[0] in taken:
        inbox = inbox[1:]
    return inbox
