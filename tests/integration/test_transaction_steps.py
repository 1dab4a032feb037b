"""The thread of a transaction takes no more steps for a single write than it should. A step is a line of Python that
runs, of the driver's too: that is the same on every machine, so what makes a write slower shows without a clock."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from bench.documents import document
from shared.core.documents import Body
from shared.core.resolution.context import Outcome
from shared.core.resolution.revs import CREATED
from shared.settings import Settings
from tests.integration.writers import Writer, submission, two_writers

MOST_LINES = {"a new document": 1_820, "an edit": 2_280}
"""A sixth more than it takes now."""
_ROUNDS = 15


class Lines:
    """Those that ran in threads which began after this."""

    def __init__(self) -> None:
        self.count = 0

    def trace(self, _frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        self.count += event == "line"
        return self.trace


@pytest.mark.parametrize("kind", MOST_LINES)
async def test_a_single_write_takes_few_steps_in_its_thread(settings: Settings, kind: str) -> None:
    lines = Lines()
    before = threading.gettrace()
    threading.settrace(lines.trace)
    try:
        async with two_writers(settings, told=False) as [writer, _]:
            taken = [await _lines(writer, document(f"t{number}"), lines, kind) for number in range(_ROUNDS)]
    finally:
        threading.settrace(before)  # type: ignore[arg-type]
    assert 0.6 * MOST_LINES[kind] < statistics.median(taken) < MOST_LINES[kind]


async def _lines(writer: Writer, body: Body, lines: Lines, kind: str) -> int:
    base: str | None = CREATED
    if kind == "an edit":
        [made], _ = await writer.write(submission(body))
        base, body = made.rev, {**body, "edited": True}
    began = lines.count
    [answer], _ = await writer.write(submission(body, base))
    assert answer.outcome is (Outcome.APPLIED if base == CREATED else Outcome.FAST_FORWARD), answer.outcome
    return lines.count - began
