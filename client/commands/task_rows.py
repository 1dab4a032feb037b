"""Tasks in the order of `list`, and as lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo

from client.commands.task_words import title
from client.screen import clip
from client.tasks.ids import shortest
from client.tasks.moments import seconds, shown
from client.tasks.view import tags_of
from shared.core.identifiers import Body, DocumentId


def in_order(bodies: Iterable[Body], zone: tzinfo | None = None) -> list[Body]:
    """What is due first, then what is due never, older before newer. Days and local times are those of the zone."""
    never = float("inf")

    def key(body: Body) -> tuple[float, float, str]:
        due, entry = seconds(body.get("due"), zone), seconds(body.get("entry"), zone)
        return (never if due is None else due, 0.0 if entry is None else entry, body["id"])

    return sorted(bodies, key=key)


def table(bodies: Iterable[Body], all_ids: Iterable[DocumentId], now: datetime) -> list[str]:
    """A line a task: the part of its id that has to be typed, what is urgent about it, what it is."""
    prefixes = shortest(all_ids)
    rows = [_row(body, prefixes, now) for body in bodies]
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns[:-1]]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False) if width]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines


def _row(body: Body, prefixes: dict[DocumentId, str], now: datetime) -> tuple[str, ...]:
    def text(name: str) -> str:
        value = body.get(name)
        return clip(value, 24) if isinstance(value, str) else ""

    status = {"completed": "done", "recurring": "repeats"}.get(str(body.get("status")), "")
    due = clip(shown(body["due"], now), 20) if "due" in body else ""
    tags = " ".join(f"+{tag}" for tag in tags_of(body))
    prefix = prefixes[body["id"]]
    return prefix, status, due, text("priority"), text("project"), clip(tags, 30), title(body)
