"""How often the merge agrees exactly with what people committed, on three-way merges from public histories.

    python -m bench.merge_cases PATH [-v]

PATH: JSON lines, gzipped or not, each with `base`, `ours`, `theirs`, `merged`, `class`, `git_line_merge`
(how git's line merge did), `ours_ts` and `theirs_ts` (the newer side wins a conflict of scalars). Strategy
`version` holds wherever both values are versions. With -v, every disagreement.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.core.json.canonical import canonical, equal
from shared.core.merge.objects import ABSENT, Side, Value, merge
from shared.core.merge.policies import Policies, parse

POLICIES = {
    "delete-wins": parse({"/**": ["delete-wins", "version"]}),
    "default: the edit wins": parse({"/**": "version"}),
}
Case = dict[str, Any]


def read(path: Path) -> list[Case]:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return [json.loads(line) for line in data.splitlines()]


def merged(case: Case, policies: Policies) -> Value:
    newer = Side.OURS if case["ours_ts"] > case["theirs_ts"] else Side.THEIRS
    decide = lambda _pointer, _ours, _theirs: (newer, "newer")  # noqa: E731
    return merge([case["base"]], case["ours"], case["theirs"], policies=policies, decide=decide).value


def disagreements(case: Case, result: Value) -> Iterator[tuple[str, str]]:
    """Path and kind of each place where people have something else."""
    rest: list[tuple[str, list[Value]]] = [
        ("", [*(case[name] for name in ("base", "ours", "theirs", "merged")), result])
    ]
    while rest:
        path, values = rest.pop()
        people, here = values[-2:]
        if isinstance(people, dict) and isinstance(here, dict):
            for key in {**people, **here}:
                below = [v.get(key, ABSENT) if isinstance(v, dict) else ABSENT for v in values]
                rest.append((f"{path}/{key}", below))
        elif not _same(people, here):
            yield path, _kind(*values)


def _same(a: Value, b: Value) -> bool:
    return a is b if ABSENT in (a, b) else equal(a, b)


def _kind(base: Value, ours: Value, theirs: Value, people: Value, result: Value) -> str:
    if isinstance(people, list) and isinstance(result, list):
        mine, other = Counter(map(canonical, people)), Counter(map(canonical, result))
        if mine == other:
            return "array: another order"
        sides = {canonical(e) for side in (ours, theirs) if isinstance(side, list) for e in side}
        if any(element not in sides for element in mine):
            return "array: an element that no side had"
        return "array: other elements"
    if people is ABSENT:
        return "people dropped an edit" if not _same(result, base) else "people dropped it"
    if result is ABSENT:
        known = _same(people, ours) or _same(people, theirs)
        return "people kept what one side removed" if known else "people wrote something new"
    if not _same(people, ours) and not _same(people, theirs):
        return "people wrote something new"
    if _same(ours, base) or _same(theirs, base):
        return "people dropped the only edit"
    return "people took the other side's value"


def main() -> None:
    cases = read(Path(sys.argv[1]))
    for name, policies in POLICIES.items():
        groups: dict[str, list[bool]] = {}
        kinds: Counter[tuple[str, str]] = Counter()
        for number, case in enumerate(cases):
            result = merged(case, policies)
            agrees = equal(result, case["merged"])
            for group in ("all", f"class {case['class']}", f"git {case['git_line_merge']}"):
                groups.setdefault(group, []).append(agrees)
            if not agrees:
                found = list(disagreements(case, result))
                kinds.update({(case["class"], kind) for _, kind in found})
                if "-v" in sys.argv:
                    print(number, case.get("repo"), case.get("path"), *(f"\n    {p}: {k}" for p, k in found))
        print(f"\n{name:28} {'cases':>6} {'agree':>6} {'%':>6}")
        for group, results in sorted(groups.items()):
            print(f"{group:28} {len(results):6} {sum(results):6} {100 * sum(results) / len(results):6.1f}")
        print("disagreements: cases of a class that have one of a kind")
        for (class_, kind), count in sorted(kinds.items(), key=lambda item: (item[0][0], -item[1])):
            print(f"    {class_:16} {kind:40} {count:4}")


if __name__ == "__main__":
    main()
