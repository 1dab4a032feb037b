"""Runs populations of clients against the rules and against the simple policies, and prints what each lost.

    python -m tests.convergence.simulate --runs 10000 --seed 1 [--population base ...] [--processes 2] [--rules-only]

Run `n` of a population has the seed `seed + n`. Every policy gets the same schedules. Numbers are per 10,000
runs. Exit status 1 if a target is missed; then the smallest schedule that shows it is printed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from pprint import pformat

from shared.core.resolution.doubts import PUT_BACK
from tests.convergence.ledger import Verdict
from tests.convergence.run import POPULATIONS, Run, Schedule, make_schedule
from tests.convergence.servers import POLICIES, Rules
from tests.convergence.shrink import shrink

COUNTS = tuple(f.name for f in fields(Verdict) if f.name != "details")
RULES, CLOCK = "these rules", "newest clock wins"
NEVER = ("silent", "diverged", "loops", "repeats")
"""What must not happen in any run of any population."""
CHUNK = 50


@dataclass(slots=True)
class Totals:
    """Sums over the runs of one population under one policy."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    worst: dict[str, int] = field(default_factory=dict)
    """What happened -> the first seed that shows it."""

    def add(self, other: Totals) -> None:
        self.runs += other.runs
        self.counts += other.counts
        for name, seed in other.worst.items():
            self.worst[name] = min(seed, self.worst.get(name, seed))

    def per_10000(self, name: str) -> int:
        return round(self.counts[name] * 10_000 / self.runs)


def play(population: str, policy: str, seeds: Iterable[int]) -> Totals:
    """Run these seeds."""
    totals = Totals()
    for seed in seeds:
        verdict = Run(make_schedule(seed, population), POLICIES[policy]()).run()
        totals.runs += 1
        for name in COUNTS:
            count = getattr(verdict, name)
            totals.counts[name] += count
            if count:
                totals.worst.setdefault(name, seed)
    return totals


def missed(population: str, rules: Totals, newest_clock: Totals | None = None) -> dict[str, str]:
    """The targets that the rules miss: what happened -> how it should be."""
    found = {name: "never" for name in NEVER if rules.counts[name]}
    if population in {"base", "sparse", "restored"}:
        found |= {name: "never" for name in ("lost", "undone", "back", "refused") if rules.counts[name]}
    of_clock = {"token": 0.01, "unknown": 0.10}.get(population)
    if of_clock is not None and newest_clock is not None:
        limit = of_clock * newest_clock.counts["lost"]
        if rules.counts["lost"] > limit:
            found["lost"] = f"at most {of_clock:.0%} of {CLOCK!r}, {limit:.0f}"
    return found


def smallest(population: str, seed: int, name: str) -> Schedule:
    """The smallest part of a schedule in which the same happens under the rules."""
    return shrink(make_schedule(seed, population), lambda s: getattr(Run(s, Rules()).run(), name) > 0)


def explain(schedule: Schedule, tell: Callable[[str], None] = print) -> None:
    """Tell everything that happens in a run."""
    tell(pformat(schedule, width=110))
    verdict = Run(schedule, Rules(explain=tell), trace=tell).run()
    tell(pformat(verdict, width=110))


def _chunks(runs: int, seed: int) -> Iterator[range]:
    for start in range(seed, seed + runs, CHUNK):
        yield range(start, min(start + CHUNK, seed + runs))


def simulate(
    populations: list[str], runs: int, seed: int, processes: int, policies: tuple[str, ...] = tuple(POLICIES)
) -> dict[tuple[str, str], Totals]:
    """The policies on all populations, over several processes; progress goes to the standard error."""
    results = {(p, policy): Totals() for p in populations for policy in policies}
    jobs = [(p, policy, seeds) for p, policy in results for seeds in _chunks(runs, seed)]
    with ProcessPoolExecutor(processes) as pool:
        done = pool.map(play, *zip(*jobs, strict=True))
        for number, (job, totals) in enumerate(zip(jobs, done, strict=True), 1):
            results[job[:2]].add(totals)
            if sys.stderr.isatty() or number % 20 == 0 or number == len(jobs):
                print(f"\r{number / len(jobs):4.0%} {job[0]}, {job[1]}".ljust(60), end="", file=sys.stderr)
    print(file=sys.stderr)
    return results


def table(results: dict[tuple[str, str], Totals]) -> str:
    """The results as Markdown."""
    head = ["population", "policy", "edits a run", "edits lost", "removals undone", "deleted came back"]
    head += [
        "deletions refused",
        "silent losses",
        "not converged",
        "loops",
        "revisions by repeats",
        "conflicts recorded",
    ]
    names = ("lost", "undone", "back", "refused", "silent", "diverged", "loops", "repeats", "recorded")
    lines = [" | ".join(("", *head, "")).strip(), "|" + "---|" * len(head)]
    for (population, policy), totals in results.items():
        cells = (population, policy, f"{totals.counts['edits'] / totals.runs:.1f}")
        lines.append(" | ".join(("", *cells, *(str(totals.per_10000(n)) for n in names), "")).strip())
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--population", nargs="+", choices=POPULATIONS, default=["unknown", "token", "base"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--rules-only",
        action="store_true",
        help="not the simple policies, of which the rules must lose a small share",
    )
    parser.add_argument("--explain", type=int, metavar="SEED", help="tell one run of the first population")
    options = parser.parse_args(arguments)
    if options.explain is not None:
        explain(make_schedule(options.explain, options.population[0]))
        return 0
    policies = (RULES,) if options.rules_only else tuple(POLICIES)
    results = simulate(options.population, options.runs, options.seed, options.processes, policies)
    print(table(results))
    status = 0
    for population in options.population:
        rules = results[population, RULES]
        newest_clock = results.get((population, CLOCK))
        if newest_clock is not None:
            share = rules.counts["lost"] / max(newest_clock.counts["lost"], 1)
            print(f"{population}: {share:.2%} of what {CLOCK!r} loses in the same runs")
        if rules.counts["undecided"]:
            print(f"{population}: {rules.per_10000('undecided')} edits undecided, all recorded as {PUT_BACK!r}")
        for name, target in missed(population, rules, newest_clock).items():
            status = 1
            print(f"TARGET MISSED: {population}, {name}: {rules.counts[name]}, should be: {target}")
            if target == "never":
                explain(smallest(population, rules.worst[name], name))
    return status


if __name__ == "__main__":
    sys.exit(main())
