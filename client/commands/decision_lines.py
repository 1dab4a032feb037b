"""Conflicts that were decided, in sentences: what happened, and the command that takes this device's side back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from client.commands.task_words import title
from client.folder.task_folder import FileProblem, Loaded
from client.screen import SHOWN, value_text
from client.sync.decided import Decided
from client.sync.engine.own_edits import is_lives_on
from client.sync.engine.since_decided import Since, place_changed, since_decided
from client.tasks.journal import COMMANDS, UNDONE, Journal, Step
from client.workspace.workspace import Workspace
from shared.core.identifiers import DocumentId
from shared.core.merge.conflict_rows import ConflictRow

SEEN: Final = "conflicts-seen"
"""A file in the folder's own part: the number of the newest decision that was listed."""

_KEPT: Final = "it is kept. --take deletes it after all"
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
    """For `status`: the edits of this device that lost, that were not listed by `conflicts` so far, and about which
    nobody has done anything here since then."""
    rows = workspace.store.decisions(most=1000, after=_seen(workspace))
    steps = _steps_here(workspace.folder.state) if rows else []
    unanswered = [(row, open_) for row in rows if (open_ := _unanswered(row, steps, workspace))]
    lines = [lost_line(row["id"], row["number"], open_, workspace) for row, open_ in unanswered[:SHOWN]]
    more = len(unanswered) - len(lines)
    return [*lines, f"... and {more} more like that: hypertask conflicts"] if more else lines


def _unanswered(
    row: Mapping[str, Any], steps: Sequence[tuple[float, Step]], workspace: Workspace
) -> list[ConflictRow]:
    """The conflicts of a decision in which this device's side is dropped still, and whose place no command has
    changed here since then."""
    mine = _dropped_here(row["conflicts"])
    if not mine:
        return []
    since = sides_since(row["id"], mine, workspace)
    later = [step for at, step in steps if at > row["at"] and step.document == row["id"]]
    return [
        conflict
        for conflict, now in zip(mine, since, strict=True)
        if now in (Since.STANDS, Since.CHANGED)
        and not any(place_changed(conflict, step.before, step.after) for step in later)
    ]


def _steps_here(state: Path) -> list[tuple[float, Step]]:
    """What commands, and undos, did in the folder, with the time."""
    entries = [entry for name in (COMMANDS, UNDONE) for entry in Journal(state, name).entries()]
    return [(entry.at, step) for entry in entries for step in entry.steps]


def see(workspace: Workspace, rows: Iterable[Mapping[str, Any]]) -> None:
    """They were listed: `status` need not name them any more."""
    newest = max((row["number"] for row in rows), default=0)
    if newest > _seen(workspace):
        _path(workspace).write_text(f"{newest}\n", encoding="ascii")


def lost_line(document: DocumentId, number: int, conflicts: Sequence[ConflictRow], workspace: Workspace) -> str:
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
    again = " and was changed again since" if Since.CHANGED in sides_since(document, mine, workspace) else ""
    return (
        f"your edit of {places} in {named} lost to one made elsewhere{by}{again}. To take yours back: hypertask "
        f"conflicts --take {number}"
    )


def conflict_line_now(row: ConflictRow) -> str:
    """One conflict in a list of them; `since` in it is what happened to it since then."""
    line, since = conflict_line(row), row["since"]
    if is_lives_on(row):
        return line if since is Since.STANDS else line.replace(_KEPT, "it was kept, and was deleted since")
    if since is Since.TAKEN_BACK:
        return f"{line}. {'It is there again' if row['path'] == '' else 'What was dropped is there again'}"
    more = {Since.CHANGED: ". It was changed again since", Since.DELETED: ". The task was deleted since"}
    return line + more.get(since, "")


def conflict_line(row: ConflictRow) -> str:
    """One conflict in a list of them, as it was decided."""
    reason = _REASONS.get(str(row["rule"]), str(row["rule"]))
    mine = row.get("mine")
    if is_lives_on(row):
        return {
            "dropped": f"deleted here, edited elsewhere: {_KEPT}",
            "kept": f"edited here, deleted elsewhere: {_KEPT}",
        }.get(str(mine), f"deleted on one device, edited on another: {_KEPT}")
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


def sides_since(document: DocumentId, conflicts: Iterable[ConflictRow], workspace: Workspace) -> list[Since]:
    """What became of each conflict in the document. Of one whose file cannot be read that is not known."""
    loaded = workspace.folder.read(document)
    if isinstance(loaded, FileProblem):
        return [Since.STANDS for _ in conflicts]
    return [since_decided(conflict, loaded.body if loaded else None) for conflict in conflicts]


def _dropped_here(conflicts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in conflicts if row.get("mine") == "dropped"]


def _path(workspace: Workspace) -> Path:
    return workspace.folder.state / SEEN


def _seen(workspace: Workspace) -> int:
    try:
        return int(_path(workspace).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0
