"""Connections that transactions have from the driver's pool, and may keep for the next transaction.

To take one and to give it back takes the driver 150 lines of Python, while somebody waits. Whoever writes one
document after another begins his next transaction a few milliseconds after the last one. So a connection stays out
for a moment, with its checkout, by which the driver learns what becomes of it. It is used again only where the pool
would have given it out as well; else it goes back as ever.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from typing import Any, Final

from shared.adapters.mongodb.answers import AnswerReader
from shared.adapters.mongodb.primary import Primary

_KEPT_SECONDS: Final = 0.05
"""Longer than the pause between two writes of one client, as long as its lease goes on."""
_MOST: Final = 16
_PART_OF_POOL: Final = 4
"""Only one in so many of the connections that there may be is kept, and none while half of them are out: whoever
waits for one waits for those who work."""


class Checkout:
    """A connection of the pool, as long as somebody has it."""

    def __init__(self, checkout: Any, server: Any) -> None:
        """`checkout`: the driver's."""
        self._checkout = checkout
        self._pool = server.pool
        self.server = server
        self.connection: Any = checkout.__enter__()
        self.answers = AnswerReader(self.connection)
        self.since = 0.0
        """When it was kept."""
        self.process = os.getpid()
        """Whose it is."""

    def is_good(self, server: Any) -> bool:
        """Whether the pool would give it out for this server: it does not look again at one that was used a second
        ago, but that it is of this process, and that no error has ended all of its time."""
        connection = self.connection
        return (
            self.server is server
            and not connection.closed
            and not self._pool.stale_generation(connection.generation, connection.service_id)
            and self.process == os.getpid()
            and time.monotonic() - self.since < _KEPT_SECONDS
        )

    def may_be_kept(self, kept: int) -> bool:
        """Whether, beside so many others, nobody will miss it."""
        pool = self._pool
        return (
            kept < _MOST
            and _PART_OF_POOL * (kept + 1) <= pool.max_pool_size
            and 2 * pool.requests <= pool.max_pool_size
            and self.answers.is_at_rest
            and not self.connection.closed
        )

    def use_for(self, session: Any) -> None:
        """Errors from now on are met by this session."""
        self._checkout.session, self._checkout.handled = session, False

    def end(self, error: BaseException | None = None) -> None:
        """Gives it back. `error`: what it was told, or met."""
        try:
            self.answers.end()
        finally:
            self._checkout.__exit__(None if error is None else type(error), error, None)


class Connections:
    """Of one client. Used by several threads."""

    def __init__(self, client: Any, primary: Primary) -> None:
        self._client = client
        self._primary = primary
        self._kept: deque[Checkout] = deque()
        """The one that was kept last comes last."""
        self._lock = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self, session: Any, command: str) -> Checkout:
        """One to the server that takes the writes, for a session and a command of this name. Raises what the driver
        raises."""
        server = self._primary.server(session, command)
        while (kept := self._last()) is not None:
            if kept.is_good(server):
                kept.use_for(session)
                return kept
            kept.end()
        return Checkout(self._client._checkout(server, session), server)

    def give_back(self, checkout: Checkout) -> None:
        """Keeps it, or not. All that was asked on it was answered, and no session needs it any more."""
        checkout.since = time.monotonic()
        checkout.use_for(None)
        with self._lock:
            if keeps := not self._is_closed and checkout.may_be_kept(len(self._kept)):
                self._kept.append(checkout)
        if not keeps:
            checkout.end()

    def watch(self) -> None:
        """To be called in an event loop, when a transaction is over: what nobody comes back for is given back."""
        if self._kept and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._end_old)

    def close(self) -> None:
        """Gives all of them back."""
        with self._lock:
            self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._give_back_older_than(time.monotonic())

    def _end_old(self) -> None:
        self._timer = None
        self._give_back_older_than(time.monotonic() - _KEPT_SECONDS)
        self.watch()

    def _last(self) -> Checkout | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _give_back_older_than(self, moment: float) -> None:
        while True:
            with self._lock:
                if not self._kept or self._kept[0].since > moment:
                    return
                kept = self._kept.popleft()
            kept.end()
