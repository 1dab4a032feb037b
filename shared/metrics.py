"""What a process counts of its work, for operators (docs/operations.md, "Sight").

The only module that imports prometheus_client. Its instruments belong to the process, as loggers do. Labels have few
values: routes, rules, outcomes; never a space, a document, a device or a person.

An instrument of prometheus_client takes some microseconds each time: that is for what happens once a batch. What
happens at each request is added up in plain numbers (`RequestCounts`). `bench.overhead` measures both.
"""

from __future__ import annotations

import hmac
import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Refusal
from shared.observability import event
from shared.settings import Settings

logger = logging.getLogger(__name__)

PORTS_TRIED: Final = 64
"""Processes of one host that are given the same port take the next ones."""

_LATENCIES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BOUNDS: Final = [*map(str, _LATENCIES), "+Inf"]
_COUNTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


def _new_row() -> list[float]:
    """How many took at most each of the bounds and more than that before it, how many took longer; the sum."""
    return [0] * (len(_LATENCIES) + 1) + [0.0]


def _add_row(family: HistogramMetricFamily, labels: Sequence[str], row: Sequence[float]) -> None:
    *counts, total = tuple(row)  # at once: it may be counted in meanwhile
    family.add_metric(labels, list(zip(_BOUNDS, accumulate(counts), strict=True)), total)


class RequestCounts(Collector):
    """Requests by route, method and status, how soon they were answered, and the bytes of bodies. One thread counts;
    others may collect meanwhile."""

    def __init__(self) -> None:
        self._answered: dict[tuple[str, str, str], int] = {}
        self._seconds: dict[tuple[str, str], list[float]] = {}
        """By route and method."""
        self._received = 0
        self._sent = 0

    def answer(self, route: str, method: str, status: str, seconds: float | None) -> None:
        """`seconds`: None if it says nothing of the server."""
        answered = (route, method, status)
        self._answered[answered] = self._answered.get(answered, 0) + 1
        if seconds is not None:
            row = self._seconds.get((route, method))
            if row is None:
                row = self._seconds[route, method] = _new_row()
            row[bisect_left(_LATENCIES, seconds)] += 1
            row[-1] += seconds

    def receive(self, count: int) -> None:
        """Bytes of a body."""
        self._received += count

    def send(self, count: int) -> None:
        """Bytes of a body."""
        self._sent += count

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        names = ["route", "method", "status"]
        requests = CounterMetricFamily("hypertask_requests", "Requests that were answered.", labels=names)
        for labels, count in self._answered.copy().items():
            requests.add_metric(labels, count)
        yield requests
        latencies = HistogramMetricFamily(
            "hypertask_request_seconds",
            "From the head of a request to the head of its answer; without those that wait for a change.",
            labels=names[:2],
        )
        for key, row in self._seconds.copy().items():
            _add_row(latencies, key, row)
        yield latencies
        of_answers = "Of the bodies of answers, as they are sent."
        yield CounterMetricFamily("hypertask_sent_bytes", of_answers, value=self._sent)
        of_requests = "Of the bodies of requests, as they arrive."
        yield CounterMetricFamily("hypertask_received_bytes", of_requests, value=self._received)


class Duration:
    """How long something takes. Several threads tell it, each while somebody waits."""

    def __init__(self) -> None:
        self._row = _new_row()
        self._lock = threading.Lock()

    def observe(self, seconds: float) -> None:
        place = bisect_left(_LATENCIES, seconds)
        with self._lock:
            self._row[place] += 1
            self._row[-1] += seconds

    def row(self) -> list[float]:
        with self._lock:
            return self._row.copy()


class TransactionSeconds(Collector):
    """A histogram of prometheus_client takes ten microseconds each time."""

    def __init__(self) -> None:
        self.phases = {"work": Duration(), "commit": Duration()}

    def collect(self) -> Iterator[HistogramMetricFamily]:
        seconds = HistogramMetricFamily(
            "hypertask_transaction_seconds",
            "Of transactions, by phase: reading, deciding and writing, or the commit.",
            labels=["phase"],
        )
        for phase, duration in self.phases.items():
            _add_row(seconds, [phase], duration.row())
        yield seconds


# Of API processes
REQUESTS: Final = RequestCounts()
REGISTRY.register(REQUESTS)
BATCH_DOCUMENTS: Final = Histogram(
    "hypertask_batch_documents", "Documents in a POST /tasks.", buckets=_COUNTS, registry=REGISTRY
)
EVENT_STREAMS: Final = Gauge(
    "hypertask_event_streams", "Event streams, and requests that wait for a change.", registry=REGISTRY
)
PAGES: Final = Counter(
    "hypertask_pages",
    "Pages of documents that were asked for, by how they were had: known to the process, or made.",
    ["how"],
    registry=REGISTRY,
)
PAGES_KNOWN: Final = PAGES.labels("known")
PAGES_MADE: Final = PAGES.labels("made")
HASH_MAPS: Final = Counter(
    "hypertask_hash_maps",
    "Hash maps that were asked for, by how they were had: known to the process, patched with what changed since,"
    " from the shared cache, from what the database keeps, or built from the whole space.",
    ["how"],
    registry=REGISTRY,
)
HASH_MAPS_KNOWN: Final = HASH_MAPS.labels("known")
HASH_MAPS_PATCHED: Final = HASH_MAPS.labels("patched")
HASH_MAPS_CACHED: Final = HASH_MAPS.labels("cached")
HASH_MAPS_KEPT: Final = HASH_MAPS.labels("kept")
HASH_MAPS_BUILT: Final = HASH_MAPS.labels("built")
PENDING_SUBMISSIONS: Final = Gauge(
    "hypertask_pending_submissions", "Envelopes of submissions that wait for their answers.", registry=REGISTRY
)
PENDING_BYTES: Final = Gauge("hypertask_pending_bytes", "Bytes of these.", registry=REGISTRY)
OLDEST_PENDING_SECONDS: Final = Gauge(
    "hypertask_oldest_pending_seconds", "How long the oldest of these waits; 0: none does.", registry=REGISTRY
)

# Of workers
INBOX_WAIT_SECONDS: Final = Histogram(
    "hypertask_inbox_wait_seconds",
    "How long the oldest submission of a batch had waited when a worker took it.",
    buckets=_LATENCIES,
    registry=REGISTRY,
)
TRANSACTION_SUBMISSIONS: Final = Histogram(
    "hypertask_transaction_submissions",
    "Submissions that a worker takes at a time.",
    buckets=_COUNTS,
    registry=REGISTRY,
)
TRANSACTION_SECONDS: Final = TransactionSeconds()
REGISTRY.register(TRANSACTION_SECONDS)
WORK_SECONDS: Final = TRANSACTION_SECONDS.phases["work"]
COMMIT_SECONDS: Final = TRANSACTION_SECONDS.phases["commit"]
TRANSACTION_RETRIES: Final = Counter(
    "hypertask_transaction_retries",
    "Transactions that met another one, or an error, and ran again.",
    registry=REGISTRY,
)
LEASES: Final = Counter(
    "hypertask_leases", "Leases of spaces, by what became of them: taken, or taken over by another worker.",
    ["event"], registry=REGISTRY,
)  # fmt: skip
LEASES_TAKEN: Final = LEASES.labels("taken")
LEASES_TAKEN_OVER: Final = LEASES.labels("taken_over")
DECISIONS: Final = Counter(
    "hypertask_decisions",
    "Submissions that were decided, by outcome and rule.",
    ["outcome", "rule"],
    registry=REGISTRY,
)
CONFLICTS: Final = Counter(
    "hypertask_conflicts", "Values that a decision dropped and recorded, by rule.", ["rule"], registry=REGISTRY
)


def count_decisions(replies: Iterable[object]) -> None:
    """Counts what was decided, and what it dropped."""
    decided: dict[tuple[str, str], int] = {}  # each call of a counter takes microseconds
    for reply in replies:
        if isinstance(reply, Answer):
            labels = (reply.outcome.value, reply.rule)
            for row in reply.conflicts:
                CONFLICTS.labels(str(row["rule"])).inc()
        elif isinstance(reply, Refusal):
            labels = ("refused", reply.code)
        else:
            labels = ("failed", type(reply).__name__)
        decided[labels] = decided.get(labels, 0) + 1
    for labels, count in decided.items():
        DECISIONS.labels(*labels).inc(count)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = False


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what a scraper asks for is no news."""


StartResponse = Callable[[str, list[tuple[str, str]]], object]


def _behind_token(token: str) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    metrics = make_wsgi_app(REGISTRY)
    wanted = f"Bearer {token}".encode()

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") not in ("/metrics", "/"):
            start_response("404 Not Found", [("content-type", "text/plain")])
            return [b"Metrics are at /metrics.\n"]
        sent = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        if token and not hmac.compare_digest(sent, wanted):
            headers = [("content-type", "text/plain"), ("www-authenticate", "Bearer")]
            start_response("401 Unauthorized", headers)
            return [b"Send the header Authorization: Bearer <HYPERTASK_METRICS_TOKEN>.\n"]
        body: Sequence[bytes] = metrics(environ, start_response)
        return body

    return application


@contextmanager
def served(settings: Settings) -> Iterator[int | None]:
    """Answers `GET /metrics` until the end of the block, in a thread, if a port is set. The port that it has;
    processes that are given the same one take the next ones. Without a free one the process works without."""
    server = _bound(settings) if settings.metrics_port else None
    if server is None:
        yield None
        return
    event(logger, logging.INFO, "metrics_served", host=settings.metrics_host, port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _bound(settings: Settings) -> WSGIServer | None:
    application = _behind_token(settings.metrics_token)
    for port in range(settings.metrics_port, min(settings.metrics_port + PORTS_TRIED, 65536)):
        try:
            return make_server(settings.metrics_host, port, application, _Server, _Handler)
        except OSError as error:
            last = error
    where = f"{settings.metrics_host}:{settings.metrics_port}"
    event(logger, logging.ERROR, "metrics_not_served", where=where, cause=last)
    return None
