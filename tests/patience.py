"""How long a test waits for what must happen. No test says how fast that is: a machine may be slow, and busy."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from typing import Final

PATIENCE_SECONDS = 180.0
"""Something is wrong then; it costs nothing where all is well."""

TIMES = 3
"""What a signal ends may be late on a busy machine, but hardly so often; what ends by looking is late each time."""

NEVER_SECONDS: Final = 100_000
"""In the place of the time after which something is looked at that should have been told. A test whose server has it
waits for what is told alone."""
SUBMIT_DEADLINE_SECONDS: Final = 120.0
STORE_TIMEOUT_SECONDS: Final = 60.0
SERVER_SETTINGS: Final = {
    "HYPERTASK_SUBMIT_DEADLINE_SECONDS": str(SUBMIT_DEADLINE_SECONDS),
    "HYPERTASK_STORE_TIMEOUT_SECONDS": str(STORE_TIMEOUT_SECONDS),
    "HYPERTASK_HEADER_SECONDS": str(PATIENCE_SECONDS),
    "HYPERTASK_BODY_SECONDS": str(PATIENCE_SECONDS),
}
SERVER_CONSTANTS: Final = {
    "api.large.parser_pool._JOB_SECONDS": PATIENCE_SECONDS,
    "api.limits.bounds._WAIT_SECONDS": PATIENCE_SECONDS,
    "shared.adapters.rates._ANSWER_SECONDS": 60.0,
    "shared.adapters.redis.active_shares._ANSWER_SECONDS": 60.0,
    "shared.adapters.redis.announcements._CONFIRM_SECONDS": 60.0,
    "shared.adapters.redis.connection.ANSWER_SECONDS": 60.0,
    "shared.adapters.redis.connection.CONNECT_SECONDS": 60.0,
    "shared.adapters.redis.streams._ANSWER_SECONDS": 60.0,
}
"""How long the processes of a server of tests wait for each other: all of them may stand still for some seconds, on a
machine that does. What says itself that it is away is not waited for."""


def set_constants(values: Mapping[str, float]) -> None:
    """Of modules, by module and name, in this process."""
    for place, value in values.items():
        module, _, name = place.rpartition(".")
        members = vars(importlib.import_module(module))
        assert name in members, f"there is no {place}"
        members[name] = value


def until(is_so: Callable[[], object], told: Callable[[], object] = lambda: None) -> None:
    """Waits until it is so. `told` says more when it does not become so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)
