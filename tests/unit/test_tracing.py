"""Traces: how they are asked for, where they go, and a batch of several requests."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from shared import tracing
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.adapters.memory.queue import MemoryInbox, MemoryQueue, MemorySubmissionQueue
from shared.core.documents import SpaceId
from shared.settings import Settings
from shared.testing.queue import an_item
from shared.tracing import TracesNotPossibleError, traced
from worker.tasks.resolve import InboxDrain

SAMPLED = "00-{:032x}-{:016x}-01"


def spans(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_without_an_address_there_are_none() -> None:
    with traced(Settings(), "x"), tracing.span("a") as span:
        assert (tracing.is_on(), tracing.current(), span.traceparent) == (False, None, None)
        span.rename("b")
        span.note({"c": 1})
        span.fail()
        assert tracing.begin("d", "client", {}) is None
        tracing.past("e", 1.0, 2.0, parent=SAMPLED.format(1, 2))


@pytest.mark.parametrize("url", ["collector:4318", "file:", "ftp://collector/", "file:///nowhere/at/all"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(TracesNotPossibleError, match="HYPERTASK_TRACES_URL"), traced(Settings(traces_url=url), "x"):
        pass


def test_that_the_extra_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "shared.adapters.opentelemetry", raising=False)
    monkeypatch.delattr("shared.adapters.opentelemetry", raising=False)
    settings = Settings(traces_url=(tmp_path / "spans").as_uri())
    with pytest.raises(TracesNotPossibleError, match="extra telemetry"), traced(settings, "x"):
        pass


def test_the_caller_says_whether_its_requests_are_traced_and_the_share_says_it_for_the_others(tmp_path: Path) -> None:
    file = tmp_path / "spans"
    with traced(Settings(traces_url=file.as_uri(), traces_share=0.0), "x"):
        for parent in (SAMPLED.format(7, 8), f"00-{9:032x}-{8:016x}-00", None, "not one"):
            with tracing.span("a", parent=parent), tracing.span("b"):
                assert (tracing.current() is None) is (parent != SAMPLED.format(7, 8))
    assert {span["trace"] for span in spans(file)} == {f"{7:032x}"}
    with traced(Settings(traces_url=file.as_uri()), "x"), tracing.span("c"):
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", tracing.current() or "")
    assert spans(file)[-1]["name"] == "c"


def test_an_error_is_marked_and_its_text_left_out(tmp_path: Path) -> None:
    file = tmp_path / "spans"
    with (
        traced(Settings(traces_url=file.as_uri()), "x"),
        pytest.raises(ValueError, match="secret"),
        tracing.span("a"),
    ):
        raise ValueError("secret")
    assert [span["failed"] for span in spans(file)] == [True]
    assert "secret" not in file.read_text()


async def test_a_batch_is_in_the_trace_of_one_request_and_those_of_the_others_lead_to_it(tmp_path: Path) -> None:
    file, space = tmp_path / "spans", SpaceId("s")
    queue = MemoryQueue(deadline_seconds=30, lease_seconds=30)
    submissions = MemorySubmissionQueue(queue)

    async def sent(number: int) -> None:
        with tracing.span("request", parent=SAMPLED.format(number, 1)):
            await submissions.submit(space, an_item(f"d{number}"))

    with traced(Settings(traces_url=file.as_uri()), "worker"):
        sending = [asyncio.create_task(sent(number)) for number in (1, 2, 3)]
        while await submissions.waiting(space) < len(sending):
            await asyncio.sleep(0)
        await InboxDrain(MemoryDocumentStore(), MemoryInbox(queue), max_bytes=1_000_000).drain(space)
        await asyncio.gather(*sending)
    resolved = {int(span["trace"], 16): span for span in spans(file) if span["name"] == "resolve"}
    assert resolved.keys() == {1, 2, 3}
    batch = next(span for span in resolved.values() if span["attributes"].get("count") == 3)
    name = f"{batch['trace']}-{batch['span']}"
    assert [span["links"] for span in resolved.values() if span is not batch] == [[name], [name]]
    assert sum(span["name"] == "wait in the inbox" for span in spans(file)) == 3


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
        finally:
            server.shutdown()
            thread.join()


def test_they_are_sent_to_a_collector_at_the_end_at_the_latest() -> None:
    with collector() as (url, got):
        with traced(Settings(traces_url=url), "hypertask-api"), tracing.span("POST /tasks", "server"):
            pass
        [(path, body)] = got
    assert path == "/v1/traces"
    assert b"POST /tasks" in body and b"hypertask-api" in body
