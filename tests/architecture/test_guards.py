"""The script that breaks guards on purpose has something to break."""

from __future__ import annotations

import ast

import pytest

from tests.break_guards import BREAKS, Break, text_with
from tests.instance import ROOT


@pytest.mark.parametrize("broken", BREAKS, ids=lambda b: b.name)
def test_the_break_applies(broken: Break) -> None:
    text = text_with(broken, ROOT)
    if broken.file.endswith(".py"):
        ast.parse(text)
    for test in broken.tests:
        assert (ROOT / test).is_file()


def test_no_two_breaks_have_the_same_name() -> None:
    assert len({b.name for b in BREAKS}) == len(BREAKS) >= 10
