"""Handing a file to the user's editor."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path


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
        raise EditorError(f'the editor "{command}" ended with status {ended.returncode}; nothing was taken over')
