"""`python -m bench.faults [--seed N] [--seeds COUNT] [--seconds S]` on servers of its own, or
`python -m bench.faults --url URL --token TOKEN --fault "COMMAND" ...` on one that runs, where each command is a fault
(`docker kill hypertask-mongo-1`) and whoever runs the server brings back what it ended.

Ends with status 1 if something is missing.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from bench.faults.kinds import ROUND, Fault
from bench.faults.run import PACE_SECONDS, Load, Result, run
from bench.faults.seeds import Plan, run_seed, said


def of_commands(commands: list[str]) -> Iterator[Fault]:
    for text in commands:
        yield Fault(("command",), text, partial(subprocess.run, shlex.split(text), check=True))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.faults")
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--fault", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--together", type=int, default=1, help="how many seeds run at a time")
    parser.add_argument("--seconds", type=float, default=60, help="of faults, for each seed")
    parser.add_argument("--writers", type=int, default=1, help="of each kind of client")
    parser.add_argument("--pace", type=float, default=PACE_SECONDS, help="seconds between two edits of a client")
    backups = ("no", "even", "all")
    parser.add_argument("--backups", choices=backups, default="no", help="seeds where copies are put back, too")
    parser.add_argument(
        "--kind", action="append", default=[], choices=ROUND, help="of faults; without it all of them"
    )
    parser.add_argument("--namespaces", action="store_true", help="hosts are network namespaces; as root")
    parser.add_argument("--record", type=Path, help="a file that gets a line of JSON for each seed")
    options = parser.parse_args()
    if options.url:
        result = Result(options.seed)
        load = Load([options.url], options.token, options.seed, writers=options.writers, pace=options.pace)
        run(load, of_commands(options.fault), result)
        load.check(result)
        return 0 if said(result, options.record) else 1
    plan = Plan(
        options.seconds,
        options.writers,
        options.pace,
        options.kind,
        options.backups,
        options.record.absolute() if options.record else None,
        options.namespaces,
    )
    if options.namespaces and options.together > 1:
        parser.error("--namespaces: one seed at a time")
    seeds = range(options.seed, options.seed + options.seeds)
    with ProcessPoolExecutor(options.together, mp_context=get_context("spawn")) as processes:
        return 0 if all(list(processes.map(partial(run_seed, plan), seeds))) else 1


if __name__ == "__main__":
    raise SystemExit(main())
