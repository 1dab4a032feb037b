"""hypertask show"""

from __future__ import annotations

import json
from typing import Any

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import an_id
from client.screen import Screen, plain
from client.tasks.moments import shown


@click.command()
@an_id()
@reports
def show(session: Session, screen: Screen, *, prefix: str) -> None:
    """Show all of one task; ID may be its beginning."""
    document = session.tasks.find(prefix)
    body = session.tasks.read(document)
    path = session.folder.path(document)
    width = max(len(plain(name)) for name in body)
    lines = [f"{plain(name).ljust(width)}  {_value(name, value, session)}" for name, value in body.items()]
    screen.answer({"file": str(path), "task": body}, *lines, f"{'file'.ljust(width)}  {path}")


def _value(name: str, value: Any, session: Session) -> str:
    if isinstance(value, str):
        return "\n".join(map(plain, shown(value, session.now).split("\n")))
    if name == "tags" and isinstance(value, list):
        return plain(" ".join(map(str, value)))
    return plain(json.dumps(value, ensure_ascii=False))
