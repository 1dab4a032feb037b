"""How stores, caches and queues fail."""

from __future__ import annotations

from dataclasses import dataclass


class UnavailableError(Exception):
    """A store, cache or queue does not answer, or not in time. Nothing is known of the last call's effect;
    it may be repeated."""


class OverloadedError(UnavailableError):
    """More waits than may wait; nothing was taken in."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Orders those who write to a space: of two the later one has the greater number, a time in microseconds.
    The token tells two with the same number apart."""

    number: int
    token: str


class FencedError(Exception):
    """Somebody with a later fence has written to the space. `number` is theirs."""

    def __init__(self, number: int) -> None:
        super().__init__("the space has been taken over")
        self.number = number


class TooMuchError(Exception):
    """A transaction would have to read more than it was given room for. Nothing was stored."""


class DecisionError(Exception):
    """A submission that could not be decided or stored, a fault of the server's. It was stored in no part."""
