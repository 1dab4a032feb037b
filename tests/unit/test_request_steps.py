"""A write takes no more steps in an API process than it should. A step is a line of Python that runs: that is the
same on every machine, so what makes the way of a request longer shows without a clock (`python -m
bench.request_steps` prints both)."""

from __future__ import annotations

import pytest

from bench.request_steps import KINDS, lines

MOST_LINES = {"POST /task/{id}": 850, "POST /tasks": 950, "POST /tasks of 500": 74_000}
"""A sixth more than it takes now: framework and server are counted, and differ a little from release to release."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_write_takes_few_steps_in_an_api_process(kind: str) -> None:
    assert lines(kind) < MOST_LINES[kind]
