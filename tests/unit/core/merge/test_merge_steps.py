"""The worst inputs of bench/merge_worst.py take steps in proportion to their size. A step is a line of Python that
runs: that is the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any

import pytest

from bench.merge_worst import cases
from shared.core.merge import objects
from shared.core.merge.objects import merge
from shared.core.merge.policies import NO_POLICIES, Policies

SMALL, GROWTH = 8 * 1024, 4
MOST_STEPS_A_BYTE = 15
MOST_STEPS_OF_COMPARISON = 4_000_000
"""What `sequences.BUDGET` costs at most, or FEWER_COMPARED small arrays, whatever the size."""
FEWER_COMPARED = 400
"""In the place of `array_run.MAX_COMPARED`: the small case has fewer arrays, the large one more."""
LINEAR = {
    "object, both edit everything": 0.1,
    "array of equal elements, one edit each": 0.2,
    "set of numbers, both shuffled": 0.1,
    "list of the same and one duplicate": 3,
    "named members, both shuffled and edited all": 0.2,
    "list or map of objects, both edit all": 2,
    "list or map of renamed objects, both edit all": 1.2,
    "groups of eight, half of them renamed": 9.5,
}
"""Steps a byte, at most, of the kinds in which nothing is searched for."""


@cache
def large() -> dict[str, Any]:
    """Made in the process that asks for them; each would while it collects."""
    return {name: rest for name, *rest in cases(SMALL * GROWTH)}


def steps(base: Any, ours: Any, theirs: Any, policies: Policies) -> int:
    taken = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:  # of one call; None: go on
        nonlocal taken
        if event == "line":
            taken += 1

    before = sys.gettrace()
    sys.settrace(lambda _frame, _event, _argument: count)
    try:
        merge([base], ours, theirs, policies=policies)
    finally:
        sys.settrace(before)
    return taken


@pytest.mark.parametrize("case", list(cases(SMALL)), ids=lambda case: case[0])
def test_four_times_the_size_takes_four_times_the_steps(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_COMPARED", FEWER_COMPARED)
    name, *small = case
    before, after = steps(*small), steps(*large()[name])
    assert after < 1.2 * GROWTH * before + 1000, (before, after)
    assert after < MOST_STEPS_A_BYTE * SMALL * GROWTH + MOST_STEPS_OF_COMPARISON, after
    assert after < LINEAR.get(name, after) * SMALL * GROWTH + 1, after


@pytest.mark.parametrize(
    "wrap",
    [lambda v: {"k": v}, lambda v: [v], lambda v: [v, v and 1], lambda v: [{"id": 1, "k": v}], lambda v: [{"k": v}]],
    ids=["objects", "arrays", "pairs", "named members", "members"],
)
def test_what_is_nested_is_not_read_again_at_every_depth(wrap: Callable[[Any], Any]) -> None:
    def nested(depth: int, changed: int) -> Any:
        value: Any = [*range(4_000), 1, {"x": changed}, [changed, [1]]]
        for _ in range(depth):
            value = wrap(value)
        return value

    shallow, deep = (steps(nested(depth, 0), nested(depth, 1), nested(depth, 2), NO_POLICIES) for depth in (1, 60))
    assert deep < 3 * shallow + 60 * 1_000, (shallow, deep)
