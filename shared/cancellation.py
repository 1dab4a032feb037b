"""Tasks that go on after errors, and end when they are cancelled all the same."""

from __future__ import annotations

import asyncio


def raise_if_cancelled() -> None:
    """Raises CancelledError if the current task was told to end. Where a connection fails just then, the driver makes
    an error of its own of that (one in a hundred cancellations, tried with redis-py 5 at a server that closes
    connections): a loop that goes on after errors would then never end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
