"""What counting costs: that it can be switched off, and how the figures are made."""

from __future__ import annotations

import pytest

from bench import switched
from bench.overhead import median_and_interval, told_percent
from shared import metrics


def counted() -> dict[str, float]:
    """Of each sample of ours its value, but of those that are asked of functions."""
    samples = [sample for family in metrics.REGISTRY.collect() for sample in family.samples]
    return {f"{one.name}{one.labels}": one.value for one in samples if one.name.startswith("hypertask_")}


def tell() -> None:
    metrics.REQUESTS.answer("/route", "GET", "200", 0.1)
    metrics.REQUESTS.send(1)
    metrics.PAGES.labels("known").inc()
    metrics.HASH_MAPS_BUILT.inc()
    metrics.WORK_SECONDS.observe(1)
    metrics.EVENT_STREAMS.inc()
    metrics.EVENT_STREAMS.dec()
    metrics.count_decisions([ValueError()])


def test_counting_is_switched_off_and_on() -> None:
    before = counted()
    try:
        switched.count_nothing()
        tell()
        assert counted() == before
    finally:
        switched.count()
    tell()
    changed = [name for name, value in counted().items() if before.get(name) != value and "_created" not in name]
    assert {name.partition("{")[0] for name in changed} >= {
        *("hypertask_requests_total", "hypertask_request_seconds_count", "hypertask_sent_bytes_total"),
        *("hypertask_pages_total", "hypertask_hash_maps_total", "hypertask_transaction_seconds_sum"),
        "hypertask_decisions_total",
    }


def test_the_interval_has_the_ranks_that_a_sign_test_leaves() -> None:
    assert median_and_interval([float(number) for number in range(24, -1, -1)]) == (12.0, 7.0, 18.0)
    assert median_and_interval([3.0]) == (3.0, 3.0, 3.0)


def test_what_is_told_is_shared_by_the_writes_of_a_transaction() -> None:
    told = {"write": 1.0, "transaction": 10.0, "scrape": 10_000.0}
    assert told_percent(told, cpu_ms=2, per_second=1000, per_transaction=10) == pytest.approx(0.3)
