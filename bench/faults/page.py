"""`python -m bench.faults.page RECORD > docs/fault-runs.md`: what the runs of a record showed, as tables."""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

KINDS = {
    "kill": "kills",
    "pause": "pauses",
    "empty Redis": "Redis emptied",
    "partition": "partitions",
    "clock": "clocks set",
    "slow disk": "disk held",
    "copy": "copies made",
    "backup": "copies put back",
}


def page(rows: Sequence[Row]) -> str:
    """`rows`: one of each seed."""
    return "\n".join(
        [
            "# The fault runs",
            "",
            "Made by `python -m bench.faults.page docs/fault-runs.jsonl`. What the words mean, how the runs are made",
            "and what they do not show is in [faults.md](faults.md).",
            "",
            f"{len(rows)} seeds, {_minutes(rows)} minutes of load: {_sum(rows, 'faults'):,} faults, "
            f"{_sum(rows, 'edits'):,} edits acknowledged, **{sum(len(row['missing']) for row in rows)} missing**.",
            "",
            *_seeds(rows),
            "",
            "## By kind of fault",
            "",
            "Of each fault the longest edit that was under way, in seconds: what a client felt, with all repeated",
            "requests. Where two happened at a time both count.",
            "",
            *_kinds(rows),
            "",
            "## What was judged",
            "",
            *_judged(rows),
            "",
        ]
    )


def _minutes(rows: Sequence[Row]) -> str:
    return f"{sum(row['seconds'] for row in rows) / 60:.0f}"


def _sum(rows: Iterable[Row], name: str) -> int:
    return sum(sum(row[name].values()) for row in rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
    ]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _seeds(rows: Sequence[Row]) -> list[str]:
    head = ["seed", "s", *KINDS.values(), "edits", "answers to repeat", "longest edit, s", "missing"]
    return _table(
        head,
        (
            [
                row["seed"],
                round(row["seconds"]),
                *(row["faults"].get(kind, 0) for kind in KINDS),
                sum(row["edits"].values()),
                row["repeated"],
                max(row["longest"].values()),
                len(row["missing"]),
            ]
            for row in rows
        ),
    )


def _kinds(rows: Sequence[Row]) -> list[str]:
    longest: defaultdict[str, list[float]] = defaultdict(list)
    for fault in (fault for row in rows for fault in row["happened"]):
        for kind in fault["kinds"]:
            longest[kind].append(fault["longest"])
    return _table(
        ["fault", "how often", "median", "longest"],
        (
            [name, len(longest[kind]), statistics.median(longest[kind]), max(longest[kind])]
            for kind, name in KINDS.items()
            if kind in longest
        ),
    )


def _judged(rows: Sequence[Row]) -> list[str]:
    counted: Counter[str] = Counter()
    for row in rows:
        counted.update(row["accounts"])
        counted.update({f"client {kind}": count for kind, count in row["edits"].items()})
        counted.update({f"own {kind}": count for kind, count in row["own"].items()})
        counted["begun again"] += row["begun_again"]
    clients = ", ".join(
        f"{counted[name]:,} {name.removeprefix('client ')}" for name in sorted(counted) if name.startswith("client ")
    )
    return [
        f"- Edits of the ten documents that all edit, by kind of client: {clients}.",
        f"- Their values of the shared field: {counted['stands']:,} stand at the end, {counted['seen']:,} were",
        "  written over by somebody who had seen them, "
        f"{counted['recorded']:,} are in a conflict record alone, {counted['missing']:,} are nowhere.",
        "  Of those that had been written over by somebody who had not seen them, where the record of that went with",
        f"  a database that was put back, {counted['earlier']:,} are in an earlier state of the document, and of "
        f"{counted['gone']:,} no client had",
        "  the value any more when the copy was put back.",
        f"- Documents that one client alone edits: {counted['own there']:,} are there as it left them, "
        f"{counted['own deleted']:,} are deleted.",
        f"- A cursor was of no use any more {counted['begun again']:,} times; then whoever follows began again.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.faults.page")
    parser.add_argument("record", type=Path)
    rows = [json.loads(line) for line in parser.parse_args().record.read_text().splitlines()]
    print(page(sorted(rows, key=lambda row: int(row["seed"]))), end="")


if __name__ == "__main__":
    main()
