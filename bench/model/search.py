"""Explicit-state search. Standard library only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
Step = tuple[str, S]
"""What happens, and the state after it."""


class TooManyStatesError(Exception):
    """There are more states than may be visited."""


@dataclass(frozen=True)
class Found(Generic[S]):
    """`trace`: what happens on a shortest way to a wrong state; None: every state is right. `wrong`: what is wrong
    there."""

    states: int
    trace: tuple[str, ...] | None
    wrong: str | None


def search(
    initial: S,
    steps: Callable[[S], Iterable[tuple[str, S]]],
    wrong: Callable[[S], str | None],
    *,
    most_states: int = 2_000_000,
) -> Found[S]:
    """Breadth first, from `initial`. Raises TooManyStatesError."""
    came: dict[S, tuple[S, str] | None] = {initial: None}
    waiting = deque([initial])
    while waiting:
        state = waiting.popleft()
        if (reason := wrong(state)) is not None:
            return Found(len(came), _trace(came, state), reason)
        for name, after in steps(state):
            if after not in came:
                came[after] = (state, name)
                waiting.append(after)
        if len(came) > most_states:
            raise TooManyStatesError(f"more than {most_states} states")
    return Found(len(came), None, None)


def _trace(came: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    names: list[str] = []
    while (before := came[state]) is not None:
        state, name = before
        names.append(name)
    return tuple(reversed(names))
