"""Runs a module, as `python -m` does, of which no instrument counts anything: what `bench.overhead` compares with.

python -m bench.uncounted MODULE [ARGUMENT...]
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

import prometheus_client


class Nothing:
    """An instrument with the interface of each kind."""

    def __init__(self, *args: Any, **named: Any) -> None:
        pass

    def labels(self, *values: str) -> Nothing:
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    dec = observe = set = inc

    def set_function(self, function: Any) -> None:
        pass


def main() -> None:
    module, *arguments = sys.argv[1:]
    for kind in ("Counter", "Gauge", "Histogram"):
        setattr(prometheus_client, kind, Nothing)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
