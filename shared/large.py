"""What is large to decide.

A merge is pure computation and may take seconds for the worst documents that the limits allow. It runs in the thread
of its transaction, beside the event loop that renews leases and serves the other spaces; but computations in Python
only take turns, so one at a time of these is all that the loop should have beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shared import codec
from shared.core.json.values import Value, weigh
from shared.core.resolution.context import DocumentContext, Submission

ContextAndSubmission = tuple[DocumentContext, Submission]

LARGE: Final = 20_000
"""Values and lines that any number of threads may decide at a time: some ten milliseconds."""
LARGE_MERGE_LOCK: Final = threading.Lock()
"""Held while something large is decided, in this process."""


def is_large(values: Iterable[Value]) -> bool:
    """Whether these together may take long to decide."""
    return weigh(values, LARGE) > LARGE


class Weights:
    """Tells whether cases are large, for one batch: the same states are met again and again in it.

    Values must not change while it lives.
    """

    def __init__(self) -> None:
        # By id(); the value is held so that its id stays its own.
        self._known: dict[int, tuple[int, Value]] = {}

    def are_large(self, cases: Sequence[ContextAndSubmission]) -> bool:
        """Whether these together may take long to decide."""
        bodies = list(_bodies(cases))
        known, most = self._known, 0
        for body in bodies:
            weighed = known.get(id(body))
            most += self._most(body) if weighed is None else weighed[0]
            if most > LARGE:
                return is_large(bodies)
        return False

    def _most(self, value: Value) -> int:
        """As `weigh` or more, in a tenth of the time: what the JSON text tells."""
        try:
            text = codec.dumps(value)
        except TypeError:  # nested more deeply than orjson goes
            return LARGE + 1
        # Each value but the first stands behind one of these, and each line ends in an escape.
        most = 1 + text.count(b",") + text.count(b"[") + text.count(b"{") + text.count(b"\\n")
        self._known[id(value)] = most, value
        return most


def _bodies(cases: Sequence[ContextAndSubmission]) -> Iterator[Value]:
    """What the rules may compare. A state of which there is no document meets nothing."""
    for context, submission in cases:
        if context.head is None and submission.ancestors is None and not isinstance(submission.base_state, dict):
            continue
        stored = (*context.states.values(), *(context.recent or ()), *(context.ancestors or ()))
        bodies = [context.head.body if context.head else None, *(s.body for s in stored if s)]
        if isinstance(submission.base_state, dict):
            bodies.append(submission.base_state)
        bodies += [ancestor.state for ancestor in submission.ancestors or ()]
        yield submission.client_state
        yield from bodies
