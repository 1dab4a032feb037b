"""Where the time of a sync goes: the functions that do a kind of work, timed from outside, without what they call
that is another kind of work."""

from __future__ import annotations

import functools
import selectors
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast
from unittest.mock import patch

import client.sync.arrivals
import client.upstreams.http_channel
import client.upstreams.http_submission
from client.folder.task_folder import TaskFolder
from client.sync.state_store import SyncStateStore

_TIMED: Final = (
    (selectors.DefaultSelector, "select", "wait for the upstream"),
    (TaskFolder, "scan", "list the folder"),
    (TaskFolder, "read", "read files"),
    (TaskFolder, "stamp", "look at single files"),
    (client.sync.arrivals, "stamp_at", "look at single files"),
    (client.sync.arrivals, "write_new", "write files"),
    (client.sync.arrivals, "text_of", "write files"),
    (client.sync.arrivals, "make_durable", "sync the disk"),
    (client.sync.arrivals, "make_names_durable", "sync the disk"),
    (client.sync.arrivals, "put_new", "rename files"),
    (client.sync.arrivals, "put_over", "rename files"),
    (client.upstreams.http_channel, "compressed", "compress"),
    (client.upstreams.http_channel, "value_of", "parse answers"),
    (client.upstreams.http_submission, "content_hash", "hash"),
)
REST: Final = "everything else"


class Parts:
    """Seconds by the kind of work."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Until the end it is `part`, and not what it was before."""
        self._note()
        self._open.append(part)
        try:
            yield
        finally:
            self._note()
            self._open.pop()

    @contextmanager
    def measured(self, memory: SyncStateStore) -> Iterator[None]:
        with self.of(REST):
            patches = [patch.object(place, name, self._timed(place, name, part)) for place, name, part in _TIMED]
            patches.append(patch.object(memory, "_db", cast(Any, _Connection(memory._db, self))))
            for one in patches:
                one.start()
            try:
                yield
            finally:
                for one in patches:
                    one.stop()

    def _note(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def _timed(self, place: Any, name: str, part: str) -> Callable[..., Any]:
        inner = getattr(place, name)

        @functools.wraps(inner)
        def timed(*given: Any, **named: Any) -> Any:
            with self.of(part):
                return inner(*given, **named)

        return timed


class _Connection:
    """A connection whose statements are timed to their last row."""

    def __init__(self, inner: sqlite3.Connection, parts: Parts) -> None:
        self._inner = inner
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, statement: str, values: Any = ()) -> Any:
        with self._parts.of("commit" if statement == "COMMIT" else "memory"):
            cursor = self._inner.execute(statement, values)
            return _Rows(cursor.fetchall(), cursor.lastrowid)

    def executemany(self, statement: str, rows: Any) -> Any:
        with self._parts.of("memory"):
            return self._inner.executemany(statement, rows)


class _Rows(list[Any]):
    def __init__(self, rows: list[Any], lastrowid: int | None) -> None:
        super().__init__(rows)
        self.lastrowid = lastrowid

    def fetchall(self) -> list[Any]:
        return self

    def fetchone(self) -> Any:
        return self[0] if self else None
