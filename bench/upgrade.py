"""An earlier release and this one side by side, on one database and one Redis, under load:

    git worktree add /tmp/earlier <commit>
    python -m bench.upgrade --earlier /tmp/earlier [--seconds 10]

The checkout of the earlier release needs no environment of its own: its programs run in this one. Clients of several
kinds edit the same documents all the time, and go to another process when they get no answer, or 503. Ends with
status 1 if an edit that was acknowledged is missing, or a request was answered by what repeating does not help.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.faults.hosts import Fleet
from bench.faults.kinds import Fault
from bench.faults.run import Load, Result, run
from bench.faults.seeds import said


def steps(fleet: Fleet, load: Load, earlier: Path, seconds: float) -> Iterator[Fault]:
    """One after the other; each is followed by so many seconds of load."""

    def step(name: str, happen: Callable[[], object]) -> Fault:
        def followed() -> None:
            happen()
            load.move_on()
            time.sleep(seconds)

        return Fault(("step",), name, followed)

    old = list(fleet.hosts)
    yield step("the earlier release alone", lambda: None)
    yield step("a host of this release joins", partial(fleet.join, "new-1"))
    for host in old:
        yield step(f"the worker of {host.name} is killed", partial(host.kill, "worker"))
    yield step("a second host of this release joins", partial(fleet.join, "new-2"))
    for host in old:
        yield step(f"{host.name} stops", host.stop)
    yield step("what runs beside MongoDB and Redis is of this release, too", fleet.take_over)
    yield step("a host of the earlier release joins again", partial(fleet.join, "back", earlier))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.upgrade")
    parser.add_argument("--earlier", type=Path, required=True, help="a checkout of an earlier release")
    parser.add_argument("--seconds", type=float, default=10, help="of load after each step")
    options = parser.parse_args()
    earlier = options.earlier.absolute()
    result = Result(1)
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), ["old-1", "old-2"], earlier) as fleet:
        load = Load(fleet.urls, fleet.instance.token, 1, writers=1)
        run(load, steps(fleet, load, earlier, options.seconds), result)
        load.check(result)
    return 0 if said(result, None) else 1


if __name__ == "__main__":
    raise SystemExit(main())
