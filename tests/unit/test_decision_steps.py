"""Deciding takes no more steps than it should. A step is a line of Python that runs: that is the same on every
machine, so what makes the rules slower shows without a clock (`python -m bench.decisions` prints both)."""

from __future__ import annotations

import pytest

from bench.decisions import KINDS, lines, lines_of_reading

MOST_LINES = {
    "new documents": 260,
    "edits of the head": 490,
    "edits without a base (v1.0)": 1_980,
    "eight devices edit one document, in one transaction": 2_305,
    "eight devices edit one document, one after another": 2_230,
}
"""A sixth more than it takes now."""
MOST_LINES_OF_READING = 100
"""Likewise, of one document."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_takes_few_steps(kind: str) -> None:
    assert lines(kind) < MOST_LINES[kind]


def test_reading_a_batch_takes_few_steps() -> None:
    assert lines_of_reading() < MOST_LINES_OF_READING
