"""Room for what requests and answers hold in memory: so many bytes of a space, and of all spaces together."""

from __future__ import annotations

from collections import Counter
from typing import Final

from api.errors import RATE_LIMITED, ProblemError
from shared.core.documents import SpaceId
from shared.ports import OverloadedError

_CLOSE: Final = {"connection": "close"}
RETRY_SECONDS: Final = 2


class Room:
    """Bytes that are held at the moment."""

    def __init__(self, most: int, most_of_space: int) -> None:
        self._most = most
        self._most_of_space = most_of_space
        self._held: Counter[SpaceId] = Counter()

    @property
    def held(self) -> int:
        return self._held.total()

    def take(self, space: SpaceId, size: int) -> None:
        """429 if the space has its share, OverloadedError if all together have what there is."""
        if self._held[space] + size > self._most_of_space:
            detail = (
                f"The requests of a space may hold {self._most_of_space} bytes at a time, compressed or not "
                "(HYPERTASK_SPACE_BODIES_BYTES). Send fewer at a time."
            )
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(RETRY_SECONDS), **_CLOSE})
        if self._held.total() + size > self._most:
            raise OverloadedError("the requests of all spaces hold too many bytes (HYPERTASK_BODIES_BYTES)")
        self._held[space] += size

    def give_back(self, space: SpaceId, size: int) -> None:
        self._held[space] -= size
        if self._held[space] <= 0:
            del self._held[space]


class Holding:
    """What one request holds, until it is answered."""

    def __init__(self) -> None:
        self._parts: list[tuple[Room, SpaceId, int]] = []

    def take(self, room: Room, space: SpaceId, size: int) -> None:
        """As `Room.take`."""
        room.take(space, size)
        self._parts.append((room, space, size))

    def end(self) -> None:
        """Gives all of it back."""
        while self._parts:
            room, space, size = self._parts.pop()
            room.give_back(space, size)
