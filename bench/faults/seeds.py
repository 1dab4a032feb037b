"""One run for each seed, on a server of its own."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.faults.hosts import Fleet
from bench.faults.kinds import Fault, Faults
from bench.faults.run import Load, Result, run
from bench.faults.writers import letters

HOSTS = ["a", "b"]
"""Beside the one where MongoDB and Redis are."""


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
        run(load, for_seconds(faults, plan.seconds), result, tell)
        for host in fleet.hosts:
            host.set_clock(0.0)
        load.check(result, faults.lost)
        if load.evidence is not None:
            (folder / "evidence.json").write_text(json.dumps(load.evidence))


def _keep_logs(folder: Path, kept: Path) -> None:
    """Of a run that has to be looked at."""
    kept.mkdir(exist_ok=True)
    for file in (*folder.glob("*.log"), *folder.glob("data/logs/*"), *folder.glob("evidence.json")):
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
