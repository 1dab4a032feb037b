"""What is counted in parts, or one by one, is counted as all at once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from shared.core.json import values
from shared.core.json.values import Key, types_of
from shared.core.merge import counts
from shared.core.merge.counts import counted, counted_of, distinct, last_of


@pytest.fixture(params=[(0, 2, 0), (3, 2, 1), (3, 3, 99), (1_000, 8_192, 16)], ids=str)
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is long, how large a part is, how many of them may be mixed."""
    long, part, mixed = request.param
    for name, limit in (("LONG", long), ("PART", part), ("MIXED", mixed)):
        monkeypatch.setattr(counts, name, limit)
    monkeypatch.setattr(values, "_LONG", long)
    monkeypatch.setattr(values, "_PART", part)


def sequences() -> Iterator[list[Key]]:
    """Most of one key."""
    dice = random.Random(1)
    some: tuple[Key, ...] = (1, 2, "a", None, ("true",), 1.5)
    for size in (*range(40), *[1_500] * 8, 20_000):
        keys = [dice.choice(some)] * size
        for _ in range(dice.choice((0, 0, 1, 2, size // 3))):
            keys[dice.randrange(size) if size else 0 :] = dice.choices(some, k=dice.randrange(3))
            keys += [dice.choice(some)] * dice.randrange(size + 1)
        yield keys


@pytest.mark.usefixtures("limits")
def test_law_counted() -> None:
    dice = random.Random(2)
    for keys in sequences():
        expected = Counter(keys)
        those = set(dice.sample([1, 2, "a", None, 3, 1.5], dice.randrange(6)))
        assert +counted(keys) == expected
        assert {*distinct(keys)} == set(expected)
        found = counted_of(keys, those)
        assert [found[key] for key in those] == [expected[key] for key in those]


@pytest.mark.usefixtures("limits")
def test_law_last_of() -> None:
    dice = random.Random(3)
    for keys in sequences():
        key, count, at = dice.choice((1, 2, "a", 3)), dice.choice((-1, 0, 1, 3, 1_000)), dice.choice((0, 7))
        every = [at + index for index in range(len(keys) - 1, -1, -1) if keys[index] == key]
        assert last_of(keys, key, count, at) == every[: max(count, 0)]


@pytest.mark.usefixtures("limits")
def test_law_types_of() -> None:
    for keys in sequences():
        for mixed in (keys, [*keys, True], [True, *keys]):
            assert types_of(mixed) == set(map(type, mixed))
