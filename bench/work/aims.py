"""What the figures are to be, and how far they are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Medians = Mapping[str, Mapping[str, float]]
"""Column -> figure -> value."""

OURS: Final = "Hypertask"
ALONE: Final = "measured alone"
"""The column of what `python -m bench.alone` measures."""


@dataclass(frozen=True, slots=True)
class Aim:
    work: str
    now: Callable[[Medians], float]
    """Raises KeyError where something was not measured."""
    aim: float
    before: float | None = None
    """In November 2026, before anything was done for it."""
    more_is_better: bool = True

    def share(self, value: float) -> float:
        """Of the aim; 1 and more is reached."""
        if self.more_is_better:
            return value / self.aim
        return self.aim / value if value else 1.0 if self.aim == 0 else float("inf")


def _times(figure: str, other: str) -> Callable[[Medians], float]:
    """Ours is so many times the other one's."""
    return lambda found: found[OURS][figure] / found[other][figure]


def _faster(figure: str, other: str) -> Callable[[Medians], float]:
    """The other one's is so many times ours."""
    return lambda found: found[other][figure] / found[OURS][figure]


def _is(figure: str, column: str = OURS) -> Callable[[Medians], float]:
    return lambda found: found[column][figure]


def _of_the_clients(found: Medians) -> float:
    fastest = min(found[name]["w4_ms"] for name in ("PouchDB client", "RxDB client"))
    return fastest / found["Hypertask daemon"]["w4_ms"]


AIMS: Sequence[Aim] = (
    Aim("W1 batched push, times motor's `insert_many`, same durability", _times("w1_batched", "motor"), 0.35, 0.19),
    Aim("W1 batched, times pouchdb-server", _times("w1_batched", "pouchdb-server"), 4, 2.33),
    Aim("W1 batched, times rxdb-server in memory", _times("w1_batched", "rxdb-server"), 0.6, 0.33),
    Aim(
        "single write at 1 connection, p50, times a bare durable insert",
        _times("w6_p50", "motor"),
        2.2,
        3.8,
        more_is_better=False,
    ),
    Aim(
        "writes a second at 32 connections, times rxdb-server in memory", _times("w6_rate", "rxdb-server"), 1.6, 0.96
    ),
    Aim(
        "writes a second at 32 connections, times Starlette + motor", _times("w6_rate", "Starlette + motor"), 2.2, 1.4
    ),
    Aim("writes a second at 500 connections", _is("w6_crowd"), 5000),
    Aim("the slowest of those, ms", _is("w6_worst"), 1000, more_is_better=False),
    Aim("W2 fresh pull raw, times Kinto in memory", _times("w2", "Kinto, memory"), 2, 0.41),
    Aim("W2 fresh pull raw, times Kinto on PostgreSQL", _times("w2", "Kinto, PostgreSQL"), 5, 1.14),
    Aim("W2 fresh pull raw, times rxdb-server", _times("w2", "rxdb-server"), 2, 0.53),
    Aim("W2 by the devices after it, times rxdb-server", _times("w2_again", "rxdb-server"), 2),
    Aim(
        "W2 our client into durable files, times RxDB's client into memory",
        lambda found: found["Hypertask client"]["w2"] / found["RxDB client"]["w2"],
        1,
        0.25,
    ),
    Aim("W4 raw, times rxdb-server in memory", _faster("w4_ms", "rxdb-server"), 1, 0.36),
    Aim("W4 raw, times pouchdb-server", _faster("w4_ms", "pouchdb-server"), 2.5, 1.3),
    Aim("W4 daemon, times the faster one of PouchDB's and RxDB's clients", _of_the_clients, 1, 0.39),
    Aim("W5 edits of the same documents, edits a second (326: one by one)", _is("w5_rate with base"), 1500, 326),
    Aim("W5 edits lost", _is("w5_lost with base"), 0, 0, more_is_better=False),
    Aim(
        "the first whole hash map ever of 1,000,000 documents, s",
        _is("map_first_s", ALONE),
        3,
        8.5,
        more_is_better=False,
    ),
    Aim(
        "the same, cold: by another process, with an empty cache, s",
        _is("map_cold_s", ALONE),
        3,
        8.5,
        more_is_better=False,
    ),
    Aim("whole hash map, after a write, ms", _is("map_patched_ms", ALONE), 50, 382, more_is_better=False),
    Aim("`hypertask list`, 100 tasks, CPU s", _is("list_cpu_s", ALONE), 0.12, more_is_better=False),
    Aim("`hypertask sync` that finds nothing, CPU s", _is("sync_cpu_s", ALONE), 0.12, more_is_better=False),
    Aim("worst merge of 1 MiB, ms", _is("merge_worst_ms", ALONE), 300, 2700, more_is_better=False),
    Aim("kinds of merges of 1 MiB under 50 ms, of 23", _is("merges_quick", ALONE), 15, 4),
)


def table(found: Medians) -> Iterator[str]:
    """Markdown, of those that were measured."""
    rows = [(aim, value) for aim in AIMS if (value := _value(aim, found)) is not None]
    if not rows:
        return
    yield from ("", "### What was aimed at", "")
    yield "| work | before | now | aim | now, of the aim |"
    yield "|---|---|---|---|---|"
    for aim, value in rows:
        share = aim.share(value)
        reached = f"{share:.2f}" if share < 1 else "reached"
        yield f"| {aim.work} | {_text(aim.before)} | {_text(value)} | {_text(aim.aim)} | {reached} |"


def _value(aim: Aim, found: Medians) -> float | None:
    try:
        return aim.now(found)
    except (KeyError, ZeroDivisionError):
        return None


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
