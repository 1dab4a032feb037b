"""What is merged all at once is merged as it is one by one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.core.merge import bulk, objects, wide
from shared.core.merge.objects import Side, merge

FEW, SOME, VERY_MANY = 2, 12, 1_000_000
"""Fields that count as many: few, so that everything is done all at once, or so many that nothing is."""

SCALARS = (1, 1.0, 2, 0, True, False, None, "a", "b", "name 1", "")


def scalar(dice: random.Random) -> Any:
    return dice.choice(SCALARS) if dice.random() < 0.3 else dice.randrange(4)


def fields(dice: random.Random, count: int) -> Any:
    return {f"k{i}": scalar(dice) for i in dice.sample(range(count + 1), count)}


def lists(dice: random.Random, count: int) -> Any:
    return {f"k/{i}": dice.choices((0, 1, 1, 2), k=dice.randrange(5)) for i in range(count)}


def records(dice: random.Random, count: int) -> Any:
    ids = dice.sample(range(count), count) if dice.random() < 0.7 else dice.sample(range(count + 1), count)
    return [{"id": i if dice.random() < 0.9 else float(i), "a": scalar(dice), "b/": dice.randrange(2)} for i in ids]


def by_place(pointer: str, _ours: Any, _theirs: Any) -> tuple[Side, str]:
    return (Side.OURS if sum(pointer.encode()) % 2 else Side.THEIRS), "by place"


@pytest.mark.parametrize("make", [fields, lists, records])
@pytest.mark.parametrize("many", [FEW, SOME])
def test_law_many_at_once_are_merged_as_one_by_one(
    make: Any, many: int, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    dice = random.Random(many)
    monkeypatch.setattr(objects, "MAX_COMPARED", 3)
    at_once = 0
    records_at_once = bulk.records

    def counted(*arguments: Any) -> Any:
        nonlocal at_once
        merged = records_at_once(*arguments)
        at_once += merged is not None
        return merged

    monkeypatch.setattr(bulk, "records", counted)
    for _ in range(2000 if pytestconfig.getoption("--soak") else 100):
        states = [{"x": make(dice, 16), "y": [{"id": 1, "z": make(dice, 16)}]} for _ in range(3)]
        if dice.random() < 0.5:  # else hardly anything is as it was
            states[1] = {**states[1], "y": states[0]["y"]}
        merges = []
        for limit in (many, VERY_MANY):
            monkeypatch.setattr(wide, "MANY", limit)
            merges.append(merge(states[:1], *states[1:], decide=by_place))
        assert repr(merges[0]) == repr(merges[1])
    assert at_once or make is not records
