"""Medians, ratios and tables of what was measured. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.work import aims

Run = Mapping[str, Mapping[str, float]]
"""Column -> figure -> value, of one repeat."""
Medians = dict[str, dict[str, float]]

FIRST: Final = "Hypertask"
"""The column that the others are compared with."""
BEGIN: Final = "<!-- begin: made by `python -m bench.work --read`; tests/architecture/test_figures.py compares -->"
END: Final = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    title: str
    more_is_better: bool | None = None
    """None: not compared."""


@dataclass(frozen=True, slots=True)
class Work:
    title: str
    figures: Sequence[Figure]
    """The first one decides the ratio."""


def works(documents: int) -> Sequence[Work]:
    """One table each."""
    return (
        Work(
            f"W1: first push of {documents:,} documents",
            (
                Figure("w1_batched", "batched, documents/s", True),
                Figure("w1_bulk", "`bulk_write`, documents/s", True),
                Figure("w1_cpu", "servers' CPU, µs a document", False),
            ),
        ),
        Work(
            "W1, W6: single writes",
            (
                Figure("w6_rate", "one by one over 32 connections, writes/s", True),
                Figure("w6_p50", "at 1 connection, p50 ms", False),
                Figure("w6_p99", "p99 ms", False),
                Figure("w6_cpu", "servers' CPU at 32, µs a write", False),
                Figure("w6_crowd", "over 500 connections, writes/s", True),
                Figure("w6_worst", "the slowest of those, ms", False),
            ),
        ),
        Work(
            "W2: fresh pull of all of them",
            (
                Figure("w2", "documents/s", True),
                Figure("w2_again", "by another device after that, documents/s", True),
                Figure("w2_cpu", "servers' CPU, µs a document", False),
                Figure("w2_again_cpu", "after that", False),
                Figure("w2_requests", "requests"),
                Figure("w2_bytes", "bytes a document", False),
            ),
        ),
        Work(
            "W3: a sync that finds nothing to do",
            (
                Figure("w3_ms", "p50 ms", False),
                Figure("w3_requests", "requests"),
                Figure("w3_bytes", "bytes", False),
            ),
        ),
        Work(
            "W4: changes on each side",
            (
                Figure("w4_ms", "ms", False),
                Figure("w4_requests", "requests"),
                Figure("w4_bytes", "bytes", False),
            ),
        ),
        Work(
            "W7: from the acknowledgement of a write to a second device",
            (Figure("w7_p50", "p50 ms", False), Figure("w7_p99", "p99 ms", False)),
        ),
    )


def medians(runs: Sequence[Run]) -> Medians:
    """Of each figure over the repeats that have it, columns in the order in which they were first seen."""
    found: Medians = {}
    for run in runs:
        for column in run:
            found.setdefault(column, {})
    for column, figures in found.items():
        names = dict.fromkeys(name for run in runs for name in run.get(column, ()))
        for name in names:
            figures[name] = statistics.median(run[column][name] for run in runs if name in run.get(column, ()))
    return found


def ratio(ours: float, theirs: float, *, more_is_better: bool) -> float | None:
    """How many times better the first is than the second; below 1 it is worse. None where one is zero."""
    if ours <= 0 or theirs <= 0:
        return None
    return ours / theirs if more_is_better else theirs / ours


def number(value: float | None) -> str:
    """Three digits or more."""
    if value is None:
        return ""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def markdown(results: Mapping[str, Any]) -> str:
    """The tables, with what they mean and what is missing."""
    most = max(results["repeats"].values(), default=0)
    fewer = ", ".join(f"{name} {count}" for name, count in results["repeats"].items() if count < most)
    repeats = f"{most} repeat(s)" + (f" ({fewer})" if fewer else "")
    lines = [
        f"{results['documents']:,} documents, {repeats}, medians; {results['cores']} cores, "
        "which the load generator, the servers and their databases share.",
        *tables(results["medians"], results["documents"]),
        *aims.table(results["medians"]),
        *size_tables(results["sizes"]),
        *scaling_table(results.get("scaling", {})),
        "",
        "What the figures mean:",
        "",
        *(f"- **{name}**: {text}." for name, text in results["means"].items()),
    ]
    if results["failures"]:
        lines += ["", "Not measured:", "", *(f"- {what}: {why}" for what, why in results["failures"].items())]
    return "\n".join(lines).strip() + "\n"


def with_section(page: str, text: str) -> str:
    """The page with the text between its marks, in place of what is there; one without marks is replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{text}\n{end}{after}" if begin and end else text


def section(page: str) -> str:
    """What stands between the marks."""
    return page.partition(BEGIN)[2].partition(END)[0].strip() + "\n"


def tables(found: Medians, documents: int, first: str = FIRST) -> Iterator[str]:
    """Markdown; `first` is the column that the others are compared with."""
    for work in works(documents):
        figures = [f for f in work.figures if any(f.name in column for column in found.values())]
        rows = {name: column for name, column in found.items() if any(f.name in column for f in figures)}
        if not rows:
            continue
        yield from ("", f"### {work.title}", "")
        head = figures[0]
        yield f"| | {' | '.join(f.title for f in figures)} | {first} is so many times better |"
        yield f"|---|{'---|' * (len(figures) + 1)}"
        for name, column in rows.items():
            better = None
            if name != first and head.name in column and head.name in rows.get(first, {}):
                better = ratio(rows[first][head.name], column[head.name], more_is_better=bool(head.more_is_better))
            cells = [number(column.get(f.name)) for f in figures]
            yield f"| {name} | {' | '.join(cells)} | {number(better)} |"
    yield from _contention(found)


def _contention(found: Medians) -> Iterator[str]:
    prefix = "w5_lost "
    rows = [(c, f.removeprefix(prefix)) for c, figures in found.items() for f in figures if f.startswith(prefix)]
    if not rows:
        return
    yield from ("", "### W5: edits of the same documents at the same time", "")
    yield "| | way | edits | lost | lost % | copies that stay stale | edits (each of one document)/s |"
    yield "|---|---|---|---|---|---|---|"
    for column, way in rows:
        lost, made, stale, rate = (found[column][f"w5_{n} {way}"] for n in ("lost", "made", "stale", "rate"))
        share = f"{100 * lost / made:.2f}" if made else ""
        cells = (number(made), number(lost), share, number(stale), number(rate))
        yield f"| {column} | {way} | {' | '.join(cells)} |"


def size_tables(sizes: Mapping[str, Mapping[int, Mapping[str, float]]]) -> Iterator[str]:
    """W8: column -> documents -> figures. Each figure's growth is told against 10,000 documents, or the smallest."""
    for column, rows in sizes.items():
        if not rows:
            continue
        names = ("w3_ms", "w3_requests", "w3_bytes", "w4_ms", "w4_requests", "w4_bytes", "w1_batched")
        base = rows.get(10_000) or rows[min(rows)]
        yield from ("", f"### W8: {column}, by the number of documents", "")
        yield "| documents | W3 p50 ms | requests | bytes | W4 ms | requests | bytes | W3, W4 grew | pushed, docs/s |"
        yield f"|---|{'---|' * 8}"
        for size, figures in rows.items():
            cells = [number(figures[name]) for name in names]
            grown = [figures[name] / base[name] for name in ("w3_ms", "w4_ms")]
            cells.insert(6, f"{grown[0]:.2f}, {grown[1]:.2f}")
            yield f"| {size:,} | {' | '.join(cells)} |"


def scaling_table(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Of `bench.scaling`: where it ran -> "rates" or "cores" -> "workers, spaces" -> what `Found` has of them."""
    if not found:
        return
    yield from ("", "### More workers and more spaces: single writes over 32 connections", "")
    kinds = list(dict.fromkeys(kind for part in found.values() for cores in part["cores"].values() for kind in cores))
    yield f"| | workers, spaces | writes/s | cores: {' | '.join(kinds)} |"
    yield f"|---|---|---|{'---|' * len(kinds)}"
    for where, part in found.items():
        for name, rate in part["rates"].items():
            cells = [number(part["cores"][name].get(kind)) for kind in kinds]
            yield f"| {where} | {name} | {number(rate)} | {' | '.join(cells)} |"
