"""Logging in one place: constant events with fields, one JSON object a line on stderr.

A document's body, a token or a secret is never a field. A line names the request that it is about: an API process has
its id in the answer's header `X-Request-Id`, and sends it along with what a worker does for the request.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from shared.core.display import shown_json

OURS: Final = ("api", "worker", "shared", "client")
"""The loggers of which HYPERTASK_LOG_LEVEL says how much is logged."""
SLOW_SECONDS: Final = 1.0
"""What takes longer is logged at INFO, other work that succeeds at DEBUG."""

_requests: ContextVar[tuple[str, ...]] = ContextVar("requests", default=())


def begin_request(identity: str) -> None:
    """What this task logs from now on is about the request."""
    _requests.set((identity,))


class _OnBehalf:
    """Not of `contextlib`: each batch is in such a block, which somebody waits for."""

    def __init__(self, identities: tuple[str, ...]) -> None:
        self._identities = identities

    def __enter__(self) -> None:
        self._token = _requests.set(self._identities)

    def __exit__(self, *_: object) -> None:
        _requests.reset(self._token)


def on_behalf_of(identities: Iterable[str | None]) -> _OnBehalf:
    """What is logged in the block is about these requests; None: about one that has no id."""
    return _OnBehalf(tuple(dict.fromkeys([identity for identity in identities if identity is not None])))


def request_id() -> str | None:
    """Of the request that is being answered."""
    identities = _requests.get()
    return identities[0] if len(identities) == 1 else None


def level_of(seconds: float) -> int:
    """At which level work that succeeded is logged."""
    return logging.INFO if seconds >= SLOW_SECONDS else logging.DEBUG


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
        if (identity := request_id()) is not None:
            line["request_id"] = identity
        elif identities := _requests.get():
            line["request_ids"] = identities
        line.update({name: _plain(value) for name, value in getattr(record, "fields", {}).items()})
        if record.exc_info:
            line["exception"] = _without_message(record.exc_info[1])
        return shown_json(json.dumps(line, ensure_ascii=False))


def configure(level: str) -> None:
    """Sends all logging to stderr as JSON lines. For entry points."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    # At DEBUG libraries log what they send: the database's driver whole commands, with the documents in them.
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    root = logging.getLogger()
    wanted = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(wanted, logging.INFO))
    for name in (*OURS, "__main__"):
        logging.getLogger(name).setLevel(wanted)
    for name, least in (("arq", logging.WARNING), ("uvicorn", logging.INFO), ("uvicorn.error", logging.INFO)):
        other = logging.getLogger(name)
        other.handlers = []
        other.propagate = True
        other.setLevel(max(root.level, least))


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
