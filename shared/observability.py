"""Logging in one place: constant events with fields, one JSON object a line on stderr.

A document's body, a token or a secret is never a field.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from shared.core.display import shown_json

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def event(logger: logging.Logger, level: int, name: str, **fields: object) -> None:
    """Logs that `name` happened. Fields are short values; of an exception only its type is written."""
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={"fields": fields})


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if (identity := request_id.get()) is not None:
            line["request_id"] = identity
        line.update({name: _plain(value) for name, value in getattr(record, "fields", {}).items()})
        if record.exc_info:
            line["exception"] = _without_message(record.exc_info[1])
        return shown_json(json.dumps(line, ensure_ascii=False))


def configure(level: str) -> None:
    """Sends all logging to stderr as JSON lines. For entry points."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, least in (("arq", logging.WARNING), ("uvicorn", logging.INFO), ("uvicorn.error", logging.INFO)):
        other = logging.getLogger(name)
        other.handlers = []
        other.propagate = True
        other.setLevel(max(logging.getLogger().level, least))


def _without_message(error: BaseException | None) -> str:
    """Where it came from, and of which type. A driver's message may quote the document that it was about."""
    lines: list[str] = []
    while error is not None:
        lines = [*traceback.format_tb(error.__traceback__), f"{type(error).__qualname__}\n", *lines]
        error = error.__cause__ or error.__context__
    return "".join(lines)


def _plain(value: object) -> object:
    if isinstance(value, BaseException):
        return type(value).__qualname__
    return value if isinstance(value, str | int | float | bool | None) else str(value)
