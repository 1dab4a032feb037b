"""`python -m bench.faults [--seed N] [--seeds COUNT] [--seconds S]` on servers of its own, or
`python -m bench.faults --url URL --token TOKEN --fault "COMMAND" ...` on one that runs, where each command is a fault
(`docker kill hypertask-mongo-1`) and whoever runs the server brings back what it ended.

Ends with status 1 if something is missing.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.faults.hosts import Fleet
from bench.faults.kinds import Backup, Fault, Faults
from bench.faults.run import Load, Result, run

HOSTS = ["a", "b"]
"""Beside the one where MongoDB and Redis are."""


def of_commands(commands: list[str]) -> Iterator[Fault]:
    for text in commands:
        yield Fault("command", text, partial(subprocess.run, shlex.split(text), check=True))


def for_seconds(faults: Faults, seconds: float) -> Iterator[Fault]:
    """So many as there is time for."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield faults.next()


def of_own_server(seed: int, seconds: float, writers: int, *, backups: bool, kinds: list[str]) -> Result:
    result = Result(seed)
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), HOSTS) as fleet:
        instance = fleet.instance
        load = Load(fleet.urls, instance.token, seed, writers=writers, home=Path(folder) / "home")
        faults = Faults(fleet, random.Random(seed), Backup(fleet) if backups else None, kinds)
        put_back = run(load, for_seconds(faults, seconds), result)
        for host in fleet.hosts:
            host.set_clock(0.0)
        load.check(result, put_back=put_back)
    return result


def said(result: Result, record: Path | None) -> bool:
    """Whether nothing is missing."""
    edits = ", ".join(f"{count} {kind}" for kind, count in sorted(result.edits.items()))
    print(
        f"\nseed {result.seed}: {result.seconds} s, {result.faults.total()} faults, {result.edits.total()} edits "
        f"acknowledged ({edits}), {result.repeated} answers to repeat, {result.conflicts} values in conflict "
        f"records, {len(result.missing)} faults found by the check"
    )
    print("\n".join(result.missing), flush=True)
    if record is not None:
        with record.open("a") as out:
            out.write(json.dumps(result.row()) + "\n")
    return not result.missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.faults")
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--fault", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--seconds", type=float, default=60, help="of faults, for each seed")
    parser.add_argument("--writers", type=int, default=1, help="of each kind of client")
    parser.add_argument("--backups", action="store_true", help="copies of the database are put back, too")
    parser.add_argument("--kind", action="append", default=[], help="of faults; without it all of them")
    parser.add_argument("--record", type=Path, help="a file that gets a line of JSON for each seed")
    options = parser.parse_args()
    if options.url:
        result = Result(options.seed)
        load = Load([options.url], options.token, options.seed, writers=options.writers)
        run(load, of_commands(options.fault), result)
        load.check(result, put_back=False)
        return 0 if said(result, options.record) else 1
    fine = True
    for seed in range(options.seed, options.seed + options.seeds):
        result = of_own_server(seed, options.seconds, options.writers, backups=options.backups, kinds=options.kind)
        fine = said(result, options.record) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
