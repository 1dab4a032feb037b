"""The clients that are measured collect garbage as the programs do."""

from __future__ import annotations

import gc

from bench.client import COMMAND_COLLECTS, collecting
from client import cli


def test_a_client_that_is_measured_collects_as_a_command_does() -> None:
    assert COMMAND_COLLECTS == (cli._YOUNG, cli._OLDER, cli._OLDER)
    before = gc.get_threshold()
    with collecting(*COMMAND_COLLECTS):
        assert gc.get_threshold() == COMMAND_COLLECTS
    assert gc.get_threshold() == before
