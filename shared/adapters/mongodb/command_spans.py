"""Spans of the commands that are sent to MongoDB: which one, on which collection, for how long; not its values."""

from __future__ import annotations

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared import tracing
from shared.tracing import Spanned


class CommandSpans(CommandListener):
    """The driver calls it in the thread that sends the command."""

    def __init__(self) -> None:
        self._open: dict[int, Spanned] = {}

    def started(self, event: CommandStartedEvent) -> None:
        collection = event.command.get(event.command_name)
        name = f"{event.command_name} {collection}" if isinstance(collection, str) else event.command_name
        attributes = {"db.system.name": "mongodb", "db.operation.name": event.command_name}
        span = tracing.begin(name, "client", attributes)
        if span is not None:
            self._open[event.request_id] = span

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._ended(event.request_id, failed=False)

    def failed(self, event: CommandFailedEvent) -> None:
        self._ended(event.request_id, failed=True)

    def _ended(self, request: int, *, failed: bool) -> None:
        span = self._open.pop(request, None)
        if span is not None:
            if failed:
                span.fail()
            span.end()
