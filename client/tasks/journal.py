"""What commands did to the folder, so that the last of it can be undone.

One file an entry, in the folder's own part, the newest last by name. Written before the change it tells of: after a
crash between the two, an entry tells of a change that did not happen, and undoing it finds nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from client.folder.durable import make_durable, make_names_durable, write_new
from shared import codec
from shared.core.documents import Body, DocumentId
from shared.core.merge.objects import merge
from shared.core.resolution.states import same_content

KEPT: Final = 100
"""So many commands can be undone, one after another."""


@dataclass(frozen=True, slots=True)
class Step:
    """One document, as it was and as it then was. None: it was not there."""

    document: DocumentId
    before: Body | None
    after: Body | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One command."""

    command: str
    steps: tuple[Step, ...]
    path: Path


class Journal:
    """The entries of one folder, in its own part, which is there. Two commands at a time make two entries."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "undo"

    def record(self, command: str, steps: Sequence[Step]) -> Entry:
        """Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{time.time_ns():020}-{token_hex(4)}"
        rows = [[step.document, step.before, step.after] for step in steps]
        write_new(new := path.with_suffix(".new"), codec.dumps({"command": command, "steps": rows}))
        make_durable([new])
        new.rename(path)
        make_names_durable(self._folder)
        for old in self._paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        return Entry(command, tuple(steps), path)

    def last(self) -> Entry | None:
        """The newest entry that was not dropped; None: there is none."""
        for path in reversed(self._paths()):
            try:
                row = codec.loads(path.read_bytes())
            except FileNotFoundError:  # undone by another command at this moment
                continue
            steps = tuple(Step(DocumentId(d), before, after) for d, before, after in row["steps"])
            return Entry(row["command"], steps, path)
        return None

    def deleted(self) -> set[DocumentId]:
        """Documents that commands have deleted, and none has made again since then."""
        found: set[DocumentId] = set()
        for path in self._paths():
            try:
                row = codec.loads(path.read_bytes())
            except FileNotFoundError:
                continue
            found -= {DocumentId(document) for document, _, after in row["steps"] if after is not None}
            found |= {DocumentId(document) for document, _, after in row["steps"] if after is None}
        return found

    def drop(self, entry: Entry) -> None:
        """It was undone, or it never happened."""
        entry.path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.suffix != ".new")


def undone(step: Step, now: Body | None) -> Body | None:
    """The document without what the step did to it: what happened to it since then stays.

    Law (tests/unit/client/tasks/test_journal.py): undone(Step(d, before, after), after) is before.
    """
    if step.after is None:
        return step.before if now is None else now
    if now is None or (step.before is None and same_content(now, step.after)):
        return None
    if step.before is None:
        return now
    body: Any = merge([step.after], now, step.before).value
    return dict(body)
