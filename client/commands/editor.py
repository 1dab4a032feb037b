"""Handing a file to the user's editor."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from client.folder.file_names import file_name
from client.folder.file_text import body_of, text_of
from client.folder.task_folder import TaskFolder
from shared.core.identifiers import Body, DocumentId
from shared.core.protocol import Limits


class Draft:
    """A task that is being edited, as a file beside the tasks, and what it was made of. It stays until it was taken
    over: what somebody typed is not lost because a comma is missing."""

    def __init__(self, folder: TaskFolder, document: DocumentId) -> None:
        """The folder's own part is there."""
        self._document = document
        self.path = folder.state / "edit" / file_name(document)
        self._origin = self.path.with_suffix(".origin")

    def open(self, body: Body) -> Body:
        """Makes the draft of `body`, unless there is one from the last time; returns what it was made of."""
        if self.path.exists() and self._origin.exists():
            return body_of(self._origin.read_bytes(), self._document, Limits())[0]
        self.path.parent.mkdir(exist_ok=True)
        self._origin.write_bytes(text_of(body))
        self.path.write_bytes(text_of(body))
        return body

    def read(self) -> Body:
        """Raises FaultError."""
        return body_of(self.path.read_bytes(), self._document, Limits())[0]

    def discard(self) -> bool:
        """Throws it away; False: there was none."""
        there = self.path.exists()
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)
        return there

    def close(self) -> None:
        self.path.unlink()
        self._origin.unlink()


class EditorError(Exception):
    """The editor could not be started, or said that it failed; the message says what to do."""


def edited_file(path: Path, editor: str | None, variables: Mapping[str, str]) -> None:
    """Returns when the editor is closed. Raises EditorError."""
    command = editor or variables.get("VISUAL") or variables.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603  the user's own program
    except (OSError, ValueError) as error:
        raise EditorError(
            f'the editor "{command}" cannot be started: {error}. Name another: hypertask config set editor nano'
        ) from None
    if ended.returncode != 0:
        raise EditorError(f'the editor "{command}" ended with status {ended.returncode}; the task was not changed')
