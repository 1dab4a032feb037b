"""What commands and arrivals did to the folder, so that it can be undone.

Commands, arrivals and undos have a journal each: `undo` takes back one's own command, whatever arrived since. One
file an entry, in the folder's own part, the newest last by name. That of a command, or an undo, is written before the
change it tells of: after a crash between the two, an entry tells of a change that did not happen, and undoing it
finds nothing to do. An arrival's is written when it has arrived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from client.folder.durable import make_durable, make_names_durable, write_new
from shared import codec
from shared.core.identifiers import Body, DocumentId

KEPT: Final = 100
"""So many commands can be undone, one after another."""
COMMANDS: Final = "undo"
ARRIVALS: Final = "arrived"
UNDONE: Final = "undone"
"""Where the journals are, in the folder's own part."""


class Step(NamedTuple):
    """One document, as it was and as it then was. None: it was not there."""

    document: DocumentId
    before: Body | None
    after: Body | None


class JournalEntry(NamedTuple):
    """One command, or what one sync brought."""

    command: str
    steps: tuple[Step, ...]
    path: Path

    @property
    def at(self) -> float:
        """When it was written, in seconds since 1970."""
        return int(self.path.name.partition("-")[0]) / 1_000_000_000


class Journal:
    """The entries of one folder, in its own part, which is there. Two commands at a time make two entries."""

    def __init__(self, state: Path, name: str = COMMANDS) -> None:
        self._folder = state / name

    def record(self, command: str, steps: Sequence[Step]) -> JournalEntry:
        """Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{time.time_ns():020}-{os.urandom(4).hex()}"
        rows = [[step.document, step.before, step.after] for step in steps]
        write_new(new := path.with_suffix(".new"), codec.dumps({"command": command, "steps": rows}))
        make_durable([new])
        new.rename(path)
        make_names_durable(self._folder)
        for old in self._paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        return JournalEntry(command, tuple(steps), path)

    def last(self) -> JournalEntry | None:
        """The newest entry that was not dropped; None: there is none."""
        return next(self.entries(), None)

    def entries(self) -> Iterator[JournalEntry]:
        """The newest first."""
        for path in reversed(self._paths()):
            try:
                row = codec.loads(path.read_bytes())
            except FileNotFoundError:  # undone by another command at this moment
                continue
            steps = tuple(Step(DocumentId(d), before, after) for d, before, after in row["steps"])
            yield JournalEntry(row["command"], steps, path)

    def drop(self, entry: JournalEntry) -> None:
        """It was undone, or it never happened."""
        entry.path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.suffix != ".new")


def deleted_by_commands(state: Path) -> set[DocumentId]:
    """Documents that commands, `undo` among them, have deleted, and none has made again since then."""
    entries = [*Journal(state, COMMANDS).entries(), *Journal(state, UNDONE).entries()]
    deleted: set[DocumentId] = set()
    for entry in sorted(entries, key=lambda entry: entry.at):
        deleted -= {step.document for step in entry.steps if step.after is not None}
        deleted |= {step.document for step in entry.steps if step.after is None}
    return deleted
