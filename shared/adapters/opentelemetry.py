"""Spans on OpenTelemetry. The only module that imports it; it comes with the extra `telemetry`."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.tracing import Attribute, TracesNotPossibleError

_SECOND: Final = 1_000_000_000
_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


def opened(url: str, share: float, service: str) -> OpenTelemetrySpans:
    """`url`, `share`: the settings traces_url and traces_share. Raises TracesNotPossibleError."""
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)),
        resource=Resource({SERVICE_NAME: service, "process.pid": os.getpid()}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(_sender(url))
    return OpenTelemetrySpans(provider)


def _sender(url: str) -> SpanProcessor:
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return SimpleSpanProcessor(_Lines(unquote(parts.path)))
    if parts.scheme in ("http", "https") and parts.netloc:
        return BatchSpanProcessor(OTLPSpanExporter(endpoint=url))
    raise TracesNotPossibleError(f"HYPERTASK_TRACES_URL must be an http or file address, not {url!r}")


class OpenTelemetrySpans:
    """Spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("hypertask")

    @contextmanager
    def span(
        self, name: str, kind: str, parent: str | None, links: Sequence[str], attributes: Mapping[str, Attribute]
    ) -> Iterator[OpenTelemetrySpan]:
        with self._tracer.start_as_current_span(
            name,
            None if parent is None else _context(parent),
            kind=_kind(kind),
            links=_links(links),
            attributes=attributes,
            record_exception=False,  # its text may quote a document
        ) as started:
            yield OpenTelemetrySpan(started)

    def begin(self, name: str, kind: str, attributes: Mapping[str, Attribute]) -> OpenTelemetrySpan | None:
        if not get_current_span().is_recording():
            return None
        return OpenTelemetrySpan(self._tracer.start_span(name, kind=_kind(kind), attributes=attributes))

    def past(self, name: str, began: float, ended: float, parent: str, links: Sequence[str]) -> None:
        span = self._tracer.start_span(
            name,
            _context(parent),
            kind=SpanKind.CONSUMER,
            links=_links(links),
            start_time=int(began * _SECOND),
        )
        span.end(int(ended * _SECOND))

    def current(self) -> str | None:
        return _traceparent(get_current_span().get_span_context())

    def close(self) -> None:
        self._provider.shutdown()


class OpenTelemetrySpan:
    """Spanned."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Mapping[str, Attribute]) -> None:
        self._span.set_attributes(attributes)

    def fail(self) -> None:
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()

    @property
    def traceparent(self) -> str | None:
        return _traceparent(self._span.get_span_context())


def _kind(name: str) -> SpanKind:
    return SpanKind[name.upper()]


def _traceparent(context: SpanContext) -> str | None:
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def _context(traceparent: str) -> Context:
    return _TRACE_CONTEXT.extract({"traceparent": traceparent}, Context())


def _links(traceparents: Sequence[str]) -> list[Link]:
    contexts = [get_current_span(_context(text)).get_span_context() for text in traceparents]
    return [Link(context) for context in contexts if context.is_valid]


class _Lines(SpanExporter):
    """A line of JSON for each span; several processes may have the file."""

    def __init__(self, path: str) -> None:
        """Raises TracesNotPossibleError."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            reason = f"the file of HYPERTASK_TRACES_URL cannot be written: {error.strerror}"
            raise TracesNotPossibleError(reason) from error
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            for span in spans:
                os.write(self._file, json.dumps(_row(span)).encode() + b"\n")
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        os.close(self._file)


def _row(span: ReadableSpan) -> dict[str, Any]:
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    return {
        "service": span.resource.attributes[SERVICE_NAME],
        "name": span.name,
        "kind": span.kind.name.lower(),
        "trace": f"{context.trace_id:032x}",
        "span": f"{context.span_id:016x}",
        "parent": None if parent is None else f"{parent.span_id:016x}",
        "began": (span.start_time or 0) / _SECOND,
        "ended": (span.end_time or 0) / _SECOND,
        "links": [f"{link.context.trace_id:032x}-{link.context.span_id:016x}" for link in span.links],
        "attributes": dict(span.attributes or {}),
        "failed": span.status.status_code is StatusCode.ERROR,
    }
