"""Conflicts that were decided, in sentences: what happened, and the command that takes this device's side back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from client.commands.task_words import title
from client.folder.task_folder import Loaded
from client.screen import SHOWN, value_text
from client.sync.decided import Decided
from client.sync.engine.own_edits import is_lives_on
from client.workspace.workspace import Workspace
from shared.core.identifiers import DocumentId

SEEN: Final = "conflicts-seen"
"""A file in the folder's own part: the number of the newest decision that was listed."""

_REASONS: Final = {
    "clock": "the later edit won",
    "arriving": "the edit that arrived last won",
    "novel": "the value that nobody had seen won",
    "seen": "the other had been replaced before",
    "greater": "neither was later: the greater value won",
    "edit-beats-removal": "an edit wins over a removal",
    "delete-wins": "by the policy of the field, a removal wins",
    "came-back": "an edit wins over a value that came back",
    "max": "by the policy of the field, the greatest wins",
    "min": "by the policy of the field, the least wins",
    "version": "by the policy of the field, the highest version wins",
    "both-inserted": "both are kept",
    "both-kept": "both are kept",
    "both-edited": "both edits are in it",
    "renamed": "the edit went to the new name",
    "late": "the device had edited on before this arrived",
    "perhaps-unseen": "the other device may not have seen it",
    "sent-before": "it had been sent before, and replaced",
    "perhaps-set-back": "it is as it was before, so it was not taken for an edit",
    "put-back": "the server had been put back to an earlier state",
}


def decided_lines(name: str, decided: Sequence[Decided], workspace: Workspace) -> list[str]:
    """After a sync: each decision in which an edit of this device lost, and how many others there are."""
    mine = [one for one in decided if _dropped_here(one.conflicts)]
    lines = [f"{name}: {lost_line(one.id, one.number, one.conflicts, workspace)}" for one in mine[:SHOWN]]
    if (more := len(mine) - len(lines)) > 0:
        lines.append(f"{name}: ... and {more} more like that: hypertask conflicts")
    if others := len(decided) - len(mine):
        count = f"{others} {'other ' if mine else ''}{'conflict was' if others == 1 else 'conflicts were'}"
        lines.append(f"{name}: {count} decided for you. To look: hypertask conflicts")
    return lines


def unseen_lines(workspace: Workspace) -> list[str]:
    """For `status`: the edits of this device that lost and that were not listed by `conflicts` so far."""
    rows = workspace.store.decisions(most=1000, after=_seen(workspace))
    lost = [row for row in rows if _dropped_here(row["conflicts"])]
    lines = [lost_line(row["id"], row["number"], row["conflicts"], workspace) for row in lost[:SHOWN]]
    return [*lines, f"... and {len(lost) - SHOWN} more like that: hypertask conflicts"] if lost[SHOWN:] else lines


def see(workspace: Workspace, rows: Iterable[Mapping[str, Any]]) -> None:
    """They were listed: `status` need not name them any more."""
    newest = max((row["number"] for row in rows), default=0)
    if newest > _seen(workspace):
        _path(workspace).write_text(f"{newest}\n", encoding="ascii")


def lost_line(document: DocumentId, number: int, conflicts: Sequence[Mapping[str, Any]], workspace: Workspace) -> str:
    """One decision in which an edit of this device lost."""
    mine = _dropped_here(conflicts)
    named = name_of(document, workspace)
    by = next((f" (by {row['by']})" for row in mine if row.get("by")), "")
    if any(is_lives_on(row) for row in mine):
        return (
            f"{named} was deleted here and edited elsewhere{by}, so it is kept. To delete it after all: hypertask "
            f"conflicts --take {number}"
        )
    if any(row["path"] == "" for row in mine):
        return f"{named} was edited here, deleted elsewhere{by}. To bring it back: hypertask restore {document}"
    places = ", ".join(dict.fromkeys(place(row) for row in mine))
    return (
        f"your edit of {places} in {named} lost to one made elsewhere{by}. To take yours back: hypertask conflicts "
        f"--take {number}"
    )


def conflict_line(row: Mapping[str, Any]) -> str:
    """One conflict in a list of them."""
    reason = _REASONS.get(str(row["rule"]), str(row["rule"]))
    mine = row.get("mine")
    if is_lives_on(row):
        return {
            "dropped": "deleted here, edited elsewhere: it is kept. --take deletes it after all",
            "kept": "edited here, deleted elsewhere: it is kept. --take deletes it after all",
        }.get(str(mine), "deleted on one device, edited on another: it is kept. --take deletes it after all")
    where = place(row)
    if row.get("redacted"):
        return f"{where}: secret ({reason})"
    if row.get("elided") and "dropped" not in row:
        return f"{where}: a large value was kept, another dropped ({reason})"
    kept, dropped = (value_text(row[side]) if side in row else "no value" for side in ("kept", "dropped"))
    if row.get("elided"):
        kept = "a large value"
    by = f" by {row['by']}" if row.get("by") else ""
    if mine == "dropped":
        return f"{where}: yours, {dropped}, lost to {kept}{by} ({reason})"
    if mine == "kept":
        return f"{where}: yours, {kept}, won over {dropped} ({reason})"
    return f"{where}: kept {kept}, dropped {dropped} ({reason})"


def place(row: Mapping[str, Any]) -> str:
    """Where the conflict is, as people write it."""
    segments = str(row["path"]).split("/")[1:]
    return ".".join(segment.replace("~1", "/").replace("~0", "~") for segment in segments) or "the whole task"


def name_of(document: DocumentId, workspace: Workspace) -> str:
    """The task by its id and, where it is in the folder, its description."""
    loaded = workspace.folder.read(document)
    return f'{document} ("{title(loaded.body)}")' if isinstance(loaded, Loaded) else str(document)


def _dropped_here(conflicts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in conflicts if row.get("mine") == "dropped"]


def _path(workspace: Workspace) -> Path:
    return workspace.folder.state / SEEN


def _seen(workspace: Workspace) -> int:
    try:
        return int(_path(workspace).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0
