"""hypertask show"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import an_id, title
from client.folder.replace import ChangedError
from client.screen import Screen, plain, terminal_size, width_of, wrapped
from client.tasks.moments import shown
from client.tasks.task_list import NotATaskError
from shared.core.identifiers import DocumentId


@click.command()
@an_id()
@reports
def show(session: Session, screen: Screen, *, prefix: str) -> None:
    """Show all of one task; ID may be its beginning."""
    document = session.tasks.find(prefix)
    body = session.tasks.read(document)
    path = session.folder.path(document)
    rows = [(plain(name), _texts(name, value, session)) for name, value in body.items()]
    lines = _fields([*rows, ("file", [plain(str(path))])])
    screen.answer({"file": str(path), "task": body}, *lines)


def _fields(rows: list[tuple[str, list[str]]]) -> list[str]:
    """The names, and the lines of their values beside them, as wide as the terminal."""
    width = max(width_of(name) for name, _ in rows) + 2
    room = max(20, terminal_size().columns - width) if sys.stdout.isatty() else None
    lines = []
    for name, texts in rows:
        parts = texts if room is None else [part for text in texts for part in wrapped(text, room)]
        before = name + " " * (width - width_of(name))
        lines += [f"{' ' * width if number else before}{part}" for number, part in enumerate(parts)]
    return lines


def _texts(name: str, value: Any, session: Session) -> list[str]:
    """The value as a person reads it, a text for each line."""
    if isinstance(value, str):
        return [plain(line) for line in shown(value, session.now).split("\n")]
    if name == "tags" and isinstance(value, list):
        return [plain(" ".join(map(str, value)))]
    if name == "depends" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [_called(one, session) for one in value]
    if name == "annotations" and isinstance(value, list) and (notes := list(map(_note, value))) and all(notes):
        return [f"{plain(shown(at, session.now))}  {plain(text)}" for at, text in filter(None, notes)]
    return [plain(json.dumps(value, ensure_ascii=False))]


def _called(document: str, session: Session) -> str:
    """Another task by its id and its description."""
    try:
        body = session.tasks.read(DocumentId(document))
    except (ChangedError, NotATaskError, ValueError):  # there is none, or none that can be read; or no id at all
        return plain(f"{document}  (not here)")
    return f"{document}  {title(body)}"


def _note(value: Any) -> tuple[str, str] | None:
    """When, and what; None where it is something else."""
    if not isinstance(value, dict) or value.keys() != {"entry", "description"}:
        return None
    at, text = value["entry"], value["description"]
    return (at, text) if isinstance(at, str) and isinstance(text, str) else None
