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
_MANY: Final = 64
"""States: with so many a batch is a push, of which hardly any state is met again."""
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
        met = [case for case in cases if _meets_something(*case)]
        heads = [context.head for context, _ in met if context.head is not None]
        most = sum([head.weight for head in heads if head.weight is not None])
        unknown: list[Value] = [head.body for head in heads if head.weight is None]
        unknown += _beside_heads(met)
        if len(unknown) > _MANY:  # of one text for all of them less is to be asked than of one for each
            most += weight_at_most(unknown)
        else:
            for body in unknown:
                if most > LARGE:
                    break
                most += self._weight(body)
        return most > LARGE and is_large([*(head.body for head in heads), *_beside_heads(met)])

    def _weight(self, body: Value) -> int:
        weighed = self._known.get(id(body))
        if weighed is None:
            weighed = self._known[id(body)] = weight_at_most(body), body
        return weighed[0]


def weight_at_most(value: Value) -> int:
    """As `weigh` or more, in a tenth of the time: what the JSON text tells."""
    try:
        text = codec.dumps(value)
    except TypeError:  # nested more deeply than orjson goes
        return LARGE + 1
    return weight_of(text)


def weight_of(text: bytes) -> int:
    """The same, of the compact JSON text."""
    # Each value but the first stands behind one of these, and each line ends in an escape.
    return 1 + text.count(b",") + text.count(b"[") + text.count(b"{") + text.count(b"\\n")


def _meets_something(context: DocumentContext, submission: Submission) -> bool:
    """Whether there is anything to compare the state with."""
    return context.head is not None or submission.ancestors is not None or isinstance(submission.base_state, dict)


def _beside_heads(cases: Sequence[ContextAndSubmission]) -> Iterator[Value]:
    """What the rules may compare."""
    for context, submission in cases:
        yield submission.client_state
        for several in (context.states.values(), context.recent, context.ancestors):
            if several:
                yield from [stored.body for stored in several if stored]
        if isinstance(submission.base_state, dict):
            yield submission.base_state
        if submission.ancestors:
            yield from [ancestor.state for ancestor in submission.ancestors]
