"""Why a process does not start, where it is for an operator to mend: said in words, and not by a traceback alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from shared.adapters.mongodb.migrations import SchemaTooNewError
from shared.observability import event
from shared.tracing import TracesNotPossibleError

logger = logging.getLogger(__name__)


@contextmanager
def explained() -> Iterator[None]:
    """Logs `cannot_start` with the reason, and lets the error end the process."""
    try:
        yield
    except (SchemaTooNewError, TracesNotPossibleError) as error:
        event(logger, logging.CRITICAL, "cannot_start", reason=str(error))
        raise
