"""What the figures of the manual are made of: the check after a fail-over, the sums of a fleet, and how tables come
into the page."""

from __future__ import annotations

import pytest

from bench import operations, sizing
from bench.failover.load import Outcome, missing

UNITS = {
    "api_mib": 70.0,
    "worker_mib": 50.0,
    "stream_kib": 12.0,
    "write_ms": 2.0,
    "batched_ms": 0.1,
    "agreed_ms": 0.5,
    "document_bytes": 300.0,
    "edit_bytes": 400.0,
    "hash_bytes": 100.0,
}
KILL = {"edits": 10, "gap": 2.0, "longest": 2.0, "repeated": {"503": 1}, "missing": []}
RATES = {"1, 1": 50.0, "2, 1": 60.0, "1, 4": 70.0, "2, 4": 100.0}
RECORD = {
    "failover": {"mongod": [KILL, {**KILL, "gap": 4.0}], "redis": [KILL], "down_after_seconds": 5.0},
    "scaling": {"share": 0.15, "held": RATES, "free": RATES},
    "overhead": {"more_cpu_percent": 0.6, "fewer_writes_percent": 1.2, "cpu_ms": 1.0, "connections": 32, "pairs": 7},
    "sizing": UNITS,
}


def test_an_acknowledged_edit_that_is_not_stored_or_an_older_one_is_missing() -> None:
    assert missing({"a": 3, "b": 1}, {"a": 3, "b": 1, "c": 9}) == []
    assert missing({"a": 3}, {"a": 4}) == [], "one that was stored, and whose answer was lost"
    assert len(missing({"a": 3, "b": 1}, {"a": 2})) == 2


def test_the_longest_gap_is_between_edits_of_any_connection() -> None:
    assert Outcome().longest_gap == 0
    assert Outcome(at=[1.0, 9.0, 2.5, 8.0]).longest_gap == 5.5


def test_a_fleet_takes_what_its_users_take() -> None:
    user = sizing.User(documents=10, devices=3, edits_a_day=100, busiest_hour=0.36, syncs_for_an_edit=4)
    found = sizing.fleet(1000, UNITS, user)
    assert (found["documents"], found["streams"]) == (10_000, 3000)
    assert found["writes_a_second"] == 10
    assert found["cores"] == pytest.approx(10 * (2.0 + 4 * 0.5) / 1000)
    assert found["streams_mib"] == round(3000 * 12 / 1024)
    gib = (10_000 * 300 + 100_000 * (30 * 400 + 335 * 100)) / 1024**3
    assert found["disk_gib"] == round(gib, 1)


def test_tables_come_between_their_marks_and_nothing_else_changes() -> None:
    blocks = "".join(f"before {part}\n<!-- figures: {part} -->\nold\n<!-- end: {part} -->\n" for part in RECORD)
    page = operations.written(f"{blocks}after\n", RECORD)
    assert "old" not in page
    assert page.endswith("<!-- end: sizing -->\nafter\n")
    assert "| the primary of three mongods | 2 | 20 | 0 | 3.0 (2.0 to 4.0) | 2; 0 |" in page
    assert "| each worker held to 0.15 of a core | 50 | 60 | 70 | 100 | 2.00 |" in page
    assert "Counting adds 0.6 %" in page
    assert "changes the writes a second by -1.2 %" in page
    assert operations.written(page, RECORD) == page


def test_a_page_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="failover"):
        operations.written("nothing", RECORD)
