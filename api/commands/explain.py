"""The history of one document, for people: every revision, whose it is, what was decided, what was dropped and how to
bring it back. Pure: entries in, text out; values of secret fields are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared import codec
from shared.core.documents import DeviceId, DocumentId, HistoryEntry
from shared.core.merge.conflict_rows import redacted
from shared.core.merge.policies import Policies


def history_lines(
    document: DocumentId,
    entries: Sequence[HistoryEntry],
    names: Mapping[DeviceId, str],
    policies: Policies,
    *,
    url: str,
) -> Iterator[str]:
    """Lines, oldest revision first. `entries`: newest first. `names`: what devices are called."""
    head = next(entry for entry in entries if not entry.received)
    yield f"{document}: {'deleted' if head.deleted else 'live'}, {len(entries)} states, current rev {head.rev}"
    for entry in reversed(entries):
        yield ""
        yield from _entry(entry, names, policies)
        if entry is not head and entry.body is not None:
            yield f"    bring it back:  POST {url}/task/{document}/restore  " + f'{{"hash": "{entry.hash}"}}'
        elif entry.body is None and not entry.deleted:
            yield "    its body was pruned; the hash is known still"


def _entry(entry: HistoryEntry, names: Mapping[DeviceId, str], policies: Policies) -> Iterator[str]:
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = "received, and never current as it was" if entry.received else f"rev {entry.rev}"
    yield f"{at}  {_device(entry.by, names)}  {what}"
    yield f"    {entry.outcome}, by the rule: {entry.rule}"
    if entry.parents:
        yield f"    from {', '.join(entry.parents)}"
    for conflict in (redacted(row, policies) for row in entry.conflicts):
        yield f"    conflict at {conflict['path'] or 'the document'} ({conflict['rule']}): {_sides(conflict)}"


def _device(device: DeviceId, names: Mapping[DeviceId, str]) -> str:
    identity, _, suffix = device.partition(":")
    name = names.get(DeviceId(identity))
    return (f"{name} ({identity})" if name else identity) + (f", {suffix}" if suffix else "")


def _sides(conflict: Mapping[str, Any]) -> str:
    if conflict.get("redacted") and not conflict.keys() & {"kept", "dropped"}:
        return "the values are secret"
    return f"kept {_value(conflict, 'kept')}, dropped {_value(conflict, 'dropped')}"


def _value(conflict: Mapping[str, Any], side: str) -> str:
    if side not in conflict and conflict.get("redacted"):
        return "what is secret"
    if side in conflict:
        text = codec.dumps(conflict[side]).decode()
        return text if len(text) <= 80 else text[:77] + "..."
    return "a large value" if conflict.get("elided") else "nothing"
