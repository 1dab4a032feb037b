"""Nothing on the way of a write waits for a poll."""

from __future__ import annotations

import statistics
import time

import httpx

from tests.instance import Access


def test_a_single_write_takes_milliseconds(access: Access) -> None:
    """A poll anywhere - queue, result, batch timer - would show as its interval. Measured: about 5 ms."""
    seconds = []
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as client:
        client.get("/hashes").raise_for_status()
        for n in range(50):
            start = time.perf_counter()
            answer = client.post(f"/task/d{n}", json={"client_state": {"id": f"d{n}", "n": n}})
            seconds.append(time.perf_counter() - start)
            assert answer.status_code == 200, answer.text
    assert statistics.median(seconds) < 0.15, sorted(seconds)
