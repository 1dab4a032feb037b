"""What the README says of the figures. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bench.work.aims import OURS, Medians
from bench.work.report import number, ratio

Clause = Callable[[Medians], str]
"""Raises KeyError where something was not measured; then it says nothing."""
POUCHDB, RXDB = "pouchdb-server", "rxdb-server"
KINTO, KINTO_POSTGRESQL = "Kinto, memory", "Kinto, PostgreSQL"
NAMES: Final = {
    KINTO: "Kinto in memory",
    KINTO_POSTGRESQL: "Kinto on PostgreSQL",
    RXDB: "rxdb-server in memory",
    "motor": "bare inserts",
    "Starlette + motor": "an API that only inserts",
}


def _is(text: str, figure: str, column: str = OURS) -> Clause:
    return lambda found: text.format(number(found[column][figure]))


def _times(figure: str, *others: str, more_is_better: bool = True) -> Sequence[Clause]:
    """How many times better ours is than each of them."""

    def clause(found: Medians, other: str) -> str:
        times = ratio(found[OURS][figure], found[other][figure], more_is_better=more_is_better)
        return f"{number(times)} {NAMES.get(other, other)}"

    return [lambda found, other=other: clause(found, other) for other in others]  # type: ignore[misc]


def _sent(found: Medians) -> str:
    return f"{found[OURS]['w4_bytes'] / 1000:.0f} kB"


def _sent_by_others(found: Medians) -> str:
    sent = sorted(column["w4_bytes"] / 1000 for column in _others(found) if "w4_bytes" in column)
    if not sent:
        raise KeyError("w4_bytes")
    return f"they send {sent[0]:.0f} to {sent[-1]:.0f} kB"


def _lost_by_others(found: Medians) -> str:
    shares = sorted(
        100 * column[name] / made
        for column in _others(found)
        for name in column
        if name.startswith("w5_lost ") and (made := column[name.replace("w5_lost", "w5_made")])
    )
    if not shares:
        raise KeyError("w5_lost")
    return f"they lose {number(shares[0])} to {number(shares[-1])} % of theirs"


def _others(found: Medians) -> Iterator[Mapping[str, float]]:
    yield from (column for name, column in found.items() if not name.startswith(OURS))


LINES: Final[Sequence[tuple[str, Sequence[Clause], Sequence[Clause]]]] = (
    (
        "first push, documents a second",
        [_is("{}", "w1_batched")],
        _times("w1_batched", "motor", RXDB, POUCHDB, KINTO),
    ),
    (
        "single write at one connection, p50",
        [_is("{} ms", "w6_p50")],
        _times("w6_p50", "motor", more_is_better=False),
    ),
    (
        "single writes a second over 32 connections",
        [_is("{}", "w6_rate")],
        _times("w6_rate", "Starlette + motor", RXDB, POUCHDB, KINTO_POSTGRESQL),
    ),
    (
        "the same over 500 connections, and the slowest of them",
        [_is("{}", "w6_crowd"), _is("{} ms", "w6_worst")],
        _times("w6_crowd", RXDB, POUCHDB),
    ),
    (
        "fresh pull, documents a second, and by the next device",
        [_is("{}", "w2"), _is("{}", "w2_again")],
        _times("w2", RXDB, KINTO, KINTO_POSTGRESQL),
    ),
    (
        "a sync that finds nothing",
        [_is("{} request", "w3_requests"), _is("{} bytes", "w3_bytes"), _is("{} ms", "w3_ms")],
        _times("w3_ms", RXDB, POUCHDB, KINTO, more_is_better=False),
    ),
    (
        "100 changes on each side",
        [_is("{} requests", "w4_requests"), _sent, _is("{} ms", "w4_ms")],
        [*_times("w4_ms", RXDB, POUCHDB, KINTO, more_is_better=False), _sent_by_others],
    ),
    (
        "edits of the same documents at the same time",
        [
            _is("{} lost", "w5_lost with base"),
            _is("of {}", "w5_made with base"),
            _is("{} a second", "w5_rate with base"),
        ],
        [_lost_by_others],
    ),
    ("from the file of one device into that of another", [_is("{} ms", "w7_p50", "Hypertask daemon")], []),
)
"""The work, what is said of ours, and of others."""


def said(found: Medians) -> str:
    """A table in Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Medians) -> Iterator[str]:
    yield "| | here | so many times better than |"
    yield "|---|---|---|"
    for title, ours, theirs in LINES:
        here, beside = (", ".join(_told(clauses, found)) for clauses in (ours, theirs))
        if here:
            yield f"| {title} | {here} | {beside} |"


def _told(clauses: Sequence[Clause], found: Medians) -> Iterator[str]:
    for clause in clauses:
        try:
            yield clause(found)
        except KeyError:
            continue
