"""Bounds of what is under way in a process, for a space and for all of them: bytes of requests and answers, and how
much of what is large."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Final

from api.errors import RATE_LIMITED, ProblemError
from api.http.connection import LASTING, Connection
from api.limits.pace import Pace
from shared.core.access.limits import RateState
from shared.core.documents import SpaceId
from shared.ports import OverloadedError

_CLOSE: Final = {"connection": "close"}
HOLDING: Final = "hypertask.holding"
"""Where a request's Holding is in its scope."""
NOBODY: Final = SpaceId("")
"""The space of requests that carry no token that is known."""
RETRY_SECONDS: Final = 2
MOST_WAITING: Final = 64
_WAIT_SECONDS: Final = 10.0
LARGE_BODIES: Final = 16
"""At a time in one process, of more than 256 KiB."""
LARGE_BODIES_OF_SPACE: Final = 4
LARGE_ANSWERS: Final = 4
"""At a time in one process: pages, histories, comparisons, exports."""
LARGE_ANSWERS_OF_SPACE: Final = 2
LARGE_ANSWERS_BESIDE_OTHERS: Final = 1
LARGE_ANSWER_SECONDS: Final = 2.0
"""So long one counts among them, however slowly it is read: making it is what takes the processor."""
BODIES_ARRIVING: Final = 64
DECISIONS_OF_SHARE: Final = 8
"""At a time in one process, of a token that opens many spaces ..."""
DECISIONS_BESIDE_OTHERS: Final = 1
"""... and while others ask for something: each takes a turn of a worker that would be another space's."""
IMPORTS: Final = 2
"""At a time in one process, one of a space."""
_MAX_REST_SECONDS: Final = 1.0


class ByteBudget:
    """Bytes that are held at the moment. `name`: what holds them, "bodies" or "answers"."""

    def __init__(self, most: int, most_of_space: int, name: str = "bodies", *, first_always: bool = False) -> None:
        """`first_always`: one that is alone in its space is taken, however large."""
        self._name = name
        self._first_always = first_always
        self._most = most
        self._most_of_space = most_of_space
        self._held: dict[SpaceId, int] = {}
        self.held = 0

    def take(self, space: SpaceId, size: int) -> None:
        """429 if the space has its share, OverloadedError if all together have what there is."""
        mine = self._held.get(space, 0)
        if mine + size > self._most_of_space and (mine or not self._first_always):
            detail = (
                f"The {self._name} of a space's requests may hold {self._most_of_space} bytes at a time "
                f"(HYPERTASK_SPACE_{self._name.upper()}_BYTES). Send fewer requests at a time."
            )
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(RETRY_SECONDS), **_CLOSE})
        if self.held + size > self._most and (self.held or not self._first_always):
            setting = f"HYPERTASK_{self._name.upper()}_BYTES"
            raise OverloadedError(f"the {self._name} of all requests hold too many bytes ({setting})")
        self._held[space] = mine + size
        self.held += size

    def give_back(self, space: SpaceId, size: int) -> None:
        self.held -= size
        if (left := self._held.get(space, 0) - size) > 0:
            self._held[space] = left
        else:
            self._held.pop(space, None)


class ArrivingBody:
    """Bodies of which a part has come and more is to come: so many of a space at a time."""

    def __init__(self, most: int = BODIES_ARRIVING) -> None:
        self._most = most
        self._counts: Counter[SpaceId] = Counter()

    def enter(self, space: SpaceId) -> None:
        """429 if there are too many."""
        if self._counts[space] >= self._most:
            detail = f"{self._most} bodies of a space's requests may arrive at a time."
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(RETRY_SECONDS), **_CLOSE})
        self._counts[space] += 1

    def leave(self, space: SpaceId) -> None:
        self._counts[space] -= 1
        if not self._counts[space]:
            del self._counts[space]


class Gate:
    """So many large answers, or bodies, at a time, and so many of one space. Others wait; spaces take turns."""

    def __init__(
        self,
        pace: Pace,
        most: int,
        most_of_space: int,
        *,
        beside_others: int | None = None,
        most_seconds: float | None = None,
    ) -> None:
        """`beside_others`: how many of a space while others ask for something, if that is fewer. `most_seconds`: how
        long each counts at most."""
        self._pace = pace
        self._most = most
        self._most_of_space = most_of_space
        self._beside_others = most_of_space if beside_others is None else beside_others
        self._most_seconds = most_seconds
        self._inside: Counter[SpaceId] = Counter()
        self._waiting: dict[SpaceId, deque[asyncio.Future[None]]] = {}

    async def enter(self, space: SpaceId) -> None:
        """429 if too many of the space wait, UnavailableError if it takes too long."""
        if not self._waiting.get(space) and self._may_enter(space):
            self._inside[space] += 1
            return
        queue = self._waiting.setdefault(space, deque())
        if len(queue) >= MOST_WAITING:
            detail = f"{MOST_WAITING} requests with large bodies or answers of a space may wait for their turn."
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(RETRY_SECONDS)})
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave(space)  # it had come just then
            elif turn in queue:
                queue.remove(turn)
            if isinstance(error, TimeoutError):
                raise OverloadedError("too many large bodies or answers are under way") from None
            raise

    def leave(self, space: SpaceId) -> None:
        """Whoever entered; the next one enters."""
        self._inside[space] -= 1
        if not self._inside[space]:
            del self._inside[space]
        for other in list(self._waiting):
            queue = self._waiting[other]
            while queue and queue[0].done():
                queue.popleft()
            if queue and self._may_enter(other):
                self._inside[other] += 1
                queue.popleft().set_result(None)
                self._waiting[other] = self._waiting.pop(other)  # the last one whose turn comes then
            if not self._waiting[other]:
                del self._waiting[other]

    def leave_after(self, space: SpaceId, began: float) -> None:
        """As `leave`; while others ask for something, only after as much time again as it took: half of the time is
        theirs."""
        if self._pace.is_alone(space):
            self.leave(space)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(min(loop.time() - began, _MAX_REST_SECONDS), self.leave, space)

    def leaving(self, space: SpaceId) -> Callable[[], None]:
        """What ends a turn that has just come: `leave_after`, once. It ends by itself after `most_seconds`."""
        loop = asyncio.get_running_loop()
        began, has_left = loop.time(), False
        timer: asyncio.TimerHandle | None = None

        def leave() -> None:
            nonlocal has_left
            if not has_left:
                has_left = True
                if timer is not None:
                    timer.cancel()
                self.leave_after(space, began)

        if self._most_seconds is not None:
            timer = loop.call_later(self._most_seconds, leave)
        return leave

    def _may_enter(self, space: SpaceId) -> bool:
        most = self._most_of_space if self._pace.is_alone(space) else self._beside_others
        return self._inside.total() < self._most and self._inside[space] < most


class Holding:
    """What one request holds, until it is answered."""

    def __init__(self, connection: Connection = LASTING) -> None:
        self._connection = connection
        self.space = NOBODY
        """Whose request it is, once that is known."""
        self.rates: list[RateState] = []
        """What the request found of the rates that it was counted for, where little is left."""
        self._returns: list[Callable[[], None]] = []

    def take(self, budget: ByteBudget, space: SpaceId, size: int) -> None:
        """As `ByteBudget.take`."""
        budget.take(space, size)
        self._returns.append(partial(budget.give_back, space, size))

    async def enter(self, gate: Gate, space: SpaceId) -> None:
        """As `Gate.enter`. ProblemError if there is nobody any more when the turn has come."""
        await gate.enter(space)
        self._returns.append(gate.leaving(space))
        self._connection.check()

    def end(self) -> None:
        """Gives all of it back."""
        while self._returns:
            self._returns.pop()()
