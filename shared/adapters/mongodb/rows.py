"""Rows of the database, and what they are to the rules. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from bson import encode

from shared.adapters.mongodb.bodies import restored, restored_and_weight, stored
from shared.adapters.mongodb.client import Row
from shared.core.documents import (
    Body,
    ContentHash,
    Device,
    DeviceId,
    DocumentId,
    Epoch,
    HistoryEntry,
    SequenceNumber,
    SpaceId,
    Synced,
    UserName,
)
from shared.core.index.lineage import Begun, Lineage, first_history, next_history
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.merge.policies import parse as parse_policies
from shared.core.resolution.batch import Write
from shared.core.resolution.context import (
    DeviceMemory,
    Head,
    Pair,
    Stored,
    Submission,
    ValueKey,
)
from shared.core.resolution.revs import make_rev
from shared.core.version_vectors import Version


def provenance_row(write: Write) -> Row:
    """What a row says for people."""
    row: Row = {
        "by": write.item.by,
        "at": write.item.submission.arrived_at,
        "outcome": write.decision.outcome,
        "rule": write.decision.rule,
    }
    if write.conflicts:
        row["conflicts"] = [stored(dict(conflict)) for conflict in write.conflicts]
    return row


def superseded_row(old: Row, document: DocumentId, gone: list[ValueKey], until: SequenceNumber, at: float) -> Row:
    row = {**old, "id": document, "until": until, "superseded_at": at}
    del row["_id"]
    if "body" not in old:
        row["deleted"] = True
    if gone:
        row["gone"] = gone
    return row


def remembers(submission: Submission) -> bool:
    return submission.base is None and submission.device is not None


def device_memory_row(memory: DeviceMemory) -> Row:
    """The names are those of every release: processes of another one read them, and know no others."""
    return {
        "sent": memory.sent,
        "returned": memory.returned,
        "asked": list(memory.asked),
        "at": memory.at,
        "edited_at": memory.edited_at,
        "request": memory.delivery,
        "answered": memory.answered,
        "before": list(memory.before),
    }


def device_memory_of(row: Mapping[str, Any]) -> DeviceMemory:
    return DeviceMemory(
        sent=row["sent"],
        returned=row["returned"],
        asked=tuple(row["asked"]),
        at=row["at"],
        edited_at=row.get("edited_at"),
        delivery=row.get("request", row.get("delivery")),  # what it was called for a few hours
        answered=row.get("answered"),
        before=tuple(row.get("before", ())),
    )


def pair_row(pair: Pair) -> list[Any]:
    return [pair.device, pair.base, pair.hash, pair.since, pair.at]


def pairs_of(row: Mapping[str, Any]) -> tuple[Pair, ...]:
    return tuple(Pair(*fields) for fields in row.get("pairs", ()))


def new_epoch() -> Epoch:
    return first_history(secrets.randbits(40))


def new_space(process: str | None) -> Row:
    """`process`: of the database, which takes the first write too if nothing happens between."""
    row: Row = {"sequence": 0, "epoch": new_epoch()}
    return row if process is None else {**row, "process": process}


def lineage_of(row: Mapping[str, Any]) -> Lineage:
    """A space that never had but one history has no list of them."""
    histories = row.get("histories") or [[row["epoch"], 1]]
    begun = tuple(Begun(Epoch(history), SequenceNumber(first)) for history, first in histories)
    return Lineage(begun, SequenceNumber(row["sequence"]))


def with_new_history(lineage: Lineage) -> Lineage:
    """The same with one more, of the sequences that come."""
    first = SequenceNumber(lineage.sequence + 1)
    return lineage.begun(next_history(lineage.history_of(lineage.sequence), first, secrets.randbits(40)))


def history_rows(lineage: Lineage) -> list[list[Any]]:
    return [[one.id, one.first] for one in lineage.histories]


def history_in(row: Mapping[str, Any]) -> Epoch | None:
    """That the sequence of a head or a revision is of; None: the oldest of its space."""
    return Epoch(row["history"]) if "history" in row else None


def version_in(row: Mapping[str, Any]) -> Version | None:
    version: Version | None = row.get("version")
    return version


def body_of(row: Mapping[str, Any]) -> Body | None:
    body: Body | None = restored(row.get("body"))
    return body


def stored_of(row: Mapping[str, Any]) -> Stored:
    return Stored(
        ContentHash(row["hash"]),
        body_of(row),
        SequenceNumber(row["seq"]),
        SequenceNumber(row["until"]),
        history_in(row),
        version_in(row),
        bool(row.get("deleted")),
    )


def head_of(row: Mapping[str, Any] | None) -> Head | None:
    if row is None:
        return None
    body, weight = restored_and_weight(row.get("body"))
    return Head(
        SequenceNumber(row["seq"]),
        ContentHash(row["hash"]),
        body,
        row["at"],
        pairs_of(row),
        history_in(row),
        version_in(row),
        size_in(row),
        weight,
    )


def size_in(row: Mapping[str, Any]) -> int | None:
    """What the body counts for. Rows of earlier releases do not say it: then as `SIZE` computes it."""
    if "body" not in row:
        return None
    return int(row["size"]) if "size" in row else len(encode(row["body"]))


def entry_of(row: Mapping[str, Any]) -> HistoryEntry:
    sequence, hash_ = SequenceNumber(row["seq"]), ContentHash(row["hash"])
    is_head = "superseded_at" not in row
    deleted = row.get("deleted", is_head and "body" not in row)
    received = row.get("received", False)
    return HistoryEntry(
        rev=None
        if received
        else make_rev(sequence, hash_, deleted=deleted, history=history_in(row), version=version_in(row)),
        sequence=sequence,
        hash=hash_,
        body=body_of(row),
        deleted=deleted,
        received=received,
        by=DeviceId(row["by"]),
        at=row["at"],
        outcome=row["outcome"],
        rule=row["rule"],
        parents=tuple(row.get("parents", ())),
        conflicts=tuple(restored(conflict) for conflict in row.get("conflicts", ())),
        version=version_in(row),
    )


def policies_of(row: Mapping[str, Any] | None) -> Policies:
    declared = (row or {}).get("policies")
    return parse_policies(json.loads(declared)) if declared else NO_POLICIES


def device_of(row: Mapping[str, Any]) -> Device:
    synced = row.get("synced") or {}
    return Device(
        id=DeviceId(row["_id"]),
        user=UserName(row["user"]),
        name=row["name"],
        space=SpaceId(row["space"]),
        created_at=row["created_at"],
        last_seen=row["last_seen"],
        shared=row.get("shared", False),
        owner=row.get("owner"),
        every_space=row.get("every_space", False),
        expires_at=row.get("expires_at"),
        client=row.get("client", ""),
        synced={SpaceId(space): Synced(known["at"], known["sequence"]) for space, known in synced.items()},
    )


def device_row(device: Device, token_hash: str) -> Row:
    """With the name of its user, by which processes of earlier releases know them."""
    row = {
        "_id": device.id,
        "token_hash": token_hash,
        "user": device.user,
        "name": device.name,
        "space": device.space,
        "created_at": device.created_at,
        "last_seen": device.last_seen,
        "shared": device.shared,
    }
    if device.owner is not None:
        row["owner"] = device.owner
    if device.every_space:
        row["every_space"] = True
    if device.expires_at is not None:
        row["expires_at"] = device.expires_at
    if device.client:
        row["client"] = device.client
    if device.synced:
        row["synced"] = {
            space: {"at": known.at, "sequence": known.sequence} for space, known in device.synced.items()
        }
    return row
