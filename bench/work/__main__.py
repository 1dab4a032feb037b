"""`python -m bench.work`: the standard work against this server, others, and the bare stack."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from bench.work.columns import Column, Figures, NotHereError, Place, Scale
from bench.work.hypertask import Hypertask
from bench.work.kinto import Kinto
from bench.work.pouchdb import PouchDB
from bench.work.report import Medians, medians, size_tables, tables
from bench.work.rxdb import RxDB
from bench.work.wire import WireColumn

PLACES: dict[str, Callable[[], Place]] = {
    "hypertask": Hypertask,
    "kinto-memory": lambda: Kinto("memory"),
    "kinto-postgresql": lambda: Kinto("PostgreSQL"),
    "pouchdb": PouchDB,
    "rxdb": RxDB,
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


async def column_figures(column: Column, log: Log, only: Sequence[str]) -> Figures:
    """All works of a column; one that fails is named, and the others go on."""
    found: Figures = {}
    start = time.monotonic()
    try:
        await column.begin()
        for work in column.works:
            if only and work not in only and work != "w1":  # the first push is what the others stand on
                continue
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


def at(place: Place, log: Log, work: Callable[[Place], Any]) -> Any:
    """Does the work with the place started, in a folder that is removed afterwards; None if that was not possible."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL does not run as root, and has to come in
        try:
            place.start(Path(folder))
            return work(place)
        except NotHereError as error:
            log.failed(place.name, error)
        except Exception as error:  # noqa: BLE001 - the others are measured all the same
            log.failed(place.name, _first(error))
        finally:
            place.stop()
    return None


def measure(options: argparse.Namespace, scale: Scale, log: Log) -> tuple[list[dict[str, Figures]], dict[str, str]]:
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
                    run[column.name] = asyncio.run(column_figures(column, log, options.works))

            at(PLACES[name](), log, work)
        runs.append(run)
    return runs, means


def measure_sizes(options: argparse.Namespace, scale: Scale, log: Log) -> dict[str, dict[int, Figures]]:
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

        at(PLACES[name](), log, work)
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
    parser.add_argument("--systems", nargs="*", choices=PLACES, default=list(PLACES))
    parser.add_argument("--works", nargs="*", choices=Column.works, default=[], help="all of them")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="W8: 1000 10000 100000 1000000")
    parser.add_argument("--sizes-systems", nargs="*", choices=PLACES, default=["hypertask"])
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    return parser.parse_args(arguments)


def markdown(found: Medians, sizes: Any, means: dict[str, str], failures: dict[str, str], documents: int) -> str:
    lines = list(tables(found, documents, "Hypertask"))
    lines += size_tables(sizes)
    lines += ["", "What the figures mean:", "", *(f"- **{name}**: {text}." for name, text in means.items())]
    if failures:
        lines += ["", "Not measured:", "", *(f"- {what}: {reason}" for what, reason in failures.items())]
    return "\n".join(lines).strip() + "\n"


def main() -> int:
    options = parsed()
    documents = options.documents
    smaller = documents / 10_000 if documents < 10_000 else 1
    scale = Scale(
        documents=documents,
        changes=min(100, documents // 4),
        singles=max(int(3000 * smaller), 64),
        rounds=20 if documents >= 10_000 else 3,
    )
    signal.signal(signal.SIGTERM, _interrupted)
    log = Log()
    try:
        runs, means = measure(options, scale, log)
        sizes = measure_sizes(options, scale, log)
    except KeyboardInterrupt:
        log.say("interrupted; everything that was started has been stopped")
        return 130
    found = medians(runs)
    text = markdown(found, sizes, means, log.failures, documents)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        about = {"cores": os.cpu_count(), "scale": {name: getattr(scale, name) for name in Scale.__slots__}}
        value = {"about": about, "medians": found, "sizes": sizes, "means": means, "failures": log.failures}
        options.json.write_text(json.dumps({**value, "runs": runs}, indent=1) + "\n")
    return 1 if any("," not in what for what in log.failures) else 0


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
