"""`GET /metrics` of API and worker processes that serve."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.instance import Instance
from tests.patience import PATIENCE_SECONDS

TOKEN = "of a scraper"
PORT = 18_464
PROBE_PORT = 18_484
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    settings = {"HYPERTASK_METRICS_PORT": str(PORT), "HYPERTASK_METRICS_TOKEN": TOKEN}
    settings |= {"HYPERTASK_WORKER_PROBE_PORT": str(PROBE_PORT), "HYPERTASK_LOG_LEVEL": "DEBUG"}
    settings |= {"HYPERTASK_TRACES_URL": (tmp_path / "spans").as_uri(), "HYPERTASK_TRACES_SHARE": "0"}
    made = Instance(tmp_path / "data").start(**settings)
    yield made
    made.stop()


def scraped(instance: Instance, kind: str) -> str:
    """All that the processes of one kind say."""
    ports = []
    for log in (instance.data / "logs").glob(f"{kind}-*.log"):
        for line in log.read_text().splitlines():
            if "metrics_served" in line:
                ports.append(json.loads(line)["port"])
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return "\n".join(httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers).text for port in ports)


def test_what_was_done_is_counted_logged_and_traced_and_nobody_is_named(instance: Instance, tmp_path: Path) -> None:
    access = instance.access(name="kitchen", user="anna")
    with httpx.Client(base_url=access.url, headers=access.headers) as http:
        tasks = {key: {"client_state": {"id": key, "text": "shopping"}} for key in ("milk", "bread")}
        http.post("/tasks", json={"tasks": tasks}).raise_for_status()
        state = {"id": "milk", "text": "more"}
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        answer = http.post("/task/milk", json={"client_state": state}, headers=headers).raise_for_status()
        request = answer.headers["x-request-id"]
        http.get("/hashes").raise_for_status()
        assert http.get("/nothing/of/the/kind").status_code == 404
    of_api, of_worker = scraped(instance, "api"), until_decided(instance, 3)
    assert 'hypertask_requests_total{method="POST",route="/tasks",status="200"} 1.0' in of_api
    assert 'hypertask_requests_total{method="POST",route="/task/{id}",status="200"} 1.0' in of_api
    assert 'hypertask_requests_total{method="GET",route="other",status="404"} 1.0' in of_api
    assert 'hypertask_request_seconds_count{method="GET",route="/hashes"} 1.0' in of_api
    assert "hypertask_batch_documents_sum 2.0" in of_api
    assert "hypertask_pending_submissions 0.0" in of_api
    assert 'hypertask_hash_maps_total{how="built"} 1.0' in of_api
    assert "hypertask_transaction_submissions_sum 3.0" in of_worker
    assert not {outcome for outcome, _ in decided_in(of_worker)} & {"refused", "failed"}
    assert "process_resident_memory_bytes" in of_worker
    for secret in (access.space, access.device, access.token, "kitchen", "anna", "milk", "shopping"):
        assert secret not in of_api + of_worker
    ready = httpx.get(f"http://127.0.0.1:{PROBE_PORT}/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "queue": "ok"})
    lines = {kind: logged(instance, kind) for kind in ("api", "worker")}
    about = {kind: [line for line in lines[kind] if line.get("request_id") == request] for kind in lines}
    assert [line["event"] for line in about["api"]] == ["request_answered"]
    assert [(line["event"], line["count"]) for line in about["worker"]] == [("submissions_decided", 1)]
    for secret in (access.token, "milk", "shopping"):
        assert secret not in json.dumps(lines), "what libraries log of their own at this level"
    spans = until_spans(tmp_path / "spans", "POST /task/{id}")
    for secret in (access.space, access.device, access.token, "kitchen", "anna", "milk", "shopping"):
        assert secret not in json.dumps(spans)
    assert {span["trace"] for span in spans} == {TRACE}, "the others were not asked for"
    by_id = {span["span"]: span for span in spans}
    ways = {way(span, by_id) for span in spans}
    assert {
        "api POST /task/{id}",
        "api POST /task/{id} > api submit",
        "api POST /task/{id} > api submit > worker wait in the inbox",
        "api POST /task/{id} > api submit > worker resolve",
        "api POST /task/{id} > api submit > worker resolve > worker findAndModify spaces",
        "api POST /task/{id} > api submit > worker resolve > worker commitTransaction",
    } <= ways
    [root] = [span for span in spans if span["parent"] == CALLER]
    assert (root["kind"], root["attributes"]["request.id"]) == ("server", request)
    assert root["attributes"]["http.response.status_code"] == 200


def until_decided(instance: Instance, count: int) -> str:
    """What workers say when so many submissions were decided: they count a batch when its answers were sent."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        of_worker = scraped(instance, "worker")
        if sum(float(count) for _, count in decided_in(of_worker)) == count:
            return of_worker
        assert time.monotonic() < deadline, of_worker
        time.sleep(0.05)


def decided_in(text: str) -> list[tuple[str, str]]:
    """Outcomes, and how often there was each."""
    return re.findall(r'^hypertask_decisions_total\{outcome="(\w+)",rule="[^"]+"\} ([\d.]+)', text, re.MULTILINE)


def way(span: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> str:
    """Service and name of the span, behind those of the spans around it."""
    own = f"{span['service'].removeprefix('hypertask-')} {span['name']}"
    return own if span["parent"] == CALLER else f"{way(by_id[span['parent']], by_id)} > {own}"


def until_spans(file: Path, name: str) -> list[dict[str, Any]]:
    """All, when there is one of that name: it ends after its answer was sent."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        spans = [json.loads(line) for line in file.read_text().splitlines()]
        if any(span["name"] == name for span in spans):
            return spans
        assert time.monotonic() < deadline, spans
        time.sleep(0.01)


def logged(instance: Instance, kind: str) -> list[dict[str, Any]]:
    """All lines of the processes of one kind: each is JSON, from the first one on."""
    logs = (instance.data / "logs").glob(f"{kind}-*.log")
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()]
