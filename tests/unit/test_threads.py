"""Turns of threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from shared import threads


@pytest.fixture
def restored() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restored")
def test_turns_are_a_tenth_of_those_of_python() -> None:
    sys.setswitchinterval(0.005)
    threads.switch_soon()
    assert sys.getswitchinterval() == pytest.approx(0.0005)
