"""`hypertask log` in sentences: who changed what, when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from client.commands.decision_lines import conflict_line
from client.screen import clip, value_text
from client.tasks.journal import JournalEntry
from client.tasks.undone import BOOKKEEPING
from shared.core.identifiers import Body, DocumentId
from shared.core.json.canonical import equal
from shared.core.json.values import ABSENT

HASH: Final = 12
"""So many characters of a hash name a state, as `restore --state` takes it."""
INDENT: Final = " " * 37

RevisionRow = Mapping[str, Any]
"""A revision, as `Upstream.history` lists them."""


def revision_lines(rows: Sequence[RevisionRow], bodies: Mapping[str, Body], local: str | None) -> list[str]:
    """The revisions, the newest first. `bodies`: those that are known, by hash. `local`: of the file here."""
    lines: list[str] = []
    for number, row in enumerate(rows):
        before = next((one for one in rows[number + 1 :] if not one.get("received")), None)
        here = "  <- here" if row.get("hash") == local and not row.get("deleted") else ""
        state = str(row.get("hash"))[:HASH]
        lines.append(f"  {moment_of(row.get('at'))}  {state}  {_change(row, before, bodies)}{here}")
        lines += [
            f"{INDENT}{conflict_line(conflict).partition('. --take')[0]}" for conflict in row.get("conflicts") or ()
        ]
    return lines


def local_lines(entries: Iterable[JournalEntry], document: DocumentId) -> list[str]:
    """What commands, syncs and undos did to the document in this folder; `entries` are the newest first."""
    lines: list[str] = []
    for entry in entries:
        for step in entry.steps:
            if step.document == document and not equal(step.before, step.after):
                done = changes_said(step.before, step.after)
                lines.append(f"  {moment_of(entry.at)}  {done}  (hypertask {clip(entry.command, 60)})")
    return lines


def changes_said(before: Body | None, after: Body | None) -> str:
    """What is different, field by field."""
    if after is None:
        return "deleted"
    if before is None:
        return f"created: {_fields({}, after)}"
    return _fields(before, after) or "nothing but the time of the change"


def moment_of(at: Any) -> str:
    """A time as the clock here shows it."""
    return datetime.fromtimestamp(float(at or 0), UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _change(row: RevisionRow, before: RevisionRow | None, bodies: Mapping[str, Body]) -> str:
    by = f"on {row.get('device')}"
    if row.get("received"):
        return f"received from {row.get('device')}, and merged or replaced at once"
    if row.get("deleted"):
        return f"deleted {by}"
    is_new = before is None or bool(before.get("deleted"))
    word = "came back by an edit" if row.get("outcome") == "resurrected" else "created" if is_new else "changed"
    now = bodies.get(str(row.get("hash")))
    was = bodies.get(str(before.get("hash"))) if before is not None and not is_new else {}
    if now is None or was is None:
        return f"{word} {by} (the text of it is not kept any more)"
    return f"{word} {by}: {_fields(was, now) or 'nothing but the time of the change'}"


def _fields(before: Body, after: Body) -> str:
    changes = []
    for field in dict.fromkeys([*before, *after]):
        was, now = before.get(field, ABSENT), after.get(field, ABSENT)
        if field in ("id", "entry") or field in BOOKKEEPING:  # the line says when
            continue
        if was is ABSENT or now is ABSENT or not equal(was, now):
            changes.append(_field(field, was, now))
    return ", ".join(changes)


def _field(name: str, was: Any, now: Any) -> str:
    if name == "annotations" and (sentence := _notes_said(was, now)):
        return sentence
    if now is ABSENT:
        return f"{name} removed (it was {value_text(was)})"
    if _are_words(was, now):
        marks = [f"+{word}" for word in now if was is ABSENT or word not in was]
        marks += [f"-{word}" for word in (() if was is ABSENT else was) if word not in now]
        return f"{name} {' '.join(marks) or 'in another order'}"
    return f"{name} {value_text(now)}" if was is ABSENT else f"{name} {value_text(was)} -> {value_text(now)}"


def _notes_said(was: Any, now: Any) -> str:
    """Notes that came and went, by their texts; empty where these are no notes."""
    before, after = ([] if value is ABSENT else _note_texts(value) for value in (was, now))
    if before is None or after is None:
        return ""
    came = [f"note {value_text(text)}" for text in after if text not in before]
    went = [f"note {value_text(text)} removed" for text in before if text not in after]
    return ", ".join([*came, *went])


def _note_texts(value: Any) -> list[str] | None:
    """None where it is no list of notes."""
    rows = value if isinstance(value, list) else [None]
    texts = [row.get("description") if isinstance(row, dict) else None for row in rows]
    return [text for text in texts if isinstance(text, str)] if None not in texts else None


def _are_words(was: Any, now: Any) -> bool:
    """Whether both are lists of short texts, as tags are."""
    lists = [value for value in (was, now) if value is not ABSENT]
    return all(isinstance(value, list) and all(isinstance(word, str) for word in value) for value in lists)
