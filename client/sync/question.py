"""What an upstream is asked ahead: it answers while the client does something else."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from client.sync.upstream import Askable, Upstream, UpstreamChanges

if TYPE_CHECKING:
    from asyncio import Task


class Question:
    """What changed since a cursor, asked once and answered once. An upstream that cannot be asked ahead is asked when
    the answer is wanted."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._cursor: str | None = None
        self._answer: Task[UpstreamChanges] | None = None

    async def ask(self, cursor: str | None) -> None:
        """Returns when it has left. One about another cursor is taken back."""
        if self._answer is not None and self._cursor == cursor:
            return
        self.take_back()
        if isinstance(self._upstream, Askable):
            self._cursor, self._answer = cursor, await self._upstream.asked(cursor)

    def answer(self, cursor: str | None) -> Awaitable[UpstreamChanges]:
        """To what was asked, or is asked now. Raises, when it is awaited, CursorGoneError and UpstreamError."""
        if self._cursor != cursor:
            self.take_back()
        asked, self._answer = self._answer, None
        return self._upstream.changes(cursor) if asked is None else asked

    def take_back(self) -> None:
        """Nobody wants the answer any more."""
        if self._answer is not None:
            self._answer.cancel()  # if it has failed, nobody is told
        self._answer = None
