"""Look-ups of many requests, asked as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import chain
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BatchLoader(Generic[K, V]):
    """Everything that is asked for while one fetch is under way goes into the next one, together.

    Law: an answer was fetched after it was asked for, so it is as fresh as a look-up of one's own. Without
    that a revoked token would open, and a stored write be missing, for as long as the fetch took.
    """

    def __init__(self, fetch: Callable[[Collection[K]], Awaitable[Mapping[K, V]]], *, most: int) -> None:
        self._fetch = fetch
        self._most = most
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        """One for each who waits: one that is cancelled cancels no other, and none is told by way of another one."""
        self._runner: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """What the fetch says of `key`, None if it says nothing. Raises what the fetch raises."""
        future: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._most]
                batch = {key: self._waiting.pop(key) for key in keys}
                await self._answer(batch)
        finally:
            self._runner = None

    async def _answer(self, batch: dict[K, list[asyncio.Future[V | None]]]) -> None:
        try:
            values = await self._fetch(batch.keys())
        except Exception as error:  # noqa: BLE001  whoever asked is told, whatever it was
            for future in chain.from_iterable(batch.values()):
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # retrieved here, should nobody wait any more
            return
        for key, futures in batch.items():
            value = values.get(key)
            for future in futures:
                if not future.done():
                    future.set_result(value)
