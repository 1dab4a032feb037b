"""What processes count, who may read it, and that dashboard, alert rules and manual name what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry

from shared import metrics
from shared.core.documents import ContentHash
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Outcome, Refusal
from shared.core.resolution.revs import Rev
from shared.ports import DecisionError
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ALERTS = yaml.safe_load((ROOT / "ops/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "ops/grafana/dashboard.json").read_text())
FIRST_PORT = 19_464


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_decisions_are_counted_by_outcome_and_rule_and_conflicts_by_rule() -> None:
    merged = Answer(
        Outcome.MERGED, "10 pick", ContentHash("0"), Rev("1"), None, conflicts=({"rule": "clock", "path": "/a"},)
    )
    before = [
        value("hypertask_decisions_total", outcome="merged", rule="10 pick"),
        value("hypertask_decisions_total", outcome="refused", rule="too-large"),
        value("hypertask_decisions_total", outcome="failed", rule="DecisionError"),
        value("hypertask_conflicts_total", rule="clock"),
    ]
    metrics.count_decisions([merged, merged, Refusal("too-large", "x"), DecisionError("y")])
    after = [
        value("hypertask_decisions_total", outcome="merged", rule="10 pick"),
        value("hypertask_decisions_total", outcome="refused", rule="too-large"),
        value("hypertask_decisions_total", outcome="failed", rule="DecisionError"),
        value("hypertask_conflicts_total", rule="clock"),
    ]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 1, 2]


def test_requests_are_counted_by_route_and_status_and_their_times_by_the_bounds_of_buckets() -> None:
    counts = metrics.RequestCounts()
    registry = CollectorRegistry()
    registry.register(counts)
    for status, seconds in (("200", 0.001), ("200", 0.0011), ("404", 11.0), ("200", None)):
        counts.answer("/x", "GET", status, seconds)
    counts.receive(2)
    counts.send(3)
    counts.send(4)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"hypertask_{name}", labels)

    route = {"route": "/x", "method": "GET"}
    assert value("requests_total", **route, status="200") == 3
    assert value("requests_total", **route, status="404") == 1
    buckets = [value("request_seconds_bucket", **route, le=le) for le in ("0.001", "0.002", "10.0", "+Inf")]
    assert buckets == [1, 2, 2, 3]
    assert value("request_seconds_count", **route) == 3
    assert value("request_seconds_sum", **route) == pytest.approx(11.0021)
    assert (value("received_bytes_total"), value("sent_bytes_total")) == (2, 7)


def test_they_are_read_with_the_token_alone() -> None:
    with metrics.served(Settings(metrics_port=FIRST_PORT, metrics_token="secret")) as port:
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/metrics").status_code == 401
        assert httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
        found = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer secret"})
        assert (found.status_code, "hypertask_requests_total" in found.text) == (200, True)
        assert "process_resident_memory_bytes" in found.text
        assert httpx.get(f"{url}/other").status_code == 404


def test_a_second_process_takes_the_next_port() -> None:
    settings = Settings(metrics_port=FIRST_PORT)
    with metrics.served(settings) as first, metrics.served(settings) as second:
        assert first is not None
        assert second is not None
        assert FIRST_PORT <= first < second
        assert httpx.get(f"http://127.0.0.1:{second}/metrics").status_code == 200


def test_without_a_port_nothing_is_served() -> None:
    with metrics.served(Settings()) as port:
        assert port is None


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:hypertask|process)_\w+", text))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_is_about_metrics_that_exist_and_is_in_the_manual(alert: dict[str, str]) -> None:
    wanted = named(alert["expr"])
    assert wanted
    assert wanted <= NAMES
    assert f"**{alert['alert']}**" in (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: str(panel["title"]))
def test_a_panel_shows_metrics_that_exist(panel: dict[str, list[dict[str, str]]]) -> None:
    for target in panel["targets"]:
        assert named(target["expr"])
        assert named(target["expr"]) <= NAMES, target


def test_every_metric_is_on_the_dashboard() -> None:
    shown = named(json.dumps(DASHBOARD))
    for family in metrics.REGISTRY.collect():
        if family.name.startswith("hypertask_"):
            assert any(name.startswith(family.name) for name in shown), family.name


SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
NAMES = {sample.name for family in metrics.REGISTRY.collect() for sample in family.samples}
NAMES |= {  # of families with labels: they have no samples yet
    f"{family.name}{suffix}" for family in metrics.REGISTRY.collect() for suffix in SUFFIXES.get(family.type, ("",))
}
