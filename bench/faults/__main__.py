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
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from bench.faults.hosts import Fleet
from bench.faults.kinds import ROUND, Fault, Faults
from bench.faults.run import PACE_SECONDS, Load, Result, run
from bench.faults.writers import letters

HOSTS = ["a", "b"]
"""Beside the one where MongoDB and Redis are."""


def of_commands(commands: list[str]) -> Iterator[Fault]:
    for text in commands:
        yield Fault(("command",), text, partial(subprocess.run, shlex.split(text), check=True))


def for_seconds(faults: Faults, seconds: float) -> Iterator[Fault]:
    """So many as there is time for."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield faults.next()


@dataclass(frozen=True)
class Plan:
    """What runs for a seed."""

    seconds: float
    writers: int
    pace: float
    kinds: list[str]
    backups: str
    """Copies of the database are put back, too: for `all` seeds, `even` ones, or `no` seed."""
    record: Path | None
    namespaces: bool = False

    def puts_back(self, seed: int) -> bool:
        return self.backups == "all" or (self.backups == "even" and seed % 2 == 0)


def run_seed(plan: Plan, seed: int) -> bool:
    """On a server of its own. Whether nothing is missing."""
    result = Result(seed)
    tell = partial(print, f"[{seed}]", flush=True)
    with tempfile.TemporaryDirectory(prefix=f"faults-{seed}-") as name:
        folder = Path(name)
        try:
            _disturb(plan, folder, result, tell)
        except Exception:  # noqa: BLE001  other seeds run on; what ended this one is said
            result.missing.append(traceback.format_exc())
        if result.missing and plan.record is not None:
            _keep_logs(folder, plan.record.with_name(f"{plan.record.stem}-{seed}"))
    return said(result, plan.record, tell)


def _disturb(plan: Plan, folder: Path, result: Result, tell: Callable[[str], None]) -> None:
    seed, backups = result.seed, plan.puts_back(result.seed)
    with Fleet(folder, HOSTS, namespaces=plan.namespaces) as fleet:
        load = Load(
            fleet.urls,
            fleet.instance.token,
            seed,
            writers=plan.writers,
            home=folder / "home",
            pace=plan.pace,
            mark=letters(seed),
            # A database that was emptied knows no token until it is restored.
            repeats=[401] if backups else [],
        )
        faults = Faults(fleet, random.Random(seed), plan.kinds, backups=backups)
        put_back = run(load, for_seconds(faults, plan.seconds), result, tell)
        for host in fleet.hosts:
            host.set_clock(0.0)
        load.check(result, put_back=put_back)
        if load.evidence is not None:
            (folder / "evidence.json").write_text(json.dumps(load.evidence))


def _keep_logs(folder: Path, kept: Path) -> None:
    """Of a run that has to be looked at."""
    kept.mkdir(exist_ok=True)
    for file in (*folder.glob("*.log"), *folder.glob("evidence.json")):
        shutil.copy(file, kept)


def said(result: Result, record: Path | None, tell: Callable[[str], None] = print) -> bool:
    """Whether nothing is missing."""
    edits = ", ".join(f"{count} {kind}" for kind, count in sorted(result.edits.items()))
    tell(
        f"seed {result.seed}: {result.seconds} s, {result.faults.total()} faults, {result.edits.total()} edits "
        f"acknowledged ({edits}), {result.repeated} answers to repeat, {result.conflicts} values in conflict "
        f"records, {len(result.missing)} faults found by the check"
    )
    for line in result.missing:
        tell(line)
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
        load.check(result, put_back=False)
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
