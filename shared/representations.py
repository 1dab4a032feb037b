"""JSON that servers show, and clients of an upstream without a server: revisions, policies, versions."""

from __future__ import annotations

from typing import Any

from shared.core.documents import HistoryEntry
from shared.core.merge.conflict_rows import redacted
from shared.core.merge.policies import Policies
from shared.core.version_vectors import Version


def stored_version(version: Version | None) -> dict[str, Any]:
    """The member `version` of a row, where there is one."""
    return {} if version is None else {"version": version}


def history_row(entry: HistoryEntry, policies: Policies) -> dict[str, Any]:
    """A revision as `GET /task/{id}/revisions` lists it, without its body and what the policies call secret."""
    return {
        "rev": entry.rev,
        "hash": entry.hash,
        "deleted": entry.deleted,
        "received": entry.received,
        "has_body": entry.body is not None,
        "device": entry.by,
        "at": entry.at,
        "outcome": entry.outcome,
        "rule": entry.rule,
        "parents": entry.parents,
        "conflicts": [redacted(conflict, policies) for conflict in entry.conflicts],
        **stored_version(entry.version),
    }


def policies_row(policies: Policies) -> dict[str, Any]:
    """As `GET /policies` shows them, and `PUT /policies` takes them."""
    return {pattern: list(s) if len(s) > 1 else s[0] for pattern, s in policies.declared.items()}
