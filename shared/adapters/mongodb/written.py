"""Rows that a decision makes of a document."""

from __future__ import annotations

from typing import NamedTuple

from shared.adapters.mongodb.bodies import stored_body
from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.rows import pair_row, provenance_row
from shared.core.documents import SpaceId
from shared.core.merge.conflict_rows import MAX_CONFLICTS, with_more
from shared.core.resolution.batch import Write
from shared.core.resolution.context import (
    BEGINNING,
    MAX_PAIRS,
    Allotted,
    Decision,
    Head,
    Received,
    Revision,
    Stored,
)
from shared.core.resolution.document_history import Past
from shared.large import weight_at_most


class NewHead(NamedTuple):
    """A row, and what it is of."""

    row: Row
    revision: Revision
    weight: int
    """Of the body: see `Head.weight`."""

    def head(self) -> Head:
        """What it is to the rules: as `head_of` its row, with nothing restored."""
        row, revision = self.row, self.revision
        body, history, version = revision.body, row["history"], row.get("version")
        return Head(
            row["seq"],
            revision.hash,
            body,
            row["at"],
            revision.pairs,
            history,
            version,
            row.get("size"),
            self.weight,
        )


class NewReceived(NamedTuple):
    """A row of a state that never was the head, and what it is of."""

    row: Row
    received: Received
    weight: int

    def past(self) -> Past:
        """As a part of the document's history."""
        received, row = self.received, self.row
        state = Stored(received.hash, received.body, row["seq"], BEGINNING, version=row.get("version"))
        return Past(state, gone=tuple(received.gone), size=row["size"], weight=self.weight)


def superseded_past(head: Head, row: Row) -> Past:
    """A head, superseded as its row says."""
    was = Stored(head.hash, head.body, head.sequence, row["until"], head.history, head.version, head.body is None)
    weight = 0 if head.body is None else head.weight or weight_at_most(head.body)
    return Past(was, head.pairs, tuple(row.get("gone", ())), row.get("size", 0), weight)


def new_head(space: SpaceId, write: Write, revision: Revision, position: Allotted) -> NewHead:
    row: Row = {
        "_id": f"{space}/{write.item.submission.document}",
        "space": space,
        "seq": position.first,
        "history": position.history,
        "hash": revision.hash,
        **provenance_row(write),
        "parents": list(revision.parents),
    }
    version = revision.version_at(position.history, position.first)
    if version is not None:
        row["version"] = dict(version)
    if revision.pairs:
        row["pairs"] = [pair_row(pair) for pair in revision.pairs]
    weight = 1  # of null
    if revision.body is not None:
        row["body"], row["size"], weight = stored_body(revision.body)
    return NewHead(row, revision, weight)


def new_received(space: SpaceId, write: Write, received: Received, old: Row | None) -> NewReceived:
    """A state that never was the head; `old`: the head that it met."""
    provenance = provenance_row(write)
    body, size, weight = stored_body(received.body)
    if write.decision.revision is not None:
        provenance.pop("conflicts", None)  # they stand with the revision
    row = {
        "space": space,
        "id": write.item.submission.document,
        "seq": old["seq"] if old is not None else 0,
        "until": BEGINNING,
        "hash": received.hash,
        "body": body,
        "size": size,
        **provenance,
        "received": True,
        "superseded_at": write.item.submission.arrived_at,
    }
    if received.version is not None:
        row["version"] = dict(received.version)
    if received.gone:
        row["gone"] = list(received.gone)
    return NewReceived(row, received, weight)


def received_by(decision: Decision) -> list[Received]:
    """The states of a decision that are kept beside the head."""
    return [received for received in (decision.received, *decision.recovered) if received is not None]


def kept_head(old: Row, write: Write) -> tuple[Row, list[Row]]:
    """What becomes of a head that stays, and the updates (statements) that make it so; none if nothing changes."""
    decision, row = write.decision, dict(old)
    change: Row = {}
    updates: list[Row] = []
    if decision.pair is not None:
        pair = pair_row(decision.pair)
        row["pairs"] = [*row.get("pairs", ()), pair][-MAX_PAIRS:]
        change["$push"] = {"pairs": {"$each": [pair], "$slice": -MAX_PAIRS}}
    if decision.grown is not None:
        row["version"] = dict(decision.grown)
        change["$set"] = {"version": row["version"]}
    if change:
        updates.append({"q": {"_id": row["_id"]}, "u": change})
    if decision.received is None and write.conflicts:
        more = provenance_row(write)["conflicts"]
        row["conflicts"] = list(with_more(tuple(row.get("conflicts", ())), more))
        updates.append(_more_conflicts(row["_id"], more))
    return row, updates


def _more_conflicts(key: str, rows: list[Row]) -> Row:
    """Adds conflicts to a head that stays: each once, and none if it has many."""
    has_room = {f"conflicts.{MAX_CONFLICTS - 1}": {"$exists": False}}
    return {"q": {"_id": key, **has_room}, "u": {"$addToSet": {"conflicts": {"$each": rows}}}}
