"""What is merged all at once is merged as it is one by one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.core.merge import bulk, objects, wide
from shared.core.merge.conflicts import Decide, arriving, elsewhere
from shared.core.merge.objects import Side, merge
from shared.core.resolution.by_version import newer_or_greater

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


EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
NOW = 1_800_000_000.0


def test_what_answers_alike_everywhere_says_so() -> None:
    ours, theirs = {"modified": LATER}, {"modified": EARLIER}
    assert elsewhere(arriving) == (Side.THEIRS, "arriving")
    assert elsewhere(newer_or_greater(ours, theirs, NOW)) == (Side.OURS, "clock")
    assert elsewhere(newer_or_greater(theirs, ours, NOW)) == (Side.THEIRS, "clock")
    assert elsewhere(newer_or_greater(ours, ours, NOW)) is elsewhere(by_place) is None


@pytest.mark.parametrize("make", [fields, records])
def test_law_what_answers_alike_is_as_what_is_asked_each_time(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "MANY", FEW)
    dice = random.Random(5)
    for _ in range(300):
        clocks = dice.choices((EARLIER, LATER, "no time", None), k=3)
        states = [
            {"x": make(dice, 8), **fields(dice, 3), "modified": at, "updated_at": dice.choice(clocks)}
            for at in clocks
        ]
        for decide in (arriving, newer_or_greater(states[1], states[2], NOW), newer_or_greater({}, {}, NOW)):

            def asked(pointer: str, ours: Any, theirs: Any, decide: Decide = decide) -> tuple[Side, str]:
                return decide(pointer, ours, theirs)

            both = [merge(states[:1], *states[1:], decide=one) for one in (decide, asked)]
            assert repr(both[0]) == repr(both[1])


def test_records_are_written_as_those_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of theirs stands in them, and they are taken as they are only where nobody can tell the difference."""
    monkeypatch.setattr(wide, "MANY", FEW)

    def rows(value: Any, *names: Any) -> list[dict[str, Any]]:
        return [{"id": name, "a": value, "b": value} for name in names]

    before, ours, theirs = rows(0, 1, 2, 3), rows(1, 1, 2, 3), rows(2, 1, 2, 3)
    turned = [{"b": 2, "id": row["id"], "a": 2} for row in theirs]
    floats = [{**row, "id": float(row["id"])} for row in theirs]
    texts = [rows(value, "1", "2", "3") for value in range(3)]
    for base, mine, other in ((before, ours, theirs), (before, ours, turned), (before, ours, floats), texts):
        merged = merge([{"x": base}], {"x": mine}, {"x": other})
        expected = [{**row, "a": 2, "b": 2} for row in mine]
        assert repr(merged.value) == repr({"x": expected})
        assert [conflict.path for conflict in merged.conflicts] == [f"/x/{at}/{f}" for at in range(3) for f in "ab"]


def test_records_that_both_sides_reordered_stand_as_what_arrives_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "MANY", FEW)

    def rows(value: int, *names: int) -> dict[str, Any]:
        return {"x": [{"id": name, "a": value * 10 + name} for name in names]}

    merged = merge([rows(0, 1, 2, 3, 4)], rows(1, 4, 3, 2, 1), rows(2, 2, 4, 1, 3))
    assert merged.value == rows(2, 2, 4, 1, 3)
    told = [(conflict.path, conflict.kept, conflict.dropped) for conflict in merged.conflicts]
    assert told[1:] == [("/x/0/a", 22, 12), ("/x/1/a", 24, 14), ("/x/2/a", 21, 11), ("/x/3/a", 23, 13)]
    mine = merge([rows(0, 1, 2, 3, 4)], rows(1, 4, 3, 2, 1), rows(2, 1, 2, 3, 4))  # ours alone reordered them
    assert mine.value == rows(2, 4, 3, 2, 1)
    assert [conflict.path for conflict in mine.conflicts] == [f"/x/{at}/a" for at in range(4)]
