"""Makes a failing schedule small: the fewest steps that still fail in the same way (Zeller's ddmin)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.convergence.run import Schedule, Step


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool], tries: int = 3000) -> Schedule:
    """The smallest schedule found that `fails`; the one given, if it does not."""
    steps = list(schedule.steps)
    left = tries

    def still(candidate: list[Step]) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(replace(schedule, steps=tuple(candidate)))

    if not still(steps):
        return schedule
    parts = 2
    while len(steps) >= 2 and left > 0:
        size = -(-len(steps) // parts)
        for start in range(0, len(steps), size):
            candidate = steps[:start] + steps[start + size :]
            if still(candidate):
                steps, parts = candidate, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(steps))
    return replace(schedule, steps=tuple(steps))
