"""The figures of docs/operations.md:

    python -m bench.operations [--part NAME ...] [--quick]   measures, and records in docs/operations-figures.json
    python -m bench.operations --write                       puts the tables of the record into the page

Measure on a machine where nothing else runs. A test holds the page to the record.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any, Final

from bench import overhead, scaling, sizing
from bench.failover.__main__ import DOWN_AFTER_SECONDS, of_mongods, of_redis
from tests.instance import ROOT

RECORD: Final = ROOT / "docs" / "operations-figures.json"
PAGE: Final = ROOT / "docs" / "operations.md"
CONNECTIONS: Final = 16
SHARE: Final = 0.15
USERS: Final = (100, 1000, 10_000)

Part = Callable[[bool], dict[str, Any]]


def measured_failover(quick: bool) -> dict[str, Any]:
    return {
        "connections": CONNECTIONS,
        "mongod": of_mongods(1 if quick else 5, CONNECTIONS),
        "redis": of_redis(1 if quick else 4, CONNECTIONS),
        "down_after_seconds": DOWN_AFTER_SECONDS,
    }


def measured_scaling(quick: bool) -> dict[str, Any]:
    seconds, repeats = (2.0, 1) if quick else (5.0, 2)
    return {
        "share": SHARE,
        "held": scaling.compared(SHARE, seconds, repeats),
        "free": scaling.compared(0.0, seconds, repeats),
    }


def measured_overhead(quick: bool) -> dict[str, Any]:
    return overhead.compared(1, 2.0, 32) if quick else overhead.compared(7, 5.0, 32)


def measured_sizing(quick: bool) -> dict[str, Any]:
    return sizing.measured(2000, 1.0) if quick else sizing.measured(20_000, 5.0)


PARTS: Final[dict[str, Part]] = {
    "failover": measured_failover,
    "scaling": measured_scaling,
    "overhead": measured_overhead,
    "sizing": measured_sizing,
}


def table(head: tuple[str, ...], *rows: tuple[object, ...]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        .replace("| ---", "|---")
        .replace("--- |", "---|")
    )


def shown_failover(found: dict[str, Any]) -> str:
    def row(what: str, kills: list[dict[str, Any]]) -> tuple[object, ...]:
        repeated: Counter[str] = Counter()
        for kill in kills:
            repeated.update(kill["repeated"])
        gaps = [kill["gap"] for kill in kills]
        missing = sum(len(kill["missing"]) for kill in kills)
        edits = sum(kill["edits"] for kill in kills)
        spread = f"{median(gaps):.1f} ({min(gaps):.1f} to {max(gaps):.1f})"
        again = f"{repeated['503']}; {repeated['dropped']}"
        return what, len(kills), f"{edits:,}", missing, spread, again

    return table(
        (
            "killed, under 16 writers",
            "times",
            "edits acknowledged",
            "missing",
            "nothing written for, s",
            "503; dropped",
        ),
        row("the primary of three mongods", found["mongod"]),
        row(f"the master of Redis, sentinels that wait {found['down_after_seconds']:g} s", found["redis"]),
    )


def shown_scaling(found: dict[str, Any]) -> str:
    def row(what: str, rates: dict[str, float]) -> tuple[object, ...]:
        ratio = rates["2, 4"] / rates["1, 1"]
        return what, *(f"{rates[one]:,.0f}" for one in ("1, 1", "2, 1", "1, 4", "2, 4")), f"{ratio:.2f}"

    return table(
        ("writes a second", "1 worker, 1 space", "2, 1", "1, 4", "2 workers, 4 spaces", "the last by the first"),
        row(f"each worker held to {found['share']:g} of a core", found["held"]),
        row("two cores for all processes and the load", found["free"]),
    )


def shown_overhead(found: dict[str, Any]) -> str:
    cpu, writes = found["more_cpu_percent"], found["fewer_writes_percent"]
    costs = f"{cpu:.1f} % to the processor time of API process and worker ({found['cpu_ms']:.2f} ms a write)"
    return (
        f"Counting adds {costs}, and changes the writes a second by {-writes:+.1f} %:\n`python -m bench.overhead`, "
        f"{found['connections']} connections, medians of {found['pairs']} pairs of runs, with and without."
    )


def shown_sizing(units: dict[str, float]) -> str:
    def core(milliseconds: float) -> str:
        return f"{1000 / milliseconds:,.0f}"

    costs = table(
        ("what", "takes"),
        ("an API process; a worker, at the start", f"{units['api_mib']:.0f}; {units['worker_mib']:.0f} MiB"),
        ("an event stream", f"{units['stream_kib']:.0f} KiB of an API process"),
        ("single writes a second, for each core of all processes", core(units["write_ms"])),
        ("writes in batches of a hundred, for each core", core(units["batched_ms"])),
        ("syncs that find nothing new, for each core", core(units["agreed_ms"])),
        ("a document on disk, with indexes", f"{units['document_bytes']:,.0f} bytes"),
        ("an edit: while its earlier state is kept; afterwards, for its hash",
         f"{units['edit_bytes']:,.0f}; {units['hash_bytes']:,.0f} bytes"),
    )  # fmt: skip
    fleets = [sizing.fleet(users, units) for users in USERS]
    rows = (
        ("documents", "documents", ","),
        ("writes a second in the busiest hour", "writes_a_second", ",.2f"),
        ("cores that are busy then", "cores", ".3f"),
        ("event streams", "streams", ","),
        ("their memory in API processes, MiB", "streams_mib", ","),
        ("disk after a year, GiB", "disk_gib", ",.1f"),
    )
    users = table(
        ("users", *(f"{count:,}" for count in USERS)),
        *((what, *(format(fleet[name], spec) for fleet in fleets)) for what, name, spec in rows),
    )
    return f"{costs}\n\n{users}"


SHOWN: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "failover": shown_failover,
    "scaling": shown_scaling,
    "overhead": shown_overhead,
    "sizing": shown_sizing,
}


def written(page: str, record: dict[str, Any]) -> str:
    """The page with the tables of the record, between their marks. ValueError if a mark is not there."""
    for part, shown in SHOWN.items():
        begin, end = f"<!-- figures: {part} -->\n", f"<!-- end: {part} -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"the page has no {begin.strip()} with its end")
        page = f"{before}{begin}{shown(record[part])}\n{end}{after}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.operations")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="measured; without it all of them")
    parser.add_argument(
        "--quick", action="store_true", help="once and shortly, to see that it works; records nothing"
    )
    parser.add_argument("--write", action="store_true", help="the page, by what is recorded")
    options = parser.parse_args()
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if options.write:
        PAGE.write_text(written(PAGE.read_text(), record))
        return
    for part in options.part or list(PARTS):
        record[part] = PARTS[part](options.quick)
        if options.quick:
            print(SHOWN[part](record[part]), flush=True)
        else:
            record["machine"] = f"{os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}"
            RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
