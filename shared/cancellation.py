"""Tasks that go on after errors, and end when they are cancelled all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1


async def repeat(step: Callable[[], Awaitable[object]], name: str, *, every: float = 0) -> NoReturn:
    """Calls `step` again and again until the task is cancelled, `every` so many seconds, also after an error that it
    did not expect: that is logged as an error of `name`. What runs beside the requests would else end, and nobody
    notice it."""
    while True:
        raise_if_cancelled()
        if every:
            await asyncio.sleep(every)
        try:
            await step()
        except Exception:
            logger.exception("background_step_failed", extra={"fields": {"step": name}})
            await asyncio.sleep(_AGAIN_SECONDS)


def raise_if_cancelled() -> None:
    """Raises CancelledError if the current task was told to end. Where a connection fails just then, the driver makes
    an error of its own of that (one in a hundred cancellations, tried with redis-py 5 at a server that closes
    connections): a loop that goes on after errors would then never end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
