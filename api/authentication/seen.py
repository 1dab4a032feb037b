"""When devices were heard of and how far they have followed their spaces: written beside the requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.core.display import is_shown
from shared.core.documents import DeviceId, SequenceNumber, SpaceId, Synced
from shared.observability import event
from shared.ports import UnavailableError
from shared.ports.access import DeviceStore

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 60
"""How often one device is written of."""
_FIRST_SECONDS: Final = 1.0
"""How long what a device asks for first is gathered."""
_MAX_KEPT: Final = 10_000
_MAX_CLIENT: Final = 100
"""Characters of what a program calls itself."""


@dataclass(slots=True)
class _Note:
    """What is known of a device and not stored yet."""

    at: float
    client: str | None = None
    synced: dict[SpaceId, Synced] = field(default_factory=dict)


class SeenDevices:
    """Of one process."""

    def __init__(self, store: DeviceStore) -> None:
        self._store = store
        self._written: dict[DeviceId, float] = {}
        self._notes: dict[DeviceId, _Note] = {}
        self._tasks: dict[DeviceId, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()

    def note(
        self,
        device: DeviceId,
        *,
        client: str | None = None,
        synced: Mapping[SpaceId, SequenceNumber] | None = None,
    ) -> None:
        """The device was heard of just now. Stored soon, or EVERY_SECONDS after what was stored before."""
        now = time.time()
        note = self._notes.get(device) or self._notes.setdefault(device, _Note(now))
        note.at = now
        if client is not None and is_shown(client):
            note.client = client[:_MAX_CLIENT]
        for space, sequence in (synced or {}).items():
            note.synced[space] = Synced(now, sequence)
        if device not in self._tasks and len(self._tasks) < _MAX_KEPT:
            self._tasks[device] = asyncio.create_task(self._write(device))

    async def close(self) -> None:
        """Stores what waits."""
        self._closing.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _write(self, device: DeviceId) -> None:
        try:
            while device in self._notes:  # another one may have come while the last one was stored
                due = self._written.get(device, 0.0) + EVERY_SECONDS - time.time()
                await self._until_due(max(due, _FIRST_SECONDS))
                if len(self._written) >= _MAX_KEPT:
                    self._written.clear()
                note = self._notes.pop(device)
                self._written[device] = time.time()
                await self._store.seen(device, note.at, client=note.client, synced=note.synced)
        except UnavailableError as error:
            event(logger, logging.INFO, "last_seen_not_written", cause=error)
        finally:
            self._tasks.pop(device, None)

    async def _until_due(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
