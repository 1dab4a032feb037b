"""How an upstream without a server keeps a document: its entry as JSON, and how much of its history stays.

A directory keeps the entries in a database beside its files, a repository as files in its tree. What is stored in an
entry is decided by shared/transaction.py. Nothing here does any input or output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from shared import codec
from shared.adapters.memory import Entry, HistoryItem, Provenance
from shared.core.identifiers import Body, ContentHash, SequenceNumber
from shared.core.resolution.context import Head, Pair

BODIES: Final = 16
"""Of so many earlier states the bodies are kept; clients bring that of their base along."""
PAST: Final = 128
"""So many earlier states are remembered at all."""


def retained(entry: Entry) -> Entry:
    """The entry with as much of its history as is kept: by count, because all of it is one record. Never without the
    body that a head tombstone buried."""
    past = entry.past[-PAST:]
    old, new = past[:-BODIES], past[-BODIES:]
    if entry.buried is not None and not any(_holds(item, entry) for item in past):
        buried = tuple(item for item in entry.past if _holds(item, entry))[-1:]
        old = (*buried, *old[1:]) if buried else old
    without = (item if _holds(item, entry) or item.body is None else replace(item, body=None) for item in old)
    return replace(entry, past=(*without, *new))


def _holds(item: HistoryItem, entry: Entry) -> bool:
    """Whether it has the body that the head, a tombstone, buried."""
    return item.body is not None and item.hash == entry.buried


# As JSON


def dump(entry: Entry, *, with_head: bool = True) -> bytes:
    """`with_head` False: the head's body stands elsewhere."""
    head = entry.head
    return codec.dumps(
        {
            "head": [
                head.sequence,
                head.hash,
                head.body if with_head else None,
                head.body is not None,
                head.arrived_at,
                head.history,
                head.version,
            ],
            "pairs": [_dumped_pair(pair) for pair in head.pairs],
            "told": _dumped_provenance(entry.provenance),
            "past": [
                [
                    one.sequence,
                    one.hash,
                    one.body,
                    one.until,
                    _dumped_provenance(one.provenance),
                    one.deleted,
                    [_dumped_pair(pair) for pair in one.pairs],
                    sorted(one.gone),
                    one.history,
                    one.version,
                ]
                for one in entry.past
            ],
        }
    )


def load(data: bytes, body: Body | None = None) -> Entry:
    """`body`: of the head, if it was dumped without. Raises ValueError for anything else."""
    try:
        value: Mapping[str, Any] = codec.loads(data)
        sequence, content, inside, live, at, *more = value["head"]
        pairs = tuple(Pair(*pair) for pair in value["pairs"])
        head = Head(sequence, content, (inside if inside is not None else body) if live else None, at, pairs, *more)
        past = tuple(_past(*one) for one in value["past"])
        return Entry(head, _provenance(value["told"]), past)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not an entry of a ledger: {error}") from error


def _past(
    sequence: SequenceNumber,
    content: ContentHash,
    body: Body | None,
    until: SequenceNumber,
    provenance: list[Any],
    *rest: Any,
) -> HistoryItem:
    deleted, pairs, gone, *more = rest
    return HistoryItem(
        sequence,
        content,
        body,
        until,
        _provenance(provenance),
        deleted,
        tuple(Pair(*pair) for pair in pairs),
        frozenset(gone),
        *more,
    )


def _dumped_pair(pair: Pair) -> list[Any]:
    return [pair.device, pair.base, pair.hash, pair.since, pair.at]


def _dumped_provenance(provenance: Provenance) -> list[Any]:
    return [
        provenance.by,
        provenance.at,
        provenance.outcome,
        provenance.rule,
        list(provenance.parents),
        list(provenance.conflicts),
    ]


def _provenance(row: list[Any]) -> Provenance:
    return Provenance(row[0], row[1], row[2], row[3], tuple(row[4]), tuple(row[5]))
