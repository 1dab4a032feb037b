"""Tasks that go on after errors, and end when they are cancelled all the same."""

from __future__ import annotations

import asyncio


def raise_if_cancelled() -> None:
    """Raises CancelledError if the current task was told to end. A driver may make an error of its own of that, or
    nothing at all, when it comes while a connection fails: who goes on after errors would then never end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
