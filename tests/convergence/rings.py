"""Folders and upstreams in graphs of any shape, cycles included: does all of it settle, and is every edit there?

    python -m tests.convergence.rings --runs 10000 --seed 1 [--population rings restored ...] [--processes 2]

Run `n` has the seed `seed + n`. Populations: `rings`, random graphs of up to six folders and six upstreams of mixed
kinds, with crashes and lost requests; `restored`, the same with upstreams that are put back to an earlier moment;
`single`, three folders ahead and one behind of one upstream that is put back. Exit status 1 if anything was lost,
undone, or did not settle; then the first seeds are named. `--explain SEED` tells one run.

What is judged needs no knowledge of the rules. Each edit adds a member that no other edit adds, its *mark*; some set
`due` too, over the value that they see. An edit is lost if its mark is missing in the end and no deletion had seen
it. An edit of `due` is undone if in the end there is a value that somebody had written over. A deletion is undone if
in the end the document is there though it had seen every edit.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from shared.core.documents import Body, DocumentId
from tests.convergence.in_memory import KINDS, MemoryFolder, MemoryUpstream

COUNTS = ("lost", "undone", "deletions_undone", "different", "unsettled", "late_writes")
POPULATIONS = ("rings", "restored", "single")
CHUNK = 25


@dataclass
class Truth:
    """What was done to one document."""

    edits: dict[str, frozenset[str]] = field(default_factory=dict)
    """Mark -> the marks that were seen when it was made, and what those had seen."""
    deletions: list[frozenset[str]] = field(default_factory=list)
    """The marks that each had seen."""
    over: dict[str, str | None] = field(default_factory=dict)
    """A value of `due` -> the value that it was written over."""
    seen: dict[str, frozenset[str]] = field(default_factory=dict)
    """Folder -> all marks that its file ever had, with what those had seen."""

    def sees(self, folder: str, body: Body | None) -> frozenset[str]:
        """The folder's file is as it is."""
        marks = {key for key in body or () if key in self.edits}
        known = self.seen.get(folder, frozenset()).union(marks, *(self.edits[mark] for mark in marks))
        self.seen[folder] = known
        return known

    def judge(self, body: Body | None) -> Iterator[tuple[str, str]]:
        """(What is wrong, what it is about)."""
        for mark in self.edits:
            if mark not in (body or {}) and not any(mark in seen for seen in self.deletions):
                yield "lost", mark
        if body is None:
            return
        for seen in self.deletions:
            if self.edits.keys() <= seen:
                yield "deletions_undone", f"had seen {sorted(seen)}"
        if not self.deletions and (value := body.get("due")) in set(self.over.values()):
            yield "undone", f"due is {value}"


@dataclass
class Graph:
    """`links`: (folder, upstream)."""

    folders: dict[str, MemoryFolder]
    upstreams: dict[str, MemoryUpstream]
    links: list[tuple[str, str]]


def random_graph(choose: random.Random) -> Graph:
    """Connected, with cycles more often than not."""
    folders = [f"f{number}" for number in range(choose.randint(2, 6))]
    upstreams = [f"u{number}" for number in range(choose.randint(1, 6))]
    links: set[tuple[str, str]] = {(folders[0], upstreams[0])}
    joined_folders, joined_upstreams = [folders[0]], [upstreams[0]]
    rest = folders[1:] + upstreams[1:]
    choose.shuffle(rest)
    for node in rest:
        if node in folders:
            links.add((node, choose.choice(joined_upstreams)))
            joined_folders.append(node)
        else:
            links.add((choose.choice(joined_folders), node))
            joined_upstreams.append(node)
    for _ in range(choose.randint(0, 4)):
        links.add((choose.choice(folders), choose.choice(upstreams)))
    return _graph(folders, {name: choose.choice(KINDS) for name in upstreams}, sorted(links), choose)


def _graph(
    folders: Iterable[str], kinds: dict[str, str], links: list[tuple[str, str]], choose: random.Random
) -> Graph:
    upstreams = {name: MemoryUpstream(kind, choose.randrange(1 << 30)) for name, kind in kinds.items()}
    made = {name: MemoryFolder(name) for name in folders}
    for folder, upstream in links:
        made[folder].upstreams[upstream] = upstreams[upstream]
    return Graph(made, upstreams, links)


class World:
    """One run."""

    def __init__(self, seed: int, population: str, tell: Callable[[str], object] | None = None) -> None:
        self.choose = random.Random(seed)
        self.tell: Callable[[str], object] = tell or (lambda text: None)
        self.tells = tell is not None
        self.population = population
        if population == "single":
            folders = [f"f{number}" for number in range(4)]
            kind = self.choose.choice(KINDS)
            self.graph = _graph(folders, {"u0": kind}, [(name, "u0") for name in folders], self.choose)
        else:
            self.graph = random_graph(self.choose)
        for folder in self.graph.folders.values():
            folder.store.ids.seed(f"{seed} {folder.name}")
        self.documents = [DocumentId(f"d{number}") for number in range(self.choose.randint(1, 3))]
        self.truth = {document: Truth() for document in self.documents}
        self.number = 0
        self.counts: Counter[str] = Counter()
        self.rounds = 0
        self.copies: list[tuple[str, Callable[[], None]]] = []
        for upstream in self.graph.upstreams.values():
            upstream.fate = self.fate
        self.rough = True
        self.tell(f"{population}: {[(n, u.kind) for n, u in self.graph.upstreams.items()]}, {self.graph.links}")

    def fate(self) -> str:
        if not self.rough or self.choose.random() > 0.06:
            return ""
        return self.choose.choice(("lost", "unanswered"))

    # What happens

    def run(self) -> Counter[str]:
        for _ in range(self.choose.randint(10, 60)):
            self.act()
        if self.population == "single":
            self.put_back_single()
        self.settle()
        self.judge()
        return self.counts

    def act(self) -> None:
        choices = {"edit": 30, "delete": 6, "sync": 34, "crash": 6, "all": 10}
        if self.population != "rings":
            choices |= {"copy": 4}
        if self.population == "restored":
            choices |= {"put_back": 3}
        what = self.choose.choices(list(choices), list(choices.values()), k=1)[0]
        getattr(self, what)()

    def edit(self) -> None:
        folder, document = self._folder(), self.choose.choice(self.documents)
        truth, before = self.truth[document], folder.files.bodies.get(document)
        self.number += 1
        mark = f"e{self.number}"
        seen = truth.sees(folder.name, before)
        body = {**(before or {"id": str(document)}), mark: folder.name}
        if self.choose.random() < 0.4:
            value = f"v{self.number}"
            truth.over[value] = body.get("due")
            body["due"] = value
        truth.edits[mark] = seen
        folder.files.put(document, body)
        truth.sees(folder.name, body)
        self.tell(f"{folder.name} edits {document}: {body}")

    def delete(self) -> None:
        folder, document = self._folder(), self.choose.choice(self.documents)
        before = folder.files.bodies.get(document)
        if before is None:
            return
        self.truth[document].deletions.append(self.truth[document].sees(folder.name, before))
        folder.files.put(document, None)
        self.tell(f"{folder.name} deletes {document}")

    def sync(self, link: tuple[str, str] | None = None, stop_after: int | None = None) -> bool:
        name, upstream = link or self.choose.choice(self.graph.links)
        folder = self.graph.folders[name]
        report = folder.sync(upstream, stop_after)
        for document in self.documents:
            self.truth[document].sees(name, folder.files.bodies.get(document))
        done = report is not None and report.agreed
        if self.tells:
            self.tell(
                f"{name} syncs {upstream}: {'agreed' if done else 'cut off' if report is None else report.plan}"
            )
            for document in self.documents:
                entry = self.graph.upstreams[upstream].space.entries.get(document)
                head = (entry.head.body, dict(entry.head.version or {})) if entry else None
                known = folder.store.file_versions([document])
                self.tell(f"    {document} here {folder.files.bodies.get(document)} {known}; there {head}")
        return done

    def crash(self) -> None:
        self.sync(stop_after=self.choose.randint(1, 12))

    def all(self) -> None:
        """A folder with all of its upstreams, as the command does."""
        folder = self._folder()
        for upstream in folder.upstreams:
            self.sync((folder.name, upstream))

    def copy(self) -> None:
        name = self.choose.choice(list(self.graph.upstreams))
        self.copies.append((name, self.graph.upstreams[name].saved()))

    def put_back(self) -> None:
        if self.copies:
            name, back = self.choose.choice(self.copies)
            back()
            self.tell(f"{name} is put back")

    def put_back_single(self) -> None:
        """Three folders are ahead of what is put back, one is behind; perhaps somebody writes first."""
        if not self.copies:
            self.copy()
        self.rough = False
        for name in list(self.graph.folders)[:3]:
            self.sync((name, "u0"))
        self.edit()
        self.put_back()
        if self.choose.random() < 0.5:
            for _ in range(self.choose.randint(1, 5)):
                self.edit()
                self.sync()

    def _folder(self) -> MemoryFolder:
        return self.graph.folders[self.choose.choice(list(self.graph.folders))]

    # What became of it

    def settle(self) -> None:
        """Nobody edits any more. A round is a sync over each link."""
        self.rough = False
        links = list(self.graph.links)
        for name, upstream in links:
            self.graph.folders[name].store.set_proof(upstream, proved=0.0)
        for self.rounds in range(1, len(links) + 4):
            self.tell(f"round {self.rounds}")
            self.choose.shuffle(links)
            quiet = [self._changes_nothing(link) for link in links]
            if all(quiet):
                break
        else:
            self.counts["unsettled"] += 1
        before = self._state()
        for link in links:
            self.sync(link)
        self.counts["late_writes"] += self._state() != before

    def _changes_nothing(self, link: tuple[str, str]) -> bool:
        """Files may go there and back within a round."""
        before = self._state()
        return self.sync(link) and self._state() == before

    def _state(self) -> object:
        folders = {name: dict(folder.files.bodies) for name, folder in self.graph.folders.items()}
        return folders, {name: upstream.writes for name, upstream in self.graph.upstreams.items()}

    def judge(self) -> None:
        found = [dict(folder.files.bodies) for folder in self.graph.folders.values()]
        found += [upstream.documents() for upstream in self.graph.upstreams.values()]
        self.counts["different"] += any(other != found[0] for other in found)
        for document in self.documents:
            for what, about in self.truth[document].judge(found[0].get(document)):
                self.counts[what] += 1
                self.tell(f"{what}: {document}: {about}; it is {found[0].get(document)}")


@dataclass
class Totals:
    """Of many runs."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    seeds: dict[str, list[int]] = field(default_factory=dict)
    rounds: Counter[int] = field(default_factory=Counter)

    def add(self, other: Totals) -> None:
        self.runs += other.runs
        self.counts += other.counts
        self.rounds += other.rounds
        for name, seeds in other.seeds.items():
            self.seeds[name] = sorted({*self.seeds.get(name, ()), *seeds})[:5]


def play(population: str, seeds: Iterable[int]) -> Totals:
    totals = Totals()
    for seed in seeds:
        world = World(seed, population)
        counts = world.run()
        totals.runs += 1
        totals.counts += counts
        totals.rounds[world.rounds] += 1
        for name in COUNTS:
            if counts[name]:
                totals.seeds.setdefault(name, []).append(seed)
    return totals


def simulate(population: str, runs: int, seed: int, processes: int) -> Totals:
    totals = Totals()
    chunks = [range(start, min(start + CHUNK, seed + runs)) for start in range(seed, seed + runs, CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(play, [population] * len(chunks), chunks):
            totals.add(part)
            if sys.stderr.isatty():
                print(f"\r{population}: {totals.runs}", end="", file=sys.stderr)
    return totals


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--population", nargs="+", choices=POPULATIONS, default=list(POPULATIONS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--explain", type=int, metavar="SEED", help="tell one run of the first population")
    options = parser.parse_args(arguments)
    if options.explain is not None:
        print(World(options.explain, options.population[0], print).run())
        return 0
    status = 0
    for population in options.population:
        totals = simulate(population, options.runs, options.seed, options.processes)
        told = ", ".join(f"{name} {totals.counts[name]}" for name in COUNTS)
        print(f"{population}: {totals.runs} runs: {told}; rounds {dict(sorted(totals.rounds.items()))}")
        if any(totals.counts[name] for name in COUNTS):
            status = 1
            print(f"  seeds: {totals.seeds}")
    return status


if __name__ == "__main__":
    sys.exit(main())
