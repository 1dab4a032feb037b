"""Runs a module, as `python -m` does, that stops counting at SIGUSR2 and counts again at SIGUSR1: for
`bench.overhead`.

python -m bench.switched MODULE [ARGUMENT...]
"""

from __future__ import annotations

import runpy
import signal
import sys
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from shared import metrics

_COUNTING: dict[str, Any] = {
    "count_decisions": metrics.count_decisions,
    **{
        name: value
        for name, value in vars(metrics).items()
        if isinstance(value, MetricWrapperBase | metrics.RequestCounts | metrics.Duration)
    },
}
"""What others tell of their work, by its name in `shared.metrics`."""


class Nothing:
    """Has the interface of all of them."""

    def labels(self, *values: str) -> Nothing:
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    dec = observe = receive = send = inc

    def answer(self, route: str, method: str, status: str, seconds: float | None) -> None:
        pass

    def __call__(self, replies: object) -> None:
        pass


def count(*_: Any) -> None:
    vars(metrics).update(_COUNTING)


def count_nothing(*_: Any) -> None:
    vars(metrics).update(dict.fromkeys(_COUNTING, Nothing()))


def main() -> None:
    module, *arguments = sys.argv[1:]
    signal.signal(signal.SIGUSR1, count)
    signal.signal(signal.SIGUSR2, count_nothing)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
