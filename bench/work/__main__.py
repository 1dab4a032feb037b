"""`python -m bench.work`: the standard work against this server, others, and the bare stack."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from bench.work import install
from bench.work.columns import Column, Figures, NotHereError, Place, Scale
from bench.work.hypertask import Hypertask
from bench.work.kinto import Kinto
from bench.work.plot import plot
from bench.work.pocketbase import PocketBase
from bench.work.pouchdb import PouchDB
from bench.work.report import markdown, medians, with_section
from bench.work.rxdb import RxDB
from bench.work.said import said
from bench.work.taskchampion import TaskChampion
from bench.work.wire import WireColumn

PLACES: dict[str, Callable[[], Place]] = {
    "hypertask": Hypertask,
    "kinto-memory": lambda: Kinto("memory"),
    "kinto-postgresql": lambda: Kinto("PostgreSQL"),
    "pouchdb": PouchDB,
    "rxdb": RxDB,
    "pocketbase": PocketBase,
    "taskchampion": TaskChampion,
}
WORK_SECONDS = 240
"""No work of one column takes longer; it is then given up, and the run goes on."""
LOAD_SECONDS = 1800


class Log:
    """What happens, to people on standard error; and what could not be measured, by name."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.failures: dict[str, str] = {}

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:6.0f} s  {text}", file=sys.stderr, flush=True)

    def failed(self, what: str, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.failures[what] = " ".join(reason.split())[:500]
        self.say(f"not measured: {what}: {self.failures[what]}")


async def column_figures(column: Column, log: Log, only: Sequence[str], pause: float) -> Figures:
    """All works of a column, each after so many seconds in which nothing is asked; one that fails is named, and the
    others go on."""
    found: Figures = {}
    start = time.monotonic()
    gc.collect()
    gc.freeze()  # or the collector walks what earlier columns left while this one is timed
    try:
        await column.begin()
        for work in column.works:
            if only and work not in only and work != "w1":  # the first push is what the others stand on
                continue
            # Who waits for the disk does not wait for what others have written before.
            await asyncio.to_thread(os.sync)
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(WORK_SECONDS):
                    found |= await getattr(column, work)()
            except Exception as error:  # noqa: BLE001 - a work of somebody else's program may fail in any way
                log.failed(f"{column.name}, {work.upper()}", _first(error))
    finally:
        await column.end()
    log.say(f"{column.name}: {time.monotonic() - start:.1f} s")
    return found


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def scratch() -> Iterator[Path]:
    """For all that a run writes. It is removed when the run is over: while a disk is told what became free, and for
    some minutes after it, files are made slowly (bench/apart.py), and that would be measured in what comes next."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL does not run as root, and has to come in
        yield Path(folder)


def at(place: Place, folder: Path, log: Log, work: Callable[[Place], Any]) -> Any:
    """Does the work with the place started, in a new folder inside of `folder`; None if that was not possible."""
    own = Path(tempfile.mkdtemp(dir=folder))
    own.chmod(0o755)
    try:
        place.start(own)
        return work(place)
    except NotHereError as error:
        log.failed(place.name, error)
    except Exception as error:  # noqa: BLE001 - the others are measured all the same
        log.failed(place.name, _first(error))
    finally:
        place.stop()
    return None


def measure(
    options: argparse.Namespace, scale: Scale, folder: Path, log: Log
) -> tuple[list[dict[str, Figures]], dict[str, str]]:
    """Figures of each repeat, and what each column means."""
    runs: list[dict[str, Figures]] = []
    means: dict[str, str] = {}
    for turn in range(options.repeats):
        run: dict[str, Figures] = {}
        for name in options.systems:
            log.say(f"repeat {turn + 1} of {options.repeats}: {name}")

            def work(place: Place, run: dict[str, Figures] = run) -> None:
                for column in place.columns(scale):
                    means[column.name] = column.means
                    run[column.name] = asyncio.run(column_figures(column, log, options.works, options.pause))

            at(PLACES[name](), folder, log, work)
        runs.append(run)
        if options.json:  # of a run that is broken off, what it has
            write(options.json, of_repeats(options, runs, means, log))
    return runs, means


def measure_sizes(options: argparse.Namespace, scale: Scale, folder: Path, log: Log) -> dict[str, dict[int, Figures]]:
    """W8, on the first column of each place that was asked for."""
    found: dict[str, dict[int, Figures]] = {}
    for name in options.sizes_systems:

        def work(place: Place) -> None:
            column = place.columns(scale)[0]
            assert isinstance(column, WireColumn)
            for size in options.sizes:
                figures = asyncio.run(_at_size(column, size))
                found.setdefault(column.name, {})[size] = figures
                log.say(f"{column.name} at {size:,} documents: W3 {figures['w3_ms']:.2f} ms")

        at(PLACES[name](), folder, log, work)
    return found


async def _at_size(column: WireColumn, size: int) -> Figures:
    async with asyncio.timeout(LOAD_SECONDS):
        await column.begin()
        column.ids = [f"s{number:08}" for number in range(size)]
        rate = size / await column.push(column.ids)
        await column.w3()  # the first one after a load makes what is kept
        figures = await column.w3()
        turns = [await column.w4() for _ in range(5)]
        await column.end()
    return (
        figures | {name: statistics.median(turn[name] for turn in turns) for name in turns[0]} | {"w1_batched": rate}
    )


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.work", description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3, help="medians are taken over these; 0: W8 alone")
    parser.add_argument(
        "--patience", type=float, default=Scale().patience, help="seconds of W5 for each way to write"
    )
    parser.add_argument("--systems", nargs="*", choices=PLACES, default=list(PLACES))
    parser.add_argument("--works", nargs="*", choices=Column.works, default=[], help="all of them")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds before each work in which nothing is asked")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="W8: 1000 10000 100000 1000000")
    parser.add_argument("--sizes-systems", nargs="*", choices=PLACES, default=["hypertask"])
    parser.add_argument("--install", action="store_true", help="fetch the other systems with pip and npm, and end")
    parser.add_argument("--read", type=Path, nargs="*", default=[], help="measure nothing; take what --json wrote")
    parser.add_argument("--plot", type=Path, help="write a picture (SVG) there")
    parser.add_argument("--json", type=Path, help="write all figures there, anew after each repeat")
    parser.add_argument("--markdown", type=Path, help="write the tables there, or where a page has a place for them")
    parser.add_argument("--readme", type=Path, help="write the short table there, where that page has a place for it")
    return parser.parse_args(arguments)


def main() -> int:
    options = parsed()
    if options.install:
        return installed()
    log = Log()
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        results = read(options.read) if options.read else measured(options, log)
    except KeyboardInterrupt:
        log.say("interrupted; everything that was started has been stopped")
        return 130
    text = markdown(results)
    print(text)
    if options.markdown:
        known = options.markdown.read_text() if options.markdown.exists() else ""
        options.markdown.write_text(with_section(known, text))
    if options.readme:
        options.readme.write_text(with_section(options.readme.read_text(), said(results["medians"])))
    if options.plot:
        options.plot.write_text(plot(results["medians"]))
    if options.json:
        write(options.json, results)
    return 1 if results["failures"] else 0


def measured(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    """What `--json` writes. Fewer documents make the other works smaller too."""
    documents = options.documents
    small = documents < 10_000
    scale = Scale(
        documents=documents,
        changes=min(100, documents // 4),
        singles=max(3000 * documents // 10_000, 64) if small else 3000,
        rounds=3 if small else 20,
        patience=options.patience,
        crowded=min(documents, 10_000),
    )
    with scratch() as folder:
        runs, means = measure(options, scale, folder, log)
        sizes = measure_sizes(options, scale, folder, log)
    return {**of_repeats(options, runs, means, log), "sizes": sizes}


def of_repeats(
    options: argparse.Namespace, runs: Sequence[dict[str, Figures]], means: dict[str, str], log: Log
) -> dict[str, Any]:
    """What there is before W8."""
    return {
        "cores": os.cpu_count(),
        "documents": options.documents,
        "repeats": {name: sum(name in run for run in runs) for name in means},
        "medians": medians(runs),
        "sizes": {},
        "means": means,
        "failures": log.failures,
        "runs": list(runs),
    }


def write(path: Path, results: dict[str, Any]) -> None:
    path.write_text(json.dumps(results, indent=1) + "\n")


def read(paths: Sequence[Path]) -> dict[str, Any]:
    """Several runs as one; systems of a later file replace those of an earlier one."""
    found: dict[str, Any] = {}
    for path in paths:
        value = json.loads(path.read_text())
        sizes = value.get("sizes", {})
        value["sizes"] = {c: {int(n): figures for n, figures in rows.items()} for c, rows in sizes.items()}
        for name, member in value.items():
            if isinstance(member, dict):
                found[name] = {**found.get(name, {}), **member}
            elif isinstance(member, list):
                found[name] = [*found.get(name, []), *member]
            else:
                found[name] = member
    return found


def installed() -> int:
    failures = 0
    works: dict[str, Callable[[], Path]] = {
        "Kinto": lambda: install.of_python("kinto"),
        "PouchDB and RxDB": install.node,
        "PocketBase": lambda: install.of_python("pocketbase"),
        "TaskChampion": lambda: install.of_python("taskchampion"),
    }
    for name, work in works.items():
        try:
            print(f"{name}: installed in {work()}")
        except NotHereError as error:
            failures += 1
            print(f"{name}: not installed: {error}")
    print("Next: python -m bench.work")
    return 1 if failures else 0


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
