"""`python -m bench.model`: searches the models completely, and the weakened ones until something is wrong. Status 1
if that is not as it should be. Takes some minutes; the tests search smaller ones.
"""

from __future__ import annotations

import time

from bench.model import cursor, lease
from bench.model.search import Found, search

_MAX_STATES = 12_000_000


def said(name: str, found: Found[object], seconds: float, *, right: bool) -> bool:
    """Prints it. Whether it is as it should be."""
    if found.trace is None:
        print(f"{name}: right in each of {found.states:,} states ({seconds:.1f} s)")
    else:
        print(f"{name}: wrong after {found.states:,} states ({seconds:.1f} s): {found.wrong}")
        print("".join(f"    {number}. {step}\n" for number, step in enumerate(found.trace, 1)), end="")
    return (found.trace is None) == right


def searched(name: str, model: lease.Model | cursor.Model, *, right: bool) -> bool:
    began = time.monotonic()
    found = search(model.initial(), model.steps, model.wrong, most_states=_MAX_STATES)  # type: ignore[arg-type]
    return said(name, found, time.monotonic() - began, right=right)  # type: ignore[arg-type]


def main() -> int:
    fine = []
    for fault in lease.Fault:
        model = lease.Model(writes=3, workers=3, faults=4, without=frozenset({fault}), alike=True)
        fine.append(searched(f"lease, but not: {fault.value}", model, right=True))
    fine.append(searched("lease, emptied and set back", lease.Model(), right=False))
    for weakness in lease.Weakness:
        weak = lease.Model(weakness, without=frozenset({lease.Fault.EMPTIED}))
        fine.append(searched(f"lease, where {weakness.value}", weak, right=False))
    fine.append(searched("cursor", cursor.Model(writes=5, put_back=2), right=True))
    for left_out in cursor.Weakness:
        fine.append(searched(f"cursor, where {left_out.value}", cursor.Model(left_out), right=False))
    return 0 if all(fine) else 1


if __name__ == "__main__":
    raise SystemExit(main())
