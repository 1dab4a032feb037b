"""Traces of requests, for operators who ask for them (HYPERTASK_TRACES_URL; docs/operations.md, "Traces").

Without that everything here does nothing. A trace goes on from what a caller sends as `traceparent` (W3C Trace
Context), and travels with a submission to the worker. A span has names, routes, statuses and counts; never a space, a
document, a body or a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from shared.settings import Settings

Attribute = str | int | float | bool
_NEEDED: Final = "HYPERTASK_TRACES_URL needs the extra telemetry: pip install 'hypertask[server,telemetry]'"


class TracesNotPossibleError(Exception):
    """HYPERTASK_TRACES_URL is no address, or the extra is not installed. The text says which."""


class Spanned(Protocol):
    """A span that is under way."""

    def rename(self, name: str) -> None: ...

    def note(self, attributes: Mapping[str, Attribute]) -> None: ...

    def fail(self) -> None:
        """What it is about did not succeed."""
        ...

    def end(self) -> None:
        """Only of what `begin` made."""
        ...

    @property
    def traceparent(self) -> str | None:
        """For those who go on with the trace; None: it is not recorded."""
        ...


class Spans(Protocol):
    """What a process makes spans with. Kinds: internal, server, client, producer, consumer. A traceparent that is
    none counts as none."""

    def span(
        self, name: str, kind: str, parent: str | None, links: Sequence[str], attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Spanned]: ...

    def begin(self, name: str, kind: str, attributes: Mapping[str, Attribute]) -> Spanned | None: ...

    def past(self, name: str, began: float, ended: float, parent: str, links: Sequence[str]) -> None: ...

    def current(self) -> str | None: ...

    def close(self) -> None:
        """Sends what is left."""
        ...


class _Nothing:
    """The span of a process that makes none."""

    traceparent = None

    def rename(self, name: str) -> None:
        """Nothing has a name."""

    def note(self, attributes: Mapping[str, Attribute]) -> None:
        """Nothing is noted."""

    def fail(self) -> None:
        """Nothing fails."""

    def end(self) -> None:
        """Nothing ends."""


@dataclass
class _Process:
    """What belongs to the process, as loggers do."""

    spans: Spans | None = None


_process: Final = _Process()
_NOTHING: Final = _Nothing()


def is_on() -> bool:
    """Whether spans are made in this process."""
    return _process.spans is not None


@contextmanager
def traced(settings: Settings, service: str) -> Iterator[None]:
    """Until the end of the block this process makes spans, if they are asked for, and sends what is left then.
    `service`: as which it does. Raises TracesNotPossibleError."""
    if not settings.traces_url:
        yield
        return
    try:
        from shared.adapters import opentelemetry  # noqa: PLC0415  it comes with an extra
    except ImportError as error:
        raise TracesNotPossibleError(_NEEDED) from error
    _process.spans = spans = opentelemetry.opened(settings.traces_url, settings.traces_share, service)
    try:
        yield
    finally:
        _process.spans = None
        spans.close()


def span(
    name: str,
    kind: str = "internal",
    *,
    parent: str | None = None,
    links: Sequence[str] = (),
    attributes: Mapping[str, Attribute] | None = None,
) -> AbstractContextManager[Spanned]:
    """Use as a context: what happens in the block, and the spans in it. `parent`: a traceparent of another process;
    without it the span around this one, or none. `links`: traceparents of others that it is also about."""
    spans = _process.spans
    return nullcontext(_NOTHING) if spans is None else spans.span(name, kind, parent, links, attributes or {})


def begin(name: str, kind: str, attributes: Mapping[str, Attribute]) -> Spanned | None:
    """A span inside the one that is under way, which `Spanned.end` ends. None: none is under way, or it is not
    recorded."""
    return None if _process.spans is None else _process.spans.begin(name, kind, attributes)


def past(name: str, began: float, ended: float, *, parent: str, links: Sequence[str] = ()) -> None:
    """A span that is over, of a trace of another process. Times are seconds since 1970."""
    if _process.spans is not None:
        _process.spans.past(name, began, ended, parent, links)


def current() -> str | None:
    """The traceparent of the span that is under way. None: there is none, or it is not recorded."""
    return None if _process.spans is None else _process.spans.current()
