"""The lines of an export: JSON objects with a `kind`, one a line (docs/protocol.md)."""

from __future__ import annotations

from typing import Any, Final

from shared import codec, representations
from shared.core.documents import Exported, SpaceId
from shared.core.merge.policies import Policies
from shared.representations import stored_version

FORMAT: Final = 1


def first_line(space: SpaceId, cursor: str, at: float) -> bytes:
    """`cursor`: what `GET /hashes?since=` takes; `at`: seconds since 1970."""
    return _line({"kind": "space", "format": FORMAT, "space": space, "cursor": cursor, "at": at})


def policies_line(policies: Policies) -> bytes:
    return _line({"kind": "policies", "policies": representations.policies_row(policies)})


def line_of(exported: Exported) -> bytes:
    """Nothing is redacted: an export is for whom the space belongs to."""
    entry = exported.entry
    row: dict[str, Any] = {
        "kind": "document" if exported.is_head else "revision",
        "id": exported.document,
        "rev": entry.rev,
        "hash": entry.hash,
        "deleted": entry.deleted,
        "state": entry.body,
        "sequence": entry.sequence,
        "device": entry.by,
        "at": entry.at,
        "outcome": entry.outcome,
        "rule": entry.rule,
        "parents": entry.parents,
        "conflicts": entry.conflicts,
    }
    if not exported.is_head:
        row["received"] = entry.received
    return _line(row | stored_version(entry.version))


def last_line(documents: int, revisions: int) -> bytes:
    return _line({"kind": "end", "documents": documents, "revisions": revisions})


def _line(row: dict[str, Any]) -> bytes:
    return codec.dumps(row) + b"\n"
