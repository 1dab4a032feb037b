"""The merge's worst inputs within the limits of the profile: what they take, in time and in steps.

    python -m bench.merge_worst [size in KiB, 1024 by default]

Each document is about as large as the limit allows. Prints a table; the time is that of one core, the best of
three.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from shared.core.merge.objects import Steps, merge
from shared.core.merge.policies import NO_POLICIES, Policies, parse
from shared.gc import freeze_after_startup

Case = tuple[str, Any, Any, Any, Policies]


def case(name: str, base: Any, ours: Any, theirs: Any, policies: Policies = NO_POLICIES) -> Case:
    return name, {"id": "a", "x": base}, {"id": "a", "x": ours}, {"id": "a", "x": theirs}, policies


def of_each(name: str, states: Iterable[Any], policies: Policies = NO_POLICIES) -> Case:
    """`states`: ancestor, ours, theirs."""
    base, ours, theirs = states
    return case(name, base, ours, theirs, policies)


def fitting(size: int, make: Callable[[int], Any]) -> int:
    """How many of them fill the document."""
    return int(1000 * size / len(json.dumps([make(i) for i in range(1000, 2000)], separators=(",", ":"))))


def cases(size: int) -> Iterator[Case]:
    """Name, ancestor, ours, theirs, policies. `size`: bytes of a document."""
    dice = random.Random(1)
    yield from objects(size)
    yield from arrays(size, dice)
    yield from permutations(size, dice)
    yield from members(size, dice)
    yield from tiny_arrays(size, dice)
    yield from nested(size)
    yield from texts(size, dice)
    yield from records(size)


def objects(size: int) -> Iterator[Case]:
    n = size // 9
    wide = {f"k{i}": 1 for i in range(n)}
    ours, theirs = ({**wide, **{f"k{i}": s for i in range(s, n, 3)}} for s in (2, 3))
    yield case("object, each side edits a third", wide, ours, theirs)
    yield case("object, both edit everything", wide, dict.fromkeys(wide, 2), dict.fromkeys(wide, 3))
    yield case("object, keys in another order", wide, dict(reversed(wide.items())), {**wide, "new": 1})


def arrays(size: int, dice: random.Random) -> Iterator[Case]:
    n = size // 2
    ones = [1] * n
    ours, theirs = [*ones[: n // 3], 2, *ones], [*ones[: n // 2], 3, *ones]
    yield case("array of equal elements, one edit each", ones, ours, theirs)
    yield case("array of two elements, rotated", [1, 2] * (n // 2), [2, 1] * (n // 2), [1, 2] * (n // 2) + [3])
    bits = [[dice.randrange(2) for _ in range(n)] for _ in range(3)]
    yield of_each("array of random bits", bits)
    yield of_each("array of random booleans", ([bool(b) for b in bit] for bit in bits))
    few = [[dice.randrange(100) for _ in range(size // 3)] for _ in range(3)]
    yield of_each("array of random numbers below 100", few)


def permutations(size: int, dice: random.Random) -> Iterator[Case]:
    numbers = list(range(10**5, 10**5 + size // 7))
    shuffled = [dice.sample(numbers, len(numbers)) for _ in range(2)]
    yield of_each("set of numbers, both shuffled", [numbers, *shuffled])
    yield of_each("list of the same and one duplicate", ([*some, 1, 1] for some in (numbers, *shuffled)))
    pairs = numbers[: len(numbers) // 2] * 2
    yield of_each("list of each number twice, shuffled", [dice.sample(pairs, len(pairs)) for _ in range(3)])


def members(size: int, dice: random.Random) -> Iterator[Case]:
    def member(i: int, value: int = 0) -> dict[str, Any]:
        return {"id": i, "a": value}

    n = fitting(size, member)
    named = [member(i) for i in range(n)]
    ours, theirs = ([member(i, v) for i in dice.sample(range(n), n)] for v in (1, 2))
    yield case("named members, both shuffled and edited all", named, ours, theirs)


def tiny_arrays(size: int, dice: random.Random) -> Iterator[Case]:
    n = size // 4
    yield of_each("array of tiny arrays, both edit all", ([[v]] * n for v in (1, 2, 3)))
    tenth = ([[i % 7 if i % 10 else v] for i in range(n)] for v in (0, 8, 9))
    yield of_each("array of tiny arrays, both edit a tenth", tenth)
    small = [dice.choices(range(3), k=8) for _ in range(3 * (size // 24))]
    third = len(small) // 3
    lists = ({str(i): small[s * third + i] for i in range(third)} for s in range(3))
    yield of_each("tiny lists of random digits in an object", lists)


def nested(size: int) -> Iterator[Case]:
    def deep(value: Any, wrap: Callable[[Any], Any]) -> Any:
        for _ in range(60):
            value = wrap(value)
        return value

    leaf = [1, 1, *range(size // 8)]
    wraps: dict[str, Callable[[Any], Any]] = {
        "objects": lambda v: {"k": v},
        "arrays": lambda v: [v],
        "pairs": lambda v: [v, v and 1],
    }
    for name, wrap in wraps.items():
        yield of_each(f"60 {name} in each other, a list in the last", [deep([*leaf, v, v], wrap) for v in (1, 2, 3)])
    named = [deep([*leaf, v, v], lambda v: [{"id": 1, "k": v}]) for v in (1, 2, 3)]
    yield of_each("60 named arrays in each other", named)


def texts(size: int, dice: random.Random) -> Iterator[Case]:
    lines = ["".join(dice.choices("ab", k=1)) for _ in range(3 * (size // 3))]
    states = ["\n".join(lines[s::3]) for s in range(3)]
    yield of_each("text of random one-letter lines", states, parse({"/**": "text"}))


def records(size: int) -> Iterator[Case]:
    def record(i: int) -> dict[str, Any]:
        return {f"f{j}": i * j % 9 for j in range(8)}

    n = fitting(size, record)
    rows = ([record(i + s) for i in range(n)] for s in range(3))
    yield of_each("list or map of objects, both edit all", rows)
    renamed = ({f"{s if i % 2 else 0}.{i}": {**record(i), "v": s} for i in range(n)} for s in range(3))
    yield of_each("list or map of renamed objects, both edit all", renamed)
    groups = (
        {
            str(g): {f"{s}.{i}" if (i + s) % 2 else str(i): {"a": "x" * 8, "v": s} for i in range(8)}
            for g in range(size // 300)
        }
        for s in range(3)
    )
    yield of_each("groups of eight, half of them renamed", groups)


class Row(NamedTuple):
    kind: str
    kib: int
    ms: float
    """CPU, the best of three."""
    steps: int
    conflicts: int


def measured(size: int) -> Iterator[Row]:
    """Each kind, of documents of so many bytes, with the collector as a worker has it."""
    freeze_after_startup()
    for name, base, ours, theirs, policies in cases(size):
        times = []
        for _ in range(3):
            steps = Steps()
            start = time.process_time()
            merged = merge([base], ours, theirs, policies=policies, steps=steps)
            times.append(time.process_time() - start)
        kib = len(json.dumps(ours, separators=(",", ":"))) // 1024
        yield Row(name, kib, 1000 * min(times), steps.taken, len(merged.conflicts))


def show(row: Row) -> None:
    print(f"{row.kind:48} {row.kib:5} {row.ms:7.0f} {row.steps:9} {row.conflicts:9}", flush=True)


def main() -> None:
    size = 1024 * int(sys.argv[1] if len(sys.argv) > 1 else "1024")
    print(f"{f'documents of {size // 1024} KiB':48} {'KiB':>5} {'ms':>7} {'steps':>9} {'conflicts':>9}")
    for row in measured(size):
        show(row)


if __name__ == "__main__":
    main()
