"""What the maps that a device asked for tell of what it has; see `shared.ports.MapAcknowledgements`."""

from __future__ import annotations

from api.reads.batch_loader import BatchLoader
from shared.core.documents import Device, DeviceId, SequenceNumber, SpaceId
from shared.core.resolution.context import AcknowledgedMap
from shared.ports import MapAcknowledgements

_SENDERS_AT_ONCE = 500


class DeviceAcknowledgements:
    """For requests: a token that several devices use tells nothing, and is not asked."""

    def __init__(self, acknowledgements: MapAcknowledgements) -> None:
        self._acknowledgements = acknowledgements
        self._posted: BatchLoader[tuple[SpaceId, DeviceId], AcknowledgedMap] = BatchLoader(
            acknowledgements.posted, most=_SENDERS_AT_ONCE
        )

    async def listed(self, device: Device, at: float, sequence: SequenceNumber) -> None:
        """The device asked at `at` and is about to get the map of this sequence."""
        if not device.shared:
            await self._acknowledgements.listed(device.space, device.id, at, sequence)

    async def posted(self, device: Device) -> AcknowledgedMap | None:
        """The device posts; what it acknowledged before."""
        return None if device.shared else await self._posted.get((device.space, device.id))
